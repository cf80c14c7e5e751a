import * as fs from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The one way to stored bytes: everything the spool, the keyring and the configuration keep goes through this
 * port, so that any call can be made to fail, or to be the last one, from outside. Errors are the system's own
 * (`code` is `ENOSPC`, `EIO` …); what they mean is for the caller to say.
 */
export interface Disk {
  /** Makes a new file for writing, mode 0600. Fails with EEXIST where one is. */
  createFile(path: string): Promise<DiskFile>;
  openFile(path: string, access: 'read' | 'read-write'): Promise<DiskFile>;
  /** Opens a directory to make its entries durable. */
  openDirectory(path: string): Promise<DiskDirectory>;
  /** Makes a directory in one that exists, mode 0700; one that is there already is no error. Durable after the parent's `sync`. */
  makeDirectory(path: string): Promise<void>;
  removeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is no error. */
  remove(path: string): Promise<void>;
  /** Names in a directory, sorted; empty where there is no such directory. */
  list(path: string): Promise<string[]>;
  /** Facts of a file or directory, or null where nothing is there. */
  facts(path: string): Promise<FileFacts | null>;
  /** Space of the volume that holds the path. */
  space(path: string): Promise<VolumeSpace>;
}

export interface DiskFile {
  /** Writes all of the buffers, one after the other, from the given position. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Fills the buffer from the given position; returns how many bytes there were. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  size(): Promise<number>;
  /** fdatasync: the bytes and the length are durable once it resolves. A failure may not be retried and called good. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface DiskDirectory {
  /** fsync of the directory: names made, renamed or removed before the call are durable once it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FileFacts {
  readonly kind: 'file' | 'directory' | 'other';
  readonly bytes: number;
  /** Permission bits, e.g. 0o600. */
  readonly mode: number;
  /** Names the file or directory itself: another one in its place has another. */
  readonly identity: string;
}

export interface VolumeSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Free inodes, or null where the file system does not count them. */
  readonly freeFiles: number | null;
}

/** Buffers of one writev call; Linux allows 1,024 (IOV_MAX). */
const buffersPerWriteMax = 512;

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

function call<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value)));
  });
}

