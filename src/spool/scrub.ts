import { createHash } from 'node:crypto';
import { GantryError } from '../base/errors.ts';
import { decodeTrailer } from './facts.ts';
import type { LedgerClient } from './ledger-client.ts';
import type { ObjectStore } from './object-store.ts';
import { damagedReason, lostReason } from './recovery.ts';
import type { ObjectId } from './types.ts';

export interface ScrubReport {
  readonly objects: number;
  readonly bytes: number;
  readonly damaged: readonly ObjectId[];
  /** Should be here and are not. */
  readonly missing: readonly ObjectId[];
}

/**
 * Reads every stored object to its end: each chunk's tag, the trailer, the digest of the whole. Damaged ones are
 * held (never sent, never deleted) and named.
 */
export async function scrubObjects(
  store: ObjectStore,
  ledger: LedgerClient,
  now: number,
): Promise<ScrubReport> {
  let objects = 0;
  let bytes = 0;
  const damaged: ObjectId[] = [];
  const known = await ledger.call('presentObjectIds');
  const onDisk = await store.list();
  for (const id of onDisk) {
    try {
      bytes += await verifyObject(store, id);
      objects += 1;
    } catch (error) {
      if (!(error instanceof GantryError)) throw error;
      if (error.code === 'OBJECT_NOT_FOUND') continue; // purged while we were reading others
      objects += 1;
      damaged.push(id);
    }
  }
  if (damaged.length > 0) await ledger.call('holdObjects', damaged, damagedReason, now);
  const missing = await missingOf(known, onDisk, ledger);
  if (missing.length > 0) await ledger.call('holdObjects', missing, lostReason, now);
  return { objects, bytes, damaged, missing };
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
  const still = new Set(await ledger.call('presentObjectIds'));
  return absent.filter((id) => still.has(id));
}

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
