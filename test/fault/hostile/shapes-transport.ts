import fc from 'fast-check';
import { abortRequest, associateRequest, echoCommand, pdu, releaseRequest } from '../../intake/raw-client.ts';
import {
  answer,
  type Chop,
  chopped,
  type Leave,
  noAnswer,
  pause,
  type Session,
  type Step,
  send,
  session,
} from './session.ts';
import { associate, object, objectsMax, store } from './wire.ts';

/** Shapes of how bytes arrive: who calls, in which order PDUs come, how the connection breaks. */

export const objectIndex = fc.nat(objectsMax - 1);

/** Mostly `half-close`: whoever stays may have to wait for a timer. */
export const leave: fc.Arbitrary<Leave> = fc.oneof(
  { weight: 60, arbitrary: fc.constant('half-close') },
  { weight: 20, arbitrary: fc.constant('destroy') },
  { weight: 17, arbitrary: fc.constant('reset') },
  { weight: 3, arbitrary: fc.constant('stay') },
);

/** For sessions that end in a release which the gateway reads: most wait for all the answers. */
export const leaveAnswered: fc.Arbitrary<Leave> = fc.oneof(
  { weight: 80, arbitrary: fc.constant('stay') },
  { weight: 10, arbitrary: fc.constant('half-close') },
  { weight: 5, arbitrary: fc.constant('destroy') },
  { weight: 5, arbitrary: fc.constant('reset') },
);

export const chop: fc.Arbitrary<Chop> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ at: [] }) },
  {
    weight: 3,
    arbitrary: fc.record({ at: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }) }),
  },
  { weight: 1, arbitrary: fc.record({ every: fc.integer({ min: 1, max: 600 }) }) },
);

/** A well-behaved session: associate, echo and store, release. */
export const good: fc.Arbitrary<Session> = fc
  .record({
    objects: fc.uniqueArray(objectIndex, { minLength: 1, maxLength: 3 }),
    echo: fc.boolean(),
    waits: fc.boolean(),
    maximumLength: fc.constantFrom(0, 1024, 16_384, 0xffff_ffff),
    chop,
  })
  .map(({ objects, echo, waits, maximumLength, chop: cut }) => {
    const work = objects.flatMap((index, n) => store(object(index), n + 1));
    const after = Buffer.concat([...(echo ? [echoCommand(7)] : []), ...work, releaseRequest]);
    const request = associate(undefined, maximumLength);
    const steps = waits
      ? [send(request), answer, ...chopped(after, cut)]
      : chopped(Buffer.concat([request, after]), cut);
    return session('good', steps, { leave: 'stay', ends: ['released'], whole: true });
  });

/** A stream that would be a good session if it came to its end. */
const goodBytes = fc.tuple(objectIndex, objectIndex).map(([first, second]) => ({
  request: associate(),
  work: [...store(object(first), 1), ...store(object(second), 2), releaseRequest],
}));

const greetings = [
  'GET / HTTP/1.1\r\nHost: gantry\r\n\r\n',
  'POST /dicom-web/studies HTTP/1.1\r\nContent-Length: 100000\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'CONNECT 10.0.0.1:443 HTTP/1.1\r\n\r\n',
  'OPTIONS sip:nm SIP/2.0\r\n\r\n',
  'SSH-2.0-OpenSSH_9.2\r\n',
  'EHLO gantry\r\n',
  '\u0016\u0003\u0001\u0000\u00c8\u0001\u0000\u0000\u00c4\u0003\u0003',
  '\u0000\u0000\u0000\u00c0\u00feSMB@',
  '$(reboot)\n`reboot`\n%n%n%n%s',
  '{"jsonrpc":"2.0"}\n',
];

export const foreign: fc.Arbitrary<Session> = fc
  .record({
    opening: fc.oneof(
      fc.constantFrom(...greetings).map((text) => Buffer.from(text, 'latin1')),
      fc
        .uint8Array({ minLength: 6, maxLength: 80 })
        .map((bytes) => Buffer.from(bytes))
        .filter((bytes) => (bytes[0] ?? 0) === 0 || (bytes[0] ?? 0) > 7),
    ),
    tail: fc.uint8Array({ maxLength: 300 }),
    chop,
    leave,
  })
  .map(({ opening, tail, chop: cut, leave: leaving }) =>
    session('foreign protocol', chopped(Buffer.concat([opening, tail]), cut), {
      leave: leaving,
      answers: noAnswer,
      ends: ['closed'],
    }),
  );

const anyPdu = fc.oneof(
  fc.constantFrom(associateRequest(), associate(), echoCommand(), releaseRequest, abortRequest),
  objectIndex.map((index) => Buffer.concat(store(object(index), 1))),
  fc
    .record({
      type: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 255 })),
      body: fc.uint8Array({ maxLength: 90 }),
    })
    .map(({ type, body }) => pdu(type, Buffer.from(body))),
);

/** Well-formed PDUs in any order, the right one included. */
export const wrongOrder: fc.Arbitrary<Session> = fc
  .record({ pdus: fc.array(anyPdu, { minLength: 1, maxLength: 6 }), associates: fc.boolean(), chop, leave })
  .map(({ pdus, associates, chop: cut, leave: leaving }) =>
    session('wrong order', chopped(Buffer.concat([...(associates ? [associate()] : []), ...pdus]), cut), {
      leave: leaving,
    }),
  );

