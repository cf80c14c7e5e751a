#!/usr/bin/env node
// First, before anything uses the thread pool.
import './cli/process-setup.ts';
import { runCommandLine } from './cli/command-line.ts';

void runCommandLine(process.argv);
