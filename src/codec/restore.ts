import { createHash } from 'node:crypto';
import { GantryError } from '../base/errors.ts';
import { transferSyntax } from '../dicom/transfer-syntaxes.ts';
import type { TransferSyntaxUID } from '../dicom/uid.ts';
import type { OpenObject, Restoration } from '../spool/types.ts';
import { FragmentReader } from './fragments.ts';
import { type CodecName, codecOf, type FrameFormat, frameBytes } from './frame-format.ts';
import { ImageDescriptionReader } from './image-description.ts';
import { InOrder } from './in-order.ts';
import { framesAhead } from './limits.ts';
import type { FrameCodec } from './lossless.ts';
import { splitAtPixels } from './pixel-split.ts';
import { Gathering } from './prepare.ts';
import { nativeEncoding, nativePixelHeader, parseRecipe, type Recipe } from './recipe.ts';
import type { ElementEncoding } from './reencode.ts';

/**
 * The received data set, made again from the prepared one, frame by frame. Its last bytes are handed over only after
 * all of them were found to be those received: nobody can take for complete what is not.
 * @throws GantryError RESTORE_MISMATCH (permanent) at its end, where bytes or their number are not those received:
 * whoever used them before must not trust them; RESTORE_IMPOSSIBLE (permanent) where it is no prepared object
 */
export async function* restore(prepared: OpenObject, engine: FrameCodec): AsyncGenerator<Buffer> {
  const { restoration, TransferSyntaxUID: syntax } = prepared.facts;
  if (restoration === null) throw impossible();
  yield* restoreDataSet(prepared.dataSet(), syntax, restoration, engine);
}

/** As {@link restore}, for a data set at hand. */
export async function* restoreDataSet(
  prepared: AsyncIterable<Buffer>,
  syntax: TransferSyntaxUID,
  restoration: Restoration,
  engine: FrameCodec,
): AsyncGenerator<Buffer> {
  const codec = codecOf(syntax);
  const recipe = parseRecipe(restoration.recipe);
  const encoding = nativeEncoding(restoration.TransferSyntaxUID);
  if (codec === null || recipe === null || encoding === null) throw impossible();
  const hash = createHash('sha256');
  let bytes = 0;
  let last: Buffer | null = null;
  for await (const piece of new Undoing(codec, recipe, encoding, engine).bytes(prepared, syntax)) {
    if (piece.length === 0) continue;
    hash.update(piece);
    bytes += piece.length;
    if (last !== null) yield last;
    last = piece;
  }
  if (bytes !== restoration.dataSetBytes || hash.digest('hex') !== restoration.dataSetSha256)
    throw mismatch();
  if (last !== null) yield last;
}

class Undoing {
  readonly #codec: CodecName;
  readonly #recipe: Recipe;
  readonly #encoding: ElementEncoding;
  readonly #engine: FrameCodec;
  readonly #image = new ImageDescriptionReader();
  readonly #gathering = new Gathering();
  readonly #fragments = new FragmentReader();
  #decoding = new InOrder<Buffer>(1);

  constructor(codec: CodecName, recipe: Recipe, encoding: ElementEncoding, engine: FrameCodec) {
    this.#codec = codec;
    this.#recipe = recipe;
    this.#encoding = encoding;
    this.#engine = engine;
  }

  async *bytes(prepared: AsyncIterable<Buffer>, syntax: TransferSyntaxUID): AsyncGenerator<Buffer> {
    let format: FrameFormat | null = null;
    for await (const piece of splitAtPixels(prepared, transferSyntax(syntax), this.#image)) {
      if (piece.part === 'head') yield* this.#kept(piece.bytes);
      else if (piece.part === 'pixel-header') {
        yield* this.#gathered();
        format = this.#image.describe().format;
        this.#decoding = new InOrder(framesAhead(this.#engine.width, frameBytes(format)));
        yield nativePixelHeader(this.#encoding, this.#recipe);
      } else if (piece.part !== 'fragments' || format === null) throw impossible();
      else yield* this.#pixels(piece.bytes, format);
    }
    yield* this.#gathered();
  }

  async *#pixels(bytes: Buffer, format: FrameFormat): AsyncGenerator<Buffer> {
    const wasEnded = this.#fragments.ended;
    if (wasEnded) {
      yield* this.#kept(bytes);
      return;
    }
    let tail: Buffer | null = null;
    for (const part of this.#fragments.push(bytes)) {
      if ('tail' in part) {
        tail = part.tail;
        break;
      }
      const done = await this.#decoding.add(this.#engine.decode(this.#codec, format, part.frame));
      if (done !== null) yield this.#frame(done);
    }
    if (!this.#fragments.ended) return;
    for await (const frame of this.#decoding.rest()) yield this.#frame(frame);
    if (this.#recipe.padding !== '') yield Buffer.from(this.#recipe.padding, 'base64');
    if (tail !== null) yield* this.#kept(tail);
  }

  #frame(decoded: Buffer): Buffer {
    return this.#encoding === 'explicit-be' && this.#recipe.vr === 'OW' ? decoded.swap16() : decoded;
  }

  *#kept(bytes: Buffer): Generator<Buffer> {
    if (this.#encoding === 'explicit-le') yield bytes;
    else this.#gathering.add(bytes);
  }

  async *#gathered(): AsyncGenerator<Buffer> {
    const bytes = this.#gathering.take();
    if (bytes.length === 0) return;
    yield await this.#engine.reencode(bytes, 'explicit-le', this.#encoding, this.#image.pixelRepresentation);
  }
}

function mismatch(): GantryError {
  return new GantryError({
    code: 'RESTORE_MISMATCH',
    kind: 'permanent',
    message: 'The compressed image does not give back the bytes received.',
    nextStep: 'Do not use it. Where the received image is still there, send that.',
  });
}

function impossible(): GantryError {
  return new GantryError({
    code: 'RESTORE_IMPOSSIBLE',
    kind: 'permanent',
    message: 'The stored image is not one this version has compressed.',
    nextStep: 'Look whether a newer version wrote it; send it as it is.',
  });
}
