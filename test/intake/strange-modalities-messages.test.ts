import { expect, test } from 'vitest';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { eventually, startIntake } from './intake-harness.ts';
import {
  abortRequest,
  commandSet,
  ctContext,
  ctImageStorage,
  dataPdu,
  dataSetPdus,
  echoCommand,
  echoContext,
  implicitLittleEndian,
  RawClient,
  releaseRequest,
  storeCommand,
  verification,
  type WireFragment,
} from './raw-client.ts';

/* How modalities fare that speak strangely once they are associated. */

const slice = ctSlice({ rows: 32, columns: 32, seed: 1 });

type CommandElements = Parameters<typeof commandSet>[0];

/** The elements of a C-STORE-RQ for the slice, to be changed by the test. */
function storeElements(change: Record<number, number | string | null> = {}): CommandElements {
  const elements: Record<number, number | string | null> = {
    0x0002: ctImageStorage,
    0x0100: 0x0001,
    0x0110: 1,
    0x0700: 0,
    0x0800: 0,
    0x1000: slice.SOPInstanceUID,
    ...change,
  };
  return Object.entries(elements).flatMap(([element, value]) =>
    value === null ? [] : [[Number(element), value] as const],
  );
}

function commandPdu(bytes: Buffer, context = 1): Buffer {
  return dataPdu({ context, command: true, last: true, bytes });
}

function fragment(command: boolean, last: boolean, bytes: Buffer): WireFragment {
  return { command, last, bytes };
}

/** Bytes cut into pieces. */
function pieces(bytes: Buffer, length: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) =>
    bytes.subarray(index * length, (index + 1) * length),
  );
}

const command = commandSet(storeElements());

test('a modality that cuts command and data set into fragments of one byte, each in its own PDU, is stored', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  const tiny = ctSlice({ rows: 8, columns: 8, seed: 2 });
  const all = [
    ...pieces(commandSet(storeElements({ 0x1000: tiny.SOPInstanceUID })), 1).map((bytes) => ({
      command: true,
      bytes,
    })),
    ...pieces(tiny.dataSet, 1).map((bytes) => ({ command: false, bytes })),
  ];
  client.send(
    ...all.map(({ command: isCommand, bytes }, index) =>
      dataPdu(fragment(isCommand, all[index + 1]?.command !== isCommand, bytes)),
    ),
  );
  expect((await client.response()).status).toBe(0);
  expect(spool.dataSet(0).equals(tiny.dataSet)).toBe(true);
});

test('a command over many fragments, its last one in a PDU with the start of the data set, and odd fragments are stored', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  const parts = pieces(command, 11);
  const last = parts.pop() ?? Buffer.alloc(0);
  client.send(
    ...parts.map((bytes) => dataPdu(fragment(true, false, bytes))),
    dataPdu(
      fragment(true, true, last),
      fragment(false, false, slice.dataSet.subarray(0, 77)),
      fragment(false, false, slice.dataSet.subarray(77, 77)),
      fragment(false, false, slice.dataSet.subarray(77, 500)),
    ),
    dataPdu(fragment(false, false, slice.dataSet.subarray(500, 1333))),
    dataPdu(fragment(false, true, slice.dataSet.subarray(1333))),
  );
  expect((await client.response()).status).toBe(0);
  expect(spool.dataSet(0).equals(slice.dataSet)).toBe(true);
});

test('two whole objects and a C-ECHO in one PDU are answered one by one', async () => {
  const { port, spool } = await startIntake();
  const other = ctSlice({ rows: 16, columns: 16, seed: 3 });
  const client = await RawClient.associate(port);
  const second = commandSet(storeElements({ 0x0110: 2, 0x1000: other.SOPInstanceUID }));
  const echo = commandSet([
    [0x0002, verification],
    [0x0100, 0x0030],
    [0x0110, 3],
    [0x0800, 0x0101],
  ]);
  client.send(
    dataPdu(
      fragment(true, true, command),
      fragment(false, true, slice.dataSet),
      fragment(true, true, second),
      fragment(false, true, other.dataSet),
      { context: 3, ...fragment(true, true, echo) },
    ),
  );
  for (const id of [1, 2, 3]) {
    const { status, elements } = await client.response();
    expect([status, elements.get(0x0120)]).toEqual([0, id]);
  }
  expect(spool.dataSet(0).equals(slice.dataSet)).toBe(true);
  expect(spool.dataSet(1).equals(other.dataSet)).toBe(true);
});

