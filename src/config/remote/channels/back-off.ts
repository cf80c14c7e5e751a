import { createHash } from 'node:crypto';

/** Waiting times after failures: doubled from `minMs` to `maxMs`, drawn anew each time, so that a fleet spreads out. */
export class BackOff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #failures = 0;

  constructor({ minMs, maxMs }: { minMs: number; maxMs: number }) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  /** How long to wait after one more failure: between half and all of what its turn has. */
  next(): number {
    const whole = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return whole / 2 + (Math.random() * whole) / 2;
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** The same for one box each time, spread evenly over the boxes: 0 up to `withinMs`. */
export function ownShare(device: string, withinMs: number): number {
  const number = createHash('sha256').update(device).digest().readUInt32BE(0);
  return (number / 2 ** 32) * withinMs;
}
