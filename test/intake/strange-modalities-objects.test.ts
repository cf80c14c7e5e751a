import { deflateRawSync } from 'node:zlib';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import { tags } from '../../src/dicom/tags.ts';
import { IntakeListener } from '../../src/intake/listener.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import {
  ctSlice,
  type DataElement,
  element,
  type Encoding,
  encodeDataSet,
  transferSyntaxes,
} from '../fixtures/dicom-objects.ts';
import { openSpool } from '../fixtures/open-spool.ts';
import { intakeOptions, startIntake } from './intake-harness.ts';
import { ctImageStorage, dataSetPdus, RawClient, storeCommand } from './raw-client.ts';

/* Objects that are encoded strangely. Whatever is taken is kept byte for byte, in whatever pieces it came. */

const SOPInstanceUID = '1.2.276.0.9.9.1';
const deflated = '1.2.840.10008.1.2.1.99';

const identity: readonly DataElement[] = [
  element(tags.SOPClassUID, 'UI', ctImageStorage),
  element(tags.SOPInstanceUID, 'UI', SOPInstanceUID),
];
const study: readonly DataElement[] = [
  element(tags.StudyInstanceUID, 'UI', '1.2.276.0.9.9.2'),
  element(tags.SeriesInstanceUID, 'UI', '1.2.276.0.9.9.3'),
];

/** Offers one transfer syntax, sends one data set, and returns the answer and what was kept. */
async function send(
  dataSet: Buffer,
  syntax: string,
  fragmentBytes = 501,
): Promise<{ status: number; comment: string; kept: Buffer; state: string | undefined }> {
  const { port, spool } = await startIntake();
  const contexts = [{ id: 1, abstractSyntax: ctImageStorage, transferSyntaxes: [syntax] }];
  const client = await RawClient.associate(port, { contexts });
  client.send(storeCommand({ SOPInstanceUID }), dataSetPdus(dataSet, fragmentBytes));
  const { status, comment } = await client.response();
  client.close();
  return { status, comment, kept: spool.dataSet(0), state: spool.objects[0]?.state };
}

function odd(tag: number, vr: string, text: string): DataElement {
  expect(text.length % 2).toBe(1);
  return element(tag, vr, Buffer.from(text, 'latin1'));
}

const strange: Record<string, readonly DataElement[]> = {
  'values of odd length': [
    ...identity,
    odd(0x0008_0060, 'CS', 'CTX'),
    odd(0x0010_0010, 'PN', 'Fixture^Odd'),
    ...study,
    element(0x0029_1010, 'OB', Buffer.alloc(7)),
    element(tags.PixelData, 'OW', Buffer.alloc(333)),
  ],
  'group lengths, right and wrong': [
    element(0x0008_0000, 'UL', [100]),
    element(0x0008_0001, 'UL', [0xffff]),
    ...identity,
    element(0x0010_0000, 'UL', [0]),
    element(0x0010_0010, 'PN', 'Fixture^Groups'),
    element(0x0020_0000, 'UL', [0xffff_ffff]),
    ...study,
  ],
  'private elements, with and without a creator': [
    ...identity,
    element(0x0009_0010, 'LO', 'FIXTURE PRIVATE 1.0'),
    element(0x0009_1001, 'UN', Buffer.from('whatever it is')),
    ...study,
    element(0x0029_0001, 'LO', 'before any creator'),
    element(0x0029_1002, 'SQ', {
      lengths: 'undefined',
      items: [[element(0x0029_1003, 'OB', Buffer.alloc(9))], []],
    }),
    element(0x0031_1004, 'UN', Buffer.alloc(1001)),
  ],
  'elements out of order, and the pixels before the header': [
    element(tags.PixelData, 'OW', Buffer.alloc(5000)),
    ...study,
    ...identity.toReversed(),
  ],
  'trailing padding and retired elements': [
    element(0x0008_0010, 'SH', 'ACR-NEMA 2.0'),
    ...identity,
    ...study,
    element(0x5000_0005, 'US', [1]),
    element(0x7fe0_0010, 'OW', Buffer.alloc(64)),
    element(0xfffc_fffc, 'OB', Buffer.alloc(300)),
  ],
  'file meta information (group 2) in front of the data set': [
    element(0x0002_0002, 'UI', ctImageStorage),
    element(0x0002_0010, 'UI', transferSyntaxes['explicit-le']),
    ...identity,
    ...study,
  ],
  'UIDs with leading zeros, and an empty study': [
    ...identity,
    element(tags.StudyInstanceUID, 'UI', ''),
    element(tags.SeriesInstanceUID, 'UI', '1.002.03'),
  ],
  'an icon and nested sequences, defined and undefined lengths mixed': [
    ...identity,
    ...study,
    element(0x0088_0200, 'SQ', {
      lengths: 'undefined',
      items: [
        [
          element(tags.SOPInstanceUID, 'UI', '1.2.3'),
          element(tags.Rows, 'US', [8]),
          element(tags.PixelData, 'OB', Buffer.alloc(65)),
          element(0x0040_0555, 'SQ', { lengths: 'defined', items: [[], [element(0x0008_0100, 'SH', 'X')]] }),
        ],
      ],
    }),
  ],
};

const encodings: readonly Encoding[] = ['explicit-le', 'implicit-le', 'explicit-be'];
const cases = Object.keys(strange).flatMap((what) => encodings.map((encoding) => [what, encoding] as const));

