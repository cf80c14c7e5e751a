import type { Brand } from '../base/brand.ts';
import type { Reason } from '../base/errors.ts';
import type { ImageFacts } from '../dicom/header-facts.ts';
import type {
  SeriesInstanceUID,
  SOPClassUID,
  SOPInstanceUID,
  StudyInstanceUID,
  TransferSyntaxUID,
} from '../dicom/uid.ts';

/** Our own name of a sealed object: 32 hex digits, ordered by time of creation. Says nothing about a patient. */
export type ObjectId = Brand<string, 'ObjectId'>;

/** A keyed hash (HMAC-SHA-256, hex) standing for a UID outside sealed files. */
export type UidKey = Brand<string, 'UidKey'>;

export const priorities = ['routine', 'stat'] as const;
export type Priority = (typeof priorities)[number];

/** What a sealed object says about itself in its trailer. Holds UIDs: never leaves sealed files except to the archive. */
export interface ObjectFacts {
  readonly kind: 'received' | 'prepared';
  /** The received object a prepared one was made from; null for a received one. */
  readonly sourceId: ObjectId | null;
  readonly TransferSyntaxUID: TransferSyntaxUID;
  readonly SOPClassUID: SOPClassUID;
  readonly SOPInstanceUID: SOPInstanceUID;
  /** Null where the data set has none: the archive will say what it thinks of that. */
  readonly StudyInstanceUID: StudyInstanceUID | null;
  readonly SeriesInstanceUID: SeriesInstanceUID | null;
  /** (0008,0060), e.g. `CT`; null where absent. */
  readonly Modality: string | null;
  readonly image: ImageFacts | null;
  readonly callingAeTitle: string;
  /** The configured modality's name, or null for an unknown caller that was accepted. */
  readonly modalityName: string | null;
  readonly priority: Priority;
  /** Milliseconds since the epoch, our clock. */
  readonly receivedAt: number;
  /** Destination names, frozen at admission. */
  readonly destinations: readonly string[];
  readonly dataSetBytes: number;
  /** SHA-256 of this object's own data set (without group 2), hex. */
  readonly dataSetSha256: string;
  /** How a prepared data set becomes the received one again; null for a received one. */
  readonly restoration: Restoration | null;
}

/** What a prepared object says about the received one it stands for. */
export interface Restoration {
  readonly TransferSyntaxUID: TransferSyntaxUID;
  readonly dataSetBytes: number;
  /** SHA-256 of the data set as received, hex: undoing the codec was proven to give exactly these bytes. */
  readonly dataSetSha256: string;
  /** The codec's own notes, opaque to the spool; a few hundred bytes of JSON. */
  readonly recipe: Readonly<Record<string, unknown>>;
}

/** The forms in which an instance can be sent: as it came, or compressed without loss. */
export const representations = ['received', 'prepared'] as const;
export type Representation = (typeof representations)[number];

export type * from './codec-port.ts';

/** What the sender's command and our admission know before the first data byte. */
export interface AdmissionFacts {
  readonly TransferSyntaxUID: TransferSyntaxUID;
  readonly SOPClassUID: SOPClassUID;
  readonly SOPInstanceUID: SOPInstanceUID;
  readonly callingAeTitle: string;
  readonly modalityName: string | null;
  readonly priority: Priority;
}

/** What was read from the data set while it streamed by. */
export interface DataSetFacts {
  readonly StudyInstanceUID: StudyInstanceUID | null;
  readonly SeriesInstanceUID: SeriesInstanceUID | null;
  readonly Modality: string | null;
  /** A character a byte. Decides where the instance goes, and is kept nowhere. */
  readonly InstitutionName?: string | null;
  readonly image: ImageFacts | null;
}

/**
 * - `stored`: new; durable under its own id.
 * - `duplicate`: identical bytes are here, or were and are verified at the archive; no second copy was kept.
 * - `conflict`: same SOP Instance UID, other bytes; durable, parked until an operator decides.
 */
export type AdmitOutcome = 'stored' | 'duplicate' | 'conflict';

