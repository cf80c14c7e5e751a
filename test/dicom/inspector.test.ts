import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inflationLimits } from '../../src/dicom/data-set-walk.ts';
import { DataSetInspector, type Inspection } from '../../src/dicom/inspector.ts';
import { tags } from '../../src/dicom/tags.ts';
import {
  ctSlice,
  element,
  encodeDataSet,
  newUid,
  srDocument,
  transferSyntaxes,
  usMultiframe,
} from '../fixtures/dicom-objects.ts';

const explicit = transferSyntaxes['explicit-le'];
const deflated = '1.2.840.10008.1.2.1.99';

async function inspect(
  syntaxUID: string,
  bytes: Buffer,
  chunkBytes = 1000,
  limits = inflationLimits,
): Promise<Inspection> {
  const inspector = new DataSetInspector(syntaxUID, limits);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    await inspector.push(bytes.subarray(at, at + chunkBytes));
  }
  const result = await inspector.finish();
  if (!result.ok) expect(result.words.length).toBeLessThanOrEqual(64);
  return result;
}

describe('facts of the header', () => {
  test.each(['explicit-le', 'implicit-le', 'explicit-be'] as const)(
    'of a CT slice in %s',
    async (encoding) => {
      const ct = ctSlice({ rows: 20, columns: 300, seed: 1, encoding });
      for (const chunkBytes of [1, 17, 100_000]) {
        expect(await inspect(ct.TransferSyntaxUID, ct.dataSet, chunkBytes)).toEqual({
          ok: true,
          facts: {
            SOPClassUID: ct.SOPClassUID,
            SOPInstanceUID: ct.SOPInstanceUID,
            StudyInstanceUID: ct.StudyInstanceUID,
            SeriesInstanceUID: ct.SeriesInstanceUID,
            Modality: 'CT',
            InstitutionName: null,
            image: { Rows: 20, Columns: 300, BitsAllocated: 16, NumberOfFrames: 1 },
          },
        });
      }
    },
  );

  test('of an encapsulated multi-frame and of a document', async () => {
    const us = usMultiframe({ rows: 48, columns: 64, frames: 5, seed: 2 });
    expect(await inspect(us.TransferSyntaxUID, us.dataSet)).toMatchObject({
      facts: { Modality: 'US', image: { Rows: 48, Columns: 64, BitsAllocated: 8, NumberOfFrames: 5 } },
    });
    const sr = srDocument();
    expect(await inspect(sr.TransferSyntaxUID, sr.dataSet)).toMatchObject({
      facts: { Modality: 'SR', image: null },
    });
  });

  test('come from the top level only', async () => {
    const inner = [element(tags.SOPInstanceUID, 'UI', '1.2.3'), element(tags.Modality, 'CS', 'MR')];
    const bytes = encodeDataSet(
      [element(0x0008_1115, 'SQ', { lengths: 'undefined', items: [inner] })],
      'explicit-le',
    );
    expect(await inspect(explicit, bytes)).toMatchObject({ facts: { SOPInstanceUID: null, Modality: null } });
  });

  test('are null where elements are missing or empty', async () => {
    const bytes = encodeDataSet(
      [element(tags.SOPInstanceUID, 'UI', ''), element(0x0010_0010, 'PN', 'A')],
      'explicit-le',
    );
    expect(await inspect(explicit, bytes)).toEqual({
      ok: true,
      facts: {
        SOPClassUID: null,
        SOPInstanceUID: null,
        StudyInstanceUID: null,
        SeriesInstanceUID: null,
        Modality: null,
        InstitutionName: null,
        image: null,
      },
    });
  });

  test('hold the institution, for routing', async () => {
    const bytes = encodeDataSet([element(tags.InstitutionName, 'LO', 'North Clinic')], 'explicit-le');
    expect(await inspect(explicit, bytes)).toMatchObject({
      ok: true,
      facts: { InstitutionName: 'North Clinic' },
    });
  });

  test('do not repeat what is not a modality', async () => {
    const bytes = encodeDataSet([element(tags.Modality, 'CS', 'Doe^Jane')], 'explicit-le');
    expect(await inspect(explicit, bytes)).toMatchObject({ ok: true, facts: { Modality: null } });
  });
});

function twice(first: string, second: string): Buffer {
  const elements = [first, second].map((uid) => element(tags.SOPInstanceUID, 'UI', uid));
  return encodeDataSet(elements, 'explicit-le');
}

