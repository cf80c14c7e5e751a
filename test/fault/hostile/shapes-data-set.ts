import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import type { MadeInstance } from '../../fixtures/dicom-objects.ts';
import { releaseRequest } from '../../intake/raw-client.ts';
import { type Chop, chopped, type Leave, type Session, type SessionOptions, session } from './session.ts';
import { strangeName } from './shapes-association.ts';
import { chop, leaveAnswered as leave, objectIndex } from './shapes-transport.ts';
import { associate, lyingElement, object, store, syntaxes } from './wire.ts';

/** Shapes of data sets: lengths that lie, nesting without end, bombs. The messages around them are in order. */

interface Parts {
  readonly dataSet: Buffer;
  readonly made: MadeInstance;
  readonly syntax?: string;
  readonly chop: Chop;
  readonly leave: Leave;
}

function storeOf(
  shape: string,
  { dataSet, made, syntax, chop: cut, leave: leaving }: Parts,
  options: SessionOptions,
): Session {
  const stream = Buffer.concat([associate(syntax), ...store(made, 1, dataSet), releaseRequest]);
  // Data sets of objects that are taken are of interest only where the peer waits for the answer.
  const stays =
    options.whole === true ? { leave: 'stay' as const, ends: ['released'] as const } : { leave: leaving };
  return session(shape, chopped(stream, cut), { ...stays, ...options });
}

const pixelBytes = 32;

/** Ends within its pixels, and says that this is its end. */
export const cutDataSet: fc.Arbitrary<Session> = fc
  .record({ index: objectIndex, missing: fc.integer({ min: 1, max: pixelBytes + 11 }), chop, leave })
  .map(({ index, missing, ...rest }) => {
    const made = object(index);
    const dataSet = made.dataSet.subarray(0, made.dataSet.length - missing);
    return storeOf('cut data set', { dataSet, made, ...rest }, { storesMax: 0 });
  });

/** Nothing, or noise. */
export const noDataSet: fc.Arbitrary<Session> = fc
  .record({ index: objectIndex, noise: fc.uint8Array({ maxLength: 200 }), chop, leave })
  .map(({ index, noise, ...rest }) =>
    storeOf('no data set', { dataSet: Buffer.from(noise), made: object(index), ...rest }, { storesMax: 0 }),
  );

/** The length of the last element is not what follows it. */
export const lastLengthLie: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    length: fc.oneof(
      fc.integer({ min: pixelBytes + 1, max: 0x7fff_ffff }),
      fc.constantFrom(0xffff_ffff, 0xffff_fffe, 0x8000_0000),
    ),
    chop,
    leave,
  })
  .map(({ index, length, ...rest }) => {
    const made = object(index);
    const dataSet = Buffer.from(made.dataSet);
    dataSet.writeUInt32LE(length, dataSet.length - pixelBytes - 4);
    return storeOf('last length lie', { dataSet, made, ...rest }, { storesMax: 0 });
  });

/** Any of the first elements has another VR or another length; whether an object comes out is up to the bytes. */
export const vrLie: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    at: fc.nat(400),
    vr: fc.oneof(
      fc.constantFrom('SQ', 'UN', 'OB', 'UI', 'UT', 'OW', 'ZZ', '\0\0', '  ', 'US'),
      fc.string({ unit: 'binary-ascii', minLength: 2, maxLength: 2 }),
    ),
    length: fc.option(fc.nat(0xffff), { nil: null }),
    chop,
    leave,
  })
  .map(({ index, at, vr, length, ...rest }) => {
    const made = object(index);
    const dataSet = Buffer.from(made.dataSet);
    const place = elementPlaces(dataSet)[at % 20] ?? 0;
    dataSet.write(vr, place + 4, 'latin1');
    if (length !== null) dataSet.writeUInt16LE(length, place + 6);
    return storeOf('VR lie', { dataSet, made, ...rest }, {});
  });

/** Where the elements of a made object start, Explicit VR Little Endian. */
function elementPlaces(dataSet: Buffer): number[] {
  const places: number[] = [];
  for (let at = 0; at + 8 <= dataSet.length; ) {
    places.push(at);
    const long = ['OB', 'OW', 'SQ', 'UN', 'UT'].includes(dataSet.toString('latin1', at + 4, at + 6));
    at += long ? 12 + dataSet.readUInt32LE(at + 8) : 8 + dataSet.readUInt16LE(at + 6);
  }
  return places;
}

