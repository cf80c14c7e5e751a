import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Disk, nodeDisk } from '../../src/base/disk.ts';
import type { Log } from '../../src/base/log.ts';
import { newObjectId } from '../../src/spool/object-id.ts';
import type { ObjectWriter } from '../../src/spool/object-store.ts';
import { SegmentStore } from '../../src/spool/segment-store.ts';
import type { ObjectId } from '../../src/spool/types.ts';
import { memoryDirectory } from '../fault/bench.ts';
import { storedObjects } from '../fixtures/stored-objects.ts';

export const megabyte = 1024 * 1024;
const writeBytes = 65_536;
const epoch = { id: randomBytes(16), key: randomBytes(32) };
const trailer = Buffer.from('{"end":"END"}');

/** A segment store in a directory of its own, and what has to be in it. */
export interface Shelf {
  readonly path: string;
  readonly store: SegmentStore;
  /** By object id: what has to be there. */
  readonly digests: Map<ObjectId, string>;
  /** Codes of what was logged. */
  readonly said: string[];
  isShort: boolean;
  /** Free space where it is not short of it. */
  roomBytes: number;
}

interface ShelfChoices {
  readonly digests?: Shelf['digests'];
  readonly disk?: Disk;
  readonly segmentBytes?: number;
  readonly preparedBytes?: number;
  readonly roomBytes?: number;
}

/** An empty data directory. */
export function temporary(): string {
  const data = memoryDirectory();
  onTestFinished(() => data[Symbol.dispose]());
  mkdirSync(join(data.path, 'spool'));
  return data.path;
}

/** What another process would find if this one ended now. */
export function copyOf(path: string): string {
  const copy = temporary();
  const { status, stderr } = spawnSync('cp', ['-a', `${path}/.`, copy], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return copy;
}

/** Starts a store; one that is empty is ready for objects, another has to be recovered. */
export async function openShelf(path: string, choices: ShelfChoices = {}): Promise<Shelf> {
  const said: string[] = [];
  const shelf: Shelf = {
    path,
    said,
    digests: choices.digests ?? new Map(),
    isShort: false,
    roomBytes: choices.roomBytes ?? Number.MAX_SAFE_INTEGER,
    store: new SegmentStore({
      disk: choices.disk ?? nodeDisk,
      directory: join(path, 'spool'),
      findKey: (id) => (id.equals(epoch.id) ? epoch.key : null),
      log: listeningLog(said),
      roomBytes: () => (shelf.isShort ? -1 : shelf.roomBytes),
      segmentBytes: choices.segmentBytes ?? megabyte,
      preparedBytes: choices.preparedBytes ?? 0,
    }),
  };
  const fresh = readdirSync(join(path, 'spool')).length === 0;
  await shelf.store.start();
  onTestFinished(() => shelf.store.close());
  if (fresh) await recover(shelf);
  return shelf;
}

/** As recovery does: all that is whole is kept, whatever was not acknowledged is not. */
export async function recover(shelf: Shelf): Promise<number> {
  const unfinished = await shelf.store.removeUnfinished(new Set());
  await shelf.store.makeDurable(shelf.store.list());
  return unfinished;
}

export async function reopened(shelf: Shelf): Promise<Shelf> {
  await shelf.store.close();
  const again = await openShelf(shelf.path, { digests: shelf.digests });
  await recover(again);
  return again;
}

/** Stores one object as an association does: what fails is aborted. */
export async function put(shelf: Shelf, bytes: number): Promise<ObjectId> {
  const arriving = await arrive(shelf, bytes);
  await arriving.commit();
  return arriving.id;
}

/** Several, one after the other: they lie in this order. */
export async function putAll(shelf: Shelf, count: number, bytes: number): Promise<ObjectId[]> {
  const ids: ObjectId[] = [];
  for (let n = 0; n < count; n += 1) ids.push(await put(shelf, bytes));
  return ids;
}

/** An object of which everything was received but its end. */
export async function arrive(
  shelf: Shelf,
  bytes: number,
): Promise<{ readonly id: ObjectId; readonly commit: () => Promise<void> }> {
  const id = newObjectId(Date.now());
  const content = randomBytes(bytes);
  const writer = shelf.store.create(id, epoch, 'received');
  await orAbort(writer, async () => {
    for (let at = 0; at < bytes; at += writeBytes) await writer.write(content.subarray(at, at + writeBytes));
  });
  const commit = async (): Promise<void> => {
    await orAbort(writer, () => writer.commit(trailer));
    shelf.digests.set(id, createHash('sha256').update(content).digest('hex'));
  };
  return { id, commit };
}

async function orAbort(writer: ObjectWriter, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** Begins an object, for tests that write and abort it themselves. */
export function begin(shelf: Shelf): ObjectWriter {
  return shelf.store.create(newObjectId(Date.now()), epoch, 'received');
}

export async function remove(shelf: Shelf, ids: readonly ObjectId[]): Promise<void> {
  await shelf.store.remove(ids);
  for (const id of ids) shelf.digests.delete(id);
}

export async function digestOf(store: SegmentStore, id: ObjectId): Promise<string> {
  const object = await store.open(id);
  try {
    const hash = createHash('sha256');
    for await (const chunk of object.chunks()) hash.update(chunk);
    return hash.digest('hex');
  } finally {
    await object.close();
  }
}

/** Exactly these objects, byte for byte. */
export async function expectAll({ store, digests }: Shelf): Promise<void> {
  expect(store.list().toSorted()).toEqual([...digests.keys()].toSorted());
  for (const [id, digest] of digests) expect(await digestOf(store, id)).toBe(digest);
}

export function segmentPath(path: string, number: number): string {
  return join(path, 'spool', 'segments', `${String(number).padStart(8, '0')}.seg`);
}

/** Of all segment files. */
export function segmentBytes(path: string): number {
  const directory = join(path, 'spool', 'segments');
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

/** Whose run is written here; null where something else is. */
export function ownerOf(buffers: readonly Uint8Array[]): string | null {
  const frame = frameOf(buffers);
  const isRun = frame?.[10] === 1 && ((frame[11] ?? 0) & 1) === 0;
  return isRun ? frame.toString('hex', 24, 40) : null;
}

/** Whether a segment's end is written here. */
export function isEnd(buffers: readonly Uint8Array[]): boolean {
  return frameOf(buffers)?.[10] === 2;
}

function frameOf(buffers: readonly Uint8Array[]): Buffer | null {
  const frame = Buffer.from(buffers[0] ?? []);
  return frame.toString('latin1', 0, 8) === 'GANTRYRN' ? frame : null;
}

/** The shelf's objects in a data directory in which each is a file of its own, as the first form left it. */
export async function objectFilesOf(shelf: Shelf): Promise<string> {
  await shelf.store.close();
  const path = temporary();
  const hour = join(path, 'spool', 'objects', '2026112403');
  mkdirSync(hour, { recursive: true });
  for (const { id, sealed } of storedObjects(shelf.path)) writeFileSync(join(hour, id), sealed);
  mkdirSync(join(path, 'spool', 'incoming'));
  writeFileSync(join(path, 'spool', 'incoming', 'a'.repeat(32)), 'half');
  return path;
}

function listeningLog(said: string[]): Log {
  const listen = (fields: { code?: string }): void => {
    if (fields.code !== undefined) said.push(fields.code);
  };
  const log: Log = { debug: listen, info: listen, warn: listen, error: listen, child: () => log };
  return log;
}
