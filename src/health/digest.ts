import { createTask } from 'node-cron';
import { cronLogger } from '../base/cron-logger.ts';
import type { Log } from '../base/log.ts';
import type { Notifier } from './notifier.ts';

export interface DigestOptions {
  /** A cron expression. */
  readonly schedule: string;
  /** IANA name: the times of the schedule are those of the site. */
  readonly timeZone: string;
  readonly notifier: Pick<Notifier, 'digest'>;
  readonly log: Log;
}

/** Tells on a schedule how things stand. @returns ends it */
export function scheduleDigest({ schedule, timeZone, notifier, log }: DigestOptions): () => Promise<void> {
  const options = { timezone: timeZone, logger: cronLogger(log), unref: true };
  const task = createTask(schedule, () => notifier.digest(), options);
  void task.start();
  return async () => {
    await task.destroy();
  };
}
