import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DataSetInspector, type Inspection } from '../../src/dicom/inspector.ts';
import { splitPart10 } from '../../src/dicom/part10.ts';
import { isStorageSopClass } from '../../src/dicom/sop-classes.ts';
import { knownTransferSyntaxes } from '../../src/dicom/transfer-syntaxes.ts';

const corpus = '../shared/corpus';
const present = existsSync(join(corpus, 'manifest.tsv'));
if (!present) process.stderr.write(`skipped: no DICOM corpus at ${corpus}\n`);

const explicitLE = '1.2.840.10008.1.2.1';
const explicitBE = '1.2.840.10008.1.2.2';
const implicitLE = '1.2.840.10008.1.2';

/** Encodings of the files that have no meta information to tell. */
const bareFiles: Readonly<Record<string, string>> = {
  'malformed/ExplVR_BigEndNoMeta.dcm': explicitBE,
  'malformed/meta_missing_tsyntax.dcm': implicitLE,
};

interface Listed {
  readonly path: string;
  readonly SOPClassUID: string;
  readonly SOPInstanceUID: string;
  readonly Modality: string;
  readonly TransferSyntaxUID: string;
  readonly size: string;
}

function manifest(): Listed[] {
  if (!present) return [];
  const lines = readFileSync(join(corpus, 'manifest.tsv'), 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => {
    const [
      path = '',
      ,
      ,
      SOPClassUID = '',
      ,
      Modality = '',
      TransferSyntaxUID = '',
      ,
      size = '',
      SOPInstanceUID = '',
    ] = line.split('\t');
    return { path, SOPClassUID, SOPInstanceUID, Modality, TransferSyntaxUID, size };
  });
}

/** The manifest's dash stands for what is absent. */
function orNull(value: string): string | null {
  return value === '-' ? null : value;
}

async function inspectFile(path: string, chunkBytes = Number.POSITIVE_INFINITY): Promise<Inspection> {
  const split = await splitPart10(createReadStream(join(corpus, path)), { withoutPreamble: 'accept' });
  const inspector = new DataSetInspector(split.TransferSyntaxUID ?? bareFiles[path] ?? explicitLE);
  for await (const bytes of split.dataSet) {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      await inspector.push(bytes.subarray(at, Math.min(at + chunkBytes, bytes.length)));
    }
  }
  return inspector.finish();
}

describe.skipIf(!present)('the corpus', () => {
  const listed = manifest();
  const valid = listed.filter(({ path }) => !path.startsWith('malformed/'));

  test('is the one expected', () => {
    expect(valid.length).toBeGreaterThan(100);
  });

  test.each(valid)('$path is complete, and its facts are those of the manifest', async (file) => {
    const inspection = await inspectFile(file.path);
    if (!inspection.ok) throw new Error(`${inspection.code}: ${inspection.words}`);
    const { facts } = inspection;
    // The manifest takes one bare data set for a file with a preamble and so knows nothing of it.
    if (file.path !== 'odd/no_preamble_dicm_in_data') {
      expect(facts.SOPInstanceUID).toBe(orNull(file.SOPInstanceUID));
      expect(facts.SOPClassUID).toBe(orNull(file.SOPClassUID));
      expect(facts.Modality).toBe(orNull(file.Modality));
    }
    if (facts.image !== null) {
      const { Rows, Columns, NumberOfFrames } = facts.image;
      expect(`${Rows}x${Columns}x${NumberOfFrames}`).toBe(file.size);
    }
    if (file.TransferSyntaxUID !== '-') expect(knownTransferSyntaxes.has(file.TransferSyntaxUID)).toBe(true);
  });

  test('gives the same verdicts in tiny chunks', async () => {
    const odd = valid.filter((file) => /^(?:odd|charset|derived|sr-ko-doc)\//.test(file.path));
    for (const { path } of odd) {
      expect(await inspectFile(path, 13), path).toEqual(await inspectFile(path));
    }
  });

  test('has no standard storage class the registry does not know', () => {
    const standard = valid.filter(({ SOPClassUID }) => SOPClassUID.startsWith('1.2.840.10008.'));
    expect(standard.filter(({ SOPClassUID }) => !isStorageSopClass(SOPClassUID))).toEqual([]);
  });

  test.each([
    ['3gb-bulk-data-truncated', 'truncated'],
    ['MR_truncated.dcm', 'truncated'],
    ['rtplan_truncated.dcm', 'truncated'],
    ['emri_small_jpeg_2k_lossless_too_short.dcm', 'truncated'],
    ['GH179B.dcm', 'truncated'],
    ['no_meta.dcm', 'truncated'],
    ['GH364.dcm', 'unparsable'],
  ])('malformed/%s is %s', async (name, kind) => {
    expect(await inspectFile(`malformed/${name}`)).toMatchObject({ ok: false, kind });
  });

  test('ends with a verdict for every other malformed file', async () => {
    for (const { path } of listed.filter((file) => file.path.startsWith('malformed/'))) {
      expect(typeof (await inspectFile(path, 1000)).ok, path).toBe('boolean');
    }
  });
});
