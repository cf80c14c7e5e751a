/**
 * The data elements Gantry names, as 32-bit numbers: group in the upper half, element in the lower.
 * Keywords as in PS3.6; everything else in a data set passes through unread.
 */
export const tags = {
  // File meta information (PS3.10 §7.1)
  FileMetaInformationGroupLength: 0x0002_0000,
  FileMetaInformationVersion: 0x0002_0001,
  MediaStorageSOPClassUID: 0x0002_0002,
  MediaStorageSOPInstanceUID: 0x0002_0003,
  TransferSyntaxUID: 0x0002_0010,
  ImplementationClassUID: 0x0002_0012,
  ImplementationVersionName: 0x0002_0013,

  // What an instance is and where it belongs
  SpecificCharacterSet: 0x0008_0005,
  SOPClassUID: 0x0008_0016,
  SOPInstanceUID: 0x0008_0018,
  StudyDate: 0x0008_0020,
  AccessionNumber: 0x0008_0050,
  Modality: 0x0008_0060,
  InstitutionName: 0x0008_0080,
  StudyDescription: 0x0008_1030,
  PatientName: 0x0010_0010,
  PatientID: 0x0010_0020,
  PatientBirthDate: 0x0010_0030,
  StudyInstanceUID: 0x0020_000d,
  SeriesInstanceUID: 0x0020_000e,
  InstanceNumber: 0x0020_0013,

  // The image attributes a read-back compares
  SamplesPerPixel: 0x0028_0002,
  PhotometricInterpretation: 0x0028_0004,
  PlanarConfiguration: 0x0028_0006,
  NumberOfFrames: 0x0028_0008,
  Rows: 0x0028_0010,
  Columns: 0x0028_0011,
  BitsAllocated: 0x0028_0100,
  BitsStored: 0x0028_0101,
  HighBit: 0x0028_0102,
  PixelRepresentation: 0x0028_0103,

  // Pixel data in its three forms (PS3.3 §C.7.6.3, §C.7.6.24)
  FloatPixelData: 0x7fe0_0008,
  DoubleFloatPixelData: 0x7fe0_0009,
  PixelData: 0x7fe0_0010,

  // Structure (PS3.5 §7.5)
  Item: 0xfffe_e000,
  ItemDelimitationItem: 0xfffe_e00d,
  SequenceDelimitationItem: 0xfffe_e0dd,
} as const;

export type TagKeyword = keyof typeof tags;

/** Whether an element holds the instance's pixel data, in whichever of the three forms. */
export function isPixelData(tag: number): boolean {
  return tag === tags.PixelData || tag === tags.FloatPixelData || tag === tags.DoubleFloatPixelData;
}
