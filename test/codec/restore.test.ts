import { afterAll, expect, test } from 'vitest';
import { codecSyntaxes } from '../../src/codec/frame-format.ts';
import { CodecPool, type FrameCodec } from '../../src/codec/lossless.ts';
import { restoreDataSet } from '../../src/codec/restore.ts';
import type { TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { imageDataSet, inChunks, type MadeImage, prepareWhole } from './codec-fixtures.ts';

const pool = new CodecPool({ workersMax: 1, idleMs: 60_000, threadFailed: () => undefined });
afterAll(() => pool.stop());

const explicit = '1.2.840.10008.1.2.1' as TransferSyntaxUID;
const image: MadeImage = {
  Rows: 64,
  Columns: 64,
  frames: 3,
  SamplesPerPixel: 1,
  BitsAllocated: 16,
  BitsStored: 12,
  signed: false,
  seed: 7,
};

/** Gets one sample wrong: of the frame whose turn it is. */
function wrongAt(frame: number): FrameCodec {
  let decoded = 0;
  return {
    width: pool.width,
    encode: (...args) => pool.encode(...args),
    reencode: (...args) => pool.reencode(...args),
    decode: async (...args) => {
      decoded += 1;
      const mine = decoded;
      const bytes = await pool.decode(...args);
      if (mine === frame) bytes[10] = (bytes[10] ?? 0) ^ 1;
      return bytes;
    },
  };
}

test.each([1, 3])('frame %i restored wrongly: nobody is ever handed a complete data set', async (frame) => {
  const received = imageDataSet(image, 'explicit-le');
  const prepared = await prepareWhole(received, explicit, 'htj2k', pool);
  if (!prepared.ok) throw new Error(prepared.code);
  const { dataSet, restoration } = prepared;
  let bytes = 0;
  const restore = async (): Promise<void> => {
    const pieces = restoreDataSet(inChunks(dataSet), codecSyntaxes.htj2k, restoration, wrongAt(frame));
    for await (const piece of pieces) bytes += piece.length;
  };
  await expect(restore()).rejects.toThrow(expect.objectContaining({ code: 'RESTORE_MISMATCH' }));
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(received.length);
});