describe('UIDs', () => {
  test.each(['1.2.x', '1..2', '1.2\\1.3', '../../etc', '1.2.3\n', '1'.repeat(65), '1.'.repeat(100)])(
    'an illegal one is refused as soon as it is seen (%j)',
    async (uid) => {
      const inspector = new DataSetInspector(explicit);
      const dataSet = encodeDataSet(
        [element(tags.StudyInstanceUID, 'UI', uid), element(0x0020_0010, 'SH', '1')],
        'explicit-le',
      );
      await inspector.push(dataSet);
      expect(inspector.failure).toMatchObject({ kind: 'illegal-uid', code: 'DICOM_ILLEGAL_UID' });
      expect(await inspector.finish()).toMatchObject({ ok: false, kind: 'illegal-uid' });
      expect(await inspect(explicit, dataSet, 3)).toMatchObject({ ok: false, kind: 'illegal-uid' });
    },
  );

  test('the longest legal one passes', async () => {
    const uid = `1.${'2'.repeat(62)}`;
    const bytes = encodeDataSet([element(tags.SOPInstanceUID, 'UI', uid)], 'explicit-le');
    expect(await inspect(explicit, bytes)).toMatchObject({ ok: true, facts: { SOPInstanceUID: uid } });
  });

  test('two that differ are refused; the same one twice is not', async () => {
    const [one, other] = [newUid(), newUid()];
    expect(await inspect(explicit, twice(one, other))).toMatchObject({
      kind: 'unparsable',
      code: 'DICOM_AMBIGUOUS_UID',
    });
    expect(await inspect(explicit, twice(one, one))).toMatchObject({ ok: true });
  });
});

test('a cut data set and an empty one are truncated', async () => {
  const { dataSet } = ctSlice({ rows: 16, columns: 16, seed: 3 });
  expect(await inspect(explicit, dataSet.subarray(0, -1))).toMatchObject({ ok: false, kind: 'truncated' });
  expect(await inspect(explicit, Buffer.alloc(0))).toMatchObject({ ok: false, kind: 'truncated' });
});

describe('deflated data sets', () => {
  const ct = ctSlice({ rows: 128, columns: 40, seed: 4 });

  test.each([1, 50, 4096, 1_000_000])(
    'are read in chunks of %d bytes, padding behind the end ignored',
    async (chunkBytes) => {
      for (const padding of [0, 1, 40]) {
        const bytes = Buffer.concat([deflateRawSync(ct.dataSet), Buffer.alloc(padding)]);
        expect(await inspect(deflated, bytes, chunkBytes)).toMatchObject({
          ok: true,
          facts: { SOPInstanceUID: ct.SOPInstanceUID, image: { Rows: 128 } },
        });
      }
    },
  );

  test('cut inside the deflate stream are truncated', async () => {
    const bytes = deflateRawSync(ct.dataSet);
    for (const cut of [0, 1, 10, bytes.length >> 1, bytes.length - 1]) {
      expect(await inspect(deflated, bytes.subarray(0, cut))).toMatchObject({ ok: false, kind: 'truncated' });
    }
  });

  test('cut before they were deflated are truncated too', async () => {
    expect(await inspect(deflated, deflateRawSync(ct.dataSet.subarray(0, -2)))).toMatchObject({
      kind: 'truncated',
    });
  });

  test('that are no deflate stream are unparsable', async () => {
    expect(await inspect(deflated, Buffer.alloc(100, 0xff))).toMatchObject({
      kind: 'unparsable',
      code: 'DICOM_NOT_DEFLATED',
    });
  });

  test('that are a bomb are refused by ratio, by size and by number of elements, before their end', async () => {
    const value = encodeDataSet([element(tags.PixelData, 'OW', Buffer.alloc(8_000_000))], 'explicit-le');
    const elements = encodeDataSet([element(0x0008_0060, 'CS', '')], 'explicit-le');
    const bombs = [
      { inflated: value, limits: { ...inflationLimits, ratioFreeBytes: 1_000_000, inflationRatioMax: 100 } },
      { inflated: value, limits: { ...inflationLimits, inflatedBytesMax: 2_000_000 } },
      { inflated: Buffer.alloc(8_000_000, elements), limits: { ...inflationLimits, elementsMax: 100_000 } },
    ];
    for (const { inflated, limits } of bombs) {
      const bytes = Buffer.concat([deflateRawSync(inflated), randomBytes(10)]);
      const inspector = new DataSetInspector(deflated, limits);
      await inspector.push(bytes.subarray(0, -1000));
      expect(inspector.failure).toMatchObject({ kind: 'bomb' });
      await inspector.push(bytes.subarray(-1000));
      expect(await inspector.finish()).toMatchObject({
        ok: false,
        kind: 'bomb',
        code: 'DICOM_INFLATES_TOO_FAR',
      });
      expect(await inspect(deflated, bytes), 'within the usual limits it passes').toMatchObject({ ok: true });
    }
  });

  test('of random bytes end with a verdict', async () => {
    for (let round = 0; round < 200; round++) {
      const result = await inspect(deflated, randomBytes(round), 7);
      if (result.ok) expect(result.facts.SOPInstanceUID).toBeNull();
    }
  });
});
