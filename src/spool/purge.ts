import type { Keyring } from '../crypto/keyring.ts';
import type { LedgerClient } from './ledger-client.ts';
import type { ObjectStore } from './object-store.ts';
import type { Tombstones } from './tombstones.ts';

const batchMax = 2000;

interface PurgeParts {
  readonly ledger: LedgerClient;
  readonly store: ObjectStore;
  readonly tombstones: Tombstones;
  readonly keyring: Keyring;
  readonly now: () => number;
  /** False while the volume is away or not recovered: the ledger may then not know all that is stored. */
  readonly ready: () => boolean;
  /** Whether an object is being written under the epoch (hex id). */
  readonly epochIsOpen: (epochId: string) => boolean;
}

/**
 * Deletes what was verified before the given time: tombstones first, durably; then the objects; then the keys of
 * epochs that hold nothing any more.
 */
export async function purgeVerified(
  verifiedBefore: number,
  parts: PurgeParts,
): Promise<{ instances: number; bytes: number; epochsShredded: number }> {
  const { ledger, store, tombstones } = parts;
  let instances = 0;
  let bytes = 0;
  while (parts.ready()) {
    const batch = await ledger.call('purgeable', verifiedBefore, batchMax);
    if (batch.length === 0) break;
    const ids = batch.map((one) => one.objectId);
    await tombstones.write(batch, parts.now());
    await store.remove([...ids, ...(await ledger.call('preparedIdsOf', ids))]);
    await ledger.call('markPurged', ids);
    instances += batch.length;
    bytes += batch.reduce((sum, one) => sum + one.bytes, 0);
  }
  return { instances, bytes, epochsShredded: await shredUnusedEpochs(parts) };
}

/** A key once forgotten is gone: only what is certainly unused is. */
async function shredUnusedEpochs({ ledger, keyring, ready, epochIsOpen }: PurgeParts): Promise<number> {
  if (!ready()) return 0;
  // First: a past epoch is never handed out again, so what is not open now and not in use afterwards is unused.
  const candidates = keyring.pastEpochs().filter((id) => !epochIsOpen(id));
  await ledger.flush();
  const inUse = new Set(await ledger.call('epochsInUse'));
  // An object whose epoch is not known could be sealed under any of them.
  if (inUse.has('') || !ready()) return 0;
  const unused = candidates.filter((id) => !inUse.has(id));
  await keyring.forgetEpochs(unused);
  return unused.length;
}
