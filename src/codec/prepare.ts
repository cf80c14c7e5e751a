import { transferSyntax } from '../dicom/transfer-syntaxes.ts';
import type { TransferSyntaxUID } from '../dicom/uid.ts';
import type { PixelHeader } from '../dicom/walker.ts';
import { encapsulatedPixelHeader, FragmentWriter } from './fragments.ts';
import { type CodecName, type FrameFormat, frameBytes } from './frame-format.ts';
import { checkCodecFits, ImageDescriptionReader } from './image-description.ts';
import { InOrder } from './in-order.ts';
import { codecLimits, framesInFlight } from './limits.ts';
import type { FrameCodec } from './lossless.ts';
import { PassThrough } from './pass-through.ts';
import { splitAtPixels } from './pixel-split.ts';
import { nativeEncoding, type Recipe } from './recipe.ts';
import type { ElementEncoding } from './reencode.ts';

/**
 * Makes the prepared form of a data set as it streams by: its pixel data compressed without loss and encapsulated
 * (PS3.5 §A.4), everything else byte for byte as it was; from Implicit VR or Big Endian encoded anew as Explicit
 * VR Little Endian, the values as they were. Whether {@link restoreDataSet} undoes it is for the caller to prove.
 */
export class Preparation {
  readonly #from: TransferSyntaxUID;
  readonly #codec: CodecName;
  readonly #engine: FrameCodec;
  readonly #image = new ImageDescriptionReader();
  readonly #head: Gathering;
  readonly #encoding: ElementEncoding;
  #recipe: Recipe | null = null;
  #pixels: PixelLine | null = null;

  /** @throws PassThrough where the transfer syntax is none to prepare from */
  constructor(from: TransferSyntaxUID, codec: CodecName, engine: FrameCodec) {
    this.#from = from;
    this.#codec = codec;
    this.#engine = engine;
    const encoding = nativeEncoding(from);
    if (encoding === null) throw new PassThrough('transferSyntax');
    this.#encoding = encoding;
    this.#head = new Gathering();
  }

