import type { SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID } from './uid.ts';

/** The image attributes a read-back compares. */
export interface ImageFacts {
  readonly Rows: number;
  readonly Columns: number;
  readonly BitsAllocated: number;
  readonly NumberOfFrames: number;
}

/**
 * What the header peek finds. A UID that is missing or empty is null; an illegal one, or two that differ, never
 * make it here: the inspection fails.
 */
export interface HeaderFacts {
  readonly SOPClassUID: SOPClassUID | null;
  readonly SOPInstanceUID: SOPInstanceUID | null;
  readonly StudyInstanceUID: StudyInstanceUID | null;
  readonly SeriesInstanceUID: SeriesInstanceUID | null;
  readonly Modality: string | null;
  /** As it came, a character a byte (its character set is not looked at); null where absent. For routing only. */
  readonly InstitutionName: string | null;
  readonly image: ImageFacts | null;
}
