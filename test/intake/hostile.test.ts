import { expect, test } from 'vitest';
import { memoryLine, serverOf } from '../fault/hostile/lines.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { eventually, startIntake } from './intake-harness.ts';
import {
  associateRequest,
  commandSet,
  ctContext,
  dataPdu,
  dataSetPdus,
  echoCommand,
  item,
  pdu,
  RawClient,
  releaseRequest,
  storeCommand,
} from './raw-client.ts';

const slice = ctSlice({ rows: 32, columns: 32, seed: 1 });

test('what comes first on a connection decides how it ends', async () => {
  const { port, listener } = await startIntake();
  const longest = pdu(1, Buffer.alloc(0), 32 * 1024 * 1024);
  const cases: [string, Buffer, [number, number] | null, string][] = [
    ['32 MB announced', longest, [2, 6], 'ASSOCIATE_TOO_LONG'],
    ['4 GB announced', pdu(1, Buffer.alloc(0), 0xffff_ffff), [2, 6], 'ASSOCIATE_TOO_LONG'],
    ['P-DATA', echoCommand(), [2, 2], 'FIRST_PDU_UNEXPECTED'],
    ['release', releaseRequest, [2, 2], 'FIRST_PDU_UNEXPECTED'],
    ['A-ASSOCIATE-AC', pdu(2, Buffer.alloc(68)), [2, 2], 'FIRST_PDU_UNEXPECTED'],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: gantry\r\n\r\n'), null, 'HTTP_ON_DICOM_PORT'],
    ['TLS', Buffer.from('16030100c8010000c40303', 'hex'), null, 'TLS_ON_DICOM_PORT'],
    ['SSH', Buffer.from('\u0000\u0000\u0000\u0000SSH-2.0'), null, 'NOT_DICOM'],
    ['too short', pdu(1, Buffer.alloc(10)), [2, 6], 'PDU_INVALID'],
  ];
  for (const [what, bytes, words, code] of cases) {
    const client = await RawClient.connect(port);
    client.send(bytes);
    expect(await client.aborted(), what).toEqual(words);
    expect(listener.stats().refusals[0]?.code, what).toBe(code);
  }
  await eventually(() => listener.stats().idleConnections === 0);
});

test('an association request that contradicts itself is aborted', async () => {
  const { port } = await startIntake();
  const body = associateRequest().subarray(6);
  const at = (offset: number, value: number): Buffer => {
    const copy = Buffer.from(body);
    copy.writeUInt16BE(value, offset);
    return pdu(1, copy);
  };
  const context = (id: number, ...items: Buffer[]): Buffer =>
    item(0x20, Buffer.from([id, 0, 0, 0]), ...items);
  const withItem = (...items: Buffer[]): Buffer => pdu(1, Buffer.concat([body, ...items]));
  const abstract = item(0x30, '1.2.840.10008.5.1.4.1.1.2');
  const transfer = item(0x40, '1.2.840.10008.1.2');
  const cases: Record<string, Buffer> = {
    'application context longer than the PDU': at(70, 0xffff),
    'first context one byte longer than it is': at(70 + 2 + 21 + 2, 200),
    'even id': withItem(context(2, abstract, transfer)),
    'id zero': withItem(context(0, abstract, transfer)),
    'id twice': withItem(context(1, abstract, transfer)),
    'no abstract syntax': withItem(context(9, transfer)),
    'two abstract syntaxes': withItem(context(9, abstract, abstract, transfer)),
    'no transfer syntax': withItem(context(9, abstract)),
    'an endless UID': withItem(context(9, item(0x30, '1'.repeat(60_000)), transfer)),
    'a maximum length of three bytes': withItem(item(0x50, item(0x51, Buffer.alloc(3)))),
    'a maximum length that carries nothing': withItem(item(0x50, item(0x51, Buffer.from([0, 0, 0, 7])))),
    'a role item cut short': withItem(item(0x50, item(0x54, Buffer.from([0, 9, 1])))),
  };
  for (const [what, bytes] of Object.entries(cases)) {
    const client = await RawClient.connect(port);
    client.send(bytes);
    expect(await client.aborted(), what).toEqual([2, 6]);
  }
});