/** The length in the header of a PDU is another than that of the PDU. */
export const pduLengthLie: fc.Arbitrary<Session> = fc
  .record({
    stream: goodBytes,
    which: fc.nat(6),
    announced: fc.oneof(
      fc.integer({ min: 0, max: 2000 }),
      fc.constantFrom(0xffff_ffff, 0x8000_0000, 2 ** 20, 2 ** 20 + 1),
    ),
    chop,
    leave,
  })
  .map(({ stream: { request, work }, which, announced, chop: cut, leave: leaving }) => {
    const pdus = [request, ...work].map((each) => Buffer.from(each));
    pdus[which % pdus.length]?.writeUInt32BE(announced, 2);
    return session('PDU length lie', chopped(Buffer.concat(pdus), cut), { leave: leaving });
  });

/** A good session that stops in the middle of a byte stream and says no more. */
export const halfOpen: fc.Arbitrary<Session> = fc
  .record({ stream: goodBytes, share: fc.double({ min: 0, max: 0.999, noNaN: true }), chop, leave })
  .map(({ stream: { request, work }, share, chop: cut, leave: leaving }) => {
    const bytes = Buffer.concat([request, ...work]);
    const sent = bytes.subarray(0, Math.floor(share * bytes.length));
    return session('half open', chopped(sent, cut), { leave: leaving, ends: ['closed', 'aborted'] });
  });

/** Byte by byte, each with a pause: in the request, or in an object. */
export const slowloris: fc.Arbitrary<Session> = fc
  .record({
    stream: goodBytes,
    inObject: fc.boolean(),
    bytes: fc.integer({ min: 1, max: 60 }),
    ms: fc.integer({ min: 1, max: 15 }),
  })
  .map(({ stream: { request, work }, inObject, bytes, ms }) => {
    const [command = Buffer.alloc(0), data = Buffer.alloc(0)] = work;
    const slow = inObject ? data : request;
    const drops: Step[] = Array.from({ length: bytes }, (_, n) => [
      send(slow.subarray(n, n + 1)),
      pause(ms),
    ]).flat();
    const steps = inObject ? [send(request), send(command), ...drops] : drops;
    return session('slowloris', steps, {
      leave: inObject ? 'half-close' : 'stay',
      ends: ['closed', 'aborted'],
      storesMax: 0,
    });
  });

/** A good session cut in the middle by A-ABORT, a close or a reset; what was whole before may be stored. */
export const abortMidPdu: fc.Arbitrary<Session> = fc
  .record({
    stream: goodBytes,
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    abort: fc.boolean(),
    waits: fc.boolean(),
    leave: fc.constantFrom<Leave>('destroy', 'reset', 'half-close'),
  })
  .map(({ stream: { request, work }, share, abort, waits, leave: leaving }) => {
    const bytes = Buffer.concat(work);
    const cut = bytes.subarray(0, Math.floor(share * bytes.length));
    const steps = [
      send(request),
      ...(waits ? [answer] : []),
      send(cut),
      ...(abort ? [send(abortRequest)] : []),
    ];
    return session('abort in the middle', steps, { leave: leaving });
  });

/** Asks and asks, and never listens. */
export const deaf: fc.Arbitrary<Session> = fc
  .record({
    echoes: fc.integer({ min: 1, max: 3000 }),
    leave: fc.constantFrom<Leave>('destroy', 'reset', 'half-close'),
  })
  .map(({ echoes, leave: leaving }) =>
    session('deaf', [send(associate()), send(Buffer.concat(Array<Buffer>(echoes).fill(echoCommand())))], {
      leave: leaving,
      deaf: true,
    }),
  );

type Edit =
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'delete'; readonly at: number; readonly count: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly count: number }
  | { readonly kind: 'length'; readonly at: number; readonly value: number };

/** Headers and the request, where it hurts, more often than pixels. Never the AE titles: those may be logged. */
const place = fc.oneof(fc.integer({ min: 74, max: 500 }), fc.integer({ min: 74, max: 4000 }), fc.nat(5));
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: place, byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('insert' as const), at: place, bytes: fc.uint8Array({ maxLength: 20 }) }),
  fc.record({ kind: fc.constant('delete' as const), at: place, count: fc.nat(30) }),
  fc.record({ kind: fc.constant('repeat' as const), at: place, count: fc.nat(300) }),
  fc.record({
    kind: fc.constant('length' as const),
    at: place,
    value: fc.oneof(fc.nat(300), fc.constantFrom(0xffff_ffff, 0x7fff_ffff, 0xffff, 0x8000_0000)),
  }),
);

function edited(bytes: Buffer, change: Edit): Buffer {
  const at = Math.min(change.at, bytes.length);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  if (change.kind === 'insert') return Buffer.concat([head, change.bytes, tail]);
  if (change.kind === 'delete') return Buffer.concat([head, tail.subarray(change.count)]);
  if (change.kind === 'repeat') return Buffer.concat([head, tail.subarray(0, change.count), tail]);
  const copy = Buffer.from(bytes);
  if (change.kind === 'set' && at < copy.length) copy[at] = change.byte;
  if (change.kind === 'flip' && at < copy.length) copy[at] = copy.readUInt8(at) ^ (1 << change.bit);
  if (change.kind === 'length' && at + 4 <= copy.length) copy.writeUInt32BE(change.value, at);
  return copy;
}

/** A good session with bytes changed, put in, taken out. */
export const mutated: fc.Arbitrary<Session> = fc
  .record({
    stream: goodBytes,
    edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
    chop,
    leave: fc.oneof({ weight: 4, arbitrary: leave }, { weight: 1, arbitrary: fc.constant<Leave>('stay') }),
  })
  .map(({ stream: { request, work }, edits, chop: cut, leave: leaving }) => {
    const bytes = edits.reduce(edited, Buffer.concat([request, echoCommand(9), ...work]));
    return session('mutated', chopped(bytes, cut), { leave: leaving });
  });
