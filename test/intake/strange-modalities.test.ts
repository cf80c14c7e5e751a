import { expect, test } from 'vitest';
import { knownTransferSyntaxes } from '../../src/dicom/transfer-syntaxes.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { startIntake } from './intake-harness.ts';
import {
  acceptItems,
  associateRequest,
  ctContext,
  ctImageStorage,
  dataSetPdus,
  echoCommand,
  echoContext,
  explicitLittleEndian,
  implicitLittleEndian,
  item,
  type Pdu,
  RawClient,
  storeCommand,
  verification,
  type WireRequest,
} from './raw-client.ts';

/* How modalities that negotiate strangely fare; what they send then is in `strange-modalities-messages.test.ts`. */

const slice = ctSlice({ rows: 32, columns: 32, seed: 1 });
const jpegBaseline = '1.2.840.10008.1.2.4.50';
const bigEndian = '1.2.840.10008.1.2.2';

/** Opens an association and reads what its A-ASSOCIATE-AC says, items by type. */
async function negotiate(
  port: number,
  request: WireRequest,
): Promise<{ client: RawClient; accept: Pdu; content: (type: number) => Buffer[] }> {
  const client = await RawClient.connect(port);
  client.send(associateRequest(request));
  const accept = await client.next();
  if (accept?.type !== 2) throw new Error(`no association: ${accept?.type} ${accept?.body.toString('hex')}`);
  const items = acceptItems(accept);
  return {
    client,
    accept,
    content: (type) => items.filter((each) => each.type === type).map(({ content }) => content),
  };
}

/** Result and transfer syntax of each answered context, by its id. */
function contextAnswers(contents: readonly Buffer[]): Record<number, [result: number, syntax: string]> {
  return Object.fromEntries(
    contents.map((bytes) => [bytes.readUInt8(0), [bytes.readUInt8(2), bytes.toString('latin1', 8)]]),
  );
}

async function rejection(port: number, request: WireRequest): Promise<number[]> {
  const client = await RawClient.connect(port);
  client.send(associateRequest(request));
  const answer = await client.next();
  return answer?.type === 3 ? [...answer.body.subarray(1)] : [];
}

function roleItem(uid: string, scu: number, scp: number): Buffer {
  return item(0x54, Buffer.from([0, uid.length]), uid, Buffer.from([scu, scp]));
}

test('a modality that announces maximum PDU length 0 is told ours (131072), and each answer is one PDU', async () => {
  const { port, spool } = await startIntake();
  const { client, content } = await negotiate(port, { maximumLength: 0 });
  expect(content(0x51).map((bytes) => bytes.readUInt32BE(0))).toEqual([131_072]);
  client.send(storeCommand({ ...slice, SOPInstanceUID: '2.25.1' }), dataSetPdus(slice.dataSet, 100_000));
  const refused = await client.response();
  expect(refused.status).toBe(0xa900);
  expect(refused.comment).not.toBe('');
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet, 100_000));
  expect((await client.response()).status).toBe(0);
  expect(spool.dataSet(1).equals(slice.dataSet)).toBe(true);
});

test('a modality that announces 4096 gets answers in PDUs of at most 4096 bytes and may itself send 131072', async () => {
  const { port, spool, listener } = await startIntake();
  const large = ctSlice({ rows: 400, columns: 400, seed: 2 });
  const { client, content } = await negotiate(port, { maximumLength: 4096 });
  expect(content(0x51).map((bytes) => bytes.readUInt32BE(0))).toEqual([131_072]);
  client.send(storeCommand(large), dataSetPdus(large.dataSet, 131_072 - 6));
  const answer = await client.next();
  expect(answer?.type).toBe(4);
  expect(answer?.body.length).toBeLessThanOrEqual(4096);
  expect(spool.dataSet(0).equals(large.dataSet)).toBe(true);
  expect(listener.stats().longPdus).toBe(0);
});

test('a modality that forgets to announce a maximum PDU length is served all the same', async () => {
  const { port } = await startIntake();
  const client = await RawClient.associate(port, { maximumLength: null });
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  expect((await client.response()).status).toBe(0);
});