class NodeFile implements DiskFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let at = position;
    let rest = buffers.filter((buffer) => buffer.length > 0);
    while (rest.length > 0) {
      const part = rest.slice(0, buffersPerWriteMax);
      const written = await call<number>((done) => fs.writev(this.#fd, part, at, done));
      at += written;
      rest = afterBytes(rest, written);
    }
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < buffer.length) {
      const got = await call<number>((done) =>
        fs.read(this.#fd, buffer, filled, buffer.length - filled, position + filled, done),
      );
      if (got === 0) break;
      filled += got;
    }
    return filled;
  }

  async size(): Promise<number> {
    return (await call<fs.Stats>((done) => fs.fstat(this.#fd, done))).size;
  }

  sync(): Promise<void> {
    return call<void>((done) => fs.fdatasync(this.#fd, done));
  }

  close(): Promise<void> {
    return call<void>((done) => fs.close(this.#fd, done));
  }
}

class NodeDirectory implements DiskDirectory {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  sync(): Promise<void> {
    return call<void>((done) => fs.fsync(this.#fd, done));
  }

  close(): Promise<void> {
    return call<void>((done) => fs.close(this.#fd, done));
  }
}

function afterBytes(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  let index = 0;
  for (; index < buffers.length; index += 1) {
    const length = buffers[index]?.length ?? 0;
    if (skip < length) break;
    skip -= length;
  }
  const rest = buffers.slice(index);
  const first = rest[0];
  if (first !== undefined && skip > 0) rest[0] = first.subarray(skip);
  return rest;
}

function unlessMissing<T>(fallback: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return fallback;
    throw error;
  };
}

/** The disk of this machine. */
export const nodeDisk: Disk = {
  createFile: async (path) => new NodeFile(await call<number>((done) => fs.open(path, 'wx+', 0o600, done))),
  openFile: async (path, access) =>
    new NodeFile(await call<number>((done) => fs.open(path, access === 'read' ? 'r' : 'r+', done))),
  openDirectory: async (path) => new NodeDirectory(await call<number>((done) => fs.open(path, 'r', done))),
  makeDirectory: async (path) => {
    try {
      await fs.promises.mkdir(path, { mode: 0o700 });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      if (!(await fs.promises.stat(path)).isDirectory()) throw error;
    }
  },
  removeDirectory: (path) => fs.promises.rmdir(path),
  rename: (from, to) => call<void>((done) => fs.rename(from, to, done)),
  remove: (path) => fs.promises.unlink(path).catch(unlessMissing(undefined)),
  list: async (path) => (await fs.promises.readdir(path).catch(unlessMissing<string[]>([]))).toSorted(),
  facts: async (path) => {
    const stat = await fs.promises.stat(path).catch(unlessMissing(null));
    if (stat === null) return null;
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other';
    return { kind, bytes: stat.size, mode: stat.mode & 0o777, identity: `${stat.dev}:${stat.ino}` };
  },
  space: async (path) => {
    const volume = await fs.promises.statfs(path);
    return {
      freeBytes: volume.bavail * volume.bsize,
      totalBytes: volume.blocks * volume.bsize,
      freeFiles: volume.files > 0 ? volume.ffree : null,
    };
  },
};

/** Makes the names in a directory durable. */
export async function syncDirectory(disk: Disk, path: string): Promise<void> {
  const directory = await disk.openDirectory(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Makes a directory (and missing parents) durable: each new level is synced into the one above it. */
export async function makeDirectoryDurably(disk: Disk, path: string): Promise<void> {
  if ((await disk.facts(path)) !== null) return;
  const parent = dirname(path);
  if (parent !== path) await makeDirectoryDurably(disk, parent);
  await disk.makeDirectory(path);
  try {
    await syncDirectory(disk, parent);
  } catch (error) {
    // A directory that stays is taken for durable by the next who asks.
    await disk.removeDirectory(path).catch(() => undefined);
    throw error;
  }
}

/**
 * Makes the names in a directory durable, whatever an earlier run left undone. The directory is changed first:
 * after a failed fsync the system may have nothing left to write, and call the next one a success.
 */
export async function syncDirectoryAnew(disk: Disk, path: string): Promise<void> {
  const probe = join(path, 'sync-probe');
  await disk.makeDirectory(probe);
  // Whoever does the same at the same time may have removed it.
  await disk.removeDirectory(probe).catch(() => undefined);
  await syncDirectory(disk, path);
}

/**
 * Replaces a file so that after a power cut either the old or the new bytes are there, never a mixture:
 * temporary file, fdatasync, rename, fsync of the directory.
 */
export async function writeFileDurably(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  await disk.remove(temporary);
  try {
    const file = await disk.createFile(temporary);
    try {
      await file.write([bytes], 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(temporary, path);
  } catch (error) {
    await disk.remove(temporary).catch(() => undefined);
    throw error;
  }
  await syncDirectory(disk, dirname(path));
}

/**
 * Reads a whole small file, or null where there is none.
 * @throws RangeError where it is larger than allowed
 */
export async function readWholeFile(disk: Disk, path: string, bytesMax: number): Promise<Buffer | null> {
  if ((await disk.facts(path)) === null) return null;
  const file = await disk.openFile(path, 'read');
  try {
    const size = await file.size();
    if (size > bytesMax) throw new RangeError(`file of ${size} bytes where at most ${bytesMax} are expected`);
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** The files below a directory of directories: `shard/name` pairs, in order. */
export async function listTwoLevels(disk: Disk, path: string): Promise<{ shard: string; name: string }[]> {
  const found: { shard: string; name: string }[] = [];
  for (const shard of await disk.list(path)) {
    for (const name of await disk.list(join(path, shard))) found.push({ shard, name });
  }
  return found;
}
