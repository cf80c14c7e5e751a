import type { Clock } from '../base/clock.ts';

/** The longest delay a Node timer takes. */
const timerMsMax = 2 ** 31 - 1;

/**
 * One deadline at a time for what the peer has to do. Time in which we hold the peer back does not count.
 * Cheap to move: the timer underneath is only re-armed when it fires or when a deadline comes nearer.
 */
export class Patience {
  readonly #clock: Clock;
  #deadline: { at: number; expired: () => void } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #timerAt = 0;
  #pausedAt: number | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Replaces the deadline. */
  allow(ms: number, expired: () => void): void {
    const at = (this.#pausedAt ?? this.#clock.monotonic()) + ms;
    this.#deadline = { at, expired };
    if (this.#pausedAt === null) this.#arm();
  }

  /** No deadline until the next `allow`. */
  end(): void {
    this.#deadline = null;
    this.#disarm();
  }

  pause(): void {
    this.#pausedAt ??= this.#clock.monotonic();
  }

  resume(): void {
    if (this.#pausedAt === null) return;
    const pausedMs = this.#clock.monotonic() - this.#pausedAt;
    this.#pausedAt = null;
    if (this.#deadline === null) return;
    this.#deadline.at += pausedMs;
    this.#arm();
  }

  #arm(): void {
    if (this.#deadline === null) return;
    const { at } = this.#deadline;
    if (this.#timer !== null && this.#timerAt <= at) return;
    this.#disarm();
    this.#timerAt = at;
    // One more: a timer may fire a fraction of a millisecond early.
    const delay = Math.min(Math.max(Math.ceil(at - this.#clock.monotonic()), 0) + 1, timerMsMax);
    this.#timer = setTimeout(() => this.#fire(), delay);
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #fire(): void {
    this.#timer = null;
    if (this.#deadline === null || this.#pausedAt !== null) return;
    if (this.#clock.monotonic() < this.#deadline.at) return this.#arm();
    const { expired } = this.#deadline;
    this.#deadline = null;
    expired();
  }
}