test.each([
  [5, 5],
  [0, 0],
  [0xffff, 1],
])(
  'a modality that proposes an asynchronous window of %i/%i is answered 1/1; objects it sends ahead are kept in order',
  async (invoked, performed) => {
    const { port, spool } = await startIntake();
    const window = Buffer.alloc(4);
    window.writeUInt16BE(invoked, 0);
    window.writeUInt16BE(performed, 2);
    const { client, content } = await negotiate(port, { userItems: [item(0x53, window)] });
    expect(content(0x53)).toEqual([Buffer.from([0, 1, 0, 1])]);
    const slices = [1, 2, 3].map((seed) => ctSlice({ rows: 32, columns: 32, seed }));
    for (const [index, each] of slices.entries()) {
      client.send(storeCommand({ ...each, messageId: index + 1 }), dataSetPdus(each.dataSet, 700));
    }
    for (const index of slices.keys()) {
      const { status, elements } = await client.response();
      expect([status, elements.get(0x0120)]).toEqual([0, index + 1]);
      expect(spool.dataSet(index).equals(slices[index]?.dataSet ?? Buffer.alloc(0))).toBe(true);
    }
  },
);

test('a modality that asks for both roles is granted the sending one only (PS3.7 D.3.3.4)', async () => {
  const { port } = await startIntake();
  const { client, content } = await negotiate(port, {
    userItems: [roleItem(ctImageStorage, 1, 1), roleItem(verification, 1, 0)],
  });
  const granted = content(0x54).map((bytes) => [
    bytes.toString('latin1', 2, bytes.length - 2),
    ...bytes.subarray(-2),
  ]);
  expect(granted).toEqual([
    [ctImageStorage, 1, 0],
    [verification, 1, 0],
  ]);
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  expect((await client.response()).status).toBe(0);
});

test('a device that wants only to receive has that context refused, and may verify over the other', async () => {
  const { port } = await startIntake();
  const { client, content } = await negotiate(port, { userItems: [roleItem(ctImageStorage, 0, 1)] });
  const answers = contextAnswers(content(0x21));
  expect(answers[1]?.[0]).toBe(1);
  expect(answers[3]?.[0]).toBe(0);
  expect(content(0x54).map((bytes) => [...bytes.subarray(-2)])).not.toContainEqual([1, 0]);
  client.send(echoCommand());
  expect((await client.response()).status).toBe(0);
});

test('a role for a SOP class that was not proposed does no harm', async () => {
  const { port } = await startIntake();
  const { client } = await negotiate(port, { userItems: [roleItem('1.2.840.10008.5.1.4.1.1.4', 1, 1)] });
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  expect((await client.response()).status).toBe(0);
});

test('a modality that proposes 30 transfer syntaxes in one context gets one: the lossless compression it names first', async () => {
  const { port } = await startIntake();
  const encapsulated = [...knownTransferSyntaxes.values()].filter((syntax) => syntax.encapsulated);
  const thirty = [implicitLittleEndian, explicitLittleEndian, ...encapsulated.map(({ uid }) => uid)].slice(
    0,
    30,
  );
  expect(thirty).toHaveLength(30);
  const { content } = await negotiate(port, { contexts: [{ ...ctContext, transferSyntaxes: thirty }] });
  const lossless = thirty.find((uid) => encapsulated.some((one) => one.uid === uid && one.lossless));
  expect(contextAnswers(content(0x21))).toEqual({ 1: [0, lossless] });
});

test('a context with 64 transfer syntaxes is read, one with 65 rejects the association (1/3/2)', async () => {
  const { port } = await startIntake();
  const many = (count: number): string[] => [
    explicitLittleEndian,
    ...Array.from({ length: count - 1 }, (_, index) => `1.2.3.${index}`),
  ];
  const contexts = (count: number): WireRequest => ({
    contexts: [{ ...ctContext, transferSyntaxes: many(count) }],
  });
  const { content } = await negotiate(port, contexts(64));
  expect(contextAnswers(content(0x21))).toEqual({ 1: [0, explicitLittleEndian] });
  expect(await rejection(port, contexts(65))).toEqual([1, 3, 2]);
});

test('a modality may use all 128 contexts for one SOP class, one transfer syntax each', async () => {
  const { port } = await startIntake();
  const contexts = Array.from({ length: 128 }, (_, index) => ({
    id: 2 * index + 1,
    abstractSyntax: ctImageStorage,
    transferSyntaxes: [index === 127 ? explicitLittleEndian : `1.2.3.${index}`],
  }));
  const { client, content } = await negotiate(port, { contexts });
  const answers = contextAnswers(content(0x21));
  expect(Object.keys(answers)).toHaveLength(128);
  expect(answers[255]).toEqual([0, explicitLittleEndian]);
  client.send(storeCommand({ ...slice, context: 255 }), dataSetPdus(slice.dataSet, 9000, 255));
  expect((await client.response()).status).toBe(0);
});

