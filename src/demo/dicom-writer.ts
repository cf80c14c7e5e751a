/**
 * A small writer of DICOM data sets in Explicit VR Little Endian (PS3.5 §7, A.2), for the objects the phantom
 * makes: attributes by keyword. It writes what it is given; it does not check that an object is valid.
 */

/** The attributes known by keyword: tag and value representation (PS3.6 §6). */
const dictionary = {
  SpecificCharacterSet: [0x00080005, 'CS'],
  ImageType: [0x00080008, 'CS'],
  InstanceCreationDate: [0x00080012, 'DA'],
  InstanceCreationTime: [0x00080013, 'TM'],
  SOPClassUID: [0x00080016, 'UI'],
  SOPInstanceUID: [0x00080018, 'UI'],
  StudyDate: [0x00080020, 'DA'],
  SeriesDate: [0x00080021, 'DA'],
  AcquisitionDate: [0x00080022, 'DA'],
  ContentDate: [0x00080023, 'DA'],
  StudyTime: [0x00080030, 'TM'],
  SeriesTime: [0x00080031, 'TM'],
  AcquisitionTime: [0x00080032, 'TM'],
  ContentTime: [0x00080033, 'TM'],
  AccessionNumber: [0x00080050, 'SH'],
  Modality: [0x00080060, 'CS'],
  PresentationIntentType: [0x00080068, 'CS'],
  Manufacturer: [0x00080070, 'LO'],
  InstitutionName: [0x00080080, 'LO'],
  ReferringPhysicianName: [0x00080090, 'PN'],
  CodeValue: [0x00080100, 'SH'],
  CodingSchemeDesignator: [0x00080102, 'SH'],
  CodeMeaning: [0x00080104, 'LO'],
  StudyDescription: [0x00081030, 'LO'],
  SeriesDescription: [0x0008103e, 'LO'],
  ManufacturerModelName: [0x00081090, 'LO'],
  ReferencedPerformedProcedureStepSequence: [0x00081111, 'SQ'],
  ReferencedSOPClassUID: [0x00081150, 'UI'],
  ReferencedSOPInstanceUID: [0x00081155, 'UI'],
  AnatomicRegionSequence: [0x00082218, 'SQ'],
  PatientName: [0x00100010, 'PN'],
  PatientID: [0x00100020, 'LO'],
  PatientBirthDate: [0x00100030, 'DA'],
  PatientSex: [0x00100040, 'CS'],
  BodyPartExamined: [0x00180015, 'CS'],
  SliceThickness: [0x00180050, 'DS'],
  KVP: [0x00180060, 'DS'],
  DeviceSerialNumber: [0x00181000, 'LO'],
  SoftwareVersions: [0x00181020, 'LO'],
  FrameTime: [0x00181063, 'DS'],
  ImagerPixelSpacing: [0x00181164, 'DS'],
  PatientPosition: [0x00185100, 'CS'],
  ViewPosition: [0x00185101, 'CS'],
  DetectorType: [0x00187004, 'CS'],
  StudyInstanceUID: [0x0020000d, 'UI'],
  SeriesInstanceUID: [0x0020000e, 'UI'],
  StudyID: [0x00200010, 'SH'],
  SeriesNumber: [0x00200011, 'IS'],
  AcquisitionNumber: [0x00200012, 'IS'],
  InstanceNumber: [0x00200013, 'IS'],
  PatientOrientation: [0x00200020, 'CS'],
  ImagePositionPatient: [0x00200032, 'DS'],
  ImageOrientationPatient: [0x00200037, 'DS'],
  FrameOfReferenceUID: [0x00200052, 'UI'],
  ImageLaterality: [0x00200062, 'CS'],
  PositionReferenceIndicator: [0x00201040, 'LO'],
  SliceLocation: [0x00201041, 'DS'],
  SamplesPerPixel: [0x00280002, 'US'],
  PhotometricInterpretation: [0x00280004, 'CS'],
  PlanarConfiguration: [0x00280006, 'US'],
  NumberOfFrames: [0x00280008, 'IS'],
  FrameIncrementPointer: [0x00280009, 'AT'],
  Rows: [0x00280010, 'US'],
  Columns: [0x00280011, 'US'],
  PixelSpacing: [0x00280030, 'DS'],
  BitsAllocated: [0x00280100, 'US'],
  BitsStored: [0x00280101, 'US'],
  HighBit: [0x00280102, 'US'],
  PixelRepresentation: [0x00280103, 'US'],
  BurnedInAnnotation: [0x00280301, 'CS'],
  PixelIntensityRelationship: [0x00281040, 'CS'],
  PixelIntensityRelationshipSign: [0x00281041, 'SS'],
  WindowCenter: [0x00281050, 'DS'],
  WindowWidth: [0x00281051, 'DS'],
  RescaleIntercept: [0x00281052, 'DS'],
  RescaleSlope: [0x00281053, 'DS'],
  RescaleType: [0x00281054, 'LO'],
  LossyImageCompression: [0x00282110, 'CS'],
  AcquisitionContextSequence: [0x00400555, 'SQ'],
  RelationshipType: [0x0040a010, 'CS'],
  ValueType: [0x0040a040, 'CS'],
  ConceptNameCodeSequence: [0x0040a043, 'SQ'],
  ContinuityOfContent: [0x0040a050, 'CS'],
  TextValue: [0x0040a160, 'UT'],
  PerformedProcedureCodeSequence: [0x0040a372, 'SQ'],
  CompletionFlag: [0x0040a491, 'CS'],
  VerificationFlag: [0x0040a493, 'CS'],
  ContentSequence: [0x0040a730, 'SQ'],
  PresentationLUTShape: [0x20500020, 'CS'],
  PixelData: [0x7fe00010, 'OW'],
} as const satisfies Record<string, readonly [tag: number, vr: Vr]>;