test.each(cases)('%s: an object in %s is stored as it came', async (what, encoding) => {
  const dataSet = encodeDataSet(strange[what] ?? [], encoding);
  for (const fragmentBytes of [7, 501, 60_000]) {
    const { status, kept, state } = await send(dataSet, transferSyntaxes[encoding], fragmentBytes);
    expect([status, state]).toEqual([0, 'committed']);
    expect(kept.equals(dataSet)).toBe(true);
  }
});

test.each(Object.keys(strange))('%s: an object, deflated, is stored as it came', async (what) => {
  const inflated = encodeDataSet(strange[what] ?? [], 'explicit-le');
  const bytes = deflateRawSync(inflated);
  for (const dataSet of [bytes, Buffer.concat([bytes, Buffer.alloc(1)])]) {
    const { status, kept, state } = await send(dataSet, deflated);
    expect([status, state]).toEqual([0, 'committed']);
    expect(kept.equals(dataSet)).toBe(true);
  }
});

test('big endian pixels and UIDs are understood and kept', async () => {
  const slice = ctSlice({
    rows: 40,
    columns: 30,
    seed: 1,
    encoding: 'explicit-be',
    instanceUID: SOPInstanceUID,
  });
  const { status, kept } = await send(slice.dataSet, slice.TransferSyntaxUID);
  expect(status).toBe(0);
  expect(kept.equals(slice.dataSet)).toBe(true);
});

test('fragments of odd length, an offset table, no fragment at all: encapsulated pixels are stored as they came', async () => {
  const variants = [
    { offsetTable: Buffer.alloc(0), fragments: [Buffer.alloc(333, 1), Buffer.alloc(1, 2)] },
    { offsetTable: Buffer.alloc(8), fragments: [Buffer.alloc(10), Buffer.alloc(0), Buffer.alloc(10)] },
    { offsetTable: Buffer.alloc(0), fragments: [] },
  ];
  for (const pixels of variants) {
    const dataSet = encodeDataSet(
      [...identity, ...study, element(tags.PixelData, 'OB', pixels)],
      'explicit-le',
    );
    const { status, kept } = await send(dataSet, transferSyntaxes['jpeg-baseline']);
    expect(status).toBe(0);
    expect(kept.equals(dataSet)).toBe(true);
  }
});

test('a private transfer syntax is kept as it came, on the terms of explicit little endian', async () => {
  const dataSet = encodeDataSet(
    [...identity, ...study, element(tags.PixelData, 'OB', Buffer.alloc(99))],
    'explicit-le',
  );
  const { status, kept } = await send(dataSet, '1.2.276.0.9.9.4');
  expect(status).toBe(0);
  expect(kept.equals(dataSet)).toBe(true);
});

test.each(['explicit-le', 'implicit-le'] as const)(
  'a modality that sends a whole file, preamble and all, as its data set is refused (%s)',
  async (encoding) => {
    const slice = ctSlice({ rows: 16, columns: 16, seed: 2, encoding, instanceUID: SOPInstanceUID });
    const file = Buffer.concat([part10Header(slice), slice.dataSet]);
    const { status, comment, state } = await send(file, slice.TransferSyntaxUID);
    expect([0xa900, 0xc000]).toContain(status);
    expect(comment).not.toBe('');
    expect(state).toBe('aborted');
  },
);

test('a data set in another encoding than negotiated is refused, or kept only if its UIDs can be read', async () => {
  const slice = ctSlice({
    rows: 16,
    columns: 16,
    seed: 2,
    encoding: 'implicit-le',
    instanceUID: SOPInstanceUID,
  });
  const big = await send(slice.dataSet, transferSyntaxes['explicit-be']);
  expect([0xa900, 0xc000]).toContain(big.status);
  expect(big.state).toBe('aborted');
  const notDeflated = await send(slice.dataSet, deflated);
  expect(notDeflated).toMatchObject({ status: 0xc000, state: 'aborted' });
});

test.each([
  ['the same bytes', 'stored once, without a conflict'],
  ['other bytes', 'kept both, the later one as a conflict'],
])('two associations that send one instance at once with %s are both told 0000: %s', async (what) => {
  using directory = temporaryDirectory();
  const { spool, stop } = await openSpool(join(directory.path, 'data'));
  onTestFinished(stop);
  const listener = new IntakeListener(intakeOptions, { spool, clock: systemClock, log: silentLog });
  const { port } = await listener.start();
  const first = ctSlice({
    rows: 64,
    columns: 64,
    seed: 1,
    instanceUID: SOPInstanceUID,
    studyUID: '1.2.3',
    seriesUID: '1.2.4',
  });
  const second = ctSlice({
    rows: 64,
    columns: 64,
    seed: what === 'other bytes' ? 2 : 1,
    instanceUID: SOPInstanceUID,
    studyUID: '1.2.3',
    seriesUID: '1.2.4',
  });
  const clients = await Promise.all([RawClient.associate(port), RawClient.associate(port)]);
  // Turn by turn, so that both are open in the spool at once.
  const halves = [first, second].map(({ dataSet }) => dataSetPdus(dataSet, 3000));
  for (const client of clients) client.send(storeCommand({ SOPInstanceUID }));
  for (const part of [0, 1]) {
    for (const [index, client] of clients.entries()) {
      const bytes = halves[index] ?? Buffer.alloc(0);
      client.send(part === 0 ? bytes.subarray(0, 6000) : bytes.subarray(6000));
    }
  }
  for (const client of clients) expect((await client.response()).status).toBe(0);
  expect(listener.stats().statuses).toEqual({ '0000': 2 });
  await listener.stop(0);
  await spool.flush();
  const { totals } = await spool.counts();
  expect([totals.received, totals.conflicts]).toEqual(what === 'other bytes' ? [2, 1] : [1, 0]);
});
