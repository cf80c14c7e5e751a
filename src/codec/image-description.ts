import { withoutPadding } from '../dicom/padding.ts';
import { tags } from '../dicom/tags.ts';
import type { WalkHooks } from '../dicom/walker.ts';
import { type CodecName, type FrameFormat, frameBytes } from './frame-format.ts';
import { codecLimits } from './limits.ts';
import { PassThrough } from './pass-through.ts';

/** Extended Offset Table and its lengths, group length: true only of one form of the pixel data. */
const pixelGroupLength = 0x7fe0_0000;
const offsetTableTags: ReadonlySet<number> = new Set([0x7fe0_0001, 0x7fe0_0002]);

const numberTags: ReadonlySet<number> = new Set([
  tags.SamplesPerPixel,
  tags.PlanarConfiguration,
  tags.Rows,
  tags.Columns,
  tags.BitsAllocated,
  tags.BitsStored,
  tags.HighBit,
  tags.PixelRepresentation,
]);
const textTags: ReadonlySet<number> = new Set([tags.PhotometricInterpretation, tags.NumberOfFrames]);

export interface ImageDescription {
  readonly format: FrameFormat;
  readonly NumberOfFrames: number;
}

/**
 * Photometric interpretations whose samples both codecs can carry as they are (PS3.5 Tables 8.2.3-1, 8.2.4-1).
 * Subsampled ones are laid out otherwise.
 */
const interpretations: Readonly<Record<string, 1 | 3>> = {
  MONOCHROME1: 1,
  MONOCHROME2: 1,
  'PALETTE COLOR': 1,
  RGB: 3,
  YBR_FULL: 3,
};

/** Collects what a header says about its pixel data (PS3.3 §C.7.6.3), as the walker passes by. */
export class ImageDescriptionReader implements WalkHooks {
  readonly wanted: ReadonlySet<number> = new Set([
    ...numberTags,
    ...textTags,
    ...offsetTableTags,
    pixelGroupLength,
  ]);
  readonly #numbers = new Map<number, number>();
  readonly #texts = new Map<number, string>();
  readonly #seen = new Set<number>();
  #ambiguous = false;
  #passed = false;

  value(tag: number, bytes: Buffer, length: number, bigEndian: boolean): void {
    if (this.#seen.has(tag) || this.#passed) this.#ambiguous = true;
    this.#seen.add(tag);
    if (textTags.has(tag)) this.#texts.set(tag, withoutPadding(bytes.toString('latin1')).trim());
    else if (length === 2) this.#numbers.set(tag, bigEndian ? bytes.readUInt16BE() : bytes.readUInt16LE());
  }

  /** What comes from here on comes too late. */
  pixelHeader(): void {
    this.#passed = true;
  }

  /** (0028,0103), 0 where it is absent. */
  get pixelRepresentation(): number {
    return this.#numbers.get(tags.PixelRepresentation) ?? 0;
  }

  /** @throws PassThrough where the image is none the codecs carry as it is */
  describe(): ImageDescription {
    if (this.#ambiguous) throw new PassThrough('ambiguous');
    if (this.#seen.has(pixelGroupLength)) throw new PassThrough('groupLength');
    if ([...offsetTableTags].some((tag) => this.#seen.has(tag))) throw new PassThrough('offsetTable');
    const format = this.#format();
    const NumberOfFrames = this.#frames();
    const bytes = frameBytes(format);
    const tooLarge = bytes > codecLimits.frameBytesMax || NumberOfFrames > codecLimits.framesMax;
    if (tooLarge) throw new PassThrough('frameLimit');
    if (bytes < codecLimits.frameBytesMin) throw new PassThrough('small');
    return { format, NumberOfFrames };
  }

  /** Call at the end. @throws PassThrough where the image is described once more behind the pixel data */
  checkEnd(): void {
    if (this.#ambiguous) throw new PassThrough('ambiguous');
  }

  #format(): FrameFormat {
    const Rows = this.#number(tags.Rows);
    const Columns = this.#number(tags.Columns);
    const BitsAllocated = this.#number(tags.BitsAllocated);
    const BitsStored = this.#number(tags.BitsStored);
    const PixelRepresentation = this.#number(tags.PixelRepresentation);
    if (Rows === 0 || Columns === 0 || PixelRepresentation > 1) throw new PassThrough('incomplete');
    if (BitsAllocated !== 8 && BitsAllocated !== 16) throw new PassThrough('bits');
    const aligned = this.#number(tags.HighBit) === BitsStored - 1;
    if (!aligned || BitsStored < 2 || BitsStored > BitsAllocated) throw new PassThrough('bits');
    const SamplesPerPixel = this.#samples();
    const signed = PixelRepresentation === 1;
    if (signed && SamplesPerPixel === 3) throw new PassThrough('bits');
    return { Rows, Columns, SamplesPerPixel, BitsAllocated, BitsStored, signed };
  }

  #samples(): 1 | 3 {
    const samples = this.#number(tags.SamplesPerPixel);
    if (samples !== 1 && samples !== 3) throw new PassThrough('samples');
    const interpretation = this.#texts.get(tags.PhotometricInterpretation);
    if (interpretation === undefined) throw new PassThrough('incomplete');
    if (interpretations[interpretation] !== samples) throw new PassThrough('photometric');
    if (samples === 3 && this.#number(tags.PlanarConfiguration) !== 0) throw new PassThrough('planar');
    return samples;
  }

  #frames(): number {
    const text = this.#texts.get(tags.NumberOfFrames) ?? '';
    if (text === '') return 1;
    if (!/^\+?[0-9]{1,10}$/.test(text) || Number(text) === 0) throw new PassThrough('incomplete');
    return Number(text);
  }

  #number(tag: number): number {
    const number = this.#numbers.get(tag);
    if (number === undefined) throw new PassThrough('incomplete');
    return number;
  }
}

/** @throws PassThrough where a codec does not carry what the other may */
export function checkCodecFits(codec: CodecName, format: FrameFormat): void {
  const { SamplesPerPixel, BitsAllocated, signed } = format;
  // The independent decoder does not read three components of 16 bits back as they were.
  if (codec === 'htj2k' && SamplesPerPixel === 3 && BitsAllocated === 16) {
    throw new PassThrough('samples', { otherCodecMayFit: true });
  }
  // Its binding takes bytes for unsigned ones.
  if (codec === 'htj2k' && signed && BitsAllocated === 8) {
    throw new PassThrough('bits', { otherCodecMayFit: true });
  }
}
