import { createHash, randomBytes } from 'node:crypto';
import { part10Header } from './part10.ts';
import { tags } from './tags.ts';
import type {
  SeriesInstanceUID,
  SOPClassUID,
  SOPInstanceUID,
  StudyInstanceUID,
  TransferSyntaxUID,
} from './uid.ts';

/** A study of one image that is nobody's, says so in words and in the picture, and can be sent to an archive. */
export interface TestStudy {
  readonly SOPClassUID: SOPClassUID;
  readonly SOPInstanceUID: SOPInstanceUID;
  readonly StudyInstanceUID: StudyInstanceUID;
  readonly SeriesInstanceUID: SeriesInstanceUID;
  readonly TransferSyntaxUID: TransferSyntaxUID;
  /** As a Part 10 file. */
  readonly file: Buffer;
  /** Of the data set without group 2, hex. */
  readonly dataSetSha256: string;
}

/** What it is found by at the archive. */
export const testStudyLabels = {
  PatientName: 'GANTRY^TEST',
  PatientID: 'GANTRY-TEST',
  StudyDescription: 'GANTRY TEST IMAGE, NOT A PATIENT',
} as const;

const secondaryCapture = '1.2.840.10008.5.1.4.1.1.7' as SOPClassUID;
const explicitVrLittleEndian = '1.2.840.10008.1.2.1' as TransferSyntaxUID;
const side = 256;

/** @param at milliseconds since the epoch: date and time of the study, in UTC */
export function makeTestStudy(at: number): TestStudy {
  const uids = {
    SOPInstanceUID: newUid() as SOPInstanceUID,
    StudyInstanceUID: newUid() as StudyInstanceUID,
    SeriesInstanceUID: newUid() as SeriesInstanceUID,
  };
  const [day, time] = new Date(at)
    .toISOString()
    .replaceAll(/[-:]|\..*$/g, '')
    .split('T');
  const elements: [tag: number, vr: string, value: string | number | Buffer][] = [
    [tags.SOPClassUID, 'UI', secondaryCapture],
    [tags.SOPInstanceUID, 'UI', uids.SOPInstanceUID],
    [tags.StudyDate, 'DA', day ?? ''],
    [0x0008_0030, 'TM', time ?? ''],
    [tags.AccessionNumber, 'SH', ''],
    [tags.Modality, 'CS', 'OT'],
    [0x0008_0064, 'CS', 'SYN'],
    [0x0008_0090, 'PN', ''],
    [tags.StudyDescription, 'LO', testStudyLabels.StudyDescription],
    [tags.PatientName, 'PN', testStudyLabels.PatientName],
    [tags.PatientID, 'LO', testStudyLabels.PatientID],
    [tags.PatientBirthDate, 'DA', ''],
    [0x0010_0040, 'CS', ''],
    [tags.StudyInstanceUID, 'UI', uids.StudyInstanceUID],
    [tags.SeriesInstanceUID, 'UI', uids.SeriesInstanceUID],
    [0x0020_0010, 'SH', ''],
    [0x0020_0011, 'IS', '1'],
    [tags.InstanceNumber, 'IS', '1'],
    [0x0020_0020, 'CS', ''],
    [tags.SamplesPerPixel, 'US', 1],
    [tags.PhotometricInterpretation, 'CS', 'MONOCHROME2'],
    [tags.Rows, 'US', side],
    [tags.Columns, 'US', side],
    [tags.BitsAllocated, 'US', 8],
    [0x0028_0101, 'US', 8],
    [0x0028_0102, 'US', 7],
    [0x0028_0103, 'US', 0],
    [0x0028_0301, 'CS', 'YES'],
    [tags.PixelData, 'OB', picture()],
  ];
  const dataSet = Buffer.concat(elements.map(([tag, vr, value]) => encode(tag, vr, value)));
  const meta = {
    SOPClassUID: secondaryCapture,
    TransferSyntaxUID: explicitVrLittleEndian,
    SOPInstanceUID: uids.SOPInstanceUID,
  };
  return {
    ...meta,
    ...uids,
    file: Buffer.concat([part10Header(meta), dataSet]),
    dataSetSha256: createHash('sha256').update(dataSet).digest('hex'),
  };
}

/** PS3.5 §B.2. */
function newUid(): string {
  return `2.25.${BigInt(`0x${randomBytes(16).toString('hex')}`)}`;
}

/** Explicit VR Little Endian (PS3.5 §7.1.2). */
function encode(tag: number, vr: string, value: string | number | Buffer): Buffer {
  const bytes = typeof value === 'number' ? shortOf(value) : Buffer.from(value as string);
  const padded =
    bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from(vr === 'UI' ? '\0' : ' ')]);
  const head = Buffer.alloc(vr === 'OB' ? 12 : 8);
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xffff, 2);
  head.write(vr, 4, 'latin1');
  if (vr === 'OB') head.writeUInt32LE(padded.length, 8);
  else head.writeUInt16LE(padded.length, 6);
  return Buffer.concat([head, padded]);
}

function shortOf(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

/** The word TEST, five by seven dots a letter, before grey that grows brighter. */
function picture(): Buffer {
  const letters: Readonly<Record<string, readonly string[]>> = {
    T: ['#####', '..#..', '..#..', '..#..', '..#..', '..#..', '..#..'],
    E: ['#####', '#....', '#....', '####.', '#....', '#....', '#####'],
    S: ['.####', '#....', '#....', '.###.', '....#', '....#', '####.'],
  };
  const dot = 10;
  const [left, top, perLetter] = [10, 90, 6];
  const pixels = Buffer.alloc(side * side);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const [column, row] = [Math.floor((x - left) / dot), Math.floor((y - top) / dot)];
      const letter = letters['TEST'[Math.floor(column / perLetter)] ?? ''];
      const inked = column >= 0 && letter?.[row]?.[column % perLetter] === '#';
      pixels[y * side + x] = inked ? 255 : Math.floor(x / 2);
    }
  }
  return pixels;
}
