import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Disk, makeDirectoryDurably, readWholeFile, writeFileDurably } from '../base/disk.ts';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { type DirectoryLock, lockDirectory } from './ledger.ts';

/** Who has a data directory, as `lock-holder.json` says it. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/**
 * Takes a data directory, made where missing, for this process alone. The kernel releases it when the process
 * ends, however it ends.
 * @throws GantryError DATA_LOCKED naming the holder, DATA_UNUSABLE
 */
export async function lockDataDirectory(disk: Disk, dataDirectory: string): Promise<DirectoryLock> {
  const holderPath = join(dataDirectory, 'lock-holder.json');
  let lock: DirectoryLock | null = null;
  try {
    await makeDirectoryDurably(disk, dataDirectory);
    lock = await takeLock(disk, join(dataDirectory, 'lock'));
    if (lock === null) throw dataLocked(await readHolder(disk, holderPath));
    const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
    await writeFileDurably(disk, holderPath, Buffer.from(JSON.stringify(holder)));
    return lock;
  } catch (error) {
    lock?.release();
    throw error instanceof GantryError ? error : dataUnusable(error);
  }
}

/** @throws the system's error: SQLite's own does not say why a file cannot be opened */
async function takeLock(disk: Disk, path: string): Promise<DirectoryLock | null> {
  try {
    return lockDirectory(path);
  } catch (error) {
    const there = (await disk.facts(path)) !== null;
    const file = there ? await disk.openFile(path, 'read-write') : await disk.createFile(path);
    await file.close();
    throw error;
  }
}

async function readHolder(disk: Disk, path: string): Promise<Holder | null> {
  try {
    const bytes = await readWholeFile(disk, path, 4096);
    const { pid, host, since } = JSON.parse(bytes?.toString() ?? '') as Record<string, unknown>;
    return typeof pid === 'number' ? { pid, host: String(host), since: String(since) } : null;
  } catch {
    return null;
  }
}

function dataLocked(holder: Holder | null): GantryError {
  const who =
    holder === null ? 'another process' : `process ${holder.pid} on ${holder.host} (since ${holder.since})`;
  const how = holder?.host === hostname() ? ` (kill ${holder.pid})` : '';
  return new GantryError({
    code: 'DATA_LOCKED',
    kind: 'permanent',
    message: `This data directory is in use by ${who}.`,
    nextStep: `Stop that gateway first${how}, or give this one its own data directory.`,
  });
}

/** A data directory that this process can do nothing with. */
export function dataUnusable(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'DATA_UNUSABLE',
      kind: 'permanent',
      message: `This data directory cannot be used (${systemErrorCode(cause) ?? 'unknown cause'}).`,
      nextStep:
        'Check the path given with --data: a directory of the user who runs this, on a disk that can be written.',
    },
    { cause },
  );
}
