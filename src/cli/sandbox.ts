import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { createLog } from '../base/log.ts';
import { SandboxArchive } from '../demo/sandbox-archive.ts';
import { listenToStopSignals } from './stop-signals.ts';

export interface SandboxOptions {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly tokenFile?: string;
}

/**
 * Runs the sandbox archive until SIGTERM or SIGINT.
 * @throws GantryError SANDBOX_TOKEN_FILE, SANDBOX_DATA, SANDBOX_LISTEN
 */
export async function sandbox(options: SandboxOptions): Promise<void> {
  const log = createLog('info');
  const stopSignals = listenToStopSignals();
  const { host, port, tokenFile } = options;
  const bearerToken = tokenFile === undefined ? null : await readToken(tokenFile);
  const archive = new SandboxArchive({ dataDir: resolve(options.data), host, port, log, bearerToken });
  const { url } = await archive.start().catch((cause: unknown) => {
    throw startFailure(cause);
  });
  log.info({ event: 'ready', url }, 'sandbox archive is ready: use this address as a destination');
  await stopSignals.asked();
  await archive.stop();
}

async function readToken(path: string): Promise<string> {
  let failure = 'it is empty';
  let cause: unknown;
  try {
    const token = (await readFile(path, 'utf8')).trim();
    if (token !== '') return token;
  } catch (error) {
    cause = error;
    failure = systemErrorCode(error) ?? 'unknown cause';
  }
  throw new GantryError(
    {
      code: 'SANDBOX_TOKEN_FILE',
      kind: 'permanent',
      message: `The token cannot be read from its file (${failure}).`,
      nextStep: 'Check the path given with --token-file, its permissions and that it holds the token alone.',
    },
    { cause },
  );
}

function startFailure(cause: unknown): GantryError {
  const code = systemErrorCode(cause) ?? 'unknown cause';
  // The system names a path where a file is at fault, and an address where it is not.
  if (cause instanceof Error && 'path' in cause) {
    return new GantryError(
      {
        code: 'SANDBOX_DATA',
        kind: 'permanent',
        message: `The sandbox archive cannot use its data directory (${code}).`,
        nextStep:
          'Check the path given with --data: a directory of this user, on a disk that can be written.',
      },
      { cause },
    );
  }
  return new GantryError(
    {
      code: 'SANDBOX_LISTEN',
      kind: 'permanent',
      message: `The sandbox archive cannot listen on this address and port (${code}).`,
      nextStep: 'Give an address of this machine with --host and a free port with --port (0 takes any).',
    },
    { cause },
  );
}
