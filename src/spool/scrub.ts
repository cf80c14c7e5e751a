import { createHash } from 'node:crypto';
import { GantryError } from '../base/errors.ts';
import { decodeTrailer } from './facts.ts';
import type { LedgerClient } from './ledger-client.ts';
import type { ObjectStore } from './object-store.ts';
import { damagedReason, lostReason } from './reasons.ts';
import type { ObjectId } from './types.ts';
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
  readonly now: number;
  readonly volumeMissing: () => Promise<boolean>;
}

/**
 * Reads every stored object to its end: each chunk's tag, the trailer, the digest of the whole. Damaged and missing
 * ones are held (never sent, never deleted) and named; what was held so and is whole after all goes on.
 * @throws GantryError SPOOL_VOLUME_MISSING where the volume went away meanwhile
 */
export async function scrubObjects({
  store,
  ledger,
  now,
  volumeMissing: away,
}: ScrubParts): Promise<ScrubReport> {
  let bytes = 0;
  const whole: ObjectId[] = [];
  const damaged: ObjectId[] = [];
  const known = [...(await ledger.presentObjectIds())];
  const onDisk = store.list();
  for (const id of onDisk) {
    try {
      bytes += await verifyObject(store, id);
      whole.push(id);
    } catch (error) {
      if (!(error instanceof GantryError)) throw error;
      // Not found: purged while we were reading others.
      if (error.code !== 'OBJECT_NOT_FOUND') damaged.push(id);
    }
  }
  const missing = await missingOf(known, onDisk, ledger);
  if (await away()) throw volumeMissing();
  // A damaged second form is given up: the received one is there.
  await store.remove(await ledger.call('dropPrepared', damaged));
  if (damaged.length > 0) await ledger.call('holdObjects', damaged, damagedReason, now);
  if (missing.length > 0) await ledger.call('holdObjects', missing, lostReason, now);
  const broken = new Set(await ledger.call('brokenObjectIds'));
  const mended = whole.filter((id) => broken.has(id));
  if (mended.length > 0) await ledger.call('liftBroken', mended, now);
  return { objects: whole.length + damaged.length, bytes, damaged, missing };
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

/** Whether the object verifies from its first byte to its last. @throws the disk's error */
export async function isWhole(store: ObjectStore, id: ObjectId): Promise<boolean> {
  try {
    await verifyObject(store, id);
    return true;
  } catch (error) {
    if (error instanceof GantryError) return false;
    throw error;
  }
}

/** @returns its plain bytes. @throws GantryError OBJECT_* where it is not whole */
async function verifyObject(store: ObjectStore, id: ObjectId): Promise<number> {
  const stored = await store.open(id);
  try {
    const trailer = decodeTrailer(stored.trailer, stored.plainBytes);
    const hash = createHash('sha256');
    for await (const chunk of stored.chunks()) hash.update(chunk);
    if (hash.digest('hex') !== trailer.dataSetSha256) {
      throw new GantryError({
        code: 'OBJECT_DAMAGED',
        kind: 'permanent',
        message: 'A stored object does not match its own digest.',
        nextStep: 'Send this image again from its modality.',
      });
    }
    return stored.plainBytes;
  } finally {
    await stored.close();
  }
}
