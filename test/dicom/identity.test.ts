import { describe, expect, test } from 'vitest';
import { decodeText } from '../../src/dicom/character-sets.ts';
import { readIdentity } from '../../src/dicom/identity.ts';
import { type DataElement, element, encodeDataSet, transferSyntaxes } from '../fixtures/dicom-objects.ts';

const elements: DataElement[] = [
  element(0x0008_0005, 'CS', 'ISO_IR 100'),
  element(0x0008_0020, 'DA', '20260115'),
  element(0x0008_0050, 'SH', 'ACC-1'),
  element(0x0008_1030, 'LO', 'Schädel'),
  element(0x0010_0010, 'PN', Buffer.from('M\xfcller^J\xf6rg ', 'latin1')),
  element(0x0010_0020, 'LO', 'P-1'),
  element(0x0010_0030, 'DA', '19700102'),
  element(0x0020_000d, 'UI', '1.2.3.4'),
  element(0x7fe0_0010, 'OW', Buffer.alloc(1024)),
];

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test.each(['explicit-le', 'implicit-le', 'explicit-be'] as const)(
  'is read from the head: %s',
  async (encoding) => {
    const known = elements.filter(({ tag }) => tag !== 0x0008_1030);
    const bytes = encodeDataSet(known, encoding);
    expect(await readIdentity(inPieces(bytes, 7), transferSyntaxes[encoding])).toEqual({
      PatientName: 'Müller^Jörg',
      PatientID: 'P-1',
      PatientBirthDate: '19700102',
      AccessionNumber: 'ACC-1',
      StudyDate: '20260115',
      StudyDescription: null,
    });
  },
);

test('pixel data is not read', async () => {
  let yielded = 0;
  const bytes = encodeDataSet(elements, 'explicit-le');
  async function* source(): AsyncGenerator<Buffer> {
    yield bytes;
    for (;;) {
      yielded += 1;
      yield Buffer.alloc(1024);
    }
  }
  await readIdentity(source(), transferSyntaxes['explicit-le']);
  expect(yielded).toBe(0);
});

describe('character sets (PS3.3 C.12.1.1.2, PS3.5 annexes H to K)', () => {
  test.each([
    { set: '', bytes: 'Smith^Ann', text: 'Smith^Ann' },
    { set: 'ISO_IR 144', bytes: '\xbb\xee\xda\x63\x65\xdc', text: 'Люкceм' },
    { set: 'ISO_IR 192', bytes: Buffer.from('王^小東').toString('latin1'), text: '王^小東' },
    { set: 'GB18030', bytes: '\xcd\xf5^\xd0\xa1\xb6\xab', text: '王^小东' },
    {
      set: '\\ISO 2022 IR 87',
      bytes: 'Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B',
      text: 'Yamada^Tarou=山田^太郎',
    },
    { set: '\\ISO 2022 IR 149', bytes: 'Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7', text: 'Hong=洪^吉洞' },
  ])('$set', ({ set, bytes, text }) => {
    expect(decodeText(Buffer.from(bytes, 'latin1'), set)).toBe(text);
  });
});
