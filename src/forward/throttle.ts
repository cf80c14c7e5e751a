import type { Clock } from '../base/clock.ts';

/** What may go out at once after a rest: a tenth of a second's worth, and at least a packet or two. */
const burstSeconds = 0.1;
const burstBytesMin = 4 * 1024;
/** So long at most until a change of the rate is noticed by what is under way. */
const lookAgainMs = 500;
/** Routine requests wait so long for each piece at most while a stat one is on the line: servers have patience too. */
const yieldMsMax = 10_000;

interface Waiter {
  readonly bytes: number;
  readonly stat: boolean;
  readonly since: number;
  readonly go: () => void;
}

export interface ThrottleOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Bytes a second, null: no limit, 0: nothing. Asked again and again. */
  readonly bytesPerSecond: () => number | null;
  /** Something waits though the rate is 0. */
  readonly stopped: () => void;
}

/**
 * A token bucket shared by all requests to one destination, piece by piece: a change of the rate counts within a
 * request that is under way. Stat pieces go before all others, and while a stat request is on the line, the others
 * leave it to that one, limit or none.
 */
export class Throttle {
  readonly #options: ThrottleOptions;
  readonly #waiting: { stat: Waiter[]; routine: Waiter[] } = { stat: [], routine: [] };
  #statRequests = 0;
  /** May fall below 0: a piece goes whole, and what it took too much is waited for. */
  #tokens = 0;
  #filledAt: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: ThrottleOptions) {
    this.#options = options;
    this.#filledAt = options.clock.monotonic();
  }

  /** @returns a promise where the piece has to wait; it resolves early where the signal fires */
  take(bytes: number, stat: boolean, signal: AbortSignal): Promise<void> | undefined {
    if (signal.aborted) return undefined;
    const nobodyWaits = this.#waiting.stat.length + this.#waiting.routine.length === 0;
    const since = this.#options.clock.monotonic();
    if (nobodyWaits && this.#mayGo({ stat, since })) {
      this.#tokens -= bytes;
      return undefined;
    }
    return new Promise((resolve) => {
      const queue = stat ? this.#waiting.stat : this.#waiting.routine;
      const leave = (): void => {
        const at = queue.indexOf(waiter);
        if (at >= 0) queue.splice(at, 1);
        resolve();
      };
      const go = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const waiter: Waiter = { bytes, stat, since, go };
      signal.addEventListener('abort', leave, { once: true });
      queue.push(waiter);
      this.look();
    });
  }

  /** A stat request is on the line until the function that is returned is called. */
  statBegins(): () => void {
    let over = false;
    this.#statRequests += 1;
    return () => {
      if (over) return;
      over = true;
      this.#statRequests -= 1;
      this.look();
    };
  }

  /** Lets go what may go now. Call it where the rate has changed. */
  look(): void {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = null;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (!this.#mayGo(next)) {
        this.#timer = setTimeout(() => this.look(), this.#waitMs());
        if (this.#options.bytesPerSecond() === 0) this.#options.stopped();
        return;
      }
      this.#tokens -= next.bytes;
      (next.stat ? this.#waiting.stat : this.#waiting.routine).shift();
      next.go();
    }
  }

  #next(): Waiter | undefined {
    return this.#waiting.stat[0] ?? this.#waiting.routine[0];
  }

  #mayGo({ stat, since }: Pick<Waiter, 'stat' | 'since'>): boolean {
    const now = this.#options.clock.monotonic();
    if (!stat && this.#statRequests > 0 && now - since < yieldMsMax) return false;
    const rate = this.#options.bytesPerSecond();
    const burst = rate === null ? 0 : Math.max(burstBytesMin, rate * burstSeconds);
    const filled = this.#tokens + ((rate ?? 0) * (now - this.#filledAt)) / 1000;
    this.#filledAt = now;
    // Without a limit nothing is owed, and nothing is saved for the time when there is one.
    this.#tokens = rate === null ? 0 : Math.min(burst, filled);
    return rate === null || (rate > 0 && this.#tokens >= 0);
  }

  #waitMs(): number {
    const rate = this.#options.bytesPerSecond() ?? 0;
    if (rate === 0 || this.#tokens >= 0) return lookAgainMs / 10;
    return Math.min(lookAgainMs, Math.max(1, Math.ceil((-this.#tokens / rate) * 1000)));
  }
}
