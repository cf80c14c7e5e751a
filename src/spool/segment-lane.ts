import type { OpenSegment, Piece, Placed } from './open-segment.ts';

/** More than have ever to share a segment. */
const triesMax = 1000;

/** One segment being filled after the other. */
export class SegmentLane {
  readonly #take: (payloadBytes: number) => Promise<OpenSegment>;
  readonly #retiring = new Set<Promise<void>>();
  #current: OpenSegment | null = null;
  #replacing: Promise<void> | null = null;

  constructor(take: (payloadBytes: number) => Promise<OpenSegment>) {
    this.#take = take;
  }

  /** Gives a piece its place. @throws the disk's error where no segment can be had */
  async place(piece: Piece): Promise<Placed> {
    // Others may have filled what was fetched for us.
    for (let tries = 0; tries < triesMax; tries += 1) {
      if (this.#current?.hasRoom(piece.payloadBytes) === true) return this.#current.place(piece);
      this.#replacing ??= this.#replace(piece.payloadBytes).finally(() => {
        this.#replacing = null;
      });
      await this.#replacing;
    }
    throw new RangeError(`no segment has room for ${piece.payloadBytes} bytes`);
  }

  /** Closes the segment in hand; resolves once all that were closed are durable to their ends. Never rejects. */
  async close(): Promise<void> {
    await this.#replacing?.catch(() => undefined);
    this.#retire();
    await Promise.all(this.#retiring);
  }

  async #replace(payloadBytes: number): Promise<void> {
    this.#retire();
    this.#current = await this.#take(payloadBytes);
  }

  #retire(): void {
    const retired = this.#current?.retire();
    this.#current = null;
    if (retired === undefined) return;
    this.#retiring.add(retired);
    void retired.then(() => this.#retiring.delete(retired));
  }
}
