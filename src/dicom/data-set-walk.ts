import { createInflateRaw, type InflateRaw } from 'node:zlib';
import { transferSyntax } from './transfer-syntaxes.ts';
import { LengthWalker, type WalkFailure, type WalkHooks, type WalkVerdict } from './walker.ts';

/** What a deflated data set may grow to while it is looked at. */
export interface InflationLimits {
  /** Beyond {@link ratioFreeBytes}, inflated bytes per received byte. Raw deflate itself ends at 1032. */
  readonly inflationRatioMax: number;
  /** Up to so many inflated bytes the ratio is not looked at: an empty mask compresses beyond any ratio. */
  readonly ratioFreeBytes: number;
  /** Native pixel data cannot be larger than 4 GiB, its length being 32 bits. */
  readonly inflatedBytesMax: number;
  /** Elements and items: each costs a look, however few bytes it was deflated to. */
  readonly elementsMax: number;
}

export const inflationLimits: InflationLimits = {
  inflationRatioMax: 1000,
  ratioFreeBytes: 64 * 1024 * 1024,
  inflatedBytesMax: 4 * 1024 * 1024 * 1024,
  elementsMax: 10_000_000,
};

/** A data set being followed to its end, whatever its transfer syntax. */
export interface DataSetWalk {
  /** Set as soon as it is known; further bytes are ignored then. */
  readonly failure: WalkFailure | null;
  /** @returns a promise, for deflated data only, while it is behind: push no more before it resolves */
  push(bytes: Buffer): Promise<void> | undefined;
  /** Call once, after the last push has resolved, or to give up early. Never rejects. */
  finish(): Promise<WalkVerdict>;
}

/** Makes the walk that suits the transfer syntax. */
export function walkDataSet(
  TransferSyntaxUID: string,
  hooks: WalkHooks = {},
  limits: InflationLimits = inflationLimits,
): DataSetWalk {
  const syntax = transferSyntax(TransferSyntaxUID);
  const walker = new LengthWalker(syntax, hooks);
  return syntax.deflated ? new InflatingWalk(walker, limits) : new PlainWalk(walker);
}

class PlainWalk implements DataSetWalk {
  readonly #walker: LengthWalker;

  constructor(walker: LengthWalker) {
    this.#walker = walker;
  }

  get failure(): WalkFailure | null {
    return this.#walker.failure;
  }

  push(bytes: Buffer): undefined {
    this.#walker.push(bytes);
  }

  async finish(): Promise<WalkVerdict> {
    return this.#walker.finish();
  }
}

export const inflationFailures = {
  notDeflated: {
    kind: 'bad-structure',
    code: 'DICOM_NOT_DEFLATED',
    words: 'Deflated data set cannot be inflated',
  },
  truncated: {
    kind: 'truncated',
    code: 'DICOM_DEFLATE_TRUNCATED',
    words: 'Deflated data set ends too early',
  },
  bomb: {
    kind: 'bomb',
    code: 'DICOM_INFLATES_TOO_FAR',
    words: 'Deflated data set inflates beyond all measure',
  },
} as const satisfies Record<string, WalkFailure>;

/**
 * Inflates a data set piece by piece, shows each piece to the walker and forgets it. The stream's own
 * maxOutputLength is of no use: only the one-shot functions of zlib honour it.
 */
class InflatingWalk implements DataSetWalk {
  readonly #walker: LengthWalker;
  readonly #limits: InflationLimits;
  readonly #inflate: InflateRaw;
  #receivedBytes = 0;
  #inflatedBytes = 0;
  #failure: WalkFailure | null = null;
  /** The deflate stream has ended; padding behind it (PS3.5 §A.5: one NUL) is ignored. */
  #ended = false;
  /** Whoever waits for a piece to be taken, and for the end. */
  #wakePush: () => void = () => undefined;
  #wakeFinish: () => void = () => undefined;

  constructor(walker: LengthWalker, limits: InflationLimits) {
    this.#walker = walker;
    this.#limits = limits;
    this.#inflate = createInflateRaw({ chunkSize: 64 * 1024 });
    this.#inflate.on('data', (bytes: Buffer) => this.#look(bytes));
    this.#inflate.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    this.#inflate.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure ??=
        error.code === 'Z_BUF_ERROR' ? inflationFailures.truncated : inflationFailures.notDeflated;
      this.#wake();
    });
    this.#inflate.on('close', () => this.#wake());
  }

  get failure(): WalkFailure | null {
    return this.#failure;
  }

  push(bytes: Buffer): Promise<void> | undefined {
    if (this.#failure !== null || this.#ended) return undefined;
    this.#receivedBytes += bytes.length;
    // With bytes behind its end the stream ends without ever calling back, so both are waited for.
    return new Promise((resolve) => {
      this.#wakePush = resolve;
      this.#inflate.write(bytes, () => resolve());
    });
  }

  async finish(): Promise<WalkVerdict> {
    if (this.#failure === null && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakeFinish = resolve;
        this.#inflate.end();
      });
    }
    this.#inflate.destroy();
    return this.#failure ?? this.#walker.finish();
  }

  #wake(): void {
    this.#wakePush();
    this.#wakeFinish();
  }

  #look(bytes: Buffer): void {
    if (this.#failure !== null) return;
    this.#inflatedBytes += bytes.length;
    this.#walker.push(bytes);
    this.#failure = this.#isBomb() ? inflationFailures.bomb : this.#walker.failure;
    if (this.#failure !== null) this.#inflate.destroy();
  }

  #isBomb(): boolean {
    const { inflatedBytesMax, ratioFreeBytes, inflationRatioMax, elementsMax } = this.#limits;
    if (this.#inflatedBytes > inflatedBytesMax || this.#walker.elements > elementsMax) return true;
    return (
      this.#inflatedBytes > ratioFreeBytes && this.#inflatedBytes > this.#receivedBytes * inflationRatioMax
    );
  }
}
