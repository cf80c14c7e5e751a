import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { createLog, type LogLevel } from '../base/log.ts';
import { version } from '../base/version.ts';
import { Gateway } from '../gateway.ts';

export interface RunOptions {
  readonly data: string;
  readonly config?: string;
  readonly logLevel: LogLevel;
}

/** Runs until SIGTERM or SIGINT; resolves once everything has stopped. */
export async function run(options: RunOptions): Promise<void> {
  const log = createLog(options.logLevel);
  const configText = options.config === undefined ? null : await readConfig(options.config);
  const stopAsked = new Promise<string>((done) => {
    process.once('SIGTERM', () => done('SIGTERM'));
    process.once('SIGINT', () => done('SIGINT'));
  });
  process.on('unhandledRejection', (error) => {
    log.error({ code: 'UNHANDLED', error }, 'something failed that nobody waited for');
  });
  const gateway = await Gateway.start({
    dataDirectory: resolve(options.data),
    configText,
    log,
    died: (error) => {
      log.error(
        { code: 'DIED', error },
        'a part of the gateway ended by itself; the process ends and is to be started again',
      );
      process.exit(1);
    },
  });
  log.info(
    {
      event: 'ready',
      dicomPort: gateway.ports.dicom,
      webPort: gateway.ports.web,
      aeTitle: gateway.aeTitle,
      version,
    },
    'accepting associations',
  );
  const signal = await stopAsked;
  log.info({ event: 'stopping', signal }, 'finishing associations in flight');
  await gateway.stop();
  log.info({ event: 'stopped' }, 'stopped');
  process.exit(0);
}

async function readConfig(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new GantryError(
      {
        code: 'CONFIG_UNREADABLE',
        kind: 'permanent',
        message: `The configuration file cannot be read (${systemErrorCode(cause) ?? 'error'}).`,
        nextStep: 'Check the path given with --config and its permissions.',
      },
      { cause },
    );
  }
}