/** An object on its way in. Exactly one of `commit` and `abort` ends it. */
export interface IncomingObject {
  /**
   * Takes the next bytes of the data set. The buffer belongs to the spool afterwards.
   * @returns a promise while the disk is behind: write no more before it resolves
   * @throws GantryError (code SPOOL_*) when the disk failed; call `abort`
   */
  write(bytes: Buffer): Promise<void> | undefined;
  /**
   * Makes the object durable; only after it resolves may 0000 be answered. Leaves nothing behind where it throws.
   * @throws GantryError SPOOL_DISK_FULL, SPOOL_IO, SPOOL_SUSPECT (→ A700)
   */
  commit(facts: DataSetFacts): Promise<AdmitOutcome>;
  /** Leaves nothing behind. Never throws. */
  abort(): Promise<void>;
}

/** Whether new objects may come in, and if not, why (code, cause in plain words). */
export type IntakeGate = { readonly open: true } | { readonly open: false; readonly reason: Reason };

/** The spool as intake sees it. */
export interface SpoolIntake {
  /** Cheap; asked at every association and every C-STORE. */
  intakeGate(): IntakeGate;
  /** @throws GantryError when the gate is closed or the file cannot be made */
  begin(facts: AdmissionFacts): Promise<IncomingObject>;
}

/** A sealed object opened for reading. */
export interface OpenObject extends AsyncDisposable {
  readonly objectId: ObjectId;
  readonly facts: ObjectFacts;
  /**
   * The data set, chunk by chunk, each verified before it is yielded. May be called more than once.
   * @throws GantryError OBJECT_DAMAGED at the first chunk that does not verify
   */
  dataSet(): AsyncIterable<Buffer>;
}

export const deliveryStates = [
  'queued', // waiting for its turn, or for its next attempt
  'delivered', // the archive answered that it has it; not yet proven
  'verified', // read back and proven
  'accepted', // policy `response`: the archive's answer is all the proof asked for; never purged
  'held', // waits for an operator
  'quarantined', // refused for good; kept
  'conflict', // the archive, or this box, has other bytes under the same UID
] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** What an operator can have tried again now. */
export const retriedStates: readonly DeliveryState[] = ['queued', 'delivered', 'held', 'quarantined'];

/** Names one delivery: an instance on its way to one destination. */
export interface DeliveryKey {
  readonly objectId: ObjectId;
  readonly destination: string;
}

/** A delivery taken for sending. Taking it is durable: a crash from here on leaves its outcome unknown. */
export interface ForwardItem extends DeliveryKey {
  readonly studyKey: UidKey;
  /** The form it is sent in, the same on every attempt unless the archive definitely refused that one. */
  readonly form: Representation;
  /** The object that is sent: the received one, or the one prepared from it. */
  readonly sentId: ObjectId;
  /** Of the object that is sent. */
  readonly bytes: number;
  /** `stat` where any of the batch is. */
  readonly priority: Priority;
  /**
   * Whether the archive knew the study before we first sent any of it, or would not say: then it may hold the
   * instance already, with other bytes, and keep those while it answers "stored". Null where it was not asked yet.
   */
  readonly archiveHad: boolean | null;
  /** Attempts before this one that count against the instance. */
  readonly attempts: number;
  /** How often the outcome of an attempt stayed unknown. */
  readonly unknowns: number;
  /** When the first attempt was made (ms since the epoch), this one if it is the first. */
  readonly firstAttemptAt: number;
}

export interface ForwardLimits {
  readonly instancesMax: number;
  readonly bytesMax: number;
  /** Into how many requests what is due of the study is spread at least, so that one large one does not go alone. */
  readonly spread?: number;
  /** A request is not made smaller than this by `spread`. */
  readonly spreadBytesMin?: number;
  /** Whether the oldest or the newest waiting study is served; alternating keeps both alive. */
  readonly order: 'oldest' | 'newest';
  /** Nothing but what is stat. */
  readonly statOnly?: boolean;
}

