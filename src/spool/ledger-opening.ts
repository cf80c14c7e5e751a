import type { Disk } from '../base/disk.ts';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { LedgerClient } from './ledger-client.ts';

/** Opens the ledger; a damaged one is set aside, and recovery rebuilds it. @throws GantryError LEDGER_NEWER */
export async function openLedger(
  disk: Disk,
  path: string,
  log: Log,
  admitted: () => void,
): Promise<LedgerClient> {
  try {
    return LedgerClient.open(path, log, admitted);
  } catch (error) {
    if (!(error instanceof GantryError) || error.code !== 'LEDGER_DAMAGED') throw error;
    log.error(
      { code: error.code, error },
      'the ledger is damaged: it is set aside and rebuilt from the stored objects',
    );
    await setLedgerAside(disk, path);
    return LedgerClient.open(path, log, admitted);
  }
}

/** Renames the ledger and its companions out of the way; the next start rebuilds it from the objects. */
export async function setLedgerAside(disk: Disk, path: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) {
    if ((await disk.facts(`${path}${suffix}`)) !== null)
      await disk.rename(`${path}${suffix}`, `${path}.damaged${suffix}`);
  }
}