test.each([
  ['implicit little endian only', [implicitLittleEndian], implicitLittleEndian],
  ['big endian and implicit, but no explicit little endian', [implicitLittleEndian, bigEndian], bigEndian],
  ['one compressed syntax and nothing else', [jpegBaseline], jpegBaseline],
  [
    'lossy compression after an uncompressed syntax',
    [implicitLittleEndian, jpegBaseline],
    implicitLittleEndian,
  ],
  ['a private syntax only', ['1.2.276.0.9.9.9'], '1.2.276.0.9.9.9'],
  ['a private syntax before a standard one', ['1.2.276.0.9.9.9', explicitLittleEndian], explicitLittleEndian],
  ['the same syntax twice', [explicitLittleEndian, explicitLittleEndian], explicitLittleEndian],
  ['a UID that is none beside a legal one', ['../../etc', explicitLittleEndian], explicitLittleEndian],
])('a modality that proposes %s has its context accepted', async (_what, transferSyntaxes, chosen) => {
  const { port } = await startIntake();
  const { content } = await negotiate(port, { contexts: [{ ...ctContext, transferSyntaxes }] });
  expect(contextAnswers(content(0x21))).toEqual({ 1: [0, chosen] });
});

test('a private SOP class is taken unless the configuration says refuse; then its context is refused with 3', async () => {
  // As long as the standard class that it is written over.
  const privateClass = '1.2.276.0.9.9.5.1.7777777';
  expect(privateClass).toHaveLength(ctImageStorage.length);
  const contexts = [{ ...ctContext, abstractSyntax: privateClass }, echoContext];
  const dataSet = Buffer.from(slice.dataSet);
  dataSet.write(privateClass, dataSet.indexOf(ctImageStorage), 'latin1');

  const open = await startIntake();
  const taken = await negotiate(open.port, { contexts });
  expect(contextAnswers(taken.content(0x21))[1]).toEqual([0, explicitLittleEndian]);
  taken.client.send(storeCommand({ ...slice, SOPClassUID: privateClass }), dataSetPdus(dataSet));
  expect((await taken.client.response()).status).toBe(0);
  expect(open.spool.objects[0]?.facts.SOPClassUID).toBe(privateClass);
  expect(open.spool.dataSet(0).equals(dataSet)).toBe(true);

  const closed = await startIntake({ unknownSopClasses: 'refuse' });
  const refused = await negotiate(closed.port, { contexts });
  const answers = contextAnswers(refused.content(0x21));
  expect([answers[1]?.[0], answers[3]?.[0]]).toEqual([3, 0]);
});

test('a device whose every context is refused is accepted all the same, and can read why', async () => {
  const { port } = await startIntake();
  const find = (id: number, abstractSyntax: string) => ({ ...ctContext, id, abstractSyntax });
  const { content } = await negotiate(port, {
    contexts: [
      find(1, '1.2.840.10008.5.1.4.1.2.2.1'),
      find(3, '1.2.840.10008.5.1.4.1.2.2.2'),
      find(5, 'no UID'),
    ],
  });
  expect(Object.values(contextAnswers(content(0x21))).map(([result]) => result)).toEqual([3, 3, 3]);
});

test('extended negotiation, common extended negotiation and items from the future are passed over', async () => {
  const { port } = await startIntake();
  const storageExtended = item(
    0x56,
    Buffer.from([0, ctImageStorage.length]),
    ctImageStorage,
    Buffer.from([2, 0, 0, 0, 0, 0]),
  );
  const common = item(
    0x57,
    Buffer.from([0, 17]),
    '1.2.276.0.9.9.5.1',
    Buffer.from([0, 19]),
    '1.2.840.10008.4.2  ',
    Buffer.from([0, 0]),
  );
  const { client, content } = await negotiate(port, {
    userItems: [storageExtended, common, item(0x5f, 'anything'), item(0xee, '')],
  });
  expect([...content(0x56), ...content(0x57), ...content(0x5f), ...content(0xee)]).toEqual([]);
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  expect((await client.response()).status).toBe(0);
});

test.each([
  [1, 'a user name'],
  [2, 'a user name and password'],
  [3, 'a Kerberos ticket'],
  [4, 'a SAML assertion'],
  [5, 'a JSON Web Token'],
  [99, 'something else'],
])(
  'a modality that identifies its user (type %i, %s) is served without an answer to that; nothing of it is kept',
  async (type) => {
    const { port, listener, logLines } = await startIntake();
    const secret = 'S3CRET-IDENTITY'.repeat(type === 4 ? 1000 : 1);
    const lengthOf = (text: string): Buffer => Buffer.from([text.length >>> 8, text.length & 0xff]);
    const identity = item(
      0x58,
      Buffer.from([type, 1]),
      lengthOf(secret),
      secret,
      lengthOf('S3CRET-PASS'),
      'S3CRET-PASS',
    );
    const { client, content } = await negotiate(port, { userItems: [identity] });
    expect(content(0x59)).toEqual([]);
    client.send(echoCommand());
    expect((await client.response()).status).toBe(0);
    client.close();
    expect(await rejection(port, { calling: 'NOBODY', userItems: [identity] })).toEqual([1, 1, 3]);
    expect(JSON.stringify([logLines, listener.stats()])).not.toContain('S3CRET');
  },
);