test('a peer that sends all at once keeps nobody else waiting', async () => {
  let started: ReturnType<typeof startIntake> | null = null;
  const server = await serverOf(() => (started = startIntake()));
  expect(started).not.toBeNull();
  const [greedy, polite] = [await memoryLine(server, '127.0.0.1'), await memoryLine(server, '127.0.0.1')];
  const requests = 10_000;
  let greedyBytes = 0;
  greedy.stream.on('data', (chunk: Buffer) => {
    greedyBytes += chunk.length;
  });
  const bytesWhenPoliteIsAnswered = new Promise<number>((resolve) => {
    polite.stream.on('data', (chunk: Buffer) => {
      if (chunk[0] === 4) resolve(greedyBytes);
    });
  });
  greedy.stream.write(
    Buffer.concat([associateRequest(), ...Array.from({ length: requests }, () => echoCommand())]),
  );
  polite.stream.write(Buffer.concat([associateRequest(), echoCommand()]));
  const answerBytes = 80;
  expect(await bytesWhenPoliteIsAnswered).toBeLessThan((requests / 2) * answerBytes);
  await eventually(() => greedyBytes > requests * answerBytes);
});

test('texts that are nearly all spaces are read at a glance', async () => {
  const { port } = await startIntake();
  const client = await RawClient.associate(port);
  const command = commandSet([
    [0x0002, `${' '.repeat(65_000)}x`],
    [0x0100, 0x0030],
    [0x0110, 1],
    [0x0800, 0x0101],
  ]);
  const requests = 100;
  client.send(
    ...Array<Buffer>(requests).fill(dataPdu({ context: 3, command: true, last: true, bytes: command })),
  );
  for (let n = 0; n < requests; n += 1) await client.response();
});

test('an association request of more items than anybody needs is not read to its end', async () => {
  const { port, listener } = await startIntake();
  const whole = (contexts: number, syntaxes: number, roles: number): Buffer =>
    associateRequest({
      contexts: Array.from({ length: contexts }, (_, at) => ({
        ...ctContext,
        id: 2 * at + 1,
        transferSyntaxes: Array<string>(syntaxes).fill('1.2'),
      })),
      userItems: Array<Buffer>(roles).fill(item(0x54, Buffer.from([0, 1, 0x31, 1, 0]))),
    });
  const most = await RawClient.connect(port);
  most.send(whole(128, 64, 1000));
  expect((await most.next())?.type).toBe(2);
  for (const bytes of [whole(128, 80, 0), whole(128, 64, 5000)]) {
    const client = await RawClient.connect(port);
    client.send(bytes);
    expect(await client.aborted()).toEqual([2, 6]);
  }
  expect(listener.stats().refusalCounts).toEqual({ PDU_INVALID: 2 });
});

