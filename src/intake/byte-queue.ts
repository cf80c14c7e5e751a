/** Chunks this small are merged with a small neighbour, so that a dribbling peer cannot make a long list. */
const smallChunkBytes = 4096;

/** Bytes that have arrived and are not yet read, in the chunks they arrived in; copied only where they must be. */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#length += chunk.length;
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.length < smallChunkBytes && chunk.length < smallChunkBytes) {
      this.#chunks[this.#chunks.length - 1] = Buffer.concat([last, chunk]);
    } else {
      this.#chunks.push(chunk);
    }
  }

  /** Exactly so many bytes in one piece. @throws RangeError where fewer are here: ask `length` first */
  take(bytes: number): Buffer {
    if (bytes > this.#length) throw new RangeError('fewer bytes have arrived than are being taken');
    const first = this.#chunks[0];
    if (first === undefined) return Buffer.alloc(0);
    if (first.length >= bytes) return this.takeUpTo(bytes);
    const parts: Buffer[] = [];
    let missing = bytes;
    while (missing > 0) {
      const part = this.takeUpTo(missing);
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts, bytes);
  }

  /** At least one byte and at most so many, as they lie in memory: never a copy. Empty where nothing is here. */
  takeUpTo(bytes: number): Buffer {
    const first = this.#chunks[0];
    if (first === undefined || bytes === 0) return Buffer.alloc(0);
    if (first.length <= bytes) {
      this.#chunks.shift();
      this.#length -= first.length;
      return first;
    }
    this.#chunks[0] = first.subarray(bytes);
    this.#length -= bytes;
    return first.subarray(0, bytes);
  }

  clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }
}
