import type { ImageFacts } from '../dicom/header-facts.ts';
import type {
  SeriesInstanceUID,
  SOPClassUID,
  SOPInstanceUID,
  StudyInstanceUID,
  TransferSyntaxUID,
} from '../dicom/uid.ts';

/** One instance as it is sent: a complete Part 10 file, the same bytes on every attempt. */
export interface StoreItem extends InstanceRef {
  readonly SOPClassUID: SOPClassUID;
  readonly TransferSyntaxUID: TransferSyntaxUID;
  /** Exact length of what `content` yields. */
  readonly bytes: number;
  /** The Part 10 file; opened when its turn comes. Throwing aborts the part and the request. */
  content(): AsyncIterable<Buffer>;
}

/** How far a request came before it failed. */
export type SendPhase =
  | 'unsent' // nothing of the request reached the archive (DNS, refused, TLS, proxy)
  | 'partial' // it broke while the body was on its way
  | 'unanswered'; // the whole body went out; no complete answer came back

/** A SOP instance in a STOW response (PS3.18 §10.5.3, Annex I). Codes are numbers, e.g. 0xa700. */
export interface ReferencedInstance {
  readonly SOPInstanceUID: string;
  readonly warningReason: number | null;
}
export interface FailedInstance {
  readonly SOPInstanceUID: string;
  readonly failureReason: number | null;
}

/** Why a request got no answer. */
export interface RequestFault {
  /** System, TLS or undici code, or one of ours, e.g. `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `TOKEN_FILE_UNREADABLE`. */
  readonly code: string;
  /** The file of the configuration that is at fault, where it is one. */
  readonly file?: string;
}

/** Reasons are named after the service that gave them, e.g. `DIMSE_A700`. */
export type StoreService = 'STOW' | 'DIMSE' | 'FOLDER';

/** What the archive said to a store request; judged per instance by `forward/outcome`, not here. */
export type StoreAnswer =
  | {
      readonly kind: 'answered';
      /** Whose codes these are; of STOW-RS where it is not said. */
      readonly service?: StoreService;
      readonly status: number;
      readonly retryAfterMs: number | null;
      /** `parsed` only where the body was complete and well formed; otherwise both lists are empty. */
      readonly body: 'parsed' | 'empty' | 'unreadable';
      readonly referenced: readonly ReferencedInstance[];
      readonly failed: readonly FailedInstance[];
    }
  | (RequestFault & { readonly kind: 'failed'; readonly phase: SendPhase })
  /** Our own side failed while reading the object: nothing is known against the archive. */
  | { readonly kind: 'source-failed'; readonly error: unknown };

/** Whether anything answers at the archive's address, and with which HTTP status. */
export type PingAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterMs: number | null }
  | (RequestFault & { readonly kind: 'failed' });

/** Names an instance; what is optional helps a destination that needs more than UIDs to find it. */
export interface InstanceRef {
  readonly StudyInstanceUID: StudyInstanceUID | null;
  readonly SeriesInstanceUID: SeriesInstanceUID | null;
  readonly SOPInstanceUID: SOPInstanceUID;
  /** What C-GET has to negotiate before it gets the instance. */
  readonly SOPClassUID?: SOPClassUID;
  readonly TransferSyntaxUID?: TransferSyntaxUID;
  /** What the layout of a folder may ask for. */
  readonly Modality?: string | null;
  readonly callingAeTitle?: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt?: number;
}

/** Why a read-back gave no answer about the instance. */
export interface ReadFailure {
  readonly kind: 'failed';
  /** `refused`: 401 or 403; `unsupported`: 404 on the service itself, 405, 406, 501; `unavailable`: try again. */
  readonly why: 'refused' | 'unsupported' | 'unavailable';
  /** HTTP status or transport code, for the reason shown. */
  readonly code: string;
  /** The file of the configuration that is at fault, where it is one. */
  readonly file?: string;
  readonly retryAfterMs: number | null;
}

export type FindAnswer = { readonly kind: 'present' | 'absent' } | ReadFailure;

