import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Disk, makeDirectoryDurably, readWholeFile, writeFileDurably } from '../base/disk.ts';
import { GantryError } from '../base/errors.ts';
import { type DirectoryLock, lockDirectory } from './ledger.ts';

/**
 * Takes a data directory for this process alone. The kernel releases it when the process ends, however it ends.
 * @throws GantryError DATA_LOCKED naming the holder
 */
export async function lockDataDirectory(disk: Disk, dataDirectory: string): Promise<DirectoryLock> {
  await makeDirectoryDurably(disk, dataDirectory);
  const holderPath = join(dataDirectory, 'lock-holder.json');
  const lock = lockDirectory(join(dataDirectory, 'lock'));
  if (lock !== null) {
    const holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
    await writeFileDurably(disk, holderPath, Buffer.from(JSON.stringify(holder)));
    return lock;
  }
  throw new GantryError({
    code: 'DATA_LOCKED',
    kind: 'permanent',
    message: `This data directory is in use by ${await describeHolder(disk, holderPath)}.`,
    nextStep: 'Stop that gateway first, or give this one its own data directory.',
  });
}

async function describeHolder(disk: Disk, path: string): Promise<string> {
  try {
    const bytes = await readWholeFile(disk, path, 4096);
    const holder = JSON.parse(bytes?.toString() ?? '') as { pid?: unknown; host?: unknown; since?: unknown };
    return `process ${String(holder.pid)} on ${String(holder.host)} (since ${String(holder.since)})`;
  } catch {
    return 'another process';
  }
}
