import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import dicomParser from 'dicom-parser';
import { afterEach, describe, expect, it } from 'vitest';
import { type PhantomInstance, phantomCounts, phantomKinds, phantomRound } from '../../src/demo/phantom.ts';

const small = {
  at: new Date('2026-01-02T03:04:05Z'),
  slices: 3,
  sliceSize: { columns: 64, rows: 64 },
  frames: 2,
  frameSize: { columns: 64, rows: 48 },
  xraySize: { columns: 50, rows: 70 },
} as const;

function countingUids(): () => string {
  let next = 0;
  return () => `2.25.${++next}`;
}

/** The data sets of a round whose UIDs are always the same. */
function pixelsOf(seed: number): Buffer[] {
  return phantomRound({ ...small, seed, newUid: countingUids() })
    .map(({ dataSet }) => dataSet)
    .toArray();
}

const directories: string[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

describe('a phantom round', () => {
  it('is the same for the same seed and differs for another', () => {
    const once = pixelsOf(7);
    const again = pixelsOf(7);
    const other = pixelsOf(8);
    expect(once.map((bytes, index) => bytes.equals(again[index] ?? Buffer.alloc(0)))).not.toContain(false);
    // All but the report have pixels.
    expect(once.map((bytes, index) => bytes.equals(other[index] ?? Buffer.alloc(0)))).toEqual([
      false,
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  it('has fresh UIDs each time, and as many objects of each kind as it says', () => {
    const instances = [...phantomRound({ ...small, seed: 1 }), ...phantomRound({ ...small, seed: 1 })];
    const uids = instances.map(({ SOPInstanceUID }) => SOPInstanceUID);
    expect(new Set(uids).size).toBe(12);
    expect(uids.every((uid) => /^2\.25\.[1-9][0-9]{0,38}$/.test(uid))).toBe(true);
    for (const kind of phantomKinds) {
      expect(instances.filter((instance) => instance.kind === kind)).toHaveLength(
        2 * phantomCounts(small)[kind],
      );
    }
  });

  it('builds one object at a time, when it is asked for', () => {
    const uid = countingUids();
    let made = 0;
    const round = phantomRound({ ...small, seed: 1, newUid: () => (made++, uid()) });
    expect(made).toBe(0);
    round.next();
    const afterFirst = made;
    round.next();
    // The second slice adds its own SOP Instance UID and nothing else.
    expect(made - afterFirst).toBe(1);
  });

  it('says of each object what its data set says, names nobody real and fills its image', () => {
    for (const instance of phantomRound({ ...small, seed: 1 })) {
      const parsed = dicomParser.parseDicom(instance.dataSet, {
        TransferSyntaxUID: instance.TransferSyntaxUID,
      });
      expect(parsed.string('x00080016')).toBe(instance.SOPClassUID);
      expect(parsed.string('x00080018')).toBe(instance.SOPInstanceUID);
      expect(parsed.string('x0020000d')).toBe(instance.StudyInstanceUID);
      expect(parsed.string('x0020000e')).toBe(instance.SeriesInstanceUID);
      expect(parsed.string('x00100010')).toBe('PHANTOM^GANTRY');
      expect(parsed.elements['x7fe00010']?.length ?? 0).toBe(pixelBytes(instance, parsed));
    }
  });
});

function pixelBytes({ kind }: PhantomInstance, parsed: dicomParser.DataSet): number {
  if (kind === 'structured report') return 0;
  const number = (tag: string): number => parsed.uint16(tag) ?? 0;
  const frames = Number(parsed.string('x00280008') ?? 1);
  return number('x00280010') * number('x00280011') * number('x00280002') * (number('x00280100') / 8) * frames;
}

/** Type 1 attributes of the objects' modules (PS3.3 A.3, A.7, A.26, A.35.1), by DCMTK's names. */
const patientAndStudy = 'SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality';
const image =
  'SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored HighBit PixelData';
const mandatory: Readonly<Record<string, string>> = {
  'CT series': `${image} ImageType PixelSpacing ImageOrientationPatient ImagePositionPatient FrameOfReferenceUID RescaleIntercept RescaleSlope`,
  'ultrasound clip': `${image} PlanarConfiguration NumberOfFrames FrameIncrementPointer FrameTime`,
  'digital X-ray': `${image} ImageType PresentationIntentType PixelIntensityRelationship PixelIntensityRelationshipSign RescaleIntercept RescaleSlope RescaleType PresentationLUTShape LossyImageCompression BurnedInAnnotation PatientOrientation ImageLaterality DetectorType ImagerPixelSpacing WindowCenter`,
  'structured report':
    'SeriesNumber InstanceNumber CompletionFlag VerificationFlag ContentDate ContentTime ValueType ConceptNameCodeSequence ContinuityOfContent ContentSequence',
};

describe.skipIf(!existsSync('/usr/bin/dcmdump'))(
  'read by DCMTK (skipped where DCMTK is not installed)',
  () => {
    it('every object has its mandatory attributes with a value, and no warning', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'gantry-test-'));
      directories.push(directory);
      for (const { kind, dataSet } of phantomRound({ ...small, slices: 1, seed: 1 })) {
        const path = join(directory, 'object');
        await writeFile(path, dataSet);
        const dump = execFileSync('/usr/bin/dcmdump', ['-f', '-te', path], {
          encoding: 'utf8',
          stdio: 'pipe',
        });
        for (const keyword of `${patientAndStudy} ${mandatory[kind]}`.split(' ')) {
          expect(dump, `${kind}: ${keyword}`).toMatch(
            new RegExp(`^\\([^)]*\\) .. (?!\\(no value).*\\b${keyword}$`, 'm'),
          );
        }
        expect(dump).not.toMatch(/^[WE]:/m);
      }
    });

    it('the report is a valid document for dsrdump', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'gantry-test-'));
      directories.push(directory);
      const report = phantomRound({ ...small, seed: 1 }).find(({ kind }) => kind === 'structured report');
      const path = join(directory, 'report');
      await writeFile(path, report?.dataSet ?? '');
      const text = execFileSync('/usr/bin/dsrdump', ['-f', '-te', path], { encoding: 'utf8', stdio: 'pipe' });
      expect(text).toContain('This is a phantom.');
    });
  },
);
