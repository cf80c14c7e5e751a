import type { Segment } from './segment.ts';
import { blocksOf } from './segment-format.ts';
import type { OwnedRun } from './segment-index.ts';

/** So often in a row it is tried again at once on behalf of somebody who waits; then less and less often. */
const failuresAtOnceMax = 5;
const retryMs = 1000;
const retryMsMax = 60_000;

/**
 * Runs that are not needed any more, until they are dead on the disk too. They count as held so long: their place is
 * not used anew. What somebody is reading dies afterwards.
 */
export class Graveyard {
  readonly #freed: (segment: Segment) => Promise<void>;
  readonly #dying = new Map<Segment, OwnedRun[]>();
  #burying: Promise<void> = Promise.resolve();
  #refused = false;
  /** In a row. */
  #failures = 0;
  #retryAt = 0;

  /** @param freed called with a segment that is not held by anything any more */
  constructor(freed: (segment: Segment) => Promise<void>) {
    this.#freed = freed;
  }

  get isEmpty(): boolean {
    return this.#dying.size === 0;
  }

  /** Something in it was refused, so that its sender keeps it: it had better not be found later. */
  get holdsRefused(): boolean {
    return this.#refused && performance.now() >= this.#retryAt;
  }

  /** @param kind what was acknowledged and then deleted is known to ledger and tombstones; what was refused is not */
  add(runs: readonly OwnedRun[], kind: 'deleted' | 'refused'): void {
    if (kind === 'refused' && runs.length > 0) this.#refused = true;
    for (const owned of runs) {
      const { segment } = owned.run;
      const dying = this.#dying.get(segment);
      if (dying === undefined) this.#dying.set(segment, [owned]);
      else dying.push(owned);
    }
  }

  /** Makes what is here dead, durably, where nobody reads it. @throws the disk's error, after all have had their turn */
  bury(): Promise<void> {
    this.#burying = this.#burying.catch(() => undefined).then(() => this.#buryAll());
    return this.#burying;
  }

  async #buryAll(): Promise<void> {
    let failure: { readonly error: unknown } | null = null;
    for (const [segment, dying] of this.#dying) {
      if (segment.readers > 0) continue;
      try {
        await this.#bury(segment, dying);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (this.#dying.size === 0) this.#refused = false;
    if (failure === null) {
      this.#failures = 0;
      return;
    }
    this.#failures += 1;
    const late = this.#failures - failuresAtOnceMax;
    if (late > 0) this.#retryAt = performance.now() + Math.min(retryMsMax, retryMs * 2 ** late);
    throw failure.error;
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