test('a modality that ends each data set with an empty last fragment is stored', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  client.send(
    commandPdu(command),
    ...pieces(slice.dataSet, 1000).map((bytes) => dataPdu(fragment(false, false, bytes))),
    dataPdu(fragment(false, true, Buffer.alloc(0))),
  );
  expect((await client.response()).status).toBe(0);
  expect(spool.dataSet(0).equals(slice.dataSet)).toBe(true);
});

test('bits 2 to 7 of the message control header and the reserved byte of a PDU are not looked at (PS3.8 Annex E.2)', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  const strange = [
    storeCommand(slice),
    ...pieces(slice.dataSet, 999).map((bytes) => dataPdu(fragment(false, false, bytes))),
    dataPdu(fragment(false, true, Buffer.alloc(0))),
  ];
  for (const pdu of strange) {
    pdu[1] = 0x5a;
    pdu[11] = (pdu[11] ?? 0) | 0xfc;
  }
  client.send(...strange);
  expect((await client.response()).status).toBe(0);
  expect(spool.dataSet(0).equals(slice.dataSet)).toBe(true);
});

test.each([
  ['low priority', { 0x0700: 2 }],
  ['high priority', { 0x0700: 1 }],
  ['a priority that does not exist', { 0x0700: 0x7777 }],
  ['no priority', { 0x0700: null }],
  ['move originator fields (a C-MOVE sub-operation)', { 0x1030: 'ARCHIVE', 0x1031: 77 }],
  ['retired and unknown elements', { 0x0010: '1.2.3', 0x0200: 'OLD', 0x5010: 'x', 0xfff0: 1 }],
  ['data set type 0x0001', { 0x0800: 0x0001 }],
  ['data set type 0x0102', { 0x0800: 0x0102 }],
  ['data set type 0xffff', { 0x0800: 0xffff }],
  ['UIDs padded with spaces', { 0x0002: `${ctImageStorage} `, 0x1000: `${slice.SOPInstanceUID}  ` }],
  ['UIDs padded with NULs', { 0x0002: `${ctImageStorage}\0\0\0`, 0x1000: `${slice.SOPInstanceUID}\0\0` }],
  ['message id 0', { 0x0110: 0 }],
  ['message id 65535', { 0x0110: 0xffff }],
])('a C-STORE with %s is stored, and its answer is for that message and instance', async (_what, change) => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  client.send(commandPdu(commandSet(storeElements(change))), dataSetPdus(slice.dataSet));
  const { status, elements } = await client.response();
  expect(status).toBe(0);
  expect(elements.get(0x0120)).toBe((change as Record<number, unknown>)[0x0110] ?? 1);
  expect(elements.get(0x1000)).toBe(slice.SOPInstanceUID);
  expect(elements.get(0x0002)).toBe(ctImageStorage);
  expect(spool.objects[0]?.facts.SOPInstanceUID).toBe(slice.SOPInstanceUID);
  expect(spool.dataSet(0).equals(slice.dataSet)).toBe(true);
});

test('a command with UIDs of odd length, its elements in any order, its group length missing or wrong is understood', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  const unpadded = (element: number, value: string): Buffer => {
    const header = Buffer.alloc(8);
    header.writeUInt16LE(element, 2);
    header.writeUInt32LE(value.length, 4);
    return Buffer.concat([header, Buffer.from(value, 'latin1')]);
  };
  const rest = commandSet(storeElements({ 0x0002: null, 0x1000: null }));
  const groupLength = Buffer.from([0, 0, 0, 0, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  const backwards = Buffer.concat([
    unpadded(0x1000, slice.SOPInstanceUID),
    rest,
    unpadded(0x0002, ctImageStorage),
  ]);
  for (const bytes of [backwards, Buffer.concat([groupLength, backwards])]) {
    client.send(commandPdu(bytes), dataSetPdus(slice.dataSet));
    expect((await client.response()).status).toBe(0);
  }
  expect(spool.dataSet(1).equals(slice.dataSet)).toBe(true);
});

test('a modality that uses message id 1 for every object, one at a time, is stored', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  for (let count = 0; count < 5; count++) {
    client.send(storeCommand({ ...slice, messageId: 1 }), dataSetPdus(slice.dataSet));
    expect((await client.response()).status).toBe(0);
  }
  expect(spool.objects).toHaveLength(5);
});

