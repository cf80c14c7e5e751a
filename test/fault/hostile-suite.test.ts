import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { commandSet, dataPdu, pdu, releaseRequest } from '../intake/raw-client.ts';
import { socketLine } from './hostile/lines.ts';
import { type Outcome, play } from './hostile/peer.ts';
import { send, type Session, session } from './hostile/session.ts';
import { associate, commandPdu, dataPdus, object, store, storeElements } from './hostile/wire.ts';
import { wholeStores } from './hostile/witness.ts';

/*
 * The judge of the hostile suites can say no: gateways that answer what they must not are found out.
 */

const made = object(0);

function response(messageId: number, status: number, field = 0x8001): Buffer {
  const bytes = commandSet([
    [0x0002, made.SOPClassUID],
    [0x0100, field],
    [0x0120, messageId],
    [0x0800, 0x0101],
    [0x0900, status],
    [0x1000, made.SOPInstanceUID],
  ]);
  return dataPdu({
    command: true,
    last: true,
    bytes: Buffer.concat([Buffer.from('000000000400000000000000', 'hex'), bytes]),
  });
}

const accepted = pdu(2, Buffer.alloc(68));
const released = pdu(6, Buffer.alloc(4));

/** Plays against something that answers the same whatever it is sent, and then closes. */
async function against(answers: readonly Buffer[], played: Session): Promise<Outcome> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(Buffer.concat(answers)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return play(played, await socketLine(address.port, '127.0.0.1'));
}

function sending(bytes: readonly Buffer[], options: Parameters<typeof session>[2] = {}): Session {
  return session('a test', [send(Buffer.concat(bytes))], { leave: 'stay', ...options });
}

const whole = [associate(), ...store(made, 1), releaseRequest];

test('finds whole objects in a stream, and only those', () => {
  expect(wholeStores(Buffer.concat(whole)).map(({ dataSet }) => dataSet.equals(made.dataSet))).toEqual([
    true,
  ]);
  const data = dataPdus(made.dataSet, 100);
  const [command = Buffer.alloc(0)] = store(made, 1);
  const streams = {
    'without its last fragment': [associate(), command, ...data.slice(0, -1)],
    'cut in its last fragment': [Buffer.concat([associate(), command, ...data]).subarray(0, -1)],
    'of another command': [
      associate(),
      commandPdu([
        [0x0100, 0x0020],
        [0x0800, 0],
      ]),
      ...data,
    ],
    'behind a release': [associate(), releaseRequest, command, ...data],
    'with data first': [associate(), ...data, command],
  };
  for (const [name, stream] of Object.entries(streams)) {
    expect(wholeStores(Buffer.concat(stream)), name).toEqual([]);
  }
});

test('is content with what is right', async () => {
  const answers = [accepted, response(1, 0), released];
  const outcome = await against(answers, sending(whole, { whole: true, ends: ['released'] }));
  expect(outcome).toMatchObject({ end: 'released', faults: [], busy: false, late: false });
  expect(outcome.stored).toHaveLength(1);
});

test('says no to each answer that must not be', async () => {
  const cut = [associate(), commandPdu(storeElements(made, 1)), ...dataPdus(made.dataSet, 100).slice(0, -1)];
  const cases: readonly (readonly [string, readonly Buffer[], Session])[] = [
    ['0000 for an object that was not whole on the wire', [accepted, response(1, 0)], sending(cut)],
    ['0000 for an object that was not whole on the wire', [accepted, response(2, 0)], sending(whole)],
    [
      '0000 for an object that was not whole on the wire',
      [accepted, response(1, 0), response(1, 0)],
      sending(whole),
    ],
    [
      '0000 for an object that must not be taken',
      [accepted, response(1, 0)],
      sending(whole, { storesMax: 0 }),
    ],
    [
      '1 of 1 good objects were not answered 0000',
      [accepted, response(1, 0xc000), released],
      sending(whole, { whole: true }),
    ],
    ['status a700', [accepted, response(1, 0xa700)], sending(whole)],
    ['PDU 4 after null', [response(1, 0xc000)], sending(whole)],
    ['PDU 2 after 2', [accepted, accepted], sending(whole)],
    ['PDU 4 after 7', [accepted, pdu(7, Buffer.alloc(4)), response(1, 0xc000)], sending(whole)],
    ['PDU 9 after 2', [accepted, pdu(9, Buffer.alloc(4))], sending(whole)],
    ['an answer of absurd length', [accepted, pdu(4, Buffer.alloc(0), 0xffff_ffff)], sending(whole)],
    ['an answer of type 2', [accepted], sending([Buffer.from('GET / HTTP/1.1')], { answers: new Set() })],
    ['it ended as closed', [accepted], sending(whole, { ends: ['released'] })],
  ];
  for (const [fault, answers, played] of cases) {
    expect((await against(answers, played)).faults, fault).toContain(fault);
  }
});