type Vr =
  | 'AT'
  | 'CS'
  | 'DA'
  | 'DS'
  | 'IS'
  | 'LO'
  | 'OW'
  | 'PN'
  | 'SH'
  | 'SQ'
  | 'SS'
  | 'TM'
  | 'UI'
  | 'US'
  | 'UT';

export type Keyword = keyof typeof dictionary;

/** Text and numbers may be multi-valued; bytes are written as they are; a sequence is a list of items. */
export type Value = string | number | readonly (string | number)[] | Buffer | readonly Attributes[];

export type Attributes = { readonly [K in Keyword]?: Value };

/** Item (PS3.5 §7.5). */
const itemTag = 0xfffe_e000;

/** VRs with a reserved field and a 32-bit length (PS3.5 §7.1.2). */
const longVrs: ReadonlySet<Vr> = new Set(['OW', 'SQ', 'UT']);

/**
 * @returns the encoded data set, elements in the order of their tags, sequences and items with defined lengths
 */
export function encodeDataSet(attributes: Attributes): Buffer {
  return Buffer.concat(encodeToChunks(attributes));
}

function encodeToChunks(attributes: Attributes): Buffer[] {
  return Object.entries(attributes)
    .map(([keyword, value]) => ({ entry: dictionary[keyword as Keyword], value }))
    .toSorted((a, b) => a.entry[0] - b.entry[0])
    .flatMap(({ entry: [tag, vr], value }) => {
      const chunks = encodeValue(vr, value);
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      return [encodeHeader(tag, vr, bytes), ...chunks];
    });
}

function encodeHeader(tag: number, vr: Vr, bytes: number): Buffer {
  const long = longVrs.has(vr);
  const header = Buffer.alloc(long ? 12 : 8);
  writeTag(header, 0, tag);
  header.write(vr, 4, 'latin1');
  if (long) header.writeUInt32LE(bytes, 8);
  else header.writeUInt16LE(bytes, 6);
  return header;
}

function encodeItem(item: Attributes): Buffer[] {
  const content = encodeDataSet(item);
  const header = Buffer.alloc(8);
  writeTag(header, 0, itemTag);
  header.writeUInt32LE(content.length, 4);
  return [header, content];
}

function encodeValue(vr: Vr, value: Value): Buffer[] {
  if (Buffer.isBuffer(value)) return [evenLength(value, 0)];
  if (isItems(value)) return value.flatMap(encodeItem);
  const values = typeof value === 'object' ? value : [value];
  if (vr === 'US' || vr === 'SS' || vr === 'AT') return values.map((each) => encodeNumber(vr, Number(each)));
  return [evenLength(Buffer.from(values.join('\\'), 'utf8'), vr === 'UI' ? 0 : 0x20)];
}

function encodeNumber(vr: 'US' | 'SS' | 'AT', value: number): Buffer {
  const bytes = Buffer.alloc(vr === 'AT' ? 4 : 2);
  if (vr === 'AT') writeTag(bytes, 0, value);
  else if (vr === 'SS') bytes.writeInt16LE(value);
  else bytes.writeUInt16LE(value);
  return bytes;
}

/** A tag is two 16-bit numbers, group first. */
function writeTag(target: Buffer, offset: number, tag: number): void {
  target.writeUInt16LE(tag >>> 16, offset);
  target.writeUInt16LE(tag & 0xffff, offset + 2);
}

/** Values have an even length (PS3.5 §6.2). */
function evenLength(bytes: Buffer, pad: number): Buffer {
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.of(pad)]);
}

function isItems(value: Value): value is readonly Attributes[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'object');
}
