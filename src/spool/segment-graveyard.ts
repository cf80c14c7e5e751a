import type { Segment } from './segment.ts';
import { blocksOf } from './segment-format.ts';
import type { OwnedRun } from './segment-index.ts';

/**
 * Runs that are not needed any more, until they are dead on the disk too. They count as held so long: their place is
 * not used anew. What somebody is reading dies afterwards.
 */
export class Graveyard {
  readonly #freed: (segment: Segment) => Promise<void>;
  readonly #dying = new Map<Segment, OwnedRun[]>();
  #burying: Promise<void> = Promise.resolve();

  /** @param freed called with a segment that is not held by anything any more */
  constructor(freed: (segment: Segment) => Promise<void>) {
    this.#freed = freed;
  }

  get isEmpty(): boolean {
    return this.#dying.size === 0;
  }

  add(runs: readonly OwnedRun[]): void {
    for (const owned of runs) {
      const { segment } = owned.run;
      const dying = this.#dying.get(segment);
      if (dying === undefined) this.#dying.set(segment, [owned]);
      else dying.push(owned);
    }
  }

  /** Makes what is here dead, durably, where nobody reads it. @throws the disk's error; it stays here then */
  bury(): Promise<void> {
    const before = this.#burying.catch(() => undefined);
    this.#burying = before.then(() => this.#buryAll());
    return this.#burying;
  }

  async #buryAll(): Promise<void> {
    for (const [segment, dying] of this.#dying) if (segment.readers === 0) await this.#bury(segment, dying);
  }

  async #bury(segment: Segment, dying: readonly OwnedRun[]): Promise<void> {
    const dead = [...dying];
    const alone = segment.heldBlocks === dead.reduce((sum, { run }) => sum + blocksOf(run.payloadBytes), 0);
    // A segment that holds nothing else is made anew as a whole.
    if (segment.isOpen || segment.isDamaged || !alone) await segment.kill(dead.map(({ run }) => run));
    // What was added meanwhile is for the next time.
    const rest = dying.slice(dead.length);
    if (rest.length > 0) this.#dying.set(segment, rest);
    else this.#dying.delete(segment);
    for (const { id, run } of dead) segment.letGo(id, run);
    if (segment.isFree) await this.#freed(segment);
  }
}
