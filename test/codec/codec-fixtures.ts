import { createHash } from 'node:crypto';
import { codecSyntaxes, type CodecName } from '../../src/codec/frame-format.ts';
import type { FrameCodec } from '../../src/codec/lossless.ts';
import { PassThrough } from '../../src/codec/pass-through.ts';
import { Preparation } from '../../src/codec/prepare.ts';
import { restoreDataSet } from '../../src/codec/restore.ts';
import { tags } from '../../src/dicom/tags.ts';
import type { TransferSyntaxUID } from '../../src/dicom/uid.ts';
import type { Restoration } from '../../src/spool/types.ts';
import { type DataElement, element, type Encoding, encodeDataSet } from '../fixtures/dicom-objects.ts';

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function* inChunks(bytes: Buffer, chunkBytes = 65_536): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

export async function gather(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export type Prepared =
  | { readonly ok: true; readonly dataSet: Buffer; readonly restoration: Restoration }
  | { readonly ok: false; readonly code: string };

/** Prepares a whole data set, cut into chunks of the given size. */
export async function prepareWhole(
  dataSet: Buffer,
  syntax: TransferSyntaxUID,
  codec: CodecName,
  engine: FrameCodec,
  chunkBytes?: number,
): Promise<Prepared> {
  try {
    const preparation = new Preparation(syntax, codec, engine);
    const prepared = await gather(preparation.bytes(inChunks(dataSet, chunkBytes)));
    const restoration = {
      TransferSyntaxUID: syntax,
      dataSetBytes: dataSet.length,
      dataSetSha256: sha256(dataSet),
      recipe: { ...preparation.recipe },
    };
    return { ok: true, dataSet: prepared, restoration };
  } catch (error) {
    if (error instanceof PassThrough) return { ok: false, code: error.reason.code };
    throw error;
  }
}

/** The received data set again. @throws GantryError where it does not come back byte for byte */
export function restoreWhole(
  prepared: Buffer,
  codec: CodecName,
  restoration: Restoration,
  engine: FrameCodec,
  chunkBytes?: number,
): Promise<Buffer> {
  return gather(restoreDataSet(inChunks(prepared, chunkBytes), codecSyntaxes[codec], restoration, engine));
}

export interface MadeImage {
  readonly Rows: number;
  readonly Columns: number;
  readonly frames: number;
  readonly SamplesPerPixel: 1 | 3;
  readonly BitsAllocated: 8 | 16;
  readonly BitsStored: number;
  readonly signed: boolean;
  readonly planar?: boolean;
  /** Bits above those stored are used too. */
  readonly unusedBits?: boolean;
  readonly padding?: Buffer;
  /** Overrides (0028,0008). */
  readonly NumberOfFrames?: string;
  readonly before?: readonly DataElement[];
  readonly after?: readonly DataElement[];
  readonly seed: number;
}

/** Smooth frames with a little noise over the whole range of the bits stored. */
export function pixelsOf(image: MadeImage): Buffer {
  const { Rows, Columns, frames, SamplesPerPixel, BitsAllocated, BitsStored, signed, seed } = image;
  const count = Rows * Columns * frames * SamplesPerPixel;
  const bytes = Buffer.alloc((count * BitsAllocated) / 8);
  const half = 2 ** (BitsStored - 1);
  for (let at = 0; at < count; at++) {
    const wave = Math.sin((at + seed) / 97) + Math.cos(Math.floor(at / Columns) / 31);
    const noise = ((at * 2_654_435_761 + seed) >>> 28) % 4;
    let value = Math.max(-half, Math.min(half - 1, Math.round(wave * half * 0.6) + noise));
    if (!signed) value += half;
    if (image.unusedBits === true && at % 13 === 0) value |= 1 << (BitsAllocated - 1);
    if (BitsAllocated === 8) bytes[at] = value & 0xff;
    else bytes.writeUInt16LE(value & 0xffff, at * 2);
  }
  return bytes;
}

export function imageDataSet(image: MadeImage, encoding: Encoding): Buffer {
  const { Rows, Columns, frames, SamplesPerPixel, BitsAllocated, BitsStored, signed } = image;
  const colour = SamplesPerPixel === 3;
  const value = Buffer.concat([pixelsOf(image), image.padding ?? Buffer.alloc(0)]);
  const even = value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.alloc(1)]);
  const frameCount = image.NumberOfFrames ?? (frames === 1 ? null : String(frames));
  const elements = [
    element(tags.SOPClassUID, 'UI', '1.2.840.10008.5.1.4.1.1.7'),
    element(tags.SOPInstanceUID, 'UI', '1.2.826.0.1.3680043.10.1.1'),
    element(tags.PatientName, 'PN', 'Fixture^Codec'),
    ...(image.before ?? []),
    element(tags.SamplesPerPixel, 'US', [SamplesPerPixel]),
    element(tags.PhotometricInterpretation, 'CS', colour ? 'RGB' : 'MONOCHROME2'),
    ...(colour ? [element(tags.PlanarConfiguration, 'US', [image.planar === true ? 1 : 0])] : []),
    ...(frameCount === null ? [] : [element(tags.NumberOfFrames, 'IS', frameCount)]),
    element(tags.Rows, 'US', [Rows]),
    element(tags.Columns, 'US', [Columns]),
    element(tags.BitsAllocated, 'US', [BitsAllocated]),
    element(tags.BitsStored, 'US', [BitsStored]),
    element(tags.HighBit, 'US', [BitsStored - 1]),
    element(tags.PixelRepresentation, 'US', [signed ? 1 : 0]),
    element(0x0028_1052, 'DS', '-1024'),
    element(tags.PixelData, 'OW', even),
    ...(image.after ?? []),
  ];
  return encodeDataSet(elements, encoding);
}
