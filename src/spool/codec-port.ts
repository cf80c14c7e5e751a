import type { Reason } from '../base/errors.ts';
import type { SOPClassUID, TransferSyntaxUID } from '../dicom/uid.ts';
import type { ObjectFacts, ObjectId, OpenObject, Priority, Restoration } from './types.ts';

/** An instance that is not sent before the codec has looked at it. */
export interface PrepareItem {
  readonly objectId: ObjectId;
  readonly bytes: number;
  readonly priority: Priority;
}

/** How the codec left an instance. */
export type PrepareSettlement = { readonly objectId: ObjectId } & (
  | { readonly to: 'prepared'; readonly preparedId: ObjectId }
  /** Sent as it was received, and why. */
  | { readonly to: 'as-received'; readonly reason: Reason }
);

/** A prepared object on its way to disk. Exactly one of `commit` and `abort` ends it. */
export interface PreparedWriter {
  readonly preparedId: ObjectId;
  /** Takes the next bytes; they belong to the spool afterwards. @returns a promise while the disk is behind */
  write(bytes: Buffer): Promise<void> | undefined;
  /** Durable, but sent by nobody before it is settled. @throws GantryError SPOOL_* */
  commit(restoration: Restoration): Promise<void>;
  /** Leaves nothing behind. Never throws. */
  abort(): Promise<void>;
}

/** The spool as the codec sees it. */
export interface SpoolCodec {
  /** Instances that wait for the codec: stat first, then the oldest. Taken ones are not given out again before a restart. */
  takePrepare(instancesMax: number): Promise<PrepareItem[]>;
  settlePrepare(settlements: readonly PrepareSettlement[]): Promise<void>;
  /** Starts the prepared form of a received object. @throws GantryError SPOOL_* */
  beginPrepared(source: ObjectFacts, sourceId: ObjectId, syntax: TransferSyntaxUID): Promise<PreparedWriter>;
  open(objectId: ObjectId): Promise<OpenObject>;
  /** Whether a destination took, or refused for good, objects of a class in a transfer syntax; null: never tried. */
  accepts(destination: string, sopClass: SOPClassUID, syntax: TransferSyntaxUID): boolean | null;
  onWork(listener: () => void): () => void;
}
