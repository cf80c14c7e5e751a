import { z } from 'zod';
import type { Note } from '../base/note.ts';

const pause = z.strictObject({
  /** Milliseconds since the epoch. */
  at: z.number(),
  /** Who paused it: a name of ours, never a patient's. */
  by: z.string(),
});

type Pause = Readonly<z.output<typeof pause>>;
type Pauses = Readonly<Record<string, Pause>>;

/** Destinations that a person has paused, by name. One that cannot be read is empty: better sent than stopped unseen. */
export const pauseNote = { schema: z.record(z.string(), pause) as z.ZodType<Pauses>, empty: {} };

/** Which destinations a person has paused; kept over restarts. */
export class PauseBook {
  readonly #note: Note<Pauses>;

  constructor(note: Note<Pauses>) {
    this.#note = note;
  }

  of(destination: string): Pause | null {
    const pauses = this.#note.value;
    return Object.hasOwn(pauses, destination) ? (pauses[destination] ?? null) : null;
  }

  /** Durable once it resolves. */
  add(destination: string, entry: Pause): Promise<void> {
    return this.#note.change((pauses) => ({ ...pauses, [destination]: entry }));
  }

  /** Durable once it resolves. */
  remove(destination: string): Promise<void> {
    return this.#note.change((pauses) =>
      Object.fromEntries(Object.entries(pauses).filter(([name]) => name !== destination)),
    );
  }
}
