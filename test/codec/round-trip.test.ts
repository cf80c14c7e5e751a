import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type CodecName, codecNames } from '../../src/codec/frame-format.ts';
import { CodecPool, type FrameCodec } from '../../src/codec/lossless.ts';
import { tags } from '../../src/dicom/tags.ts';
import type { TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { type Encoding, element, transferSyntaxes } from '../fixtures/dicom-objects.ts';
import { imageDataSet, type MadeImage, prepareWhole, restoreWhole } from './codec-fixtures.ts';

const pool = new CodecPool({ workersMax: 1, idleMs: 60_000, threadFailed: () => undefined });
afterAll(() => pool.stop());

const plain: MadeImage = {
  Rows: 64,
  Columns: 60,
  frames: 1,
  SamplesPerPixel: 1,
  BitsAllocated: 16,
  BitsStored: 12,
  signed: false,
  seed: 1,
};
const icon = element(0x0088_0200, 'SQ', {
  lengths: 'undefined',
  items: [
    [
      element(tags.Rows, 'US', [8]),
      element(tags.Columns, 'US', [8]),
      element(tags.BitsAllocated, 'US', [8]),
      element(tags.PixelData, 'OW', Buffer.alloc(64, 7)),
    ],
  ],
});
const privates = [
  element(0x0009_0010, 'LO', 'GANTRY TEST'),
  element(0x0009_1001, 'UN', Buffer.from('0102030405060708', 'hex')),
];
const emptyItems = element(0x0008_1140, 'SQ', { lengths: 'defined', items: [[], []] });
const trailing = element(0xfffc_fffc, 'OB', Buffer.alloc(10));

interface Outcome {
  readonly received: Buffer;
  readonly prepared: Buffer;
}

/** Prepares and restores; the bytes must be those received. */
async function roundTrip(
  image: MadeImage,
  encoding: Encoding,
  codec: CodecName,
  chunkBytes?: number,
): Promise<Outcome | string> {
  const received = imageDataSet(image, encoding);
  const syntax = transferSyntaxes[encoding] as TransferSyntaxUID;
  const prepared = await prepareWhole(received, syntax, codec, pool, chunkBytes);
  if (!prepared.ok) return prepared.code;
  const again = await restoreWhole(prepared.dataSet, codec, prepared.restoration, pool, chunkBytes);
  expect(again.equals(received)).toBe(true);
  expect(prepared.dataSet.length).toBeLessThan(received.length);
  return { received, prepared: prepared.dataSet };
}

describe.each(codecNames)('%s', (codec) => {
  test.each<[string, Partial<MadeImage>, Encoding]>([
    ['8 bits', { BitsAllocated: 8, BitsStored: 8 }, 'explicit-le'],
    ['12 bits', {}, 'explicit-le'],
    ['12 bits signed', { signed: true }, 'explicit-le'],
    ['16 bits', { BitsStored: 16 }, 'explicit-le'],
    ['16 bits signed', { BitsStored: 16, signed: true }, 'explicit-le'],
    [
      'odd rows and columns, odd value',
      { Rows: 61, Columns: 63, BitsAllocated: 8, BitsStored: 8 },
      'explicit-le',
    ],
    ['colour', { SamplesPerPixel: 3, BitsAllocated: 8, BitsStored: 8 }, 'explicit-le'],
    ['many frames', { frames: 5 }, 'explicit-le'],
    [
      'many frames of odd length',
      { Rows: 61, Columns: 63, frames: 3, BitsAllocated: 8, BitsStored: 8 },
      'explicit-le',
    ],
    ['padding behind the last frame', { padding: Buffer.from('00ff00fe', 'hex') }, 'explicit-le'],
    ['icon, private and empty items', { before: [emptyItems, ...privates, icon] }, 'explicit-le'],
    ['trailing padding', { after: [trailing] }, 'explicit-le'],
    ['implicit VR', { before: [emptyItems, ...privates, icon], after: [trailing] }, 'implicit-le'],
    ['big endian', { before: [emptyItems, icon], after: [trailing], signed: true }, 'explicit-be'],
  ])('%s comes back byte for byte', async (_, change, encoding) => {
    expect(typeof (await roundTrip({ ...plain, ...change }, encoding, codec))).toBe('object');
  });

  test.each<[string, Partial<MadeImage>, string]>([
    [
      'colour in planes',
      { SamplesPerPixel: 3, BitsAllocated: 8, BitsStored: 8, planar: true },
      'COMPRESSION_PLANAR',
    ],
    ['a tiny frame', { Rows: 8, Columns: 8 }, 'COMPRESSION_SMALL'],
    ['more frames than there are bytes', { NumberOfFrames: '2' }, 'COMPRESSION_LENGTH'],
    ['fewer frames than there are bytes', { frames: 3, NumberOfFrames: '1' }, 'COMPRESSION_LENGTH'],
    ['no number of frames', { NumberOfFrames: 'many' }, 'COMPRESSION_HEADER'],
    ['a description behind the pixels', { after: [element(tags.Rows, 'US', [1])] }, 'COMPRESSION_AMBIGUOUS'],
    ['two pixel data', { after: [element(tags.PixelData, 'OW', Buffer.alloc(8))] }, 'COMPRESSION_AMBIGUOUS'],
    ['a group length of the pixels', { after: [element(0x7fe0_0000, 'UL', [8])] }, 'COMPRESSION_AMBIGUOUS'],
  ])('%s is passed through: %s', async (_, change, code) => {
    expect(await roundTrip({ ...plain, ...change }, 'explicit-le', codec)).toBe(code);
  });

  test('noise is passed through: it would grow', async () => {
    const noise = imageDataSet({ ...plain, BitsStored: 16 }, 'explicit-le');
    let state = 7;
    for (let at = noise.length - 64 * 60 * 2; at < noise.length; at++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      noise[at] = state >>> 16;
    }
    const syntax = transferSyntaxes['explicit-le'] as TransferSyntaxUID;
    expect(await prepareWhole(noise, syntax, codec, pool)).toEqual({
      ok: false,
      code: 'COMPRESSION_NO_GAIN',
    });
  });

  test('a truncated data set is passed through', async () => {
    const whole = imageDataSet(plain, 'explicit-le');
    const syntax = transferSyntaxes['explicit-le'] as TransferSyntaxUID;
    const cut = whole.subarray(0, whole.length - 100);
    expect(await prepareWhole(cut, syntax, codec, pool)).toEqual({
      ok: false,
      code: 'COMPRESSION_STRUCTURE',
    });
  });

  test('every other element of an Explicit VR Little Endian object is byte for byte the same', async () => {
    const image = { ...plain, frames: 3, before: [...privates, icon], after: [trailing] };
    const outcome = await roundTrip(image, 'explicit-le', codec);
    if (typeof outcome === 'string') throw new Error(outcome);
    const { received, prepared } = outcome;
    const valueBytes = 64 * 60 * 2 * 3;
    const tailBytes = 12 + 10;
    const headBytes = received.length - tailBytes - valueBytes - 12;
    expect(prepared.subarray(0, headBytes).equals(received.subarray(0, headBytes))).toBe(true);
    expect(prepared.subarray(-tailBytes).equals(received.subarray(-tailBytes))).toBe(true);
    // OB, undefined length, and an offset table for three frames (PS3.5 §A.4).
    const header = prepared.subarray(headBytes, headBytes + 24).toString('hex');
    expect(header).toBe('e07f10004f420000fffffffffeff00e00c00000000000000');
    expect(prepared.subarray(-tailBytes - 8, -tailBytes).toString('hex')).toBe('feffdde000000000');
    const second = headBytes + 12 + 8 + 12 + prepared.readUInt32LE(headBytes + 24);
    expect(prepared.readUInt32LE(second)).toBe(0xe000_fffe);
  });

  test('whatever it is like, it comes back byte for byte or is passed through', async () => {
    const rarely = fc.nat(5).map((number) => number === 0);
    const images = fc.record({
      Rows: fc.integer({ min: 20, max: 90 }),
      Columns: fc.integer({ min: 20, max: 90 }),
      frames: fc.integer({ min: 1, max: 4 }),
      bits: fc.constantFrom<readonly [8 | 16, number]>([8, 8], [8, 7], [16, 6], [16, 10], [16, 12], [16, 16]),
      SamplesPerPixel: fc.constantFrom<1 | 3>(1, 1, 3),
      signed: fc.boolean(),
      planar: rarely,
      unusedBits: rarely,
      padding: fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
      before: fc.subarray([emptyItems, ...privates, icon]),
      after: fc.subarray([trailing]),
      seed: fc.nat(1000),
    });
    const encodings = fc.constantFrom<Encoding>('explicit-le', 'implicit-le', 'explicit-be');
    let compressed = 0;
    await fc.assert(
      fc.asyncProperty(
        images,
        encodings,
        fc.integer({ min: 1, max: 5000 }),
        async ({ bits, ...rest }, encoding, chunkBytes) => {
          const image: MadeImage = { ...rest, BitsAllocated: bits[0], BitsStored: bits[1] };
          const outcome = await roundTrip(image, encoding, codec, chunkBytes);
          if (typeof outcome === 'string') expect(outcome).toMatch(/^COMPRESSION_/);
          else compressed += 1;
        },
      ),
      { numRuns: 150 },
    );
    expect(compressed).toBeGreaterThan(15);
  });
});

test('an overlay in the unused bits survives in JPEG-LS, and is no case for HTJ2K', async () => {
  const image = { ...plain, unusedBits: true };
  expect(await roundTrip(image, 'explicit-le', 'htj2k')).toBe('COMPRESSION_UNUSED_BITS');
  expect(typeof (await roundTrip(image, 'explicit-le', 'jpeg-ls'))).toBe('object');
});

test('signed bytes go in JPEG-LS, and are no case for HTJ2K', async () => {
  const image: MadeImage = { ...plain, BitsAllocated: 8, BitsStored: 8, signed: true };
  expect(await roundTrip(image, 'explicit-le', 'htj2k')).toBe('COMPRESSION_BITS');
  expect(typeof (await roundTrip(image, 'explicit-le', 'jpeg-ls'))).toBe('object');
});

/** An engine that changes one bit of what it encodes. */
const lying: FrameCodec = {
  width: 1,
  async encode(codec, format, frame) {
    frame[100] = (frame[100] ?? 0) ^ 1;
    return pool.encode(codec, format, frame);
  },
  decode: (...call) => pool.decode(...call),
  reencode: (...call) => pool.reencode(...call),
};

test.each(codecNames)('one wrong bit of %s is found when it is made again', async (codec) => {
  const received = imageDataSet(plain, 'explicit-le');
  const syntax = transferSyntaxes['explicit-le'] as TransferSyntaxUID;
  const prepared = await prepareWhole(received, syntax, codec, lying);
  if (!prepared.ok) throw new Error(prepared.code);
  await expect(restoreWhole(prepared.dataSet, codec, prepared.restoration, pool)).rejects.toMatchObject({
    code: 'RESTORE_MISMATCH',
  });
});
