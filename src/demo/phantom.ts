import { randomBytes } from 'node:crypto';
import type {
  SeriesInstanceUID,
  SOPClassUID,
  SOPInstanceUID,
  StudyInstanceUID,
  TransferSyntaxUID,
} from '../dicom/uid.ts';
import { type Attributes, encodeDataSet } from './dicom-writer.ts';
import type { ProposedContext } from './dimse-sender.ts';
import {
  ctRescaleIntercept,
  ctSlicePixels,
  type ImageSize,
  ultrasoundPixels,
  xrayPixels,
} from './phantom-images.ts';

/**
 * The phantom modality: made-up examinations of a made-up patient, valid enough for any archive
 * (PS3.3 A.3, A.7, A.26, A.35.1), with fresh UIDs each time.
 */

export const phantomKinds = ['CT series', 'ultrasound clip', 'digital X-ray', 'structured report'] as const;
export type PhantomKind = (typeof phantomKinds)[number];

export interface PhantomInstance {
  readonly kind: PhantomKind;
  readonly SOPClassUID: SOPClassUID;
  readonly SOPInstanceUID: SOPInstanceUID;
  readonly StudyInstanceUID: StudyInstanceUID;
  readonly SeriesInstanceUID: SeriesInstanceUID;
  readonly TransferSyntaxUID: TransferSyntaxUID;
  /** Explicit VR little endian, without preamble and group 2. */
  readonly dataSet: Buffer;
}

export interface PhantomOptions {
  /** The same seed gives the same pixels. */
  readonly seed: number;
  readonly at: Date;
  readonly slices?: number;
  readonly sliceSize?: ImageSize;
  readonly frames?: number;
  readonly frameSize?: ImageSize;
  readonly xraySize?: ImageSize;
  readonly newUid?: () => string;
}

const sopClasses = {
  'CT series': '1.2.840.10008.5.1.4.1.1.2',
  'ultrasound clip': '1.2.840.10008.5.1.4.1.1.3.1',
  'digital X-ray': '1.2.840.10008.5.1.4.1.1.1.1',
  'structured report': '1.2.840.10008.5.1.4.1.1.88.11',
} as const satisfies Record<PhantomKind, string>;

const explicitLittleEndian = '1.2.840.10008.1.2.1' as TransferSyntaxUID;

/** What the phantom proposes to whom it sends. */
export const phantomContexts: readonly ProposedContext[] = phantomKinds.map((kind) => ({
  SOPClassUID: sopClasses[kind] as SOPClassUID,
  transferSyntaxes: [explicitLittleEndian],
}));

/** How many instances of each kind a round has. */
export function phantomCounts(options: Pick<PhantomOptions, 'slices'> = {}): Record<PhantomKind, number> {
  return {
    'CT series': options.slices ?? slicesDefault,
    'ultrasound clip': 1,
    'digital X-ray': 1,
    'structured report': 1,
  };
}

const slicesDefault = 40;
const sliceSizeDefault: ImageSize = { columns: 512, rows: 512 };
const framesDefault = 20;
const frameSizeDefault: ImageSize = { columns: 640, rows: 480 };
const xraySizeDefault: ImageSize = { columns: 2000, rows: 2500 };

/** One round of examinations, each object built when it is asked for: only one is in memory at a time. */
export function* phantomRound(options: PhantomOptions): Generator<PhantomInstance> {
  const chest = newStudy(options, 'Chest CT');
  yield* ctSeries(options, chest);
  yield ultrasoundClip(options, newStudy(options, 'Heart'));
  yield digitalXray(options, newStudy(options, 'Chest'));
  yield structuredReport(options, chest);
}

/** A random UID of the form of PS3.5 §B.2. */
function randomUid(): string {
  return `2.25.${BigInt(`0x${randomBytes(16).toString('hex')}`)}`;
}

interface Study {
  readonly StudyInstanceUID: StudyInstanceUID;
  readonly attributes: Attributes;
}

interface Series {
  readonly kind: PhantomKind;
  readonly study: Study;
  readonly SeriesInstanceUID: SeriesInstanceUID;
  readonly attributes: Attributes;
}

