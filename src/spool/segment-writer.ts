import { type Epoch, Sealer } from '../crypto/envelope.ts';
import { objectIdBytesOf } from './object-id.ts';
import type { ObjectWriter } from './object-store.ts';
import type { OpenSegment, Piece, Placed } from './open-segment.ts';
import type { OwnedRun } from './segment-index.ts';
import { crcOf } from './segment-format.ts';
import type { Run } from './segment.ts';
import type { ObjectFacts, ObjectId } from './types.ts';

/** Sealed bytes handed to the disk and not yet written, at most, before the sender has to wait. */
const unwrittenBytesMax = 1024 * 1024;

export type LaneName = 'small' | 'large' | 'prepared';

/** What a writer needs of the store. */
export interface WriterHost {
  /** Sealed bytes gathered before they go to the disk: most objects in a single piece. A piece is at most 192 KiB longer. */
  readonly pieceBytes: number;
  /** Finds a place: among small objects, where large ones go, or among prepared ones. @throws the disk's error */
  place(piece: Piece, lane: LaneName): Promise<Placed>;
  /** Durable and whole: to be found from here on. */
  committed(id: ObjectId, runs: readonly Run[]): void;
  /** Never to be found. Never throws. */
  discard(runs: readonly OwnedRun[]): Promise<void>;
}

/** Seals an object and puts it into segments, in as many pieces as it takes. */
export class SegmentWriter implements ObjectWriter {
  readonly #id: ObjectId;
  readonly #kind: ObjectFacts['kind'];
  readonly #sealer: Sealer;
  readonly #host: WriterHost;
  readonly #placed: Promise<Placed>[] = [];
  #batch: Buffer[];
  #batchBytes: number;
  #unwritten = 0;
  #writing: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;

  constructor(id: ObjectId, epoch: Epoch, kind: ObjectFacts['kind'], host: WriterHost) {
    this.#id = id;
    this.#kind = kind;
    this.#sealer = new Sealer(objectIdBytesOf(id), epoch);
    this.#host = host;
    this.#batch = [this.#sealer.header];
    this.#batchBytes = this.#sealer.header.length;
  }

  write(plain: Buffer): Promise<void> | undefined {
    if (this.#failure !== null) return Promise.reject(this.#failure.error);
    for (const sealed of this.#sealer.update(plain)) {
      this.#gather(sealed);
      if (this.#batchBytes >= this.#host.pieceBytes) this.#flush(false);
    }
    return this.#unwritten > unwrittenBytesMax ? this.#written() : undefined;
  }

  async commit(trailer: Buffer): Promise<void> {
    for (const sealed of this.#sealer.finish(trailer)) this.#gather(sealed);
    this.#flush(true);
    await this.#written();
    const placed = await Promise.all(this.#placed);
    await syncAll(placed);
    this.#host.committed(
      this.#id,
      placed.map(({ run }) => run),
    );
  }

  async abort(): Promise<void> {
    this.#failure ??= { error: new Error('the object was aborted') };
    this.#batch = [];
    await this.#writing;
    const placed = await Promise.allSettled(this.#placed);
    await this.#host.discard(
      placed.flatMap((each) => (each.status === 'fulfilled' ? { id: this.#id, run: each.value.run } : [])),
    );
  }

  #gather(sealed: Buffer): void {
    this.#batch.push(sealed);
    this.#batchBytes += sealed.length;
  }

  #flush(last: boolean): void {
    const payload = this.#batch;
    const payloadBytes = this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#unwritten += payloadBytes;
    const index = this.#placed.length;
    const piece = { objectId: this.#id, index, last, payload, payloadBytes, payloadCrc: crcOf(payload) };
    const lane = last && index === 0 ? 'small' : 'large';
    const placed = this.#host.place(piece, this.#kind === 'prepared' ? 'prepared' : lane);
    this.#placed.push(placed);
    const written = placed
      .then((each) => each.written)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#unwritten -= payloadBytes;
      });
    this.#writing = Promise.all([this.#writing, written]);
  }

  async #written(): Promise<void> {
    await this.#writing;
    if (this.#failure !== null) throw this.#failure.error;
  }
}

/** Resolves once all of them, written before, are durable: one sync a segment. */
export async function syncAll(placed: readonly Placed[]): Promise<void> {
  const furthest = new Map<OpenSegment, Run>();
  for (const { open, run } of placed) {
    const other = furthest.get(open);
    if (other === undefined || other.block < run.block) furthest.set(open, run);
  }
  await Promise.all([...furthest].map(([open, run]) => open.syncThrough(run)));
}
