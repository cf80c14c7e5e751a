import { type PhantomKind, phantomKinds } from './phantom.ts';

/** What happened to the objects of one kind, as counted by those who saw it. */
export interface KindTally {
  readonly kind: PhantomKind;
  readonly objects: number;
  /** Answered 0000 by the gateway. */
  readonly received: number;
  /** Stored at the archive. */
  readonly delivered: number;
  /** Data set bytes answered 0000. */
  readonly bytesIn: number;
  /** Bytes of the files the archive received, repeated ones included. */
  readonly bytesOut: number;
  /** For each object that arrived: from the gateway's answer to its arrival, in milliseconds. */
  readonly timesToArchiveMs: readonly number[];
}

interface ObjectRecord {
  readonly kind: PhantomKind;
  readonly bytes: number;
  receivedAt: number | null;
  storedAt: number | null;
  bytesOut: number;
}

/** The books of one round: who saw which object when. Times are monotonic milliseconds. */
export class RoundProgress {
  readonly #expected: Readonly<Record<PhantomKind, number>>;
  readonly #objects = new Map<string, ObjectRecord>();
  readonly #listeners = new Set<() => void>();
  #verified = 0;
  #failure: string | null = null;

  /** @param expected how many objects of each kind the round has */
  constructor(expected: Readonly<Record<PhantomKind, number>>) {
    this.#expected = expected;
  }

  /** Instances verified so far, of all kinds together: the status report does not say which. */
  get verified(): number {
    return this.#verified;
  }

  get objects(): number {
    return phantomKinds.reduce((sum, kind) => sum + this.#expected[kind], 0);
  }

  /** Why the round did not succeed, in plain words. */
  get failure(): string | null {
    return this.#failure;
  }

  get done(): boolean {
    return this.#failure !== null || this.#verified >= this.objects;
  }

  sending(SOPInstanceUID: string, kind: PhantomKind, bytes: number): void {
    this.#objects.set(SOPInstanceUID, { kind, bytes, receivedAt: null, storedAt: null, bytesOut: 0 });
  }

  received(SOPInstanceUID: string, at: number): void {
    const object = this.#objects.get(SOPInstanceUID);
    if (object !== undefined) object.receivedAt = at;
    this.#changed();
  }

  /** An instance that is not of this round is left out. */
  stored(SOPInstanceUID: string, bytes: number, at: number): void {
    const object = this.#objects.get(SOPInstanceUID);
    if (object === undefined) return;
    object.storedAt ??= at;
    object.bytesOut += bytes;
    this.#changed();
  }

  verifiedSoFar(instances: number): void {
    if (instances === this.#verified) return;
    this.#verified = instances;
    this.#changed();
  }

  failed(words: string): void {
    this.#failure ??= words;
    this.#changed();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tally(kind: PhantomKind): KindTally {
    const objects = [...this.#objects.values()].filter((object) => object.kind === kind);
    const received = objects.filter(({ receivedAt }) => receivedAt !== null);
    const stored = objects.filter(({ storedAt }) => storedAt !== null);
    return {
      kind,
      objects: this.#expected[kind],
      received: received.length,
      delivered: stored.length,
      bytesIn: received.reduce((sum, { bytes }) => sum + bytes, 0),
      bytesOut: stored.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
      timesToArchiveMs: stored.flatMap(timeToArchiveMs),
    };
  }

  tallies(): KindTally[] {
    return phantomKinds.map((kind) => this.tally(kind));
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The archive may have it before the answer to the C-STORE was read here: that is no time at all. */
function timeToArchiveMs({ receivedAt, storedAt }: ObjectRecord): number[] {
  return receivedAt === null || storedAt === null ? [] : [Math.max(0, storedAt - receivedAt)];
}