/** How an attempt ended for one instance. */
export type ForwardSettlement = DeliveryKey &
  (
    | {
        readonly to: 'delivered';
        /** True where the digest must be compared before purge: it already existed, or was unknown or a conflict. */
        readonly needsDigest: boolean;
        /** The archive says that it had an instance under this UID before: only equal bytes prove that it is ours. */
        readonly existed: boolean;
        /** A change the archive reported (B000, B006, B007), shown and counted. */
        readonly warning: Reason | null;
      }
    | {
        readonly to: 'queued';
        readonly retryAt: number;
        /** False where the instance is not to blame (destination down, sign-in fault). */
        readonly countAttempt: boolean;
        /** True where the archive may have it all the same. */
        readonly outcomeUnknown: boolean;
        readonly reason: Reason;
        /** Send in batches of at most so many from now on; null leaves the present limit. */
        readonly batchInstancesMax: number | null;
        /**
         * From now on in the form it was received in: the archive does not take this transfer syntax, refused the
         * prepared object, or the prepared object cannot be read here.
         */
        readonly asReceived?: 'syntax-refused' | 'refused' | 'unreadable';
      }
    | { readonly to: 'held' | 'quarantined' | 'conflict'; readonly reason: Reason }
  );

/** A delivery whose presence at the archive is to be proven. */
export interface ProofItem extends DeliveryKey {
  /** The object that was sent. */
  readonly sentId: ObjectId;
  /** The instance's other form, where there is one: an archive that had it before may hold that. */
  readonly otherId: ObjectId | null;
  /** The prepared form it was sent in, where that is not here any more: an archive may hold it. */
  readonly lostForm: SentForm | null;
  readonly bytes: number;
  readonly needsDigest: boolean;
  /** See {@link ForwardSettlement}: equal pixel data is not enough. */
  readonly existed: boolean;
  /** Looks so far that found nothing or could not look. */
  readonly polls: number;
  readonly deliveredAt: number;
  /** The delivery was only assumed (ledger rebuilt): absence means "send", not "not visible yet". */
  readonly assumed: boolean;
}

/** What is left to tell a data set by that was sent, and that is not here any more. */
export interface SentForm {
  readonly TransferSyntaxUID: TransferSyntaxUID;
  readonly dataSetBytes: number;
  /** See {@link SpoolProof.digestKey}. */
  readonly digest: string;
}

/** `qido`, `find`: it is there, by QIDO-RS or by C-FIND. */
export const proofKinds = ['qido', 'find', 'metadata', 'digest', 'frames'] as const;
export type ProofKind = (typeof proofKinds)[number];

export type ProofSettlement = DeliveryKey &
  /** `form`: which one the archive was found to hold, where that is not the one that was sent. */
  (
    | { readonly to: 'verified'; readonly by: ProofKind; readonly form?: Representation }
    | { readonly to: 'accepted' }
    /** Not visible yet, or cannot be looked at: stays delivered and is looked at again. */
    | {
        readonly to: 'delivered';
        readonly pollAt: number;
        readonly reason: Reason;
        readonly needsDigest?: boolean;
      }
    /** The archive does not have it: send again. Counts as an attempt, unless it was only assumed to be there. */
    | { readonly to: 'queued'; readonly retryAt: number; readonly reason: Reason }
    | { readonly to: 'held' | 'conflict'; readonly reason: Reason }
  );

/** The spool as forwarding sees it. */
export interface SpoolForward {
  /** Takes a batch of one study, or an empty list where nothing is due. Durable before it resolves. */
  takeForward(destination: string, limits: ForwardLimits): Promise<ForwardItem[]>;
  settleForward(settlements: readonly ForwardSettlement[]): Promise<void>;
  /**
   * Records, before anything of the study is sent, whether the archive knew it. The first record stands.
   * @returns what is on record
   */
  noteArchiveHad(studyKey: UidKey, destination: string, had: boolean): Promise<boolean>;
  /** When the next queued delivery of this destination is due (ms since the epoch), or null. */
  nextForwardAt(destination: string): Promise<number | null>;
  open(objectId: ObjectId): Promise<OpenObject>;
  /** Calls back after an admission or a settlement that may have made work for any destination. */
  onWork(listener: () => void): () => void;
}

