import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import { putText, readText } from './machine.ts';
import type { HelperVerb } from './verbs.ts';

const hourMs = 3_600_000;
/** How often each verb may be carried out within an hour; beyond that somebody is playing, or broke in. */
export const perHour: Readonly<Record<HelperVerb, number>> = {
  network: 30,
  'time-zone': 10,
  reboot: 4,
  install: 6,
  blink: 20,
};

const notes = z.record(z.string(), z.array(z.number()));

/** Keeps the verbs at their pace, over restarts of helper and machine too. */
export class Pace {
  readonly #path: string;
  readonly #clock: Clock;

  constructor(stateDirectory: string, clock: Clock) {
    this.#path = join(stateDirectory, 'pace.json');
    this.#clock = clock;
  }

  /** Counts one more. @throws GantryError HELPER_TOO_OFTEN */
  async take(verb: HelperVerb): Promise<void> {
    const now = this.#clock.now();
    const known = await this.#read();
    // What lies ahead was noted by a clock that has been set back since.
    const recent = (known[verb] ?? []).filter((at) => at > now - hourMs && at <= now);
    if (recent.length >= perHour[verb]) {
      throw new GantryError({
        code: 'HELPER_TOO_OFTEN',
        kind: 'transient',
        message: `That was done ${perHour[verb]} times within an hour.`,
        nextStep: 'Wait an hour, or do it at the console of the machine.',
      });
    }
    await putText(this.#path, JSON.stringify({ ...known, [verb]: [...recent, now] }), 0o600);
  }

  async #read(): Promise<z.infer<typeof notes>> {
    try {
      return notes.parse(JSON.parse((await readText(this.#path)) ?? '{}'));
    } catch {
      // Cut by a power failure: one hour's count is no reason to refuse everything.
      return {};
    }
  }
}
