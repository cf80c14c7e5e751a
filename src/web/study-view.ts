import type { Reason } from '../base/errors.ts';
import type { DeliveryStateView } from './operator.ts';

/** One study as a technician sees it: no patient data, no UID. Times in milliseconds since the epoch. */
export interface StudyView {
  /** The keyed hash that stands for the study: 32 hex digits. */
  readonly studyKey: string;
  readonly modalityNames: readonly string[];
  readonly callingAeTitles: readonly string[];
  readonly bytes: number;
  readonly firstReceivedAt: number;
  readonly lastReceivedAt: number;
  readonly received: number;
  /** How many there are to be, where a storage commitment request says so; null: nobody said. */
  readonly expected: number | null;
  /** Still on this box: what is not was purged after it was proven. */
  readonly instancesHere: number;
  readonly destinations: readonly {
    readonly destination: string;
    /** Instances the archive has said to have, proven or not. */
    readonly delivered: number;
    readonly verified: number;
    readonly states: Readonly<Record<DeliveryStateView, number>>;
    readonly reasons: readonly Reason[];
  }[];
  /** Number of the latest receipt; 0 where there is none. */
  readonly receiptNumber: number;
  readonly receiptIsCurrent: boolean;
}

export interface StudyPage {
  readonly studies: readonly StudyView[];
  /** Asks for the page after this one; null on the last. */
  readonly next: string | null;
}

export type StudyMoment =
  | 'first-received'
  | 'last-received'
  | 'first-delivered'
  | 'last-delivered'
  | 'last-verified'
  | 'receipt';

export interface StudyDetail extends StudyView {
  /** What happened when, in order. */
  readonly timeline: readonly {
    readonly at: number;
    readonly moment: StudyMoment;
    readonly destination: string | null;
  }[];
}

/** **Patient data**, read from the sealed object for the person who asked; never stored, never logged. */
export interface RevealedIdentity {
  readonly PatientName: string | null;
  readonly PatientID: string | null;
  readonly PatientBirthDate: string | null;
  readonly AccessionNumber: string | null;
  readonly StudyDate: string | null;
  readonly StudyDescription: string | null;
}

/** Studies for those who have signed in. */
export interface StudyTools {
  /** Newest first. @throws GantryError STUDY_PAGE */
  list(limit: number, after: string | null): Promise<StudyPage>;
  /** @throws GantryError STUDY_UNKNOWN */
  detail(studyKey: string): Promise<StudyDetail>;
  /** @throws GantryError STUDY_UNKNOWN, STUDY_GONE where no image of it is here any more, OBJECT_* */
  reveal(studyKey: string): Promise<RevealedIdentity>;
}
