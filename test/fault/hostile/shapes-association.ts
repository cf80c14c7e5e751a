import fc from 'fast-check';
import {
  associateRequest,
  ctImageStorage,
  echoCommand,
  item,
  pdu,
  type WireContext,
} from '../../intake/raw-client.ts';
import { chopped, type Session, type SessionOptions, session } from './session.ts';
import { chop, leave } from './shapes-transport.ts';
import { associate, lyingItem } from './wire.ts';

/** Shapes of the A-ASSOCIATE-RQ: items, contexts, names. Nothing is ever stored in them. */

/** What published advisories put where a name is expected. None of it may become a path, a format or a command. */
export const strangeNames = [
  '..',
  '/',
  '../../../../etc/passwd',
  '..\\..\\windows',
  '\0',
  '1.2\0.3',
  '1.2.3/../../x',
  '%s%s%n%x',
  '$(touch x)',
  '`touch x`',
  '__proto__',
  'constructor',
  'toString',
  '<script>alert(1)</script>',
  "'; DROP TABLE instances;--",
  '\r\nX: y',
  '\u00ff\u00fe',
  '',
  ' ',
  '.',
  '1..2',
  '-1',
  '9'.repeat(64),
  '9'.repeat(65),
  '1.'.repeat(500),
  'A'.repeat(60_000),
  ' '.repeat(60_000),
  `1.2${'\0'.repeat(60_000)}`,
] as const;

export const strangeName = fc.oneof(
  fc.constantFrom(...strangeNames),
  fc.string({ unit: 'binary-ascii', maxLength: 90 }),
);

function ofRequest(shape: string, options: SessionOptions = {}) {
  return ({
    request,
    chop: cut,
    leave: leaving,
  }: {
    request: Buffer;
    chop: Parameters<typeof chopped>[1];
    leave: Session['leave'];
  }): Session =>
    session(shape, chopped(Buffer.concat([request, echoCommand()]), cut), {
      leave: leaving,
      storesMax: 0,
      ...options,
    });
}

/** One of the 16-bit lengths in the request is another. */
export const itemLengthLie: fc.Arbitrary<Session> = fc
  .record({
    request: fc
      .record({ which: fc.nat(30), value: fc.oneof(fc.nat(80), fc.constantFrom(0xffff, 0x8000, 0x0100)) })
      .map(({ which, value }) => {
        const bytes = Buffer.from(associate());
        const places = itemLengthPlaces(bytes);
        bytes.writeUInt16BE(value, places[which % places.length]);
        return bytes;
      }),
    chop,
    leave,
  })
  .map(ofRequest('item length lie'));

/** Where the lengths of items stand in a request of ours, sub-items included. */
function itemLengthPlaces(bytes: Buffer): number[] {
  const places: number[] = [];
  const walk = (from: number, to: number): void => {
    for (let at = from; at + 4 <= to; ) {
      const type = bytes.readUInt8(at);
      const end = at + 4 + bytes.readUInt16BE(at + 2);
      places.push(at + 2);
      if (type === 0x20) walk(at + 8, end);
      if (type === 0x50) walk(at + 4, end);
      at = end;
    }
  };
  walk(74, bytes.length);
  return places;
}

const itemType = fc.constantFrom(
  0x10,
  0x20,
  0x21,
  0x30,
  0x40,
  0x50,
  0x51,
  0x52,
  0x53,
  0x54,
  0x55,
  0x56,
  0x57,
  0x58,
  0x59,
  0x99,
);

/** Items within items, of any type, of any depth that 16 bits of length allow. */
export const nestedItems: fc.Arbitrary<Session> = fc
  .record({
    request: fc
      .record({
        types: fc.array(itemType, { minLength: 1, maxLength: 40 }),
        times: fc.integer({ min: 1, max: 300 }),
        core: fc.uint8Array({ maxLength: 30 }),
        announced: fc.option(fc.nat(0xffff), { nil: null }),
        beside: fc.boolean(),
      })
      .map(({ types, times, core, announced, beside }) => {
        // From the inside out, without copying each level into the next.
        const headers: Buffer[] = [];
        let bytes = core.length;
        for (let n = 0; n < times * types.length && bytes < 60_000; n += 1, bytes += 4) {
          headers.push(lyingItem(types[n % types.length] ?? 0, Buffer.alloc(0), announced ?? bytes));
        }
        const nest = Buffer.concat([...headers.toReversed(), Buffer.from(core)]);
        const body = associate().subarray(6);
        return pdu(1, Buffer.concat(beside ? [body, nest] : [body.subarray(0, 68), nest]));
      }),
    chop,
    leave,
  })
  .map(ofRequest('nested items'));

