import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tags } from '../../src/dicom/tags.ts';
import { transferSyntax } from '../../src/dicom/transfer-syntaxes.ts';
import { LengthWalker, type WalkVerdict } from '../../src/dicom/walker.ts';
import {
  ctSlice,
  type DataElement,
  type Encoding,
  element,
  encodeDataSet,
  type SequenceValue,
  srDocument,
  transferSyntaxes,
  usMultiframe,
} from '../fixtures/dicom-objects.ts';

const encodings: readonly Encoding[] = ['explicit-le', 'implicit-le', 'explicit-be'];

function walkerFor(encoding: Encoding): LengthWalker {
  return new LengthWalker(transferSyntax(transferSyntaxes[encoding]));
}

function walk(bytes: Buffer, encoding: Encoding, chunkBytes = bytes.length || 1): WalkVerdict {
  const walker = walkerFor(encoding);
  for (let at = 0; at < bytes.length; at += chunkBytes) walker.push(bytes.subarray(at, at + chunkBytes));
  return walker.finish();
}

/** Elements of every shape, nested up to three deep. */
const anyElements: fc.Arbitrary<DataElement[]> = fc.letrec<{ elements: DataElement[] }>((tie) => {
  const tag = fc.integer({ min: 0x0008_0000, max: 0x7fdf_ffff });
  const bytes = fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each));
  const text = fc.record({
    tag,
    vr: fc.constantFrom('LO', 'UI', 'PN', 'UT'),
    value: fc.string({ maxLength: 20 }),
  });
  const bulk = fc.record({ tag, vr: fc.constantFrom('OB', 'UN', 'OF', 'UC', 'SV'), value: bytes });
  const numbers = fc.record({
    tag,
    vr: fc.constant('US'),
    value: fc.array(fc.nat({ max: 0xffff }), { maxLength: 4 }),
  });
  const pixels = fc.record({
    tag: fc.constant(tags.PixelData),
    vr: fc.constant('OB'),
    value: fc.record({ offsetTable: bytes, fragments: fc.array(bytes, { maxLength: 3 }) }),
  });
  const sequence = fc.record({
    tag,
    vr: fc.constant('SQ'),
    value: fc.record({
      items: fc.array(tie('elements'), { maxLength: 3 }),
      lengths: fc.constantFrom('defined' as const, 'undefined' as const),
    }),
  });
  return {
    elements: fc.array(fc.oneof({ depthSize: 'small', maxDepth: 3 }, text, bulk, numbers, pixels, sequence), {
      maxLength: 5,
    }),
  };
}).elements;

describe('a valid data set', () => {
  test('is complete, however it is nested and wherever it is cut into chunks', () => {
    fc.assert(
      fc.property(
        anyElements.filter((elements) => elements.length > 0),
        fc.constantFrom(...encodings),
        fc.integer({ min: 1, max: 64 }),
        (elements, encoding, chunkBytes) => {
          const bytes = encodeDataSet(elements, encoding);
          expect(walk(bytes, encoding, chunkBytes)).toEqual({ kind: 'complete' });
          expect(walk(bytes, encoding)).toEqual({ kind: 'complete' });
        },
      ),
      { seed: 1, numRuns: 400 },
    );
  });

  test('is flagged as truncated by every cut that is not between two top-level elements', () => {
    fc.assert(
      fc.property(
        anyElements.filter((elements) => elements.length > 0),
        fc.constantFrom(...encodings),
        (elements, encoding) => {
          const bytes = encodeDataSet(elements, encoding);
          const edges = new Set([0]);
          let edge = 0;
          for (const each of elements) edges.add((edge += encodeDataSet([each], encoding).length));
          for (let cut = 0; cut <= bytes.length; cut++) {
            const verdict = walk(bytes.subarray(0, cut), encoding);
            expect(verdict.kind, `cut at ${cut}`).toBe(cut > 0 && edges.has(cut) ? 'complete' : 'truncated');
          }
        },
      ),
      { seed: 2, numRuns: 150 },
    );
  });

  test.each(encodings)('of the fixtures is complete in %s', (encoding) => {
    expect(walk(ctSlice({ rows: 16, columns: 16, seed: 1, encoding }).dataSet, encoding, 7).kind).toBe(
      'complete',
    );
    expect(walk(srDocument({ encoding }).dataSet, encoding, 5).kind).toBe('complete');
    const us = usMultiframe({ rows: 8, columns: 8, frames: 3, seed: 1 });
    expect(walk(us.dataSet, 'explicit-le', 11).kind).toBe('complete');
  });
});

test('random bytes never throw, in any encoding', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.constantFrom(...encodings),
      fc.integer({ min: 1, max: 20 }),
      (bytes, encoding, chunkBytes) => {
        const whole = walk(Buffer.from(bytes), encoding);
        expect(walk(Buffer.from(bytes), encoding, chunkBytes)).toEqual(whole);
      },
    ),
    { seed: 3, numRuns: 2000 },
  );
});

test('a data set with one byte changed never throws, and gives the same verdict in any chunking', () => {
  const good = srDocument({ findings: ['a', 'b'] }).dataSet;
  fc.assert(
    fc.property(
      fc.nat({ max: good.length - 1 }),
      fc.nat({ max: 255 }),
      fc.integer({ min: 1, max: 50 }),
      (at, byte, chunkBytes) => {
        const bytes = Buffer.from(good);
        bytes[at] = byte;
        expect(walk(bytes, 'explicit-le', chunkBytes)).toEqual(walk(bytes, 'explicit-le'));
      },
    ),
    { seed: 4, numRuns: 1000 },
  );
});

