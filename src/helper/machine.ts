import { execFile } from 'node:child_process';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GantryError, systemErrorCode } from '../base/errors.ts';

const runMsMax = 30_000;
const outputBytesMax = 1024 * 1024;

/** Runs a program, never a shell. @returns what it printed @throws GantryError HELPER_PROGRAM */
export function runProgram(program: string, args: readonly string[], msMax = runMsMax): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { timeout: msMax, maxBuffer: outputBytesMax };
    execFile(program, [...args], limits, (cause, stdout, stderr) => {
      if (cause === null) return resolve(stdout);
      const words = (stderr.trim().split('\n').at(-1) ?? '').slice(0, 200);
      const message = `${program} failed${words === '' ? '' : `: ${words}`}.`;
      reject(programFailed(message, cause));
    });
  });
}

/** Whether a unit of systemd runs. */
export async function unitRuns(unit: string): Promise<boolean> {
  return await runProgram('systemctl', ['is-active', '--quiet', unit]).then(
    () => true,
    () => false,
  );
}

/** Text of a file, or null where there is none. */
export async function readText(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  });
}

/** Replaces a file durably (null removes it), readable to all: services of other users read their settings. */
export async function putText(path: string, text: string | null, mode = 0o644): Promise<void> {
  // Whatever the umask says.
  if ((await mkdir(dirname(path), { recursive: true })) !== undefined) await chmod(dirname(path), 0o755);
  if (text === null) await rm(path, { force: true });
  else {
    const temporary = `${path}.gantry-new`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(temporary, mode);
    await rename(temporary, path);
  }
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function programFailed(message: string, cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'HELPER_PROGRAM',
      kind: 'transient',
      message,
      nextStep: 'Look at the log of the helper (journalctl -u gantry-helper), or do it at the console.',
    },
    { cause },
  );
}