/** The instance's metadata at the archive (WADO-RS metadata); members are null where the archive leaves them out. */
export interface ArchivedFacts {
  readonly SOPClassUID: string | null;
  readonly SOPInstanceUID: string | null;
  readonly StudyInstanceUID: string | null;
  readonly SeriesInstanceUID: string | null;
  /** (0008,3002) AvailableTransferSyntaxUID or group 2, where given. */
  readonly TransferSyntaxUID: string | null;
  readonly image: Partial<ImageFacts>;
}
export type MetadataAnswer =
  | { readonly kind: 'present'; readonly facts: ArchivedFacts }
  | { readonly kind: 'absent' }
  | ReadFailure;

/** Names a series. */
export type SeriesRef = {
  readonly [Name in 'StudyInstanceUID' | 'SeriesInstanceUID']: NonNullable<InstanceRef[Name]>;
};

/** By SOP Instance UID; whatever could not be told apart is not in it. */
export type SeriesMetadata = ReadonlyMap<string, ArchivedFacts>;
export type SeriesMetadataAnswer =
  | { readonly kind: 'present'; readonly instances: SeriesMetadata }
  | { readonly kind: 'absent' }
  | ReadFailure;

export type RetrieveAnswer =
  | {
      readonly kind: 'present';
      readonly TransferSyntaxUID: TransferSyntaxUID | null;
      /** The data set without preamble and group 2, streamed. Consume it or call `cancel`. */
      dataSet(): AsyncIterable<Buffer>;
      cancel(): void;
    }
  | { readonly kind: 'absent' }
  | ReadFailure;

/** What the outside last did, for the page: no body text, no URL. */
export interface ArchiveLine {
  /** Days left of the server's certificate, null where there is none. */
  readonly tlsDaysLeft: number | null;
  readonly bytesSent: number;
  /** When it last answered anything at all (monotonic milliseconds), null before the first answer. */
  readonly answeredAt: number | null;
  /** How far its clock is ahead of ours by its last answer, to a second; null or absent where it does not say. */
  readonly clockOffsetMs?: number | null;
  /** Of the volume that is written to, where it is one, as last seen. */
  readonly space?: LineSpace | null;
}

export interface LineSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** A destination's client. Every implementation passes `test/contract/archive.ts`. Never logs UIDs. */
export interface ArchiveClient {
  /** Its peers answer questions while a request to store is under way; others are asked before. */
  readonly answersWhileStoring?: boolean;
  /** Resolves always; never throws for what the peer or the line does. `signal` ends it (phase as far as it came). */
  store(items: readonly StoreItem[], signal: AbortSignal): Promise<StoreAnswer>;
  /** The cheapest question there is, signed in like any other: is it there? Bounded as a whole. */
  ping(signal: AbortSignal): Promise<PingAnswer>;
  /** QIDO-RS, C-FIND at image level: is the instance there? */
  find(ref: InstanceRef, signal: AbortSignal): Promise<FindAnswer>;
  /** QIDO-RS, C-FIND at study level: does the archive know the study at all? */
  knowsStudy(study: StudyInstanceUID, signal: AbortSignal): Promise<FindAnswer>;
  /** WADO-RS metadata, C-FIND. */
  metadata(ref: InstanceRef, signal: AbortSignal): Promise<MetadataAnswer>;
  /**
   * WADO-RS metadata of a whole series, where the destination can tell it at once: what it shows of it now, bounded.
   * An instance that is not in it may be there all the same.
   */
  seriesMetadata?(series: SeriesRef, signal: AbortSignal): Promise<SeriesMetadataAnswer>;
  /** The instance as the archive stored it: WADO-RS with `transfer-syntax=*`, C-GET, the file. */
  retrieve(ref: InstanceRef, signal: AbortSignal): Promise<RetrieveAnswer>;
  /** Forget cached credentials (after 401/403), so that the next request signs in afresh. */
  refreshCredentials(): void;
  line(): ArchiveLine;
  close(): Promise<void>;
}
