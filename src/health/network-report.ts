import type { StaleAddress } from './address-memory.ts';
import type { NetworkFacts } from './network-facts.ts';

/** Off by more than this, a clock is not to be trusted. */
const trustedMs = 300_000;

export interface ClockFacts {
  /** Milliseconds since the epoch, as this box has it. */
  readonly now: number;
  /** Whether the system holds it for set by a time server; null where it does not say. */
  readonly synchronised: boolean | null;
  /** By destination: how far its archive's clock is ahead, in seconds. Those that do not say are left out. */
  readonly offsetSeconds: Readonly<Record<string, number>>;
  /** No archive disagrees by more than five minutes, and a time server or an archive vouches for it. Null: nobody does. */
  readonly trusted: boolean | null;
}

/** How this box is connected, for a person in front of it. PHI-free. */
export interface NetworkReport extends NetworkFacts {
  /** By destination: the proxy it is reached through. */
  readonly proxies: Readonly<Record<string, string>>;
  /** Modalities that call an address this box no longer has. */
  readonly staleAddresses: readonly StaleAddress[];
  readonly clock: ClockFacts;
}

/** @param offsetsMs by destination, null where its archive does not say */
export function clockFacts(
  now: number,
  synchronised: boolean | null,
  offsetsMs: Readonly<Record<string, number | null>>,
): ClockFacts {
  const known = Object.entries(offsetsMs).flatMap(([name, offset]): [string, number][] =>
    offset === null ? [] : [[name, offset]],
  );
  const wrong = known.some(([, offset]) => Math.abs(offset) > trustedMs);
  const vouchedFor = known.length > 0 || synchronised === true;
  return {
    now,
    synchronised,
    offsetSeconds: Object.fromEntries(known.map(([name, offset]) => [name, wholeSeconds(offset)])),
    trusted: wrong ? false : vouchedFor ? true : null,
  };
}

/** An archive says whole seconds, and its answer was on the way: less than three of them are none. */
function wholeSeconds(offsetMs: number): number {
  return Math.abs(offsetMs) < 3000 ? 0 : Math.round(offsetMs / 1000);
}
