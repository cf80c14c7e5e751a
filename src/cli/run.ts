import { resolve } from 'node:path';
import { GantryError } from '../base/errors.ts';
import { createLog, type Log, type LogLevel } from '../base/log.ts';
import { LogRing } from '../base/log-ring.ts';
import { version } from '../base/version.ts';
import { formatProblems } from '../config/check.ts';
import { ConfigRejectedError } from '../config/store.ts';
import { Gateway } from '../gateway.ts';
import { startWatchdog } from '../gateway-watchdog.ts';
import { readConfigFile } from './config-file.ts';
import { exitCodes } from './exit-codes.ts';
import { tidyAfterStart } from './lean-process.ts';
import { listenToStopSignals } from './stop-signals.ts';

export interface RunOptions {
  readonly data: string;
  readonly config?: string;
  readonly logLevel: LogLevel;
}

/** Runs until SIGTERM or SIGINT; resolves once everything has stopped. */
export async function run(options: RunOptions): Promise<void> {
  const recent = new LogRing();
  const log = createLog(options.logLevel, {
    write: (line) => {
      process.stdout.write(line);
      recent.write(line);
    },
  });
  const stopSignals = listenToStopSignals();
  logTheUnforeseen(log);
  const gateway = await start(options, log, recent);
  tidyAfterStart();
  log.info(
    {
      event: 'ready',
      dicomPort: gateway.ports.dicom,
      dicomTlsPort: gateway.ports.dicomTls,
      webPort: gateway.ports.web,
      webHttpsPort: gateway.ports.webHttps,
      aeTitle: gateway.aeTitle,
      version,
    },
    'accepting associations',
  );
  listenToReload(gateway);
  const sayStopping = startWatchdog(gateway, log);
  const signal = await stopSignals.asked();
  log.info({ event: 'stopping', signal }, 'finishing associations in flight');
  await sayStopping();
  await gateway.stop();
  log.info({ event: 'stopped' }, 'stopped');
  process.exit(exitCodes.ok);
}

/** SIGHUP means "read again", as it does to services; on a terminal it means that the terminal is gone. */
function listenToReload(gateway: Gateway): void {
  if (!process.stdout.isTTY) process.on('SIGHUP', () => gateway.reloadCertificates());
}

function logTheUnforeseen(log: Log): void {
  process.on('unhandledRejection', (error) => {
    log.error({ code: 'UNHANDLED', error }, 'something failed that nobody waited for');
  });
  process.on('uncaughtException', (error) => {
    log.error(
      { code: 'UNCAUGHT', error },
      'something failed that nobody foresaw; the process ends and is to be started again',
    );
    process.exit(exitCodes.failed);
  });
}

async function start({ data, config }: RunOptions, log: Log, recent: LogRing): Promise<Gateway> {
  const configText = config === undefined ? null : await readConfigFile(config);
  try {
    return await Gateway.start({
      dataDirectory: resolve(data),
      configText,
      log,
      recentLog: () => recent.lines(),
      died: (error) => {
        log.error(
          { code: 'DIED', error },
          'a part of the gateway ended by itself. Nothing received is lost; the process ends and is to be started again',
        );
        process.exit(exitCodes.failed);
      },
    });
  } catch (error) {
    throw error instanceof ConfigRejectedError && config !== undefined ? located(error, config) : error;
  }
}

/** The same failure, with its problems where they stand in the file. */
function located({ code, kind, message, problems }: ConfigRejectedError, path: string): GantryError {
  const nextStep = `Correct the file and check it with "gantry check-config":\n${formatProblems(path, problems)}`;
  return new GantryError({ code, kind, message, nextStep });
}
