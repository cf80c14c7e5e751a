import { randomInt } from 'node:crypto';
import { randomStream } from '../fixtures/dicom-objects.ts';

/** The choices of one run of a fault suite: the same seed makes the same choices. */
export interface Campaign {
  readonly seed: number;
  readonly rounds: number;
  /** A whole number from `from` up to and without `to`. */
  between(from: number, to: number): number;
  /** True so many times in a hundred. */
  chance(percent: number): boolean;
  /** As many numbers from 1 to `last` as there are rounds, in order: the first, the last, and others in between. */
  sample(last: number): number[];
}

/**
 * `GANTRY_SEED` repeats the choices of an earlier run, `GANTRY_KILLS` (or another name) sets the rounds.
 * The seed is printed, so that a failed run can be looked at again.
 */
export function campaign(name: string, roundsVariable: string, roundsDefault: number): Campaign {
  const seed = Number(process.env['GANTRY_SEED'] ?? randomInt(2 ** 31));
  const rounds = Number(process.env[roundsVariable] ?? roundsDefault);
  const next = randomStream(seed);
  const between = (from: number, to: number): number => from + (next() % (to - from));
  say(`${name}: GANTRY_SEED=${seed} ${roundsVariable}=${rounds}`);
  return {
    seed,
    rounds,
    between,
    chance: (percent) => between(0, 100) < percent,
    sample: (last) => {
      const chosen = new Set([1, last]);
      while (chosen.size < Math.min(rounds, last)) chosen.add(between(1, last + 1));
      return [...chosen].toSorted((a, b) => a - b);
    },
  };
}

/** A line that is seen whatever the reporter shows. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Says that something is not tested here, and why. */
export function notice(what: string, why: string): void {
  say(`NOTICE: ${what} skipped: ${why}.`);
}