function uidMaker(options: PhantomOptions): () => string {
  return options.newUid ?? randomUid;
}

/** Patient, General Study and General Equipment modules, and what all objects of a study share. */
function newStudy(options: PhantomOptions, description: string): Study {
  const uid = uidMaker(options)() as StudyInstanceUID;
  const { date, time } = dicomTime(options.at);
  const attributes: Attributes = {
    SpecificCharacterSet: 'ISO_IR 192',
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    StudyDate: date,
    StudyTime: time,
    ContentDate: date,
    ContentTime: time,
    AccessionNumber: '',
    Manufacturer: 'Gantry',
    ManufacturerModelName: 'Phantom modality',
    InstitutionName: 'Gantry demo',
    DeviceSerialNumber: '1',
    SoftwareVersions: '1',
    ReferringPhysicianName: '',
    StudyDescription: `${description} (phantom, not a patient)`,
    PatientName: 'PHANTOM^GANTRY',
    PatientID: 'PHANTOM-1',
    PatientBirthDate: '',
    PatientSex: 'O',
    StudyInstanceUID: uid,
    StudyID: '1',
  };
  return { StudyInstanceUID: uid, attributes };
}

function newSeries(options: PhantomOptions, kind: PhantomKind, study: Study, attributes: Attributes): Series {
  return { kind, study, SeriesInstanceUID: uidMaker(options)() as SeriesInstanceUID, attributes };
}

function instance(options: PhantomOptions, series: Series, attributes: Attributes): PhantomInstance {
  const { kind, study, SeriesInstanceUID } = series;
  const SOPClassUID = sopClasses[kind] as SOPClassUID;
  const SOPInstanceUID = uidMaker(options)() as SOPInstanceUID;
  const dataSet = encodeDataSet({
    ...study.attributes,
    ...series.attributes,
    ...attributes,
    SOPClassUID,
    SOPInstanceUID,
    SeriesInstanceUID,
  });
  return {
    kind,
    SOPClassUID,
    SOPInstanceUID,
    StudyInstanceUID: study.StudyInstanceUID,
    SeriesInstanceUID,
    TransferSyntaxUID: explicitLittleEndian,
    dataSet,
  };
}

function* ctSeries(options: PhantomOptions, study: Study): Generator<PhantomInstance> {
  const { seed, slices = slicesDefault, sliceSize = sliceSizeDefault } = options;
  const spacing = 360 / sliceSize.columns;
  const series = newSeries(options, 'CT series', study, {
    ImageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'],
    Modality: 'CT',
    SeriesDescription: 'Phantom axial',
    SeriesNumber: 1,
    BodyPartExamined: 'CHEST',
    PatientPosition: 'HFS',
    KVP: 120,
    SliceThickness: 5,
    AcquisitionNumber: 1,
    FrameOfReferenceUID: uidMaker(options)(),
    PositionReferenceIndicator: '',
    ImageOrientationPatient: [1, 0, 0, 0, 1, 0],
    PixelSpacing: [spacing, spacing],
    ...greyImage(sliceSize, 12),
    RescaleIntercept: ctRescaleIntercept,
    RescaleSlope: 1,
    RescaleType: 'HU',
    WindowCenter: 40,
    WindowWidth: 400,
  });
  for (let slice = 0; slice < slices; slice++) {
    const pixels = ctSlicePixels(sliceSize, slice / slices, seed + slice);
    yield instance(options, series, {
      InstanceNumber: slice + 1,
      ImagePositionPatient: [-180, -180, -5 * slice],
      SliceLocation: -5 * slice,
      PixelData: bytesOf(pixels),
    });
  }
}

