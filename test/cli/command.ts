import { vi } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import type { ProgramRun } from '../e2e/peers.ts';

/** Runs a `gantry` command to its end within this process: what it prints, and the exit code it would end with. */
export async function command(...args: string[]): Promise<ProgramRun> {
  const output = { stdout: '', stderr: '' };
  const log = vi.spyOn(console, 'log').mockImplementation((line) => void (output.stdout += `${line}\n`));
  const error = vi.spyOn(console, 'error').mockImplementation((line) => void (output.stderr += `${line}\n`));
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await runCommandLine(['node', 'gantry', ...args]);
    return { code: process.exitCode, ...output };
  } finally {
    process.exitCode = before;
    log.mockRestore();
    error.mockRestore();
  }
}
