import { flushCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isOneFile } from '../base/own-files.ts';

/*
 * What a gateway that runs for months is to be started with, and what can be given to a process only at its start:
 * - young objects in at most 8 MB: V8 lets that space grow to 32 MB while modules are loaded, and to 128 MB under
 *   load, and keeps it. In 2 MB many small images at once cost a fifth more CPU; in 8 MB nothing was measured;
 * - two arenas of malloc: by default each of some 24 threads has its own, and keeps what it had at its peak;
 * - the compile cache: with it the TypeScript compiler is never loaded, in either thread, once the sources have been
 *   compiled by an earlier start. It lies beside the packages: whoever can write there can change the code itself.
 * The executable is built with these options and holds no TypeScript: only the arenas are left to be set.
 */
export const leanNodeOptions: readonly string[] = ['--max-semi-space-size=4', '--expose-gc'];
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/gantry', import.meta.url));

/**
 * Starts this program anew within the same process (same id, same input and output), unless it was started lean
 * already, the system cannot do that, or a parent would lose its channel to it. Call it before anything is opened.
 * Returns where nothing was to be done.
 */
export function continueLean(): void {
  const { execPath, execArgv, argv, env } = process;
  const startedLean = isOneFile
    ? env['MALLOC_ARENA_MAX'] !== undefined
    : leanNodeOptions.every((option) => execArgv.includes(option));
  const canRestart = process.execve !== undefined && process.platform !== 'win32';
  if (startedLean || !canRestart || process.channel !== undefined) return;
  const program = isOneFile ? argv.slice(2) : [...execArgv, ...leanNodeOptions, ...argv.slice(1)];
  process.execve?.(execPath, [execPath, ...program], {
    MALLOC_ARENA_MAX: '2',
    ...(isOneFile ? {} : { NODE_COMPILE_CACHE: compileCache }),
    ...env,
  });
}

/** Keeps what was compiled for the next start, and gives back what the start has left behind. Takes some 0.1 s. */
export function tidyAfterStart(): void {
  flushCompileCache();
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
