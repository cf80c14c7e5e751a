import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Disk, nodeDisk } from '../../src/base/disk.ts';
import { silentLog } from '../../src/base/log.ts';
import { newObjectId } from '../../src/spool/object-id.ts';
import { SegmentStore } from '../../src/spool/segment-store.ts';
import type { ObjectId } from '../../src/spool/types.ts';
import { FaultyDisk } from '../fault/faulty-disk.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { flipBit, storedObjects, unfinishedObjects } from '../fixtures/stored-objects.ts';

/* How objects lie in segments: what holds them together, wins space back, and what a crash leaves of it. */

const megabyte = 1024 * 1024;
const epoch = { id: randomBytes(16), key: randomBytes(32) };
const trailer = Buffer.from('{"end":"END"}');

interface Shelf {
  readonly path: string;
  readonly store: SegmentStore;
  /** By object id: what has to be there. */
  readonly digests: Map<ObjectId, string>;
  isShort: boolean;
}

function temporary(): string {
  const data = temporaryDirectory();
  onTestFinished(() => data[Symbol.dispose]());
  mkdirSync(join(data.path, 'spool'));
  return data.path;
}

async function openShelf(
  path: string,
  digests: Shelf['digests'] = new Map(),
  disk: Disk = nodeDisk,
): Promise<Shelf> {
  const shelf: Shelf = {
    path,
    digests,
    isShort: false,
    store: new SegmentStore({
      disk,
      directory: join(path, 'spool'),
      findKey: (id) => (id.equals(epoch.id) ? epoch.key : null),
      log: silentLog,
      isShort: () => shelf.isShort,
      segmentBytes: megabyte,
    }),
  };
  const fresh = readdirSync(join(path, 'spool')).length === 0;
  await shelf.store.start();
  onTestFinished(() => shelf.store.close());
  if (fresh) await recover(shelf);
  return shelf;
}

/** As recovery does: all that is whole is kept, whatever was not acknowledged is not. */
async function recover(shelf: Shelf): Promise<number> {
  const unfinished = await shelf.store.removeUnfinished(new Set());
  await shelf.store.makeDurable(shelf.store.list());
  return unfinished;
}

async function put(shelf: Shelf, bytes: number): Promise<ObjectId> {
  const id = newObjectId(Date.now());
  const content = randomBytes(bytes);
  const writer = shelf.store.create(id, epoch);
  for (let at = 0; at < bytes; at += 65_536) await writer.write(content.subarray(at, at + 65_536));
  await writer.commit(trailer);
  shelf.digests.set(id, createHash('sha256').update(content).digest('hex'));
  return id;
}

async function remove(shelf: Shelf, ids: readonly ObjectId[]): Promise<void> {
  await shelf.store.remove(ids);
  for (const id of ids) shelf.digests.delete(id);
}

async function digestOf(store: SegmentStore, id: ObjectId): Promise<string> {
  const object = await store.open(id);
  const hash = createHash('sha256');
  for await (const chunk of object.chunks()) hash.update(chunk);
  await object.close();
  return hash.digest('hex');
}

/** Exactly these objects, byte for byte. */
async function expectAll({ store, digests }: Shelf): Promise<void> {
  expect(store.list().toSorted()).toEqual([...digests.keys()].toSorted());
  for (const [id, digest] of digests) expect(await digestOf(store, id)).toBe(digest);
}

async function reopened(shelf: Shelf): Promise<Shelf> {
  await shelf.store.close();
  const again = await openShelf(shelf.path, shelf.digests);
  await recover(again);
  return again;
}

