import { GantryError } from '../base/errors.ts';
import type { AtRest } from './at-rest.ts';
import type { LedgerClient } from './ledger-client.ts';
import type { ObjectStore } from './object-store.ts';
import { damagedReason, lostReason, notRestoredReason } from './reasons.ts';
import type { ObjectId } from './types.ts';
import { verifyObject } from './verify-object.ts';
import { volumeMissing } from './volume.ts';

export interface ScrubReport {
  readonly objects: number;
  readonly bytes: number;
  readonly damaged: readonly ObjectId[];
  /** Should be here and are not. */
  readonly missing: readonly ObjectId[];
}

interface ScrubParts {
  readonly store: ObjectStore;
  readonly ledger: LedgerClient;
  readonly atRest: Pick<AtRest, 'restoresAfterAll' | 'standIn'>;
  readonly now: number;
  readonly volumeMissing: () => Promise<boolean>;
}

/** What the objects on the disk turned out to be; each of a replaced instance by the name of the received one. */
interface Findings {
  bytes: number;
  readonly whole: ObjectId[];
  readonly damaged: ObjectId[];
  readonly notRestored: ObjectId[];
}

/**
 * Reads every stored object to its end: each chunk's tag, the trailer, the digest of the whole; and restores what
 * replaced a received object. Damaged and missing ones are held (never sent, never deleted) and named, unless the
 * instance's other form is whole; what was held so and is whole after all goes on.
 * @throws GantryError SPOOL_VOLUME_MISSING where the volume went away meanwhile; CODEC_STOPPED
 */
export async function scrubObjects(parts: ScrubParts): Promise<ScrubReport> {
  const { store, ledger, atRest, now, volumeMissing: away } = parts;
  const known = [...(await ledger.presentObjectIds())];
  // Prepared objects, each with the name of the received one it replaced.
  const replaced = new Map<ObjectId, ObjectId>();
  for await (const pairs of ledger.replacedPairs()) {
    for (const { objectId, preparedId } of pairs) replaced.set(preparedId, objectId);
  }
  const onDisk = store.list();
  const found = await look(parts, onDisk, replaced);
  const missing = await missingOf(known, onDisk, ledger);
  for (const [preparedId, objectId] of replaced) {
    if (!store.has(preparedId) && (await ledger.call('preparedIdOf', objectId)) === preparedId)
      missing.push(objectId);
  }
  if (await away()) throw volumeMissing();
  // A damaged second form is given up: the received one is there.
  const dropped = await ledger.call('dropPrepared', found.damaged);
  await store.remove(dropped);
  const damaged = found.damaged.filter((id) => !dropped.includes(id));
  // And the other way round.
  const mended = new Set(await atRest.standIn([...damaged, ...missing]));
  const hold = async (ids: readonly ObjectId[], reason: typeof damagedReason): Promise<void> => {
    const broken = ids.filter((id) => !mended.has(id));
    if (broken.length > 0) await ledger.call('holdObjects', broken, reason, now);
  };
  await hold(damaged, damagedReason);
  await hold(missing, lostReason);
  await hold(found.notRestored, notRestoredReason);
  await lift(parts, [...found.whole, ...mended]);
  return {
    objects: found.whole.length + found.damaged.length + found.notRestored.length,
    bytes: found.bytes,
    damaged: [...found.damaged, ...found.notRestored],
    missing,
  };
}

async function look(
  { store, ledger, atRest }: ScrubParts,
  onDisk: readonly ObjectId[],
  replaced: ReadonlyMap<ObjectId, ObjectId>,
): Promise<Findings> {
  const found: Findings = { bytes: 0, whole: [], damaged: [], notRestored: [] };
  for (const id of onDisk) {
    const name = replaced.get(id) ?? id;
    try {
      found.bytes += await verifyObject(store, id);
      if (name === id) found.whole.push(id);
      else if (await atRest.restoresAfterAll(id)) {
        await ledger.call('markProven', id);
        found.whole.push(name);
      } else {
        await ledger.call('distrust', id);
        found.notRestored.push(name);
      }
    } catch (error) {
      if (!(error instanceof GantryError) || error.kind !== 'permanent') throw error;
      // Not found: purged while we were reading others.
      if (error.code !== 'OBJECT_NOT_FOUND') found.damaged.push(name);
    }
  }
  return found;
}

/** Known before the disk was listed, known still, and not on it: what was purged meanwhile is not missing. */
async function missingOf(
  known: readonly ObjectId[],
  onDisk: readonly ObjectId[],
  ledger: LedgerClient,
): Promise<ObjectId[]> {
  const listed = new Set(onDisk);
  const absent = known.filter((id) => !listed.has(id));
  if (absent.length === 0) return [];
  const still = await ledger.presentObjectIds();
  return absent.filter((id) => still.has(id));
}

/** What was held as damaged or missing and is whole after all goes on. */
async function lift({ ledger, now }: ScrubParts, whole: readonly ObjectId[]): Promise<void> {
  const broken = new Set(await ledger.call('brokenObjectIds'));
  const mended = whole.filter((id) => broken.has(id));
  if (mended.length > 0) await ledger.call('liftBroken', mended, now);
}
