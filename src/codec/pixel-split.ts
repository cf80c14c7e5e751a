import type { TransferSyntax } from '../dicom/transfer-syntaxes.ts';
import { LengthWalker, type PixelHeader, type WalkHooks } from '../dicom/walker.ts';
import { PassThrough } from './pass-through.ts';

/**
 * A data set cut around its top-level Pixel Data: what stands before it, its header, then the value and what
 * stands behind. Of a value of undefined length, everything that follows is `fragments`, uncut.
 */
export type Piece =
  | { readonly part: 'head' | 'value' | 'fragments' | 'tail'; readonly bytes: Buffer }
  | { readonly part: 'pixel-header'; readonly header: PixelHeader };

/** The longest element header: so many bytes may turn out to belong to the pixel data's. */
const headerBytesMax = 12;

/**
 * Cuts a data set as it streams by; holds back at most a header.
 * @param hooks see the header's values; every value before the pixel data was shown when its header comes
 * @throws PassThrough where the data set has two pixel data, or is not whole
 */
export async function* splitAtPixels(
  dataSet: AsyncIterable<Buffer>,
  syntax: Pick<TransferSyntax, 'explicitVr' | 'bigEndian'>,
  hooks: WalkHooks = {},
): AsyncGenerator<Piece> {
  let found: PixelHeader | null = null;
  let twice = false;
  const walker = new LengthWalker(syntax, {
    ...(hooks.wanted === undefined ? {} : { wanted: hooks.wanted }),
    value: (tag, bytes, length, bigEndian) => hooks.value?.(tag, bytes, length, bigEndian),
    pixelHeader(header) {
      twice ||= found !== null;
      found ??= header;
      hooks.pixelHeader?.(header);
    },
  });
  const cutter = new Cutter();
  for await (const bytes of dataSet) {
    walker.push(bytes);
    if (twice || walker.failure !== null) throw new PassThrough(twice ? 'ambiguous' : 'structure');
    yield* cutter.cut(bytes, found);
  }
  if (walker.finish().kind !== 'complete') throw new PassThrough('structure');
  yield* cutter.end();
}

class Cutter {
  /** Position of the first byte not given out yet. */
  #position = 0;
  #held: Buffer = Buffer.alloc(0);
  #shown = false;
  #valueLeft = 0;

  *cut(bytes: Buffer, found: PixelHeader | null): Generator<Piece> {
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = rest.subarray(rest.length);
    if (found === null) {
      const keep = Math.min(headerBytesMax, rest.length);
      this.#held = Buffer.from(rest.subarray(rest.length - keep));
      rest = rest.subarray(0, rest.length - keep);
      this.#position += rest.length;
      if (rest.length > 0) yield { part: 'head', bytes: rest };
      return;
    }
    if (!this.#shown) {
      const headBytes = found.position - this.#position;
      if (headBytes > 0) yield { part: 'head', bytes: rest.subarray(0, headBytes) };
      yield { part: 'pixel-header', header: found };
      this.#shown = true;
      this.#valueLeft = found.valueBytes ?? Number.POSITIVE_INFINITY;
      rest = rest.subarray(headBytes + found.headerBytes);
    }
    const value = rest.subarray(0, Math.min(rest.length, this.#valueLeft));
    this.#valueLeft -= value.length;
    if (value.length > 0) yield { part: found.valueBytes === null ? 'fragments' : 'value', bytes: value };
    if (value.length < rest.length) yield { part: 'tail', bytes: rest.subarray(value.length) };
  }

  *end(): Generator<Piece> {
    if (this.#held.length > 0) yield { part: 'head', bytes: this.#held };
  }
}
