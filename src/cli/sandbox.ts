import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createLog } from '../base/log.ts';
import { SandboxArchive } from '../demo/sandbox-archive.ts';

export interface SandboxOptions {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly tokenFile?: string;
}

/** Runs the sandbox archive until SIGTERM or SIGINT. */
export async function sandbox(options: SandboxOptions): Promise<void> {
  const log = createLog('info');
  const bearerToken =
    options.tokenFile === undefined ? null : (await readFile(options.tokenFile, 'utf8')).trim();
  const { host, port } = options;
  const archive = new SandboxArchive({ dataDir: resolve(options.data), host, port, log, bearerToken });
  const { url } = await archive.start();
  log.info({ event: 'ready', url }, 'sandbox archive is ready: use this address as a destination');
  await new Promise<void>((done) => {
    process.once('SIGTERM', () => done());
    process.once('SIGINT', () => done());
  });
  await archive.stop();
}
