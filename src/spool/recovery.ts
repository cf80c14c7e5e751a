import { join } from 'node:path';
import type { Disk } from '../base/disk.ts';
import { GantryError, type Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { LedgerClient } from './ledger-client.ts';
import type { NewInstance } from './ledger-instances.ts';
import type { ObjectStore } from './object-store.ts';
import type { Tombstones } from './tombstones.ts';
import type { ObjectId } from './types.ts';

const instancesPerCommit = 500;
const opensAtOnce = 8;

export const damagedReason: Reason = {
  code: 'OBJECT_DAMAGED',
  words: 'The stored image is damaged and is not sent. Send it again from its modality.',
};
export const lostReason: Reason = {
  code: 'OBJECT_LOST',
  words: 'The stored image is missing from the disk. Send it again from its modality.',
};

/** Whether a data directory was used before: then its keys and its volume marker must be there. */
export async function holdsData(disk: Disk, dataDirectory: string): Promise<boolean> {
  for (const name of ['ledger.db', 'ledger.db.damaged', 'spool/objects']) {
    if ((await disk.facts(join(dataDirectory, name))) !== null) return true;
  }
  return false;
}

export interface RecoveryReport {
  /** Half-written objects of an interrupted reception: never acknowledged, deleted. */
  readonly unfinishedRemoved: number;
  /** Acknowledged objects the ledger did not know yet. */
  readonly adopted: number;
  /** Entered in the ledger as here, but without an object. */
  readonly lost: number;
  readonly damaged: number;
  /** The ledger was new: every delivery is proven again before anything is sent. */
  readonly rebuilt: boolean;
}

interface RecoveryParts {
  readonly store: ObjectStore;
  readonly ledger: LedgerClient;
  readonly tombstones: Tombstones;
  readonly log: Log;
  readonly now: number;
  /** Reads an object's trailer. @throws where it is damaged */
  describe(objectId: ObjectId, start: NewInstance['start']): Promise<NewInstance>;
  /** A row for an object whose trailer cannot be read. */
  describeUnreadable(objectId: ObjectId): NewInstance;
}

/**
 * Brings objects and ledger together after any end of the last run: the objects are right.
 */
export async function recover(parts: RecoveryParts): Promise<RecoveryReport> {
  const { store, ledger, tombstones, log, now } = parts;
  const unfinishedRemoved = await store.removeUnfinished();
  await ledger.call('recoverInFlight');
  const onDisk = await store.list();
  const inLedger = new Set(await ledger.call('presentObjectIds'));
  const unknown = onDisk.filter((id) => !inLedger.has(id));
  const gone = new Set(await ledger.call('goneAmong', unknown));
  await store.remove([...gone]);
  const adopted = unknown.filter((id) => !gone.has(id));
  // A sender that is told "stored already" forgets the image: from here on that must be true.
  await store.makeDurable(adopted);
  const damaged = await adopt(parts, adopted);
  const missing = await missingObjects(parts, onDisk, inLedger);
  if (missing.length > 0) await ledger.call('holdObjects', missing, lostReason, now);
  if (ledger.fresh) {
    for await (const batch of tombstones.read(log)) await ledger.call('adoptTombstones', batch);
  }
  await tombstones.merge(log, now);
  const report: RecoveryReport = {
    unfinishedRemoved,
    adopted: adopted.length - damaged,
    lost: missing.length,
    damaged,
    rebuilt: ledger.fresh && onDisk.length > 0,
  };
  if (missing.length > 0)
    log.error(
      { code: 'OBJECT_LOST', instances: missing.length },
      'objects that should be here are missing from the disk',
    );
  if (damaged > 0) log.error({ code: 'OBJECT_DAMAGED', instances: damaged }, 'stored objects are damaged');
  return report;
}

/** Enters objects the ledger does not know. Returns how many are damaged. */
async function adopt(parts: RecoveryParts, ids: readonly ObjectId[]): Promise<number> {
  const { ledger, now, log } = parts;
  const start = ledger.fresh ? 'assumed' : 'queued';
  let damaged = 0;
  for (let at = 0; at < ids.length; at += instancesPerCommit) {
    const batch: NewInstance[] = [];
    const unreadable: ObjectId[] = [];
    const slice = ids.slice(at, at + instancesPerCommit);
    const describeNext = async (): Promise<void> => {
      for (let id = slice.shift(); id !== undefined; id = slice.shift()) {
        try {
          batch.push(await parts.describe(id, start));
        } catch (error) {
          if (!(error instanceof GantryError)) throw error;
          log.error({ code: error.code, objectId: id }, 'an object found on the disk cannot be read');
          batch.push(parts.describeUnreadable(id));
          unreadable.push(id);
        }
      }
    };
    await Promise.all(Array.from({ length: opensAtOnce }, describeNext));
    batch.sort((a, b) => (a.objectId < b.objectId ? -1 : 1));
    await ledger.call('admit', batch);
    if (unreadable.length > 0) await ledger.call('holdObjects', unreadable, damagedReason, now);
    damaged += unreadable.length;
  }
  return damaged;
}

/** Rows without objects, except where a tombstone shows that a purge was interrupted: those are marked as purged. */
async function missingObjects(
  parts: RecoveryParts,
  onDisk: readonly ObjectId[],
  inLedger: ReadonlySet<ObjectId>,
): Promise<ObjectId[]> {
  const present = new Set(onDisk);
  const missing = new Set([...inLedger].filter((id) => !present.has(id)));
  if (missing.size === 0) return [];
  for await (const batch of parts.tombstones.read(parts.log)) {
    const purged = batch.map((tombstone) => tombstone.objectId).filter((id) => missing.has(id));
    if (purged.length > 0) await parts.ledger.call('markGone', purged, 'purged');
    for (const id of purged) missing.delete(id);
  }
  return [...missing];
}
