import type { Run, Segment } from './segment.ts';
import type { ObjectId } from './types.ts';

/** A run and whose it is. */
export interface OwnedRun {
  readonly id: ObjectId;
  readonly run: Run;
}

/** Which runs each whole object consists of. Kept in memory: made anew from the segments at each start. */
export class SegmentIndex {
  readonly #objects = new Map<ObjectId, readonly Run[]>();

  /** In order of creation. */
  ids(): ObjectId[] {
    return [...this.#objects.keys()].toSorted();
  }

  runsOf(id: ObjectId): readonly Run[] | null {
    return this.#objects.get(id) ?? null;
  }

  add(id: ObjectId, runs: readonly Run[]): void {
    this.#objects.set(id, runs);
  }

  /** @returns the runs it had */
  remove(id: ObjectId): OwnedRun[] {
    const runs = this.#objects.get(id) ?? [];
    this.#objects.delete(id);
    return runs.map((run) => ({ id, run }));
  }

  /** Puts one run in another's place. @returns false where the object does not consist of it (any more) */
  replace({ id, run }: OwnedRun, by: Run): boolean {
    const runs = this.#objects.get(id);
    if (runs === undefined || !runs.includes(run)) return false;
    this.#objects.set(
      id,
      runs.map((each) => (each === run ? by : each)),
    );
    return true;
  }

  /** Of whole objects: what lies in this segment. */
  within(segment: Segment): OwnedRun[] {
    return segment.objects.flatMap((id) =>
      (this.#objects.get(id) ?? []).filter((run) => run.segment === segment).map((run) => ({ id, run })),
    );
  }
}