/** The UIDs inside are not those of the command, or no UIDs at all. */
export const otherUidInside: fc.Arbitrary<Session> = fc
  .record({ index: objectIndex, name: strangeName, both: fc.boolean(), chop, leave })
  .filter(({ index, name }) => !name.includes(object(index).SOPInstanceUID) && name.length < 0xffff)
  .map(({ index, name, both, ...rest }) => {
    const made = object(index);
    const named = explicitText(0x0008_0018, 'UI', name);
    const places = elementPlaces(made.dataSet);
    const at = places.find((place) => made.dataSet.readUInt32LE(place) === 0x0018_0008) ?? 0;
    const after = places.find((place) => place > at) ?? 0;
    const tail = made.dataSet.subarray(both ? at : after);
    return storeOf(
      'other UID inside',
      { dataSet: Buffer.concat([made.dataSet.subarray(0, at), named, tail]), made, ...rest },
      both && name.trim().replaceAll('\0', '') === '' ? {} : { storesMax: 0 },
    );
  });

function explicitText(tag: number, vr: string, text: string): Buffer {
  const value = Buffer.from(text, 'latin1');
  const header = Buffer.alloc(8);
  header.writeUInt16LE(tag >>> 16, 0);
  header.writeUInt16LE(tag & 0xffff, 2);
  header.write(vr, 4, 'latin1');
  header.writeUInt16LE(value.length, 6);
  return Buffer.concat([header, value]);
}

/** Group lengths say anything: they are not needed, and the object is good. */
export const groupLengthLie: fc.Arbitrary<Session> = fc
  .record({ index: objectIndex, value: fc.oneof(fc.nat(), fc.constantFrom(0, 0xffff_ffff)), chop, leave })
  .map(({ index, value, ...rest }) => {
    const made = object(index);
    const groupLength = Buffer.from('080000005554040000000000', 'hex').fill('UL', 4, 6, 'latin1');
    groupLength.writeUInt16LE(4, 6);
    groupLength.writeUInt32LE(value >>> 0, 8);
    return storeOf(
      'group length lie',
      { dataSet: Buffer.concat([groupLength, made.dataSet]), made, ...rest },
      { whole: true },
    );
  });

const depth = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 70 }) },
  { weight: 1, arbitrary: fc.constantFrom(1000, 10_000) },
);

/** Sequences in sequences: refused beyond 64. */
export const nesting: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    depth,
    form: fc.constantFrom('undefined', 'defined', 'unclosed', 'implicit', 'unknown VR'),
    first: fc.boolean(),
    chop: fc.constant({ at: [] }),
    leave,
  })
  .map(({ index, depth: levels, form, first, ...rest }) => {
    const made = object(index);
    const nest = nested(levels, form);
    const dataSet = Buffer.concat(first ? [nest, made.dataSet] : [made.dataSet, nest]);
    const good = form === 'undefined' && levels < 64;
    const bad = levels > 64 && form !== 'defined' && form !== 'implicit';
    return storeOf(
      'nesting',
      { dataSet, made, ...rest },
      good ? { whole: true } : bad ? { storesMax: 0 } : {},
    );
  });

const itemStart = Buffer.from('feff00e0ffffffff', 'hex');
const itemEnd = Buffer.from('feff0de000000000', 'hex');
const sequenceEnd = Buffer.from('feffdde000000000', 'hex');

function nested(levels: number, form: string): Buffer {
  const head = (vr: string, length: number): Buffer => {
    const bytes = Buffer.from('080040110000000000000000', 'hex');
    bytes.write(vr, 4, 'latin1');
    bytes.writeUInt32LE(length >>> 0, 8);
    return bytes;
  };
  if (form === 'defined') {
    // Lengths from the inside out; quadratic in bytes copied, so not for the deepest.
    let inner: Buffer = Buffer.alloc(0);
    for (let n = 0; n < Math.min(levels, 1000); n += 1) {
      const item = Buffer.from('feff00e000000000', 'hex');
      item.writeUInt32LE(inner.length, 4);
      inner = Buffer.concat([head('SQ', item.length + inner.length), item, inner]);
    }
    return inner;
  }
  const open =
    form === 'implicit'
      ? Buffer.concat([Buffer.from('08004011ffffffff', 'hex'), itemStart])
      : Buffer.concat([head(form === 'unknown VR' ? 'UN' : 'SQ', 0xffff_ffff), itemStart]);
  const close = form === 'unclosed' ? [] : Array<Buffer>(levels).fill(Buffer.concat([itemEnd, sequenceEnd]));
  return Buffer.concat([...Array<Buffer>(levels).fill(open), ...close]);
}