/** Nothing but items, hundreds of thousands of them. */
export const itemFlood: fc.Arbitrary<Session> = fc
  .record({
    request: fc
      .record({
        type: itemType,
        content: fc.uint8Array({ maxLength: 6 }),
        bytes: fc.integer({ min: 1000, max: 1_000_000 }),
      })
      .map(({ type, content, bytes }) => {
        const one = lyingItem(type, Buffer.from(content), content.length);
        const flood = Buffer.concat(Array<Buffer>(Math.floor(bytes / one.length)).fill(one));
        return pdu(1, Buffer.concat([associate().subarray(6), flood]));
      }),
    chop: fc.constant({ at: [] }),
    leave,
  })
  .map(ofRequest('item flood'));

const context: fc.Arbitrary<WireContext> = fc.record({
  id: fc.oneof(
    { weight: 9, arbitrary: fc.nat(127).map((n) => 2 * n + 1) },
    { weight: 1, arbitrary: fc.nat(255) },
  ),
  abstractSyntax: fc.oneof(fc.constant(ctImageStorage), strangeName),
  transferSyntaxes: fc.oneof(
    fc.array(fc.oneof(fc.constant('1.2.840.10008.1.2'), strangeName), { maxLength: 4 }),
    fc.nat(300).map((count) => Array<string>(count).fill('1.2.840.10008.1.2')),
  ),
});

/** Contexts that nobody would propose: even ids, the same id twice, hundreds of syntaxes, names of 64 KiB. */
export const contexts: fc.Arbitrary<Session> = fc
  .record({
    request: fc
      .record({
        contexts: fc.array(context.filter(fitsInItem), { maxLength: 8 }),
        many: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(300) }),
      })
      .map(({ contexts: proposed, many }) =>
        associateRequest({
          contexts: [
            ...proposed,
            ...Array.from({ length: many }, (_, n) => ({
              id: (2 * n + 1) & 0xff,
              abstractSyntax: ctImageStorage,
              transferSyntaxes: ['1.2'],
            })),
          ],
        }),
      ),
    chop,
    leave,
  })
  .map(ofRequest('contexts'));

function fitsInItem({ abstractSyntax, transferSyntaxes }: WireContext): boolean {
  const bytes = (text: string): number => Buffer.byteLength(text) + 4;
  return bytes(abstractSyntax) + transferSyntaxes.reduce((sum, text) => sum + bytes(text), 4) < 65_000;
}

/** Names of applications, user identities and vendors as advisories have them, and a request with 64 KiB in their place. */
export const names: fc.Arbitrary<Session> = fc
  .record({
    request: fc
      .record({
        called: fc.oneof(fc.constant('GANTRY'), strangeName),
        calling: fc.oneof(fc.constant('CT1'), strangeName),
        applicationContext: fc.oneof(fc.constant('1.2.840.10008.3.1.1.1'), strangeName),
        version: fc.oneof(fc.constant(1), fc.nat(0xffff)),
        identity: strangeName,
        identityType: fc.constantFrom(0x52, 0x55, 0x56, 0x57, 0x58, 0x99),
        titlesOf64k: fc.nat(20).map((n) => n === 20),
      })
      .map(({ identity, identityType, titlesOf64k, ...request }) => {
        const whole = associateRequest({ ...request, userItems: [item(identityType, identity)] });
        if (!titlesOf64k) return whole;
        // AE titles have 16 bytes; here 64 KiB stand in front of the items.
        return pdu(1, Buffer.concat([whole.subarray(6, 10), Buffer.alloc(65_536, 'A'), whole.subarray(74)]));
      }),
    chop,
    leave,
  })
  .map(ofRequest('names'));
