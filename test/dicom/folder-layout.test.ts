import { describe, expect, test } from 'vitest';
import { defaultLayout, layoutFault, layoutPath, type Placement } from '../../src/dicom/folder-layout.ts';

const plain: Placement = {
  StudyInstanceUID: '1.2.3',
  SeriesInstanceUID: '1.2.3.4',
  SOPInstanceUID: '1.2.3.4.5',
  Modality: 'CT',
  callingAeTitle: 'CT1',
  receivedAt: Date.parse('2026-01-31T23:30:00Z'),
};
const everything = '{date}/{modality}-{callingAe}/{study}.{studyHash}/{series}/{instance}_{instanceHash}.dcm';

describe('the layout of a folder', () => {
  test('puts an image where its tokens say', () => {
    expect(layoutPath(defaultLayout, plain, 'UTC')).toBe('1.2.3/1.2.3.4/1.2.3.4.5.dcm');
    expect(layoutPath('{date}/{modality}/{callingAe}/{instance}', plain, 'Europe/Berlin')).toBe(
      '20260201/CT/CT1/1.2.3.4.5',
    );
    expect(layoutPath('{study}/{series}/{instance}', { ...plain, StudyInstanceUID: null }, 'UTC')).toBe(
      'none/1.2.3.4/1.2.3.4.5',
    );
  });

  const hostile = [
    '..',
    '.',
    '/',
    '/etc/passwd',
    '../../etc',
    'a/../b',
    '..\\..',
    'a\0b',
    '\0',
    '',
    ' ',
    '-rf',
    '.hidden',
    '1.2/../..',
    '1..2',
    'x'.repeat(10_000),
    '９.９',
    'é\u202e',
    '$(id)',
    '{instance}',
    '$&',
    'CON',
  ];
  test.each(hostile)('lets %j lead nowhere', (value) => {
    const ref = {
      StudyInstanceUID: value,
      SeriesInstanceUID: value,
      SOPInstanceUID: value,
      Modality: value,
      callingAeTitle: value,
      receivedAt: 0,
    };
    expect(layoutFault(everything)).toBeNull();
    const levels = layoutPath(everything, ref, 'UTC').split('/');
    expect(levels).toHaveLength(everything.split('/').length);
    for (const level of levels) {
      expect(level).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/);
      expect(Buffer.byteLength(level)).toBeLessThanOrEqual(255);
    }
  });

  test('gives images of different UIDs different files, hostile ones too', () => {
    const files = hostile.map((SOPInstanceUID) =>
      layoutPath('{instance}', { ...plain, SOPInstanceUID }, 'UTC'),
    );
    expect(new Set(files).size).toBe(hostile.length);
  });

  test.each([
    '/{instance}',
    '{instance}/',
    'a//{instance}',
    '../{instance}',
    './{instance}',
    '.{instance}',
    'a b/{instance}',
    'a\\{instance}',
    'a\0{instance}',
    '{instance',
    'instance}',
    '{{instance}}',
    '{}{instance}',
    '{Instance}',
    '{study}/{series}',
    '',
    `${'a'.repeat(61)}{instance}`,
    '{study}{series}{instance}{date}',
    `${'a/'.repeat(8)}{instance}`,
  ])('is refused as %j', (layout) => {
    expect(layoutFault(layout)).not.toBeNull();
  });
});