function nested(depth: number, lengths: SequenceValue['lengths']): DataElement {
  let inner = element(0x0040_a160, 'UT', 'x');
  for (let level = 0; level < depth; level++)
    inner = element(0x0040_a730, 'SQ', { lengths, items: [[inner]] });
  return inner;
}

test.each(['defined', 'undefined'] as const)('64 levels of %s length are taken, 65 are not', (lengths) => {
  expect(walk(encodeDataSet([nested(64, lengths)], 'explicit-le'), 'explicit-le').kind).toBe('complete');
  expect(walk(encodeDataSet([nested(65, lengths)], 'explicit-le'), 'explicit-le')).toMatchObject({
    kind: 'bad-structure',
    code: 'DICOM_TOO_DEEP',
  });
});

describe('lying and misplaced lengths', () => {
  const item = (length: number, ...inside: Buffer[]) =>
    Buffer.concat([Buffer.from([0xfe, 0xff, 0x00, 0xe0]), le32(length), ...inside]);
  const sequence = (length: number, ...inside: Buffer[]) =>
    Buffer.concat([Buffer.from([0x08, 0x00, 0x15, 0x11]), Buffer.from('SQ\0\0'), le32(length), ...inside]);
  const value = encodeDataSet([element(0x0008_0060, 'CS', 'CT')], 'explicit-le');
  const undefinedLength = 0xffff_ffff;

  test.each([
    ['an item longer than its sequence', sequence(18, item(40, value)), 'DICOM_INNER_LENGTH'],
    ['a value longer than its item', sequence(17, item(9, value)), 'DICOM_INNER_LENGTH'],
    [
      'an item without its delimiter',
      sequence(18, item(undefinedLength, value), value),
      'DICOM_INNER_LENGTH',
    ],
    ['an element where an item belongs', sequence(undefinedLength, value), 'DICOM_NOT_AN_ITEM'],
    [
      'a delimiter outside a sequence',
      Buffer.from([0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0]),
      'DICOM_STRAY_DELIMITER',
    ],
    ['an item outside a sequence', item(0), 'DICOM_STRAY_DELIMITER'],
    [
      'text of undefined length',
      Buffer.concat([Buffer.from([0x40, 0x00, 0x60, 0xa1]), Buffer.from('UT\0\0'), le32(undefinedLength)]),
      'DICOM_UNDEFINED_LENGTH',
    ],
  ])('%s', (_what, bytes, code) => {
    const walker = walkerFor('explicit-le');
    walker.push(Buffer.concat([bytes, value, value]));
    expect(walker.failure?.code).toBe(code);
    expect(walker.finish()).toMatchObject({ kind: 'bad-structure', code });
  });

  test('one element that claims 4 GiB is truncated, not believed', () => {
    const claims = Buffer.concat([
      Buffer.from([0xe0, 0x7f, 0x10, 0x00]),
      Buffer.from('OW\0\0'),
      le32(0xffff_fffe),
      Buffer.alloc(1000),
    ]);
    expect(walk(claims, 'explicit-le').kind).toBe('truncated');
  });
});

describe('unusual but readable encodings', () => {
  const tag = Buffer.from([0x09, 0x00, 0x10, 0x10]);
  const after = encodeDataSet([element(0x0010_0020, 'LO', 'X')], 'explicit-le');

  test.each([
    ['a VR of two spaces, short form', Buffer.concat([tag, Buffer.from('  \x02\0ab')])],
    ['a VR of question marks', Buffer.concat([tag, Buffer.from('??\x02\0ab')])],
    [
      'a VR of a later standard, long form',
      Buffer.concat([tag, Buffer.from('ZZ\0\0'), le32(3), Buffer.from('abc')]),
    ],
    ['an unknown VR of the short form', Buffer.concat([tag, Buffer.from('ZZ\x02\0ab')])],
    ['no VR at all among explicit ones', Buffer.concat([tag, le32(4), Buffer.from('abcd')])],
    ['an odd length', Buffer.concat([tag, Buffer.from('LO\x03\0abc')])],
    [
      'UN of undefined length with implicit items',
      Buffer.concat([
        tag,
        Buffer.from('UN\0\0'),
        le32(0xffff_ffff),
        Buffer.from([0xfe, 0xff, 0x00, 0xe0]),
        le32(0xffff_ffff),
        encodeDataSet([element(0x0008_0060, 'CS', 'CT')], 'implicit-le'),
        Buffer.from([0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0]),
        Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]),
      ]),
    ],
  ])('%s', (_what, bytes) => {
    const seen: string[] = [];
    const walker = new LengthWalker(transferSyntax(transferSyntaxes['explicit-le']), {
      wanted: new Set([tags.PatientID]),
      value: (_tag, value) => seen.push(value.toString()),
    });
    walker.push(Buffer.concat([bytes, after]));
    expect(walker.finish()).toEqual({ kind: 'complete' });
    expect(seen, 'the element behind it is found at its place').toEqual(['X ']);
  });
});

function le32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
