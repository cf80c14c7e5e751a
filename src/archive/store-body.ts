import { createHash } from 'node:crypto';
import type { SendPhase, StoreItem } from './port.ts';

/** Small pieces are joined up to this size, larger ones cut to it: one write to the line each. */
const pieceBytes = 64 * 1024;

/**
 * The body of one STOW-RS request (PS3.18 §10.5.2): `multipart/related`, one part for each item, streamed from
 * the items' own content; never more than a few pieces are in memory. The same items give the same bytes.
 * Knows how far it came, so that a failure can be told as what it is.
 */
export class StoreBody {
  readonly contentType: string;
  /** Exact length of the whole body. */
  readonly bytes: number;
  /** Set where an item did not deliver what it announced: the request must not be taken for complete. */
  sourceError: { readonly error: unknown } | null = null;
  /** Bytes given to the connection. */
  handedBytes = 0;
  readonly #items: readonly StoreItem[];
  readonly #boundary: string;
  readonly #sendIdleMs: number;
  readonly #stall = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #held = false;
  #stream: AsyncGenerator<Buffer> | null = null;

  constructor(items: readonly StoreItem[], sendIdleMs: number) {
    this.#items = items;
    this.#sendIdleMs = sendIdleMs;
    this.#boundary = boundaryOf(items);
    this.contentType = `multipart/related; type="application/dicom"; boundary=${this.#boundary}`;
    this.bytes = items.reduce(
      (sum, item, index) => sum + this.#head(index).length + item.bytes,
      this.#tail().length,
    );
  }

  /** Aborted once the connection has taken nothing for the idle time. Waiting for our own source never counts. */
  get stalled(): AbortSignal {
    return this.#stall.signal;
  }

  /**
   * How far the request came. Errs on the safe side: what may have left counts as sent, and only what was
   * never given to the connection counts as unsent.
   */
  get phase(): SendPhase {
    if (this.handedBytes === 0) return 'unsent';
    return this.handedBytes < this.bytes ? 'partial' : 'unanswered';
  }

  /** Sends nothing more, while the answer is still read: the archive has made up its mind. */
  hold(): void {
    this.#held = true;
  }

  /** The exchange is over; releases the source. */
  end(): void {
    this.#held = true;
    this.#ended.resolve();
    // undici leaves a body where it stands when an HTTP/2 stream breaks under it.
    void this.#stream?.return(undefined).catch(() => undefined);
  }

  /** For the connection, once. It pulls the next piece only when it has room for it. */
  stream(): AsyncGenerator<Buffer> {
    this.#stream = this.#pieces();
    return this.#stream;
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    for await (const piece of joined(this.#parts())) {
      this.handedBytes += piece.length;
      const timer = setTimeout(() => this.#stall.abort(), this.#sendIdleMs);
      try {
        yield piece;
      } finally {
        clearTimeout(timer);
      }
      if (this.#held) {
        // Ending here would make the connection close before the answer is read.
        await this.#ended.promise;
        return;
      }
    }
  }

  async *#parts(): AsyncGenerator<Buffer> {
    for (const [index, item] of this.#items.entries()) {
      yield this.#head(index);
      try {
        yield* exactly(item);
      } catch (error) {
        this.sourceError = { error };
        throw error;
      }
    }
    yield this.#tail();
  }

  #head(index: number): Buffer {
    const open = index === 0 ? '--' : '\r\n--';
    return Buffer.from(`${open}${this.#boundary}\r\nContent-Type: application/dicom\r\n\r\n`, 'latin1');
  }

  #tail(): Buffer {
    return Buffer.from(`\r\n--${this.#boundary}--\r\n`, 'latin1');
  }
}

/** Told by the items alone, so that a repeated request has the same bytes. */
function boundaryOf(items: readonly StoreItem[]): string {
  const hash = createHash('sha256');
  for (const { SOPInstanceUID, bytes } of items) hash.update(`${SOPInstanceUID} ${bytes}\n`);
  return `gantry-${hash.digest('hex').slice(0, 40)}`;
}

/** The item's content; fails where it is not as long as announced. */
async function* exactly(item: StoreItem): AsyncGenerator<Buffer> {
  let left = item.bytes;
  for await (const chunk of item.content()) {
    left -= chunk.length;
    if (left < 0) throw new RangeError('an object is longer than announced');
    yield chunk;
  }
  if (left > 0) throw new RangeError('an object is shorter than announced');
}

/** The same bytes in pieces of at most {@link pieceBytes}, small ones joined. */
async function* joined(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  for await (const chunk of chunks) {
    if (waitingBytes > 0 && waitingBytes + chunk.length > pieceBytes) {
      yield Buffer.concat(waiting, waitingBytes);
      waiting = [];
      waitingBytes = 0;
    }
    if (chunk.length < pieceBytes) {
      if (chunk.length > 0) waiting.push(chunk);
      waitingBytes += chunk.length;
      continue;
    }
    for (let at = 0; at < chunk.length; at += pieceBytes) yield chunk.subarray(at, at + pieceBytes);
  }
  if (waitingBytes > 0) yield Buffer.concat(waiting, waitingBytes);
}
