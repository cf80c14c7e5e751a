import { expect, test } from 'vitest';
import { part10Header } from '../../src/dicom/part10.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { intakeOptions, startIntake } from './intake-harness.ts';
import {
  acceptItems,
  associateRequest,
  commandSet,
  ctContext,
  ctImageStorage,
  dataPdu,
  dataSetPdus,
  echoCommand,
  explicitLittleEndian,
  implicitLittleEndian,
  item,
  RawClient,
  readElements,
  releaseRequest,
  storeCommand,
  type WireRequest,
} from './raw-client.ts';

const slice = ctSlice({ rows: 32, columns: 32, seed: 1 });

test('the A-ASSOCIATE-AC announces our own limits, whatever the peer said of its', async () => {
  const { port } = await startIntake();
  const window = item(0x53, Buffer.from([0, 16, 0, 16]));
  const roles = item(0x54, Buffer.from([0, 25]), ctImageStorage, Buffer.from([1, 1]));
  const identity = item(0x58, Buffer.from([1, 1, 0, 4]), 'user', Buffer.from([0, 0]));
  for (const maximumLength of [0, 4096, 16_384, 1_000_000]) {
    const client = await RawClient.connect(port);
    client.send(associateRequest({ maximumLength, userItems: [window, roles, identity] }));
    const accept = await client.next();
    if (accept?.type !== 2) throw new Error('not accepted');
    const items = acceptItems(accept);
    const content = (type: number) => items.filter((each) => each.type === type).map((each) => each.content);
    expect(content(0x51).map((bytes) => bytes.readUInt32BE(0))).toEqual([128 * 1024]);
    expect(content(0x53)).toEqual([Buffer.from([0, 1, 0, 1])]);
    expect(content(0x54).map((bytes) => [...bytes.subarray(-2)])).toEqual([[1, 0]]);
    expect(content(0x58)).toEqual([]);
    expect(content(0x59)).toEqual([]);
    expect(content(0x21).map((bytes) => [bytes[0], bytes[2], bytes.toString('latin1', 8)])).toEqual([
      [1, 0, explicitLittleEndian],
      [3, 0, implicitLittleEndian],
    ]);
    expect(accept.body.toString('latin1', 4, 36)).toBe('GANTRY          CT1             ');
    client.close();
  }
});

test('no window is answered where none was proposed, and we name the implementation that our files name', async () => {
  const { port } = await startIntake();
  const client = await RawClient.connect(port);
  client.send(associateRequest());
  const accept = await client.next();
  const items = accept === null ? [] : acceptItems(accept);
  expect(items.some(({ type }) => type === 0x53)).toBe(false);
  const header = part10Header(slice).toString('latin1');
  for (const type of [0x52, 0x55]) {
    expect(header).toContain(items.find((each) => each.type === type)?.content.toString('latin1'));
  }
});

test('each refusal is on the wire as the standard says, and in the book in plain words', async () => {
  const { port, spool, listener } = await startIntake();
  const cases: [WireRequest, number[], string][] = [
    [{ called: 'OTHER' }, [1, 1, 7], 'CALLED_AE_TITLE'],
    [{ calling: 'MR9' }, [1, 1, 3], 'CALLING_AE_TITLE'],
    [{ applicationContext: '1.2.3' }, [1, 1, 2], 'APPLICATION_CONTEXT'],
    [{ version: 2 }, [1, 2, 2], 'PROTOCOL_VERSION'],
  ];
  const refused = async (request: WireRequest): Promise<number[]> => {
    const client = await RawClient.connect(port);
    client.send(associateRequest(request));
    const answer = await client.next();
    expect(await client.next()).toBeNull();
    return answer?.type === 3 ? [...answer.body.subarray(1)] : [];
  };
  for (const [request, words, code] of cases) {
    expect(await refused(request)).toEqual(words);
    expect(listener.stats().refusals[0]).toMatchObject({
      code,
      kind: 'rejected',
      address: '127.0.0.1',
      callingAeTitle: request.calling ?? 'CT1',
      proposed: { sopClasses: ['CT Image Storage', 'Verification'] },
    });
  }
  spool.gate = { open: false, reason: { code: 'SPOOL_DISK_FULL', words: 'The disk is full.' } };
  expect(await refused({})).toEqual([2, 3, 1]);
  expect(listener.lastRefusal('ct')).toMatchObject({ code: 'SPOOL_DISK_FULL', reason: 'The disk is full.' });
});

