import type { Disk } from '../base/disk.ts';
import { GantryError } from '../base/errors.ts';
import { LedgerClient, type LedgerHost } from './ledger-client.ts';

/**
 * Opens the ledger; a damaged one is set aside, and recovery rebuilds it.
 * @throws GantryError LEDGER_UNAVAILABLE, LEDGER_NEWER
 */
export async function openLedger(disk: Disk, path: string, host: LedgerHost): Promise<LedgerClient> {
  try {
    return LedgerClient.open(path, host);
  } catch (error) {
    if (!(error instanceof GantryError) || error.code !== 'LEDGER_DAMAGED') throw error;
    host.log.error(
      { code: error.code, error },
      'the ledger is damaged: it is set aside and rebuilt from the stored objects',
    );
    await setLedgerAside(disk, path);
    return LedgerClient.open(path, host);
  }
}

/** Renames the ledger and its companions out of the way; the next start rebuilds it from the objects. */
export async function setLedgerAside(disk: Disk, path: string): Promise<void> {
  // The companions first: left behind, they would be taken for those of the new database.
  for (const suffix of ['-wal', '-shm', '']) {
    if ((await disk.facts(`${path}${suffix}`)) === null) continue;
    await disk.rename(`${path}${suffix}`, `${path}.damaged${suffix}`);
  }
}
