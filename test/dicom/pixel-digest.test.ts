import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { pixelDigest } from '../../src/dicom/pixel-digest.ts';
import { tags } from '../../src/dicom/tags.ts';
import {
  ctSlice,
  type DataElement,
  element,
  encodeDataSet,
  srDocument,
  transferSyntaxes,
} from '../fixtures/dicom-objects.ts';

const explicit = transferSyntaxes['explicit-le'];
const jpeg = transferSyntaxes['jpeg-baseline'];

async function* inChunks(bytes: Buffer, chunkBytes = 97): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test('native pixel data: the value alone, whatever the header says', async () => {
  const pixels = Buffer.alloc(32 * 32 * 2, 'pixel');
  const make = (patientName: string): DataElement[] => [
    element(tags.PatientName, 'PN', patientName),
    element(0x0088_0200, 'SQ', {
      lengths: 'undefined',
      items: [[element(tags.PixelData, 'OW', Buffer.alloc(64))]],
    }),
    element(tags.PixelData, 'OW', pixels),
    element(0xfffc_fffc, 'OB', Buffer.alloc(10)),
  ];
  const expected = { ok: true, sha256: sha256(pixels), bytes: pixels.length };
  for (const name of ['A', 'Somebody^Else']) {
    expect(await pixelDigest(explicit, inChunks(encodeDataSet(make(name), 'explicit-le')))).toEqual(expected);
  }
  const implicit = encodeDataSet(make('A'), 'implicit-le');
  expect(await pixelDigest(transferSyntaxes['implicit-le'], inChunks(implicit))).toEqual(expected);
});

test('encapsulated pixel data: the fragments in order, not the table, not how they are parted', async () => {
  const frame = Buffer.from(Array.from({ length: 600 }, (_, at) => at & 0xff));
  const parted = [
    { offsetTable: Buffer.alloc(0), fragments: [frame] },
    {
      offsetTable: Buffer.alloc(4),
      fragments: [frame.subarray(0, 200), Buffer.alloc(0), frame.subarray(200)],
    },
  ];
  for (const value of parted) {
    const bytes = encodeDataSet([element(tags.PixelData, 'OB', value)], 'explicit-le');
    expect(await pixelDigest(jpeg, inChunks(bytes))).toEqual({ ok: true, sha256: sha256(frame), bytes: 600 });
  }
});

test('float pixel data and deflated data sets are seen too', async () => {
  const floats = encodeDataSet([element(tags.FloatPixelData, 'OF', Buffer.alloc(400, 7))], 'explicit-le');
  expect(await pixelDigest(explicit, inChunks(floats))).toMatchObject({
    sha256: sha256(Buffer.alloc(400, 7)),
  });
  const ct = ctSlice({ rows: 64, columns: 64, seed: 9 });
  const deflated = inChunks(deflateRawSync(ct.dataSet));
  expect(await pixelDigest('1.2.840.10008.1.2.1.99', deflated)).toEqual(
    await pixelDigest(explicit, inChunks(ct.dataSet)),
  );
});

test('no pixel data gives null; a cut data set gives its failure', async () => {
  const sr = srDocument();
  expect(await pixelDigest(explicit, inChunks(sr.dataSet))).toEqual({ ok: true, sha256: null, bytes: 0 });
  const { dataSet } = ctSlice({ rows: 8, columns: 8, seed: 1 });
  expect(await pixelDigest(explicit, inChunks(dataSet.subarray(0, -3)))).toMatchObject({
    ok: false,
    failure: { kind: 'truncated' },
  });
});