function segmentBytes(path: string): number {
  const directory = join(path, 'spool', 'segments');
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

function copyOf(path: string): string {
  const copy = temporary();
  const { status, stderr } = spawnSync('cp', ['-a', `${path}/.`, copy], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return copy;
}

describe('objects in segments', () => {
  it('of all sizes, also over several segments, many at once, are there after a restart', async () => {
    const shelf = await openShelf(temporary());
    await Promise.all(
      [0, 1, 3000, 4000, 65_536, 300_000, 5_000_000, 3_000_000].map((size) => put(shelf, size)),
    );
    await expectAll(shelf);
    await expectAll(await reopened(shelf));
    expect(storedObjects(shelf.path).map(({ id }) => id)).toEqual([...shelf.digests.keys()].toSorted());
  });

  it('what was deleted stays deleted, and its space is used anew', async () => {
    const shelf = await openShelf(temporary());
    for (let round = 0; round < 6; round += 1) {
      const ids: ObjectId[] = [];
      for (let n = 0; n < 20; n += 1) ids.push(await put(shelf, 200_000));
      await remove(shelf, ids);
    }
    // 24 MB went through; one round is 4 MB.
    expect(segmentBytes(shelf.path)).toBeLessThan(10 * megabyte);
    const kept = await put(shelf, 1000);
    const again = await reopened(shelf);
    expect(again.store.list()).toEqual([kept]);
  });

  it('segments of which little is left are emptied, and what was in them is as it was', async () => {
    const shelf = await openShelf(temporary());
    const ids: ObjectId[] = [];
    for (let n = 0; n < 60; n += 1) ids.push(await put(shelf, 150_000));
    const large = await put(shelf, 4_000_000);
    await remove(
      shelf,
      ids.filter((_, index) => index % 12 !== 0),
    );
    // 60 objects took 10 segments: each has one left, if any.
    await expect.poll(() => shelf.store.spareBytes, { timeout: 20_000 }).toBeGreaterThan(6 * megabyte);
    expect(shelf.digests.has(large)).toBe(true);
    await expectAll(shelf);
    await expectAll(await reopened(shelf));
  });

  it('spare segments are given back where the disk is short of space', async () => {
    const shelf = await openShelf(temporary());
    const ids: ObjectId[] = [];
    for (let n = 0; n < 20; n += 1) ids.push(await put(shelf, 200_000));
    await remove(shelf, ids);
    await expect.poll(() => shelf.store.spareBytes, { timeout: 10_000 }).toBeGreaterThan(2 * megabyte);
    shelf.isShort = true;
    await expect.poll(() => segmentBytes(shelf.path), { timeout: 10_000 }).toBeLessThan(2 * megabyte);
    expect(shelf.store.spareBytes).toBe(0);
  });

  it('an object that is deleted while it is read is read to its end', async () => {
    const shelf = await openShelf(temporary());
    const id = await put(shelf, 2_000_000);
    const digest = shelf.digests.get(id);
    const object = await shelf.store.open(id);
    const hash = createHash('sha256');
    let first = true;
    for await (const chunk of object.chunks()) {
      if (first) {
        await remove(shelf, [id]);
        for (let n = 0; n < 20; n += 1) await put(shelf, 200_000);
      }
      first = false;
      hash.update(chunk);
    }
    await object.close();
    expect(hash.digest('hex')).toBe(digest);
    await expect(shelf.store.open(id)).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND' });
    await expectAll(shelf);
    // Nothing of it is left once nobody reads it.
    await expect
      .poll(() => storedObjects(shelf.path).some((one) => one.id === id), { timeout: 10_000 })
      .toBe(false);
  });

  it('an aborted object leaves nothing', async () => {
    const shelf = await openShelf(temporary());
    const writer = shelf.store.create(newObjectId(Date.now()), epoch);
    for (let n = 0; n < 40; n += 1) await writer.write(randomBytes(65_536));
    await expect.poll(() => unfinishedObjects(shelf.path)).toHaveLength(1);
    await writer.abort();
    expect(unfinishedObjects(shelf.path)).toEqual([]);
    await expectAll(await reopened(shelf));
  });
});

describe('what a crash leaves', () => {
  it('a run whose bytes did not all reach the disk, and that nothing proves durable, is no object', async () => {
    const shelf = await openShelf(temporary());
    await put(shelf, 100_000);
    const torn = await put(shelf, 100_000);
    const left = copyOf(shelf.path);
    flipBit(
      storedObjects(left).find(({ id }) => id === torn),
      50_000,
    );
    shelf.digests.delete(torn);
    const after = await openShelf(left, shelf.digests);
    await recover(after);
    expect(unfinishedObjects(left)).toEqual([]);
    await expectAll(after);
  });

  it('damage to what was durable is not taken for that: the object stays, and says what is wrong', async () => {
    const shelf = await openShelf(temporary());
    const damaged = await put(shelf, 100_000);
    await put(shelf, 100_000);
    await put(shelf, 100_000);
    const left = copyOf(shelf.path);
    flipBit(
      storedObjects(left).find(({ id }) => id === damaged),
      50_000,
    );
    const after = await openShelf(left);
    expect(await recover(after)).toBe(0);
    expect(after.store.list()).toHaveLength(3);
    await expect(digestOf(after.store, damaged)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
  });

  it('a segment whose header is damaged is read all the same', async () => {
    const shelf = await openShelf(temporary());
    for (let n = 0; n < 12; n += 1) await put(shelf, 150_000);
    await shelf.store.close();
    for (const name of readdirSync(join(shelf.path, 'spool', 'segments'))) {
      const path = join(shelf.path, 'spool', 'segments', name);
      writeFileSync(path, Buffer.concat([Buffer.alloc(64), readFileSync(path).subarray(64)]));
    }
    await expectAll(await reopened(shelf));
  });

  it('a segment with a hole in it is kept as it is', async () => {
    const shelf = await openShelf(temporary());
    const hidden = await put(shelf, 100_000);
    await shelf.store.close();
    const [object] = storedObjects(shelf.path);
    const { path = '', from = 0 } = object?.places[0] ?? {};
    const bytes = readFileSync(path);
    writeFileSync(path, Buffer.from(bytes).fill(0, from, from + 64));
    const after = await openShelf(shelf.path);
    await recover(after);
    expect(after.store.list()).toEqual([]);
    for (let n = 0; n < 30; n += 1) await put(after, 100_000);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await after.store.close();
    const now = readFileSync(path);
    bytes.copy(now, from, from, from + 64);
    writeFileSync(path, now);
    const mended = await openShelf(shelf.path);
    expect(mended.store.list()).toContain(hidden);
    expect(await digestOf(mended.store, hidden)).toBe(shelf.digests.get(hidden));
  });

  it('at any step of winning space back: nothing is lost, nothing is there twice', async () => {
    const disk = new FaultyDisk(nodeDisk);
    const shelf = await openShelf(temporary(), new Map(), disk);
    const ids: ObjectId[] = [];
    for (let n = 0; n < 30; n += 1) ids.push(await put(shelf, 150_000));
    const doomed = ids.filter((_, index) => index % 12 !== 0);
    const copies: string[] = [];
    disk.watch(() => copies.push(copyOf(shelf.path)));
    await remove(shelf, doomed);
    await expect.poll(() => shelf.store.spareBytes, { timeout: 60_000 }).toBeGreaterThan(2 * megabyte);
    disk.failAt(null);
    expect(copies.length).toBeGreaterThan(20);
    for (const copy of copies) {
      const after = await openShelf(copy, new Map(shelf.digests));
      await after.store.removeUnfinished(new Set());
      // As the ledger would say: these are gone, whatever is still to be seen of them.
      await after.store.remove(doomed);
      await expectAll(after);
      const seen = storedObjects(copy).map(({ id }) => id);
      expect(new Set(seen).size).toBe(seen.length);
      await after.store.close();
    }
  }, 180_000);
});

describe('a data directory in which each object is a file of its own', () => {
  /** As the first form left it. */
  async function filesOf(shelf: Shelf): Promise<string> {
    await shelf.store.close();
    const path = temporary();
    const hour = join(path, 'spool', 'objects', '2026112403');
    mkdirSync(hour, { recursive: true });
    for (const { id, sealed } of storedObjects(shelf.path)) writeFileSync(join(hour, id), sealed);
    mkdirSync(join(path, 'spool', 'incoming'));
    writeFileSync(join(path, 'spool', 'incoming', 'a'.repeat(32)), 'half');
    return path;
  }

  it('is taken over at start', async () => {
    const shelf = await openShelf(temporary());
    for (const size of [0, 1000, 600_000, 3_000_000]) await put(shelf, size);
    const path = await filesOf(shelf);
    const after = await openShelf(path, shelf.digests);
    expect(await recover(after)).toBe(1);
    await expectAll(after);
    expect(readdirSync(join(path, 'spool'))).toEqual(['segments']);
    await expectAll(await reopened(after));
  });

  it('also where that is interrupted at any step', async () => {
    const shelf = await openShelf(temporary());
    for (const size of [1000, 600_000]) await put(shelf, size);
    const path = await filesOf(shelf);
    const disk = new FaultyDisk(nodeDisk);
    const copies: string[] = [];
    disk.watch(() => copies.push(copyOf(path)));
    await (await openShelf(path, shelf.digests, disk)).store.close();
    disk.failAt(null);
    expect(copies.length).toBeGreaterThan(10);
    for (const copy of copies) {
      const after = await openShelf(copy, shelf.digests);
      await recover(after);
      await expectAll(after);
      await after.store.close();
      rmSync(copy, { recursive: true });
    }
  }, 60_000);
});
