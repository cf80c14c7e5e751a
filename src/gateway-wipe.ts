import { join } from 'node:path';
import { type Disk, nodeDisk, syncDirectory } from './base/disk.ts';
import { GantryError, systemErrorCode } from './base/errors.ts';
import type { Log } from './base/log.ts';
import { openOffline } from './gateway-offline.ts';
import { lockDataDirectory } from './spool/data-lock.ts';
import { holdsData } from './spool/recovery.ts';

/** What would be lost with a data directory. */
export interface WipeCensus {
  /** Instances that are not proven to be at every archive they were meant for; null where that cannot be told. */
  readonly unverified: number | null;
  /** Of these, set aside for an operator. */
  readonly parked: number;
}

/** Keys first: from then on nothing else can be read, whatever interrupts. */
const ours = [
  /^keys$/,
  /^ledger\.db/,
  /^spool$/,
  /^(?:access|audit|receipts|commitments|updates|control\.sock|support-bundle\.tar\.gz)$/,
  // Last: by it the directory is still known as a gateway's where this was interrupted.
  /^config$/,
];

/**
 * Counts what a wipe would lose.
 * @throws GantryError DATA_NONE, DATA_OTHER_OWNER, DATA_LOCKED where a gateway runs
 */
export async function countBeforeWipe(dataDirectory: string, log: Log): Promise<WipeCensus> {
  try {
    await using offline = await openOffline(dataDirectory, log);
    const { queue, totals } = await offline.spool.counts();
    const parked = totals.held + totals.quarantined + totals.conflicts;
    return { unverified: queue.instances + parked, parked };
  } catch (error) {
    const code = error instanceof GantryError ? error.code : '';
    if (code.startsWith('DATA_')) throw error;
    // Lost keys, a damaged configuration: such a directory must be possible to wipe, too.
    log.error({ error }, 'what is stored here cannot be counted');
    return { unverified: null, parked: 0 };
  }
}

/**
 * Deletes keys, then images, records and settings of a gateway that is not running. What does not belong to a gateway
 * stays.
 * @returns names of what is left in the directory
 * @throws GantryError DATA_LOCKED, or the system's error; then the keys are gone already
 */
export async function wipe(dataDirectory: string, disk: Disk = nodeDisk): Promise<readonly string[]> {
  const lock = await lockDataDirectory(disk, dataDirectory);
  try {
    const names = await disk.list(dataDirectory);
    for (const pattern of ours) {
      for (const name of names.filter((one) => pattern.test(one))) {
        await removeTree(disk, join(dataDirectory, name));
        await syncDirectory(disk, dataDirectory);
      }
    }
    if (await holdsData(disk, dataDirectory)) throw notEmpty();
    const still = await disk.list(dataDirectory);
    return still.filter((name) => !name.startsWith('lock'));
  } finally {
    lock.release();
  }
}

async function removeTree(disk: Disk, path: string): Promise<void> {
  const facts = await disk.facts(path);
  if (facts?.kind !== 'directory') return disk.remove(path);
  for (const name of await disk.list(path)) await removeTree(disk, join(path, name));
  try {
    await disk.removeDirectory(path);
  } catch (error) {
    // A volume of its own is mounted there: it is empty now, which is what counts.
    if (systemErrorCode(error) !== 'EBUSY') throw error;
  }
}

function notEmpty(): GantryError {
  return new GantryError({
    code: 'WIPE_INCOMPLETE',
    kind: 'transient',
    message: 'The keys are deleted, but something of the images is still there.',
    nextStep: 'Give the command once more.',
  });
}
