import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { part10Header, splitPart10 } from '../../src/dicom/part10.ts';
import type { SOPClassUID, SOPInstanceUID, TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';

const fixed = {
  SOPClassUID: '1.2.840.10008.5.1.4.1.1.2' as SOPClassUID,
  SOPInstanceUID: '2.25.1' as SOPInstanceUID,
  TransferSyntaxUID: '1.2.840.10008.1.2.1' as TransferSyntaxUID,
};

async function* inChunks(bytes: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('the header is the same for ever', () => {
  // Digests of sent files depend on these bytes: a change makes every archived copy look altered.
  const header = part10Header(fixed);
  expect(createHash('sha256').update(header).digest('hex')).toBe(
    'a475aad096021f12289f285b17a4e5dd4e4f2372a94c874dd881fc42d203219c',
  );
  expect(part10Header(fixed)).toEqual(header);
});

test('a file splits into what it was made of, however it arrives', async () => {
  const ct = ctSlice({ rows: 64, columns: 64, seed: 1 });
  for (const dataSet of [ct.dataSet, Buffer.alloc(0), Buffer.alloc(200_000, 1)]) {
    const file = Buffer.concat([part10Header(ct), dataSet]);
    for (const chunkBytes of [1, 131, 333, 70_000, 1_000_000]) {
      const { dataSet: rest, ...meta } = await splitPart10(inChunks(file, chunkBytes));
      expect(meta).toMatchObject({
        SOPClassUID: ct.SOPClassUID,
        SOPInstanceUID: ct.SOPInstanceUID,
        TransferSyntaxUID: ct.TransferSyntaxUID,
      });
      expect((await collect(rest)).equals(dataSet)).toBe(true);
    }
  }
});

test('deflated bytes that look like group 2 belong to the data set', async () => {
  const lookalike = Buffer.concat([
    Buffer.from([0x02, 0x00, 0x10, 0x00]),
    Buffer.from('UI\x02\x001.'),
    deflateRawSync('x'),
  ]);
  const file = Buffer.concat([part10Header(fixed), lookalike]);
  expect(await collect((await splitPart10(inChunks(file, 50))).dataSet)).toEqual(lookalike);
});

test.each([
  ['missing', (header: Buffer) => Buffer.concat([header.subarray(0, 132), header.subarray(144)])],
  ['wrong', (header: Buffer) => Buffer.from(header).fill(7, 140, 141)],
])('a group length that is %s is made good', async (_what, damage) => {
  const ct = ctSlice({ rows: 8, columns: 8, seed: 1 });
  const file = Buffer.concat([damage(part10Header(ct)), ct.dataSet]);
  const split = await splitPart10(inChunks(file, 100));
  expect(split.TransferSyntaxUID).toBe(ct.TransferSyntaxUID);
  expect((await collect(split.dataSet)).equals(ct.dataSet)).toBe(true);
});

describe('without a preamble', () => {
  const ct = ctSlice({ rows: 8, columns: 8, seed: 1 });

  test('a stream is refused unless asked for', async () => {
    await expect(splitPart10(inChunks(ct.dataSet, 50))).rejects.toMatchObject({ code: 'PART10_UNREADABLE' });
    await expect(splitPart10(inChunks(Buffer.alloc(0), 50))).rejects.toMatchObject({
      code: 'PART10_UNREADABLE',
    });
  });

  test('a bare data set is passed on whole, even with the marker in its midst', async () => {
    const withMarker = Buffer.from(ct.dataSet);
    withMarker.write('DICM', 128, 'latin1');
    for (const bytes of [ct.dataSet, withMarker]) {
      const split = await splitPart10(inChunks(bytes, 50), { withoutPreamble: 'accept' });
      expect(split.TransferSyntaxUID).toBeNull();
      expect((await collect(split.dataSet)).equals(bytes)).toBe(true);
    }
  });

  test('group 2 in front is read', async () => {
    const bytes = Buffer.concat([part10Header(ct).subarray(132), ct.dataSet]);
    const split = await splitPart10(inChunks(bytes, 50), { withoutPreamble: 'accept' });
    expect(split.SOPInstanceUID).toBe(ct.SOPInstanceUID);
    expect((await collect(split.dataSet)).equals(ct.dataSet)).toBe(true);
  });
});

test('meta information that never ends is not held', async () => {
  let pulled = 0;
  let closed = false;
  async function* endless(): AsyncGenerator<Buffer> {
    try {
      yield part10Header(fixed).subarray(0, 132);
      for (;;) {
        pulled += 10_008;
        yield Buffer.concat([
          Buffer.from([0x02, 0x00, 0x00, 0x01]),
          Buffer.from('UI\x10\x27'),
          Buffer.alloc(10_000),
        ]);
      }
    } finally {
      closed = true;
    }
  }
  await expect(splitPart10(endless())).rejects.toMatchObject({ code: 'PART10_UNREADABLE' });
  expect(pulled).toBeLessThan(100_000);
  expect(closed).toBe(true);
});

test('the source is closed when the data set is given up, begun or not', async () => {
  const file = Buffer.concat([part10Header(fixed), Buffer.alloc(1000)]);
  for (const begin of [true, false]) {
    let closed = false;
    const source = (async function* () {
      try {
        yield* inChunks(file, 300);
      } finally {
        closed = true;
      }
    })();
    const split = await splitPart10(source);
    if (begin) {
      for await (const chunk of split.dataSet) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
    } else await split.cancel();
    expect(closed).toBe(true);
  }
});
