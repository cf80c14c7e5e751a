import { z } from 'zod';
import type { Note } from '../base/note.ts';

const use = z.strictObject({
  /** The address of this box that the modality called. */
  address: z.string(),
  /** When it was first seen to call that one, milliseconds since the epoch. */
  since: z.number(),
});

type Use = Readonly<z.output<typeof use>>;
type Uses = Readonly<Record<string, Use>>;

export const addressNote = { schema: z.record(z.string(), use) as z.ZodType<Uses>, empty: {} };

/** A modality that calls an address this box no longer has. */
export interface StaleAddress {
  readonly modality: string;
  readonly address: string;
}

/** Remembers at which address of this box each modality called: after that changed, they call nobody. */
export class AddressMemory {
  readonly #note: Note<Uses>;

  constructor(note: Note<Uses>) {
    this.#note = note;
  }

  /** Writes only what is new. @throws whatever the note's file throws */
  async called(modality: string, address: string, now: number): Promise<void> {
    if (this.#of(modality)?.address === address) return;
    await this.#note.change((uses) => ({ ...uses, [modality]: { address, since: now } }));
  }

  /** @param modalities those configured @param addresses those this box has now */
  stale(modalities: readonly string[], addresses: readonly string[]): StaleAddress[] {
    // Without any address nothing can be said of a change.
    if (addresses.length === 0) return [];
    return modalities.flatMap((modality) => {
      const address = this.#of(modality)?.address;
      return address === undefined || addresses.includes(address) ? [] : [{ modality, address }];
    });
  }

  #of(modality: string): Use | undefined {
    const uses = this.#note.value;
    return Object.hasOwn(uses, modality) ? uses[modality] : undefined;
  }
}