test('a C-CANCEL, late or early, is passed over', async () => {
  const { port } = await startIntake();
  const client = await RawClient.associate(port);
  const cancel = commandPdu(
    commandSet([
      [0x0100, 0x0fff],
      [0x0120, 1],
      [0x0800, 0x0101],
    ]),
  );
  client.send(cancel, storeCommand(slice), dataSetPdus(slice.dataSet), cancel, echoCommand(2));
  expect((await client.response()).elements.get(0x0120)).toBe(1);
  expect((await client.response()).elements.get(0x0120)).toBe(2);
});

test.each([
  ['C-FIND', 0x0020, true],
  ['C-GET', 0x0010, true],
  ['C-MOVE', 0x0021, true],
  ['N-EVENT-REPORT', 0x0100, true],
  ['N-EVENT-REPORT without a data set', 0x0100, false],
  ['N-ACTION', 0x0130, true],
  ['N-CREATE', 0x0140, true],
  ['N-SET', 0x0120, true],
  ['N-GET', 0x0110, false],
  ['N-DELETE', 0x0150, false],
])('a %s to us is answered 0211, and the objects after it are stored', async (_name, field, hasDataSet) => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  const elements = { 0x0100: field, 0x0800: hasDataSet ? 0 : 0x0101, 0x1000: null };
  client.send(commandPdu(commandSet(storeElements(elements))));
  if (hasDataSet) client.send(dataSetPdus(Buffer.alloc(3000)));
  const answer = await client.response();
  expect([answer.status, answer.elements.get(0x0100)]).toEqual([0x0211, field | 0x8000]);
  expect(answer.comment).toBe('This service is not offered');
  client.send(storeCommand({ ...slice, messageId: 2 }), dataSetPdus(slice.dataSet));
  expect((await client.response()).status).toBe(0);
  expect(spool.objects).toHaveLength(1);
});

test('queries, retrieval, worklist, print and storage commitment are refused when they are proposed', async () => {
  const { port } = await startIntake();
  const services = [
    '1.2.840.10008.5.1.4.1.2.2.1',
    '1.2.840.10008.5.1.4.1.2.2.2',
    '1.2.840.10008.5.1.4.31',
    '1.2.840.10008.3.1.2.3.3',
    '1.2.840.10008.5.1.1.9',
    '1.2.840.10008.1.20.1',
  ];
  const contexts = services.map((abstractSyntax, index) => ({
    ...ctContext,
    id: 2 * index + 1,
    abstractSyntax,
  }));
  const client = await RawClient.associate(port, { contexts });
  client.send(echoCommand(1, 11));
  expect(await client.aborted()).toEqual([2, 6]);
});

test('keep-alive C-ECHOs between stores are answered in turn, also in the context of the images', async () => {
  const { port, spool, listener } = await startIntake();
  const client = await RawClient.associate(port);
  for (let id = 1; id <= 9; id += 3) {
    client.send(echoCommand(id));
    expect((await client.response()).elements.get(0x0100)).toBe(0x8030);
    client.send(storeCommand({ ...slice, messageId: id + 1 }), dataSetPdus(slice.dataSet, 700));
    expect((await client.response()).elements.get(0x0120)).toBe(id + 1);
    client.send(echoCommand(id + 2, 1));
    expect((await client.response()).elements.get(0x0120)).toBe(id + 2);
  }
  expect(spool.objects).toHaveLength(3);
  expect(listener.stats().echoes).toBe(6);
});

