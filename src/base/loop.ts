/** The longest a loop sleeps without looking again, so that a jump of the wall clock cannot leave it asleep. */
export const sleepMsMax = 60_000;
/** A round that says "at once" again and again is slowed to this; a notification is never slowed. */
const sleepMsMin = 100;
/** How long {@link Loop.notifySoon} gathers before it wakes the loop. */
const gatherMs = 10;
/** After a round that threw. */
const failedRoundMs = 5000;

export interface LoopOptions {
  /** Does what there is to do and returns after how many milliseconds to look again unless notified. */
  round(): Promise<number>;
  /** A round threw: say so; the loop goes on. */
  failed(error: unknown): void;
}

/**
 * One background loop: rounds never overlap; between them it sleeps until notified or until the time the last
 * round gave. A notification during a round makes the next one follow at once, so none is missed.
 */
export class Loop {
  readonly #options: LoopOptions;
  #notified = false;
  #stopped = false;
  #endSleep: (() => void) | null = null;
  #gathering: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  notify(): void {
    this.#notified = true;
    this.#endSleep?.();
  }

  /** For announcements that come in swarms: many within a few milliseconds make one round. */
  notifySoon(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      this.notify();
    }, gatherMs);
  }

  /** Resolves once the present round is over; no other follows. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#gathering ?? undefined);
    this.#endSleep?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#notified = false;
      let sleepMs = failedRoundMs;
      try {
        sleepMs = await this.#options.round();
      } catch (error) {
        this.#options.failed(error);
      }
      await this.#sleep(Math.min(Math.max(sleepMs, sleepMsMin), sleepMsMax));
    }
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#notified || this.#stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endSleep = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endSleep = null;
  }
}