test.each([
  ['with spaces in front', '  GANTRY', '   CT1'],
  ['with NULs behind', 'GANTRY\0\0\0\0\0\0\0\0\0\0', 'CT1\0\0\0\0\0\0\0\0\0\0\0\0\0'],
  ['with spaces and NULs around', ' GANTRY \0', ' CT1 \0 '],
])(
  'AE titles %s are recognised, and come back byte for byte (PS3.8 table 9-17)',
  async (_how, called, calling) => {
    const { port, listener } = await startIntake();
    const { client, accept } = await negotiate(port, { called, calling });
    expect(accept.body.toString('latin1', 4, 36)).toBe(called.padEnd(16) + calling.padEnd(16));
    client.send(echoCommand());
    expect((await client.response()).status).toBe(0);
    expect(listener.stats().modalities.get('ct')?.aeTitle).toBe('CT1');
  },
);

test('AE titles in the wrong case, blank or of illegal characters are rejected: 7 for the called one, 3 for the calling one', async () => {
  const { port, listener } = await startIntake();
  expect(await rejection(port, { called: 'gantry' })).toEqual([1, 1, 7]);
  expect(await rejection(port, { called: '' })).toEqual([1, 1, 7]);
  expect(await rejection(port, { calling: 'ct1' })).toEqual([1, 1, 3]);
  expect(await rejection(port, { calling: '' })).toEqual([1, 1, 3]);
  expect(await rejection(port, { calling: 'CT\u00071' })).toEqual([1, 1, 3]);
  expect(listener.stats().refusals.map(({ nextStep }) => nextStep)).not.toContain('');
});

test('titles of illegal characters are refused even where unknown callers are welcome', async () => {
  const { port } = await startIntake({ unknownCallers: 'accept' });
  expect(await rejection(port, { calling: '' })).toEqual([1, 1, 3]);
  expect(await rejection(port, { calling: 'A\\B' })).toEqual([1, 1, 3]);
  (await RawClient.associate(port, { calling: 'any title' })).close();
});

test('of the protocol version only its lowest bit counts: set, the caller is taken and told version 1', async () => {
  const { port } = await startIntake();
  for (const version of [0x0003, 0x8001, 0xffff]) {
    const { accept, client } = await negotiate(port, { version });
    expect(accept.body.readUInt16BE(0)).toBe(1);
    client.close();
  }
  for (const version of [0x0000, 0x0002, 0xfffe])
    expect(await rejection(port, { version })).toEqual([1, 2, 2]);
});

test('a request without presentation contexts is accepted, and can do nothing', async () => {
  const { port } = await startIntake();
  const { client, content } = await negotiate(port, { contexts: [] });
  expect(content(0x21)).toEqual([]);
  client.send(echoCommand());
  expect(await client.aborted()).toEqual([2, 6]);
});

test('two contexts of one id are an abort (PS3.8 §9.3.2.2: ids are unique)', async () => {
  const { port } = await startIntake();
  const client = await RawClient.connect(port);
  client.send(associateRequest({ contexts: [ctContext, { ...echoContext, id: ctContext.id }] }));
  expect(await client.aborted()).toEqual([2, 6]);
});

test('an application context that is not DICOM, or none, is rejected with 2', async () => {
  const { port } = await startIntake();
  expect(await rejection(port, { applicationContext: '1.2.840.10008.3.1.1.2' })).toEqual([1, 1, 2]);
  expect(await rejection(port, { applicationContext: '' })).toEqual([1, 1, 2]);
});

test('a modality that sends its first object without waiting for the acceptance is served', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.connect(port);
  client.send(associateRequest(), storeCommand(slice), dataSetPdus(slice.dataSet, 900));
  expect((await client.next())?.type).toBe(2);
  expect((await client.response()).status).toBe(0);
  expect(spool.dataSet(0).equals(slice.dataSet)).toBe(true);
});

test('reserved bytes that are not zero are not minded, and come back as they were', async () => {
  const { port } = await startIntake();
  const request = associateRequest();
  request[1] = 0xee;
  request.fill(0xee, 6 + 36, 6 + 68);
  const client = await RawClient.connect(port);
  client.send(request);
  const accept = await client.next();
  expect(accept?.type).toBe(2);
  expect([...(accept?.body.subarray(36, 68) ?? [])]).toEqual(Array(32).fill(0xee));
});