function ultrasoundClip(options: PhantomOptions, study: Study): PhantomInstance {
  const { seed, frames = framesDefault, frameSize = frameSizeDefault } = options;
  const series = newSeries(options, 'ultrasound clip', study, {
    Modality: 'US',
    SeriesDescription: 'Phantom loop',
    SeriesNumber: 1,
  });
  return instance(options, series, {
    ImageType: ['ORIGINAL', 'PRIMARY'],
    InstanceNumber: 1,
    PatientOrientation: '',
    FrameTime: 40,
    NumberOfFrames: frames,
    FrameIncrementPointer: 0x0018_1063,
    SamplesPerPixel: 3,
    PhotometricInterpretation: 'RGB',
    PlanarConfiguration: 0,
    Rows: frameSize.rows,
    Columns: frameSize.columns,
    BitsAllocated: 8,
    BitsStored: 8,
    HighBit: 7,
    PixelRepresentation: 0,
    BurnedInAnnotation: 'NO',
    LossyImageCompression: '00',
    PixelData: ultrasoundPixels(frameSize, frames, seed),
  });
}

function digitalXray(options: PhantomOptions, study: Study): PhantomInstance {
  const { seed, xraySize = xraySizeDefault } = options;
  const series = newSeries(options, 'digital X-ray', study, {
    Modality: 'DX',
    PresentationIntentType: 'FOR PRESENTATION',
    SeriesDescription: 'Phantom frontal',
    SeriesNumber: 1,
    BodyPartExamined: 'CHEST',
  });
  return instance(options, series, {
    ImageType: ['ORIGINAL', 'PRIMARY', ''],
    AcquisitionDate: series.study.attributes.StudyDate ?? '',
    AcquisitionTime: series.study.attributes.StudyTime ?? '',
    InstanceNumber: 1,
    AcquisitionNumber: 1,
    ViewPosition: 'PA',
    ImageLaterality: 'U',
    AnatomicRegionSequence: [code('51185008', 'SCT', 'Chest')],
    AcquisitionContextSequence: [],
    PatientOrientation: ['L', 'F'],
    DetectorType: 'DIRECT',
    ImagerPixelSpacing: [0.17, 0.17],
    ...greyImage(xraySize, 14),
    BurnedInAnnotation: 'NO',
    PixelIntensityRelationship: 'LOG',
    PixelIntensityRelationshipSign: -1,
    RescaleIntercept: 0,
    RescaleSlope: 1,
    RescaleType: 'US',
    WindowCenter: 5000,
    WindowWidth: 10_000,
    PresentationLUTShape: 'IDENTITY',
    LossyImageCompression: '00',
    PixelData: bytesOf(xrayPixels(xraySize, seed)),
  });
}

function structuredReport(options: PhantomOptions, study: Study): PhantomInstance {
  const series = newSeries(options, 'structured report', study, {
    Modality: 'SR',
    SeriesDescription: 'Phantom report',
    SeriesNumber: 2,
    ReferencedPerformedProcedureStepSequence: [],
  });
  return instance(options, series, {
    InstanceNumber: 1,
    PerformedProcedureCodeSequence: [],
    CompletionFlag: 'COMPLETE',
    VerificationFlag: 'UNVERIFIED',
    ValueType: 'CONTAINER',
    ConceptNameCodeSequence: [code('11528-7', 'LN', 'Radiology Report')],
    ContinuityOfContent: 'SEPARATE',
    ContentSequence: [
      textItem(code('121071', 'DCM', 'Finding'), 'A body of ellipses with two lungs, a heart and a spine.'),
      textItem(code('121077', 'DCM', 'Conclusion'), 'This is a phantom. No patient was examined.'),
    ],
  });
}

function textItem(meaning: Attributes, value: string): Attributes {
  return {
    RelationshipType: 'CONTAINS',
    ValueType: 'TEXT',
    ConceptNameCodeSequence: [meaning],
    TextValue: value,
  };
}

function greyImage({ columns, rows }: ImageSize, bitsStored: number): Attributes {
  return {
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: rows,
    Columns: columns,
    BitsAllocated: 16,
    BitsStored: bitsStored,
    HighBit: bitsStored - 1,
    PixelRepresentation: 0,
  };
}

function code(value: string, scheme: string, meaning: string): Attributes {
  return { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning };
}

function bytesOf(pixels: Uint16Array): Buffer {
  return Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
}

/** DA and TM of a moment, UTC. */
function dicomTime(at: Date): { date: string; time: string } {
  const digits = at.toISOString().replace(/[^0-9]/g, '');
  return { date: digits.slice(0, 8), time: digits.slice(8, 14) };
}