test('a C-ECHO now and then keeps an association open beyond the idle limit', async () => {
  const { port, listener } = await startIntake({ timers: { idleMs: 1500 } });
  const client = await RawClient.associate(port);
  const start = performance.now();
  for (let id = 1; performance.now() - start < 2500; id++) {
    client.send(echoCommand(id));
    expect((await client.response()).status).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(listener.stats().associations).toBe(1);
});

test('a modality that asks for release without waiting for its answer gets the answer first, then the release', async () => {
  const { port, spool, listener } = await startIntake();
  const committing = Promise.withResolvers<void>();
  spool.onCommit = () => committing.promise;
  const client = await RawClient.associate(port);
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet, 700), releaseRequest);
  await spool.untilCommitting(0);
  committing.resolve();
  expect((await client.response()).status).toBe(0);
  expect((await client.next())?.type).toBe(6);
  client.close();
  await eventually(() => listener.stats().idleConnections === 0);
  expect(spool.objects[0]?.state).toBe('committed');
  expect(listener.stats().refusalCounts).toEqual({});
});

test('a modality that asks for release in the middle of an object is aborted, not told goodbye: it was not stored', async () => {
  const { port, spool, listener } = await startIntake();
  const client = await RawClient.associate(port);
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet, 700).subarray(0, 1424), releaseRequest);
  expect(await client.aborted()).toEqual([2, 2]);
  await spool.until(() => spool.objects[0]?.state === 'aborted');
  expect(listener.stats().modalities.get('ct')?.lastRefusal?.code).toBe('PDU_UNEXPECTED');
});

test.each(['abort', 'close'] as const)(
  'a modality that ends by %s after its last answer has everything stored, and does not count as refused',
  async (end) => {
    const { port, spool, listener } = await startIntake();
    const client = await RawClient.associate(port);
    client.send(storeCommand(slice), dataSetPdus(slice.dataSet));
    expect((await client.response()).status).toBe(0);
    if (end === 'abort') client.send(abortRequest);
    else client.close();
    await eventually(() => listener.stats().associations === 0 && listener.stats().idleConnections === 0);
    expect(spool.objects.map(({ state }) => state)).toEqual(['committed']);
    expect(listener.stats().received).toBe(1);
    expect(listener.stats().refusals.map(({ kind }) => kind)).toEqual(['closed']);
    expect(listener.stats().modalities.get('ct')?.lastRefusal).toBeNull();
  },
);

test('a modality that aborts in the middle of an object is shown with that as its last refusal', async () => {
  const { port, spool, listener } = await startIntake();
  const client = await RawClient.associate(port);
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet, 700).subarray(0, 1424), abortRequest);
  await spool.until(() => spool.objects[0]?.state === 'aborted');
  await eventually(() => listener.stats().associations === 0 && listener.stats().idleConnections === 0);
  expect(listener.lastRefusal('ct')).toMatchObject({ kind: 'aborted', code: 'PEER_ABORTED' });
});

test('an empty data set, or none, is refused C000 in words, and the association goes on', async () => {
  const { port, spool, listener } = await startIntake();
  const client = await RawClient.associate(port);
  client.send(storeCommand(slice), dataPdu(fragment(false, true, Buffer.alloc(0))));
  expect(await client.response()).toMatchObject({ status: 0xc000, comment: 'Data set is empty' });
  client.send(
    storeCommand(slice),
    dataPdu(fragment(false, false, Buffer.alloc(0)), fragment(false, true, Buffer.alloc(0))),
  );
  expect(await client.response()).toMatchObject({ status: 0xc000, comment: 'Data set is empty' });
  client.send(storeCommand({ ...slice, withoutDataSet: true }));
  expect(await client.response()).toMatchObject({ status: 0xc000 });
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  expect((await client.response()).status).toBe(0);
  expect(spool.objects.map(({ state }) => state)).toEqual(['aborted', 'aborted', 'committed']);
  expect(listener.stats().refusalCounts).toEqual({ DICOM_EMPTY: 2, NO_DATA_SET: 1 });
});

test('an object sent in the context of another class is refused 0122, not stored under either', async () => {
  const { port, spool } = await startIntake();
  const mr = { id: 5, abstractSyntax: '1.2.840.10008.5.1.4.1.1.4', transferSyntaxes: [implicitLittleEndian] };
  const client = await RawClient.associate(port, { contexts: [ctContext, echoContext, mr] });
  client.send(storeCommand({ ...slice, context: 5 }), dataSetPdus(slice.dataSet, 9000, 5));
  expect((await client.response()).status).toBe(0x0122);
  expect(spool.objects).toEqual([]);
});
