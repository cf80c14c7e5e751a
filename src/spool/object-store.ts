import { GantryError } from '../base/errors.ts';
import type { Epoch } from '../crypto/envelope.ts';
import type { SegmentFiles } from './stored-object.ts';
import type { ObjectFacts, ObjectId } from './types.ts';

/** Where sealed objects lie. */
export interface ObjectStore {
  /**
   * Starts a new object; nothing of it is visible before `commit`.
   * @param kind prepared objects lie apart: where they replace received ones, whole segments become free
   */
  create(id: ObjectId, epoch: Epoch, kind: ObjectFacts['kind']): ObjectWriter;
  /**
   * @param files where many objects are opened one after the other: what stays open between them
   * @throws GantryError OBJECT_NOT_FOUND, OBJECT_DAMAGED, OBJECT_KEY_MISSING, OBJECT_VERSION
   */
  open(id: ObjectId, files?: SegmentFiles): Promise<StoredObject>;
  /** Every complete object's id, in order of creation. */
  list(): ObjectId[];
  /** Whether a complete object of this id is here. */
  has(id: ObjectId): boolean;
  /** Deletes objects; those not there are passed over. */
  remove(ids: readonly ObjectId[]): Promise<void>;
  /**
   * Deletes what a crash left half-written; returns how many objects that were.
   * @param known objects that were once whole: what is left of them stays
   */
  removeUnfinished(known: ReadonlySet<ObjectId>): Promise<number>;
  /** Makes objects durable that are complete, but whose `commit` may not have come to its end. */
  makeDurable(ids: readonly ObjectId[]): Promise<void>;
  close(): Promise<void>;
}

export interface ObjectWriter {
  /** @returns a promise while the disk is behind; it rejects with the disk's error */
  write(plain: Buffer): Promise<void> | undefined;
  /** Trailer and sync: durable, and to be found, once it resolves. */
  commit(trailer: Buffer): Promise<void>;
  /** Leaves nothing behind. Never throws. */
  abort(): Promise<void>;
}

export interface StoredObject {
  readonly epochId: string;
  readonly trailer: Buffer;
  readonly plainBytes: number;
  /** Plain chunks, each verified before it is yielded. @throws GantryError OBJECT_DAMAGED */
  chunks(): AsyncGenerator<Buffer, void, void>;
  close(): Promise<void>;
}

export function objectNotFound(): GantryError {
  return new GantryError({
    code: 'OBJECT_NOT_FOUND',
    kind: 'permanent',
    message:
      'A stored object is not on the disk: it was purged after it was verified, discarded, or it is lost.',
    nextStep: 'If it was neither purged nor discarded, send this image again from its modality.',
  });
}