  /** What undoes it; known once all bytes were made. */
  get recipe(): Recipe {
    if (this.#recipe === null) throw new Error('the preparation has not come to its end');
    return this.#recipe;
  }

  /** @throws PassThrough where the instance has to be sent as it is; whatever the data set throws */
  async *bytes(dataSet: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const plain = this.#encoding === 'explicit-le';
    for await (const piece of splitAtPixels(dataSet, transferSyntax(this.#from), this.#image)) {
      if (piece.part === 'pixel-header') {
        yield* this.#gathered();
        this.#pixels = this.#begin(piece.header);
        yield encapsulatedPixelHeader();
      } else if (piece.part === 'value') {
        yield* this.#line().push(piece.bytes);
      } else if (piece.part === 'fragments') {
        throw new PassThrough('compressed');
      } else {
        if (piece.part === 'tail' && !this.#line().ended) yield* this.#line().end();
        if (plain) yield piece.bytes;
        else this.#head.add(piece.bytes);
      }
    }
    if (this.#pixels === null) throw new PassThrough('noPixels');
    if (!this.#pixels.ended) yield* this.#pixels.end();
    yield* this.#gathered();
    this.#image.checkEnd();
    this.#recipe = this.#pixels.recipe();
  }

  #line(): PixelLine {
    if (this.#pixels === null) throw new PassThrough('structure');
    return this.#pixels;
  }

  async *#gathered(): AsyncGenerator<Buffer> {
    const bytes = this.#head.take();
    if (bytes.length === 0) return;
    yield await this.#engine.reencode(bytes, this.#encoding, 'explicit-le', this.#image.pixelRepresentation);
  }

  #begin({ vr, valueBytes }: PixelHeader): PixelLine {
    if (valueBytes === null) throw new PassThrough('compressed');
    const { format, NumberOfFrames } = this.#image.describe();
    checkCodecFits(this.#codec, format);
    if (vr !== null && vr !== 'OB' && vr !== 'OW') throw new PassThrough('structure');
    if ((vr === null) !== (this.#encoding === 'implicit-le')) throw new PassThrough('structure');
    const paddingBytes = valueBytes - NumberOfFrames * frameBytes(format);
    if (paddingBytes < 0 || paddingBytes > codecLimits.paddingBytesMax) throw new PassThrough('length');
    const bigEndian = this.#encoding === 'explicit-be';
    const swapped = bigEndian && vr === 'OW';
    if (bigEndian && !swapped && format.BitsAllocated === 16) throw new PassThrough('structure');
    if (swapped && frameBytes(format) % 2 !== 0) throw new PassThrough('length');
    return new PixelLine({ codec: this.#codec, engine: this.#engine, format, swapped, vr, valueBytes });
  }
}

/** Holds bytes together up to a limit. */
export class Gathering {
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** @throws PassThrough where it grows too large */
  add(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes > codecLimits.headerBytesMax) throw new PassThrough('headerLimit');
    this.#pieces.push(bytes);
  }

  take(): Buffer {
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    return whole;
  }
}

interface PixelLineOptions {
  readonly codec: CodecName;
  readonly engine: FrameCodec;
  readonly format: FrameFormat;
  /** The words of the value are big endian. */
  readonly swapped: boolean;
  readonly vr: 'OB' | 'OW' | null;
  readonly valueBytes: number;
}

/** The value of the pixel data on its way through the engines. */
class PixelLine {
  readonly #options: PixelLineOptions;
  readonly #fragments = new FragmentWriter();
  readonly #encoding: InOrder<Buffer>;
  readonly #frameBytes: number;
  #frame: Buffer | null = null;
  #filled = 0;
  #taken = 0;
  #encodedFrames = 0;
  #padding: Buffer = Buffer.alloc(0);
  ended = false;

  constructor(options: PixelLineOptions) {
    this.#options = options;
    this.#frameBytes = frameBytes(options.format);
    this.#encoding = new InOrder(framesInFlight(options.engine.width, this.#frameBytes));
  }

  async *push(bytes: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#framesLeftBytes() < this.#frameBytes && this.#filled === 0) {
        this.#padding = Buffer.concat([this.#padding, bytes.subarray(at)]);
        return;
      }
      this.#frame ??= Buffer.allocUnsafeSlow(this.#frameBytes);
      const count = bytes.copy(this.#frame, this.#filled, at);
      at += count;
      this.#filled += count;
      this.#taken += count;
      if (this.#filled === this.#frameBytes) yield* this.#encodeFrame(this.#frame);
    }
  }

  async *end(): AsyncGenerator<Buffer> {
    for await (const codestream of this.#encoding.rest()) yield* this.#written(codestream);
    yield* this.#fragments.end();
    this.ended = true;
  }

  recipe(): Recipe {
    const { vr, valueBytes } = this.#options;
    return { version: 1, vr, valueBytes, padding: this.#padding.toString('base64') };
  }

  /** Bytes of the value that no frame has taken yet. */
  #framesLeftBytes(): number {
    return this.#options.valueBytes - this.#taken;
  }

  async *#encodeFrame(frame: Buffer): AsyncGenerator<Buffer> {
    const { codec, engine, format, swapped } = this.#options;
    this.#frame = null;
    this.#filled = 0;
    if (swapped) frame.swap16();
    const done = await this.#encoding.add(engine.encode(codec, format, frame));
    if (done !== null) yield* this.#written(done);
  }

  /** @throws PassThrough once the fragments are no smaller than the frames they stand for */
  *#written(codestream: Buffer): Generator<Buffer> {
    this.#encodedFrames += 1;
    const ready = this.#fragments.add(codestream);
    if (this.#fragments.bytes >= this.#encodedFrames * this.#frameBytes) {
      throw new PassThrough('noGain', { otherCodecMayFit: true });
    }
    yield* ready;
  }
}
