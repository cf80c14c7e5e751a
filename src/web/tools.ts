import type { LineReport } from '../health/line-test.ts';
import type { EchoReport } from '../health/modality-echo.ts';
import type { NetworkReport } from '../health/network-report.ts';
import type { ConfigTools } from './config-tools.ts';
import type { MachineTools } from './machine-routes.ts';
import type { StudyTools } from './study-view.ts';

/** One try to open an association, as it is shown. No patient data, no UID. Times in milliseconds since the epoch. */
export interface AttemptView {
  /** Counts up from 1 since start. */
  readonly number: number;
  readonly at: number;
  readonly outcome: 'accepted' | 'rejected' | 'closed';
  readonly address: string;
  readonly localAddress: string;
  readonly overTls: boolean;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  readonly modalityName: string | null;
  readonly code: string;
  readonly words: string;
  readonly nextStep: string | null;
}

export interface UnknownCallerView {
  readonly address: string;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** A modality of this AE title that is configured for other addresses, or null. */
  readonly modalityName: string | null;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly attempts: number;
  readonly accepted: boolean;
  readonly code: string;
  readonly words: string;
  readonly summary: string;
}

export interface ModalityChangeView {
  readonly aeTitle: string;
  /** IP addresses or CIDR ranges; empty: any. */
  readonly addresses: readonly string[];
  readonly host?: string | null;
  readonly port?: number | null;
}

/** What a technician can do with modalities. */
export interface ModalityTools {
  /** Newest first. */
  attempts(): readonly AttemptView[];
  followAttempts(follower: (attempt: AttemptView) => void): () => void;
  /** The one that tried last first. */
  unknownCallers(): readonly UnknownCallerView[];
  /** Let in from now on, over restarts. @throws GantryError CONFIG_NOT_LOCAL, MODALITY_EXISTS, CONFIG_CHANGE_INVALID */
  allow(name: string, change: ModalityChangeView): Promise<{ readonly generation: number }>;
  /** Another device under the same name and history. @throws GantryError CONFIG_NOT_LOCAL, MODALITY_UNKNOWN, CONFIG_CHANGE_INVALID */
  replace(name: string, change: ModalityChangeView): Promise<{ readonly generation: number }>;
  /** C-ECHO to it. @throws GantryError MODALITY_UNKNOWN, MODALITY_NO_ADDRESS */
  echo(name: string): Promise<EchoReport>;
}

/** What a technician can say of the place where the box stands. */
export interface SiteTools {
  /** In use from now on, over restarts. @throws GantryError CONFIG_NOT_LOCAL, CONFIG_CHANGE_INVALID */
  change(change: {
    readonly name?: string;
    readonly timeZone?: string;
  }): Promise<{ readonly generation: number }>;
}

/** What a technician can do with destinations. */
export interface DestinationTools {
  /** Sends nothing new until resumed, over restarts. @throws GantryError DESTINATION_UNKNOWN */
  pause(name: string, by: string): Promise<void>;
  /** @throws GantryError DESTINATION_UNKNOWN */
  resume(name: string): Promise<void>;
  /** Walks the line hop by hop; sends no object. @throws GantryError DESTINATION_UNKNOWN */
  testLine(name: string): Promise<LineReport>;
  /** Sends a labelled image of nobody. @throws GantryError DESTINATION_UNKNOWN, TEST_STUDY_NOT_ALLOWED */
  sendTestStudy(name: string): Promise<TestStudyReport>;
}

/** What became of a test image, and what of it stays. */
export interface TestStudyReport {
  readonly stored: boolean;
  /** `equal`: byte for byte; `changed`: with other bytes; `no`: it could not be read back. */
  readonly readBack: 'equal' | 'changed' | 'no';
  /** Why it was not stored; null where it was. */
  readonly code: string | null;
  readonly words: string;
  /** What stays at the archive, and how to find it there. */
  readonly stays: string;
  readonly PatientName: string;
  readonly PatientID: string;
  readonly StudyDescription: string;
  readonly StudyInstanceUID: string;
}

/** One file for who is to help. PHI-free. */
export interface BundleTools {
  /** What would be in it. */
  contents(): readonly { readonly name: string; readonly about: string }[];
  /** A `.tar.gz`. */
  pack(): Promise<Buffer>;
}

/** The working parts behind the page. */
export interface Tools {
  readonly site: SiteTools;
  readonly modalities: ModalityTools;
  readonly destinations: DestinationTools;
  readonly studies: StudyTools;
  readonly bundle: BundleTools;
  readonly config: ConfigTools;
  readonly machine: MachineTools;
  /** How this box is connected, its clock, and which modalities call an address it no longer has. */
  network(): Promise<NetworkReport>;
  /** A page to be printed when the box is handed over; tests every line and calls every modality. HTML. */
  commissioningReport(): Promise<string>;
}
