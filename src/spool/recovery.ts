import { join } from 'node:path';
import type { Disk } from '../base/disk.ts';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { LedgerClient } from './ledger-client.ts';
import type { FoundObject } from './instance-rows.ts';
import type { PreparedForm } from './ledger-forms.ts';
import type { NewInstance } from './ledger-instances.ts';
import type { ObjectStore } from './object-store.ts';
import { lostReason } from './reasons.ts';
import { SegmentFiles } from './stored-object.ts';
import type { Tombstones } from './tombstones.ts';
import type { ObjectId } from './types.ts';
import { volumeMissing } from './volume.ts';

const instancesPerCommit = 500;
const opensAtOnce = 8;

/** Whether a data directory was used before: then its keys and its volume marker must be there. */
export async function holdsData(disk: Disk, dataDirectory: string): Promise<boolean> {
  for (const name of ['ledger.db', 'ledger.db.damaged', 'spool/segments', 'spool/objects']) {
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
  /** Looks whether the volume is (still) there: what is out of reach is not lost. */
  volumeMissing(): Promise<boolean>;
  /** Whether the instance's object, or the prepared one in its place, is here and gives back what was received. */
  isWhole(objectId: ObjectId): Promise<boolean>;
  /** See `AtRest.standIn`. */
  standIn(objectIds: readonly ObjectId[]): Promise<ObjectId[]>;
  /** Reads an object's trailer. @throws where it is damaged */
  describe(objectId: ObjectId, start: NewInstance['start'], files: SegmentFiles): Promise<FoundObject>;
  /** A row for an object whose trailer cannot be read. */
  describeUnreadable(objectId: ObjectId): NewInstance;
}

/**
 * Brings objects and ledger together after any end of the last run: the objects are right.
 * @throws GantryError SPOOL_VOLUME_MISSING where the volume went away meanwhile; run it again when it is back
 */
export async function recover(parts: RecoveryParts): Promise<RecoveryReport> {
  const { store, ledger, tombstones, log, now } = parts;
  await ledger.call('recoverInFlight');
  await ledger.call('forgetUnreadable');
  // A rebuild that was interrupted is one still.
  const rebuilding = !(await ledger.call('isRecovered'));
  const inLedger = await ledger.presentObjectIds();
  const prepared = new Set(await ledger.call('preparedIds'));
  const unfinishedRemoved = await store.removeUnfinished(new Set([...inLedger, ...prepared]));
  const onDisk = store.list();
  const unknown = onDisk.filter((id) => !inLedger.has(id) && !prepared.has(id));
  const useless = await removeUseless(parts, unknown);
  const adopted = unknown.filter((id) => !useless.has(id));
  // A sender that is told "stored already" forgets the image: from here on that must be true.
  await store.makeDurable(adopted);
  const { damaged, strays } = await adopt(parts, adopted, rebuilding ? 'assumed' : 'queued');
  const missing = await missingObjects(parts, inLedger);
  if (missing.length > 0) await ledger.call('holdObjects', missing, lostReason, now);
  await ledger.call(
    'dropPrepared',
    [...prepared].filter((id) => !store.has(id)),
  );
  await liftMended(parts);
  if (rebuilding) {
    for await (const batch of tombstones.read(log)) await ledger.call('adoptTombstones', batch);
  }
  await settleStrays(parts, strays, rebuilding);
  await tombstones.merge(log, now);
  await ledger.call('markRecovered', now);
  const report: RecoveryReport = {
    unfinishedRemoved,
    adopted: adopted.length - damaged - strays.length,
    lost: missing.length,
    damaged,
    rebuilt: rebuilding && onDisk.length > 0,
  };
  if (missing.length > 0)
    log.error(
      { code: 'OBJECT_LOST', instances: missing.length },
      'objects that should be here are missing from the disk',
    );
  if (damaged > 0) log.error({ code: 'OBJECT_DAMAGED', instances: damaged }, 'stored objects are damaged');
  return report;
}

/**
 * Deletes what the last run had no time to: objects of instances that are gone, and received ones that were replaced.
 * One whose replacement is not here is taken back.
 */
async function removeUseless(
  { store, ledger }: RecoveryParts,
  unknown: readonly ObjectId[],
): Promise<ReadonlySet<ObjectId>> {
  const found = await ledger.call('uselessAmong', unknown);
  const takenBack = found.filter(({ replacedBy }) => replacedBy !== null && !store.has(replacedBy));
  await ledger.call(
    'takeBack',
    takenBack.map(({ objectId }) => objectId),
  );
  const useless = found.filter((one) => !takenBack.includes(one)).map(({ objectId }) => objectId);
  await store.remove(useless);
  return new Set(useless);
}

/** A prepared object the ledger does not know, and whether the received one is missing. */
interface Stray {
  readonly form: PreparedForm;
  readonly alone: boolean;
}

/** Enters objects the ledger does not know. Returns how many are damaged, and which are second forms of others. */
async function adopt(
  parts: RecoveryParts,
  ids: readonly ObjectId[],
  start: NewInstance['start'],
): Promise<{ damaged: number; strays: Stray[] }> {
  const { ledger, log, store } = parts;
  const strays: Stray[] = [];
  let damaged = 0;
  let entered: Promise<void> = Promise.resolve();
  for (let at = 0; at < ids.length; at += instancesPerCommit) {
    const batch: NewInstance[] = [];
    const slice = ids.slice(at, at + instancesPerCommit);
    await using files = new SegmentFiles();
    const describeNext = async (): Promise<void> => {
      for (let id = slice.shift(); id !== undefined; id = slice.shift()) {
        try {
          const found = await parts.describe(id, start, files);
          if ('received' in found) batch.push(found.received);
          else {
            const alone = !store.has(found.prepared.objectId);
            strays.push({ form: found.prepared, alone });
            if (alone) batch.push(found.instance);
          }
        } catch (error) {
          if (!(error instanceof GantryError)) throw error;
          log.error({ code: error.code, objectId: id }, 'an object found on the disk cannot be read');
          batch.push(parts.describeUnreadable(id));
          damaged += 1;
        }
      }
    };
    // The ledger enters one batch while the next one is read.
    await Promise.all([entered, ...Array.from({ length: opensAtOnce }, describeNext)]);
    batch.sort((a, b) => (a.objectId < b.objectId ? -1 : 1));
    entered = ledger.call('admit', batch);
  }
  await entered;
  return { damaged, strays };
}

/**
 * Prepared objects the ledger does not know were never sent, and are prepared again: whether they give back what was
 * received is not on record. Where the ledger is new they may have been sent: kept to compare the archive's copy with.
 * Where the received object is missing they are all that is left of the instance, and were entered for it.
 */
async function settleStrays(
  { ledger, store }: RecoveryParts,
  strays: readonly Stray[],
  rebuilding: boolean,
): Promise<void> {
  const useless: ObjectId[] = [];
  for (const { form, alone } of strays) {
    const kept = (rebuilding || alone) && (await ledger.call('settlePrepared', form, false));
    if (kept) continue;
    // Beside another one of the same instance, it is not needed.
    const other = await ledger.call('preparedIdOf', form.objectId);
    if (!alone || (other !== null && store.has(other))) useless.push(form.preparedId);
  }
  await store.remove(useless);
}

/**
 * Rows without objects, except where a tombstone shows that a purge was interrupted (those are marked as purged), and
 * where the instance's prepared object gives back what was received (that is what is stored of it from now on).
 */
async function missingObjects(parts: RecoveryParts, inLedger: ReadonlySet<ObjectId>): Promise<ObjectId[]> {
  const { store, ledger, log } = parts;
  const missing = new Set<ObjectId>();
  for (const id of inLedger) if (!store.has(id)) missing.add(id);
  for await (const pairs of ledger.replacedPairs()) {
    for (const { objectId, preparedId } of pairs) if (!store.has(preparedId)) missing.add(objectId);
  }
  if (missing.size === 0) return [];
  for await (const batch of parts.tombstones.read(log)) {
    const purged = batch.map((tombstone) => tombstone.objectId).filter((id) => missing.has(id));
    if (purged.length > 0) await finishPurge(parts, purged);
    for (const id of purged) missing.delete(id);
  }
  if (await parts.volumeMissing()) throw volumeMissing();
  for (const id of await parts.standIn([...missing])) missing.delete(id);
  return [...missing];
}

/** The received objects are deleted; of the prepared ones that may not have been done yet. */
async function finishPurge({ ledger, store }: RecoveryParts, purged: readonly ObjectId[]): Promise<void> {
  await store.remove(await ledger.call('preparedIdsOf', purged));
  await ledger.call('markPurged', purged);
}

/** Objects held as damaged or lost that are here and whole (a disk that was away, a file put back) go on. */
async function liftMended(parts: RecoveryParts): Promise<void> {
  const mended: ObjectId[] = [];
  for (const id of await parts.ledger.call('brokenObjectIds')) {
    if (await parts.isWhole(id)) mended.push(id);
  }
  if (mended.length > 0) await parts.ledger.call('liftBroken', mended, parts.now);
}
