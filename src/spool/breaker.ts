import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import { backoffMs, type Random, type RetryPolicy } from './retry.ts';

/** Why a peer is left alone, and how it is asked again. */
export interface Fault<Kind extends string> {
  readonly kind: Kind;
  readonly reason: Reason;
  readonly policy: RetryPolicy;
  /** What the peer asked for, or null. */
  readonly retryAfterMs: number | null;
  /** Consecutive faults needed to open: 1 for a certain one, more for one that may be the fault of what was sent. */
  readonly opensAfter: number;
}

/** `free`: go on; `probe`: exactly one small try; `wait`: nothing before {@link Breaker.waitMs}. */
export type Permit = 'free' | 'probe' | 'wait';

/**
 * Keeps a failing peer from being hammered: after a fault nothing is sent except one probe per backoff step;
 * the first success opens the way again. Lives on the monotonic clock, so that a jump of the wall clock neither
 * hurries nor strands it.
 */
export class Breaker<Kind extends string> {
  readonly #clock: Clock;
  readonly #random: Random;
  #fault: Fault<Kind> | null = null;
  #faultsInARow = 0;
  #steps = 0;
  #probeAt = 0;
  #probing = false;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The present fault, or null while the way is free. */
  get fault(): { readonly kind: Kind; readonly reason: Reason } | null {
    return this.#fault;
  }

  permit(): Permit {
    if (this.#fault === null) return 'free';
    return !this.#probing && this.#clock.monotonic() >= this.#probeAt ? 'probe' : 'wait';
  }

  /** Milliseconds until the next probe: 0 where one is due or none is needed, Infinity while one is under way. */
  waitMs(): number {
    if (this.#fault === null) return 0;
    return this.#probing ? Infinity : Math.max(0, this.#probeAt - this.#clock.monotonic());
  }

  /** A probe begins; it ends with `succeeded`, `failed` or `probeEnded`. */
  probeBegins(): void {
    this.#probing = true;
  }

  /** The probe said nothing about the peer: another may follow. */
  probeEnded(): void {
    this.#probing = false;
  }

  succeeded(): void {
    this.#fault = null;
    this.#faultsInARow = 0;
    this.#steps = 0;
    this.#probing = false;
  }

  /**
   * @param probe whether the failed try was the probe; what was already under way when the way closed makes no
   *   new step
   */
  failed(fault: Fault<Kind>, probe: boolean): void {
    if (probe) this.#probing = false;
    this.#faultsInARow += 1;
    if (this.#fault === null && this.#faultsInARow < fault.opensAfter) return;
    if (this.#fault !== null && this.#fault.kind === fault.kind && !probe) return;
    this.#steps = this.#fault?.kind === fault.kind ? this.#steps + 1 : 1;
    this.#fault = fault;
    this.#probeAt =
      this.#clock.monotonic() + backoffMs(fault.policy, this.#steps, this.#random, fault.retryAfterMs);
  }

  /** The next probe is due now: an operator, or a changed configuration, says it is worth a try. */
  probeNow(): void {
    this.#probeAt = this.#clock.monotonic();
  }
}
