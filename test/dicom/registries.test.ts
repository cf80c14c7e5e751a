import { describe, expect, test } from 'vitest';
import {
  isStorageSopClass,
  isUnknownSopClass,
  knownNonStorage,
  sopClassName,
  storageCommitmentPushSopClass,
  verificationSopClass,
} from '../../src/dicom/sop-classes.ts';
import { errorComment, storeStatuses } from '../../src/dicom/statuses.ts';
import {
  knownTransferSyntaxes,
  preferredTransferSyntax,
  transferSyntax,
} from '../../src/dicom/transfer-syntaxes.ts';
import { parseUid } from '../../src/dicom/uid.ts';

const implicitLE = '1.2.840.10008.1.2';
const explicitLE = '1.2.840.10008.1.2.1';
const deflatedLE = '1.2.840.10008.1.2.1.99';
const explicitBE = '1.2.840.10008.1.2.2';
const jpegBaseline = '1.2.840.10008.1.2.4.50';
const jpegLossless = '1.2.840.10008.1.2.4.70';
const jpegLs = '1.2.840.10008.1.2.4.80';
const jpip = '1.2.840.10008.1.2.4.94';
const unknown = '1.3.6.1.4.1.99999.1';

describe('transfer syntaxes', () => {
  test('are all legal UIDs and name their encoding', () => {
    for (const syntax of knownTransferSyntaxes.values()) expect(parseUid(syntax.uid)).toBe(syntax.uid);
    expect(transferSyntax(implicitLE)).toMatchObject({ explicitVr: false, encapsulated: false });
    expect(transferSyntax(explicitBE)).toMatchObject({ explicitVr: true, bigEndian: true });
    const deflated = [...knownTransferSyntaxes.values()]
      .filter((each) => each.deflated)
      .map((each) => each.uid);
    expect(deflated).toEqual([deflatedLE, '1.2.840.10008.1.2.4.95', '1.2.840.10008.1.2.4.205']);
    for (const last of ['201', '202', '203', '110', '111', '112']) {
      expect(knownTransferSyntaxes.get(`1.2.840.10008.1.2.4.${last}`)?.encapsulated).toBe(true);
    }
  });

  test('an unknown one is followed as explicit little endian with fragments, not inflated', () => {
    expect(transferSyntax(unknown)).toMatchObject({
      explicitVr: true,
      bigEndian: false,
      deflated: false,
      encapsulated: true,
    });
  });

  test.each([
    [[implicitLE, explicitLE, jpegLs], jpegLs],
    [[jpegLs, jpegLossless, explicitLE], jpegLs],
    [[jpegLossless, jpegLs, explicitLE], jpegLossless],
    [[jpegBaseline, explicitLE, implicitLE], jpegBaseline],
    [[explicitLE, jpegBaseline], explicitLE],
    [[explicitLE, jpegBaseline, jpegLs], jpegLs],
    [[implicitLE, explicitBE, deflatedLE, explicitLE], explicitLE],
    [[implicitLE, explicitBE, deflatedLE], deflatedLE],
    [[implicitLE, explicitBE], explicitBE],
    [[unknown, jpip, implicitLE], implicitLE],
    [[unknown], unknown],
    [[], null],
  ])('of %j is chosen %s', (proposed, chosen) => {
    expect(preferredTransferSyntax(proposed)).toBe(chosen);
  });
});

describe('SOP classes', () => {
  test.each([
    ['1.2.840.10008.5.1.4.1.1.2', 'CT Image Storage'],
    ['1.2.840.10008.5.1.4.1.1.66.7', 'Label Map Segmentation Storage'],
    ['1.2.840.10008.5.1.4.1.1.6', 'Ultrasound Image Storage (retired)'],
    ['1.2.840.10008.5.1.4.38.1', 'Hanging Protocol Storage'],
  ])('%s is storage: %s', (uid, name) => {
    expect(isStorageSopClass(uid)).toBe(true);
    expect(sopClassName(uid)).toBe(name);
  });

  test.each([
    verificationSopClass,
    storageCommitmentPushSopClass,
    '1.2.840.10008.5.1.4.1.2.2.1',
    '1.2.840.10008.3.1.2.3.3',
    '1.2.840.10008.5.1.4.31',
    '1.2.840.10008.5.1.4.1.1.200.4',
    '1.2.840.10008.1.3.10',
  ])('%s is never taken for storage', (uid) => {
    expect(isStorageSopClass(uid)).toBe(false);
    expect(knownNonStorage.has(uid)).toBe(true);
    expect(isUnknownSopClass(uid)).toBe(false);
  });

  test('no class is both, and private ones are neither', () => {
    for (const uid of knownNonStorage) expect(isStorageSopClass(uid)).toBe(false);
    expect(isUnknownSopClass('1.2.840.113619.4.30')).toBe(true);
    expect(sopClassName('1.2.840.113619.4.30')).toBeNull();
  });
});

describe('statuses', () => {
  test('carry words that fit the Error Comment', () => {
    for (const { words } of Object.values(storeStatuses)) expect(errorComment(words)).toBe(words);
  });

  test('an Error Comment is clipped and kept to the default repertoire', () => {
    expect(errorComment('x'.repeat(100))).toHaveLength(64);
    expect(errorComment('a\\b\nc\u00e9')).toBe('a?b?c?');
  });
});
