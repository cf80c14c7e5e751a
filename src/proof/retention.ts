import { createTask, type ScheduledTask } from 'node-cron';
import type { Clock } from '../base/clock.ts';
import { cronLogger } from '../base/cron-logger.ts';
import type { Log } from '../base/log.ts';
import type { SpoolProof } from '../spool/types.ts';

export interface RetentionOptions {
  readonly spool: Pick<SpoolProof, 'purgeVerified'>;
  /** Cron expression, five or six fields. */
  readonly schedule: string;
  /** IANA name of the site's time zone, which the schedule is in. */
  readonly timeZone: string;
  /** Verified instances stay on the box for so long. */
  readonly keepVerifiedHours: number;
  readonly clock: Clock;
  readonly log: Log;
}

export type PurgeCounts = Awaited<ReturnType<SpoolProof['purgeVerified']>>;

const hourMs = 3_600_000;

/** Deletes what is proven at the archive and old enough, on a schedule; one run at a time. */
export class Retention {
  readonly #options: RetentionOptions;
  #task: ScheduledTask | null = null;
  #running: Promise<PurgeCounts> | null = null;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** @throws Error where the schedule is not a cron expression */
  start(): void {
    const { log, schedule, timeZone } = this.#options;
    const runLogged = (): Promise<void> =>
      this.runNow().then(
        () => undefined,
        (error: unknown) => log.error({ error }, 'retention run failed'),
      );
    const options = { timezone: timeZone, logger: cronLogger(log), unref: true };
    this.#task ??= createTask(schedule, runLogged, options);
    void this.#task.start();
  }

  /** Resolves when a run under way has ended. */
  async stop(): Promise<void> {
    await this.#task?.destroy();
    this.#task = null;
    await this.#running?.catch(() => undefined);
  }

  /** Runs at once, or joins the run under way. */
  async runNow(): Promise<PurgeCounts> {
    this.#running ??= this.#purge().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #purge(): Promise<PurgeCounts> {
    const { spool, clock, keepVerifiedHours, log } = this.#options;
    const counts = await spool.purgeVerified(clock.now() - keepVerifiedHours * hourMs);
    log.info(counts, 'retention run finished');
    return counts;
  }
}