/** A study that has been quiet long enough and has nothing still moving. */
export interface SettledStudy {
  readonly studyKey: UidKey;
  readonly deliveries: readonly {
    readonly objectId: ObjectId;
    readonly destination: string;
    readonly state: DeliveryState;
    /** The object that was sent, where that is not the received one. */
    readonly preparedId: ObjectId | null;
    readonly by: ProofKind | null;
    readonly verifiedAt: number | null;
    readonly reason: Reason | null;
  }[];
  /** Number of the receipt this one supersedes, 0 for none. */
  readonly receiptNumber: number;
  /** Opaque: hand it back with `receiptWritten`, so that an image arriving meanwhile is not missed. */
  readonly revision: number;
}

/** The spool as proof sees it. */
export interface SpoolProof {
  takeProof(destination: string, instancesMax: number): Promise<ProofItem[]>;
  settleProof(settlements: readonly ProofSettlement[]): Promise<void>;
  nextProofAt(destination: string): Promise<number | null>;
  open(objectId: ObjectId): Promise<OpenObject>;
  /** Whether a prepared object gives back what was received; tried out where that is not on record yet. */
  givesBackReceived(preparedId: ObjectId): Promise<boolean>;
  /** Keyed hash that stands for a data set outside sealed files. @param sha256 of the data set, hex */
  digestKey(sha256: string): string;
  onWork(listener: () => void): () => void;
  /** Studies due for a receipt: quiet for their modality's quiet period, nothing moving, changed since the last. */
  settledStudies(studiesMax: number): Promise<SettledStudy[]>;
  receiptWritten(studyKey: UidKey, receiptNumber: number, revision: number): Promise<void>;
  /**
   * Deletes objects whose every delivery was verified before the given time, once their study's receipt is written:
   * durable tombstone, then unlink; then shreds the keys of epochs that hold nothing any more.
   */
  purgeVerified(
    verifiedBefore: number,
  ): Promise<{ instances: number; bytes: number; epochsShredded: number }>;
}

/** Counts the status shows; distinct instances, surviving restart and purge. */
export interface SpoolCounts {
  readonly queue: {
    readonly studies: number;
    readonly instances: number;
    readonly bytes: number;
    /** Age of the oldest instance that is neither verified nor parked, in seconds; 0 where there is none. */
    readonly oldestAgeSeconds: number;
  };
  readonly totals: {
    readonly received: number;
    readonly delivered: number;
    readonly verified: number;
    readonly quarantined: number;
    readonly conflicts: number;
    readonly held: number;
  };
  /** Instances of which the prepared form is stored in place of the received one. */
  readonly atRest: {
    readonly instances: number;
    /** What they were received with, and what is stored of them. */
    readonly bytesReceived: number;
    readonly bytesStored: number;
  };
  readonly destinations: Readonly<Record<string, DestinationCounts>>;
  /** By configured name. */
  readonly modalities: Readonly<Record<string, ModalityCounts>>;
  /** By AE title: unknown callers that were accepted, the latest ones. */
  readonly unknownCallers: Readonly<Record<string, ModalityCounts>>;
}

export interface DestinationCounts {
  readonly queued: number;
  readonly delivered: number;
  readonly verified: number;
  readonly accepted: number;
  readonly held: number;
  readonly quarantined: number;
  readonly conflict: number;
  readonly queuedBytes: number;
}

export interface ModalityCounts {
  /** Instances received, ever. */
  readonly received: number;
  /** When the last instance was received (ms since the epoch). */
  readonly lastReceivedAt: number;
}

/** One delivery as an operator sees it. PHI-free. */
export interface QueueEntry extends DeliveryKey {
  readonly state: DeliveryState;
  readonly modalityName: string | null;
  readonly callingAeTitle: string | null;
  readonly bytes: number;
  readonly receivedAt: number;
  readonly attempts: number;
  readonly nextAttemptAt: number | null;
  readonly reason: Reason | null;
}
