import type { Reason } from '../base/errors.ts';

/** States of a delivery; the same words the spool uses. */
export const deliveryStateViews = [
  'queued',
  'delivered',
  'verified',
  'accepted',
  'held',
  'quarantined',
  'conflict',
] as const;
export type DeliveryStateView = (typeof deliveryStateViews)[number];

/** One delivery as an operator sees it: no patient data, no UID. Times in milliseconds since the epoch. */
export interface QueueEntryView {
  readonly objectId: string;
  readonly destination: string;
  readonly state: DeliveryStateView;
  readonly modalityName: string | null;
  readonly callingAeTitle: string | null;
  readonly bytes: number;
  readonly receivedAt: number;
  readonly attempts: number;
  readonly nextAttemptAt: number | null;
  readonly reason: Reason | null;
}

export interface QueueFilter {
  readonly state: DeliveryStateView | null;
  readonly destination: string | null;
  readonly limit: number;
  /** `next` of the page before, null for the first page. */
  readonly after: string | null;
}

export interface QueuePage {
  readonly entries: readonly QueueEntryView[];
  /** Asks for the page after this one; null on the last. */
  readonly next: string | null;
}

/** Which deliveries an operator means: these objects, or all in a state or of a destination. */
export type Selection =
  | { readonly objectIds: readonly string[] }
  | { readonly destination?: string; readonly state?: DeliveryStateView };

/** What an operator decides about an object whose UID is taken by other bytes. */
export type ConflictChoice = 'forward' | 'discard';

/** What a check of every sealed object on the disk found. */
export interface ScrubReport {
  readonly objects: number;
  readonly bytes: number;
  /** Object ids whose bytes no longer verify. */
  readonly damaged: readonly string[];
  /** Object ids the ledger knows and the disk does not have. */
  readonly missing: readonly string[];
  readonly seconds: number;
}

export interface ReceiptSummary {
  /** The keyed hash that stands for the study, hex. */
  readonly studyKey: string;
  /** Counts up when late images supersede a receipt. */
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly writtenAt: number;
  readonly instances: number;
}

/** The rate limit of one destination. Mbit/s; null: none, 0: nothing is sent. */
export interface BandwidthView {
  readonly destination: string;
  readonly mbitPerSecond: number | null;
  /** `operator`: set by a command; `window`: one of the configuration is open; `setting`: what it says otherwise. */
  readonly because: 'operator' | 'window' | 'setting';
  /** When another limit comes into force by itself (ms since the epoch), or null. */
  readonly until: number | null;
  /** What was measured, Mbit/s; null before enough was sent. */
  readonly measuredMbitPerSecond: number | null;
}

/** What an operator can ask of a running gateway. Every count is of deliveries changed. */
export interface Operator {
  list(filter: QueueFilter): Promise<QueuePage>;
  /**
   * Makes waiting and parked deliveries due now, and the look at the archive for delivered ones.
   * @throws GantryError OBJECT_* where the objects named are damaged: nothing can be sent from them
   */
  retry(selection: Selection): Promise<number>;
  /**
   * Puts held and quarantined deliveries back into the queue. With `to`: has what destinations that were removed from
   * the configuration were to get, parked or waiting, sent to this one instead.
   * @throws like {@link retry}; with `to` DESTINATION_UNKNOWN
   */
  release(selection: Selection, to?: string): Promise<number>;
  /** Gives up deliveries for good. */
  discard(selection: Selection): Promise<number>;
  resolve(objectId: string, choice: ConflictChoice): Promise<number>;
  /** Makes what waits of the studies of these objects stat: it goes before all else. */
  hurry(objectIds: readonly string[]): Promise<number>;
  bandwidth(): Promise<readonly BandwidthView[]>;
  /**
   * Limits a destination until the limit is cleared or the process ends; counts at once.
   * @throws GantryError DESTINATION_UNKNOWN
   */
  limitBandwidth(destination: string, mbitPerSecond: number | null): Promise<void>;
  /** The configured limit counts again. @throws GantryError DESTINATION_UNKNOWN */
  clearBandwidth(destination: string): Promise<void>;
  /**
   * Lets it be learned anew which transfer syntaxes destinations take.
   * @param destination one of them, or null for all
   * @returns how many answers were forgotten, one for each transfer syntax of a SOP class
   */
  forgetAbilities(destination: string | null): Promise<number>;
  scrub(): Promise<ScrubReport>;
  receipts(): Promise<readonly ReceiptSummary[]>;
  /**
   * The receipt as it was signed.
   * @throws GantryError where there is none for the study
   */
  receipt(studyKey: string): Promise<unknown>;
}