test('messages in the wrong order, or of the wrong kind, are aborted and leave nothing behind', async () => {
  const { port, spool, listener } = await startIntake();
  const command = storeCommand(slice);
  const commandBytes = command.subarray(12);
  const data = dataSetPdus(slice.dataSet, 500);
  const fragment = (isCommand: boolean, context = 1, last = true, bytes: Buffer = Buffer.alloc(10)): Buffer =>
    dataPdu({ context, command: isCommand, last, bytes });
  const cases: [string, Buffer[], [number, number]][] = [
    ['data before a command', [fragment(false)], [2, 5]],
    ['a command within a data set', [command, data.subarray(0, 512), fragment(true)], [2, 5]],
    [
      'data within a command',
      [fragment(true, 1, false, commandBytes.subarray(0, 20)), fragment(false)],
      [2, 5],
    ],
    ['a data set in another context', [command, fragment(false, 3)], [2, 5]],
    ['a context never proposed', [fragment(true, 9)], [2, 6]],
    ['a context that was refused', [fragment(true, 5)], [2, 6]],
    ['a second association request', [associateRequest()], [2, 2]],
    ['an A-ASSOCIATE-RJ', [pdu(3, Buffer.alloc(4))], [2, 2]],
    ['a release response', [pdu(6, Buffer.alloc(4))], [2, 2]],
    ['an unknown PDU', [pdu(0x99, Buffer.alloc(4))], [2, 1]],
    ['an over-long P-DATA', [pdu(4, Buffer.alloc(0), 1024 * 1024 + 1)], [2, 6]],
    ['a release of the wrong length', [pdu(5, Buffer.alloc(5))], [2, 6]],
    ['an empty P-DATA', [pdu(4, Buffer.alloc(0))], [2, 6]],
    ['a command that is no command set', [fragment(true, 1, true, Buffer.alloc(20, 0xff))], [2, 6]],
    ['a command cut short', [fragment(true, 1, true, commandBytes.subarray(0, 101))], [2, 6]],
    [
      'a command of another group',
      [fragment(true, 1, true, Buffer.from([8, 0, 0, 0, 2, 0, 0, 0, 1, 0]))],
      [2, 6],
    ],
    [
      'a command without a message id',
      [
        fragment(
          true,
          1,
          true,
          commandSet([
            [0x0100, 1],
            [0x0800, 0],
          ]),
        ),
      ],
      [2, 6],
    ],
    [
      'an endless command',
      [Buffer.concat(Array<Buffer>(9).fill(fragment(true, 1, false, Buffer.alloc(8000))))],
      [2, 6],
    ],
    [
      'a command in too many pieces',
      [Buffer.concat(Array<Buffer>(1025).fill(fragment(true, 1, false, Buffer.alloc(0))))],
      [2, 6],
    ],
  ];
  const find = {
    id: 5,
    abstractSyntax: '1.2.840.10008.5.1.4.1.2.2.1',
    transferSyntaxes: ['1.2.840.10008.1.2'],
  };
  for (const [what, bytes, words] of cases) {
    const client = await RawClient.associate(port, { contexts: [ctContext, { ...ctContext, id: 3 }, find] });
    client.send(...bytes);
    expect(await client.aborted(), what).toEqual(words);
  }
  await eventually(() => listener.stats().associations === 0);
  expect(spool.objects.every(({ state }) => state === 'aborted')).toBe(true);
  const client = await RawClient.associate(port);
  client.send(command, data);
  expect((await client.response()).status).toBe(0);
});

test('PDUs longer than announced, up to 1 MiB, are taken and counted', async () => {
  const { port, listener } = await startIntake();
  const large = ctSlice({ rows: 512, columns: 512, seed: 3 });
  const client = await RawClient.associate(port);
  client.send(storeCommand(large), dataSetPdus(large.dataSet, 200_000));
  expect((await client.response()).status).toBe(0);
  client.send(releaseRequest);
  await client.next();
  expect(listener.stats().longPdus).toBe(2);
});

test('a message in pieces of one byte, and with several fragments in a PDU, is still a message', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  const command = storeCommand(slice).subarray(12);
  const split = dataPdu(
    { command: true, last: false, bytes: command.subarray(0, 7) },
    { command: true, last: false, bytes: Buffer.alloc(0) },
    { command: true, last: true, bytes: command.subarray(7) },
    { command: false, last: false, bytes: slice.dataSet.subarray(0, 333) },
  );
  const rest = Buffer.concat([
    dataPdu({ command: false, last: false, bytes: slice.dataSet.subarray(333) }),
    dataPdu({ command: false, last: true, bytes: Buffer.alloc(0) }),
  ]);
  for (const byte of split) client.socket.write(Buffer.from([byte]));
  client.send(rest);
  expect((await client.response()).status).toBe(0);
  expect(spool.dataSet(0).equals(slice.dataSet)).toBe(true);
});

test('an answer to nothing and stray bytes after a release do no harm', async () => {
  const { port, listener } = await startIntake();
  const client = await RawClient.associate(port);
  const stray = commandSet([
    [0x0002, '1.2.840.10008.5.1.4.1.1.2'],
    [0x0100, 0x8001],
    [0x0120, 1],
    [0x0800, 0x0101],
    [0x0900, 0],
  ]);
  client.send(dataPdu({ command: true, last: true, bytes: stray }), echoCommand(4));
  expect((await client.response()).elements.get(0x0120)).toBe(4);
  client.send(releaseRequest, Buffer.alloc(1000, 0xee));
  expect((await client.next())?.type).toBe(6);
  client.close();
  await eventually(() => listener.stats().idleConnections === 0);
  expect(listener.stats().refusalCounts).toEqual({});
});