/** Items and delimiters where none belong, undefined lengths where none may be. */
export const strayStructure: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    what: fc.constantFrom(
      itemStart,
      itemEnd,
      sequenceEnd,
      explicitText(0xfffe_e00d, 'UL', ''),
      Buffer.from('0800401155490000ffffffff', 'hex'),
    ),
    place: fc.nat(22),
    chop,
    leave,
  })
  .map(({ index, what, place, ...rest }) => {
    const made = object(index);
    const places = elementPlaces(made.dataSet);
    const at = places[place % places.length] ?? 0;
    const dataSet = Buffer.concat([made.dataSet.subarray(0, at), what, made.dataSet.subarray(at)]);
    return storeOf('stray structure', { dataSet, made, ...rest }, what.length === 8 ? { storesMax: 0 } : {});
  });

const smallBomb = deflateRawSync(Buffer.alloc(2 * 1024 * 1024), { level: 9 });

/** Deflated: good, cut, garbled, with bytes behind its end, or a bomb in its pixels. */
export const deflated: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    form: fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom('good', 'cut', 'garbled', 'trailed', 'not deflated') },
      { weight: 1, arbitrary: fc.constantFrom('bomb', 'bomb behind') },
    ),
    at: fc.double({ min: 0, max: 0.99, noNaN: true }),
    chop,
    leave,
  })
  .map(({ index, form, at, ...rest }) => {
    const made = object(index);
    const parts = { made, syntax: syntaxes.deflated, ...rest };
    const good = deflateRawSync(made.dataSet);
    const place = Math.floor(at * good.length);
    if (form === 'good') return storeOf('deflated', { dataSet: good, ...parts }, { whole: true });
    if (form === 'trailed')
      return storeOf(
        'deflated',
        { dataSet: Buffer.concat([good, Buffer.alloc(place + 1)]), ...parts },
        { whole: true },
      );
    if (form === 'cut')
      return storeOf('deflated', { dataSet: good.subarray(0, place), ...parts }, { storesMax: 0 });
    if (form === 'garbled') {
      const bytes = Buffer.from(good);
      bytes[place] = bytes.readUInt8(place) ^ 0x55;
      return storeOf('deflated', { dataSet: bytes, ...parts }, {});
    }
    if (form === 'not deflated')
      return storeOf('deflated', { dataSet: made.dataSet, ...parts }, { storesMax: 0 });
    const bomb = form === 'bomb' ? smallBomb : Buffer.concat([good, smallBomb]);
    return storeOf('deflated', { dataSet: bomb, ...parts }, form === 'bomb' ? { storesMax: 0 } : {});
  });

/** Sent in another transfer syntax than agreed on. */
export const otherSyntax: fc.Arbitrary<Session> = fc
  .record({ index: objectIndex, syntax: fc.constantFrom(syntaxes.implicit, syntaxes.big), chop, leave })
  .map(({ index, syntax, ...rest }) => {
    const made = object(index);
    return storeOf('other syntax', { dataSet: made.dataSet, made, syntax, ...rest }, { storesMax: 0 });
  });

/** Hundreds of elements before the UIDs, and elements that hold others' bytes. */
export const elementFlood: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    count: fc.integer({ min: 1, max: 4000 }),
    again: fc.boolean(),
    chop: fc.constant({ at: [] }),
    leave,
  })
  .map(({ index, count, again, ...rest }) => {
    const made = object(index);
    const one = again
      ? explicitText(0x0008_0018, 'UI', made.SOPInstanceUID)
      : explicitText(0x0008_0005, 'CS', '');
    const dataSet = Buffer.concat([
      ...Array<Buffer>(count).fill(one),
      made.dataSet,
      lyingElement(0x7fe1_0010, Buffer.alloc(0)),
    ]);
    return storeOf('element flood', { dataSet, made, ...rest }, { whole: true });
  });
