import { isIPv6 } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { ApiRefusal } from './problem.ts';

export interface SignInLimits {
  /** Failed attempts one address has at once. */
  readonly perAddressMax: number;
  /** One more of them each so many milliseconds. */
  readonly perAddressMs: number;
  /** Failed attempts all addresses together have at once, but for those somebody has signed in from. */
  readonly totalMax: number;
  readonly totalMs: number;
}

export const signInLimits: SignInLimits = {
  perAddressMax: 10,
  perAddressMs: 60_000,
  totalMax: 50,
  totalMs: 6_000,
};

/** Addresses remembered; the one that was quiet longest is forgotten first. */
const addressesMax = 1_024;

/** A right to so many attempts, which comes back with time. */
class Allowance {
  readonly #max: number;
  readonly #eachMs: number;
  #left: number;
  #at: number;

  constructor(max: number, eachMs: number, now: number) {
    this.#max = max;
    this.#eachMs = eachMs;
    this.#left = max;
    this.#at = now;
  }

  /** Milliseconds until there is one; 0: there is one now. */
  waitMs(now: number): number {
    this.#left = Math.min(this.#max, this.#left + (now - this.#at) / this.#eachMs);
    this.#at = now;
    return this.#left >= 1 ? 0 : Math.ceil((1 - this.#left) * this.#eachMs);
  }

  take(): void {
    this.#left -= 1;
  }

  giveBack(): void {
    this.#left += 1;
  }
}

/**
 * Bounds guessing of passwords and codes. An attempt is counted before anything is hashed, so that many at once get
 * no further than many in a row; one that succeeds is given back. An address that somebody has signed in from does not
 * suffer from what others try.
 */
export class SignInLimiter {
  readonly #limits: SignInLimits;
  readonly #clock: Clock;
  readonly #addresses = new Map<string, Allowance>();
  readonly #known = new Set<string>();
  readonly #total: Allowance;

  constructor(clock: Clock, limits: SignInLimits = signInLimits) {
    this.#limits = limits;
    this.#clock = clock;
    this.#total = new Allowance(limits.totalMax, limits.totalMs, clock.monotonic());
  }

  /** Counts an attempt. @throws ApiRefusal SIGN_IN_LOCKED, SIGN_IN_BUSY */
  begin(address: string): { readonly succeeded: () => void } {
    const place = placeOf(address);
    const now = this.#clock.monotonic();
    const own = this.#allowanceOf(place, now);
    const known = this.#known.has(place);
    const ownMs = own.waitMs(now);
    if (ownMs > 0) throw locked(ownMs);
    const totalMs = known ? 0 : this.#total.waitMs(now);
    if (totalMs > 0) throw lockedForAll(totalMs);
    own.take();
    if (!known) this.#total.take();
    return {
      succeeded: () => {
        own.giveBack();
        if (!known) this.#total.giveBack();
        this.#remember(place);
      },
    };
  }

  #allowanceOf(place: string, now: number): Allowance {
    const { perAddressMax, perAddressMs } = this.#limits;
    const own = this.#addresses.get(place) ?? new Allowance(perAddressMax, perAddressMs, now);
    this.#addresses.delete(place);
    this.#addresses.set(place, own);
    forgetFirst(this.#addresses);
    return own;
  }

  #remember(place: string): void {
    this.#known.delete(place);
    this.#known.add(place);
    forgetFirst(this.#known);
  }
}

function forgetFirst(of: Map<string, unknown> | Set<string>): void {
  if (of.size <= addressesMax) return;
  const [first] = of.keys();
  if (first !== undefined) of.delete(first);
}

/** One network of IPv6 counts as one address: whoever has it has all of its 2^64. */
function placeOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: missing }, () => '0'), ...after];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

function inWords(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  return ms < 60_000 ? `${Math.ceil(ms / 1000)} seconds` : `${minutes} minute${minutes === 1 ? '' : 's'}`;
}

function locked(ms: number): ApiRefusal {
  return new ApiRefusal(
    429,
    {
      code: 'SIGN_IN_LOCKED',
      kind: 'transient',
      message: 'Too many attempts to sign in failed from this device; this one was not looked at.',
      nextStep: `Wait ${inWords(ms)} and try again. Who has lost the password asks an admin, or uses "gantry auth reset" on the box.`,
    },
    { retryAfterSeconds: Math.ceil(ms / 1000) },
  );
}

function lockedForAll(ms: number): ApiRefusal {
  return new ApiRefusal(
    429,
    {
      code: 'SIGN_IN_BUSY',
      kind: 'transient',
      message:
        'Too many attempts to sign in failed, from several devices; this one was not looked at. Somebody may be guessing passwords.',
      nextStep: `Wait ${inWords(ms)} and try again, or use a device that you have signed in from before.`,
    },
    { retryAfterSeconds: Math.ceil(ms / 1000) },
  );
}
