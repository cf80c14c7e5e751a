import type { Log } from './log.ts';

/** node-cron writes to the console unless it is told where; its texts carry nothing of ours. */
export function cronLogger(
  log: Log,
): Record<'info' | 'warn' | 'error' | 'debug', (text: string | Error) => void> {
  return {
    info: (text) => log.info({ text }, 'schedule'),
    warn: (text) => log.warn({ text }, 'schedule'),
    error: (text) => log.error({ text }, 'schedule'),
    debug: (text) => log.debug({ text }, 'schedule'),
  };
}
