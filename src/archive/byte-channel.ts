/** What gives the bytes, and is held back while they are not read. */
export interface ByteSource {
  pause(): void;
  resume(): void;
}

const heldBytesMax = 4 * 1024 * 1024;

/** Bytes that are pushed on one side and read on the other, a few megabytes held between the two. */
export class ByteChannel {
  readonly #source: ByteSource;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #paused = false;
  #ended = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Whether all bytes were pushed. */
  get ended(): boolean {
    return this.#ended;
  }

  push(bytes: Buffer): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > heldBytesMax && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The bytes break off, where they have not ended. */
  fail(failure: Error): void {
    this.#failure ??= failure;
    this.#wake?.();
  }

  /** @throws the failure, where they broke off */
  async *bytes(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const next = this.#held.shift();
      if (next !== undefined) {
        this.#heldBytes -= next.length;
        if (this.#paused && this.#heldBytes < heldBytesMax / 2) {
          this.#paused = false;
          this.#source.resume();
        }
        yield next;
        continue;
      }
      if (this.#ended) return;
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}
