import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Frame, PduFramer } from '../../src/intake/pdu-framer.ts';
import { dataPdu, pdu, type WireFragment } from './raw-client.ts';

const accept = (): void => undefined;

function framesOf(framer: PduFramer): Frame[] {
  const frames: Frame[] = [];
  for (let frame = framer.next(); frame !== null; frame = framer.next()) frames.push(frame);
  return frames;
}

/** The messages in the frames: fragments joined up to each last one, whole PDUs as they are. */
function messages(frames: readonly Frame[]): { kind: string; bytes: string }[] {
  const found: { kind: string; bytes: string }[] = [];
  let parts: Buffer[] = [];
  for (const frame of frames) {
    if (frame.kind === 'pdu') found.push({ kind: `pdu ${frame.type}`, bytes: frame.body.toString('hex') });
    else {
      parts.push(frame.bytes);
      if (!frame.last) continue;
      const kind = `${frame.command ? 'command' : 'data'} ${frame.contextId}`;
      found.push({ kind, bytes: Buffer.concat(parts).toString('hex') });
      parts = [];
    }
  }
  return found;
}

const fragment = fc.record({
  context: fc.constantFrom(1, 3, 255),
  command: fc.boolean(),
  last: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});
const anyPdu = fc.oneof(
  fc
    .array(fragment, { minLength: 1, maxLength: 4 })
    .map((fragments: WireFragment[]) => dataPdu(...fragments)),
  fc.uint8Array({ maxLength: 40 }).map((body) => pdu(5, Buffer.from(body))),
);

test('however the bytes are cut into chunks, the same messages come out', () => {
  const property = fc.property(
    fc.array(anyPdu, { maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }),
    (pdus, cuts) => {
      const wire = Buffer.concat(pdus);
      const whole = new PduFramer(accept);
      whole.push(wire);
      const expected = messages(framesOf(whole));

      const chunked = new PduFramer(accept);
      const frames: Frame[] = [];
      for (let at = 0, turn = 0; at < wire.length; turn++) {
        const step = cuts[turn % cuts.length] ?? 1;
        chunked.push(Buffer.from(wire.subarray(at, at + step)));
        frames.push(...framesOf(chunked));
        at += step;
      }
      expect(messages(frames)).toEqual(expected);
      expect(chunked.bufferedBytes).toBe(0);
    },
  );
  fc.assert(property, { seed: 20_260_102, numRuns: 300 });
});

test('data is handed on as it comes, without copying and without waiting for the rest', () => {
  const framer = new PduFramer(accept);
  const wire = dataPdu({ command: false, last: true, bytes: Buffer.alloc(1000, 7) });
  const chunk = wire.subarray(0, 100);
  framer.push(chunk);
  const frame = framer.next();
  expect(frame).toMatchObject({ kind: 'fragment', last: false });
  if (frame?.kind !== 'fragment') throw new Error('no fragment');
  expect(frame.bytes).toHaveLength(88);
  expect(frame.bytes.buffer).toBe(chunk.buffer);
});

test('a header is refused before anything behind it has arrived', () => {
  const framer = new PduFramer((type, bytes) => {
    if (bytes > 100) throw new Error(`type ${type}: ${bytes}`);
  });
  framer.push(Buffer.from([1, 0, 2, 0, 0, 0]));
  expect(() => framer.next()).toThrow('type 1: 33554432');
});

test('fragments that lie about their length are refused', () => {
  const lies = {
    'no room for a fragment header': pdu(4, Buffer.alloc(5)),
    'an empty PDU': pdu(4, Buffer.alloc(0)),
    'longer than its PDU': pdu(4, Buffer.from([0, 0, 0, 100, 1, 0, 1, 2, 3])),
    'too short for its own header': pdu(4, Buffer.from([0, 0, 0, 1, 1, 0, 1, 2, 3])),
    'as long as can be said': pdu(4, Buffer.from([255, 255, 255, 255, 1, 0, 1, 2, 3])),
    'a second one that does not fit': pdu(4, Buffer.from([0, 0, 0, 3, 1, 0, 9, 0, 0])),
  };
  for (const [what, wire] of Object.entries(lies)) {
    const framer = new PduFramer(accept);
    framer.push(wire);
    expect(() => framesOf(framer), what).toThrow('contradicts itself');
  }
});