test('new rules hold for the next association, not for the one that is open', async () => {
  const { port, listener } = await startIntake();
  const before = await RawClient.associate(port);
  listener.reconfigure({ ...intakeOptions, modalities: {}, aeTitle: 'NEW_NAME' });
  before.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  expect((await before.response()).status).toBe(0);
  const after = await RawClient.connect(port);
  after.send(associateRequest({ called: 'NEW_NAME' }));
  expect((await after.next())?.body[3]).toBe(3);
});

test('echoes, many on one association, are answered one by one', async () => {
  const { port, listener } = await startIntake();
  const client = await RawClient.associate(port);
  const count = 500;
  for (let id = 1; id <= count; id++) client.send(echoCommand(id));
  for (let id = 1; id <= count; id++) {
    const { status, elements } = await client.response();
    expect(status).toBe(0);
    expect(elements.get(0x0120)).toBe(id);
  }
  client.send(releaseRequest);
  expect((await client.next())?.type).toBe(6);
  expect(listener.stats()).toMatchObject({ echoes: count, received: 0 });
  expect(listener.stats().modalities.get('ct')?.lastReceivedAt).toBeNull();
});

test('operations that are not offered are answered 0211, their data set is dropped', async () => {
  const { port } = await startIntake();
  const client = await RawClient.associate(port);
  const request = (field: number, dataSetType: number) =>
    dataPdu({
      command: true,
      last: true,
      bytes: commandSet([
        [0x0002, ctImageStorage],
        [0x0100, field],
        [0x0110, 9],
        [0x0800, dataSetType],
      ]),
    });
  for (const field of [0x0020, 0x0021, 0x0010, 0x0130, 0x7777]) {
    client.send(request(field, 0), dataSetPdus(Buffer.alloc(5000)));
    const { status, elements } = await client.response();
    expect([status, elements.get(0x0100)]).toEqual([0x0211, field | 0x8000]);
  }
  client.send(request(0x0fff, 0x0101)); // C-CANCEL-RQ has no answer
  client.send(echoCommand(10));
  expect((await client.response()).elements.get(0x0120)).toBe(10);
});

test('a response is cut to the length the peer takes', async () => {
  const { port } = await startIntake();
  const client = await RawClient.associate(port, { maximumLength: 64 });
  client.send(storeCommand({ ...slice, SOPInstanceUID: '2.25.1' }), dataSetPdus(slice.dataSet));
  const parts: Buffer[] = [];
  for (let last = false; !last; ) {
    const answer = await client.next();
    if (answer?.type !== 4) throw new Error('no response');
    expect(answer.body.length).toBeLessThanOrEqual(64);
    last = (answer.body.readUInt8(5) & 2) !== 0;
    parts.push(answer.body.subarray(6));
  }
  expect(parts.length).toBeGreaterThan(2);
  expect(readElements(Buffer.concat(parts)).get(0x0900)).toBe(0xa900);
});

test('contexts in any order of ids keep their ids', async () => {
  const { port, spool } = await startIntake();
  const contexts = [
    { ...ctContext, id: 7 },
    { ...ctContext, id: 5, transferSyntaxes: [implicitLittleEndian] },
  ];
  const implicit = ctSlice({ rows: 32, columns: 32, seed: 2, encoding: 'implicit-le' });
  const client = await RawClient.associate(port, { contexts });
  client.send(storeCommand({ ...implicit, context: 5 }), dataSetPdus(implicit.dataSet, 9000, 5));
  expect((await client.response()).status).toBe(0);
  client.send(storeCommand({ ...slice, context: 7 }), dataSetPdus(slice.dataSet, 9000, 7));
  expect((await client.response()).status).toBe(0);
  expect(spool.objects.map(({ facts }) => facts.TransferSyntaxUID)).toEqual([
    implicitLittleEndian,
    explicitLittleEndian,
  ]);
});
