import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeDisk } from '../../src/base/disk.ts';
import { FaultyDisk } from '../fault/faulty-disk.ts';
import { flipBit, storedObjects, unfinishedObjects } from '../fixtures/stored-objects.ts';
import {
  begin,
  copyOf,
  digestOf,
  expectAll,
  megabyte,
  objectFilesOf,
  openShelf,
  put,
  putAll,
  recover,
  remove,
  reopened,
  segmentBytes,
  temporary,
} from './segment-shelf.ts';

/* How objects lie in segments: what holds them together, wins space back, and what a crash leaves of it. */

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
      const ids = await putAll(shelf, 20, 200_000);
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
    const ids = await putAll(shelf, 60, 150_000);
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
    const ids = await putAll(shelf, 20, 200_000);
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
    const writer = begin(shelf);
    for (let n = 0; n < 40; n += 1) await writer.write(randomBytes(65_536));
    await expect.poll(() => unfinishedObjects(shelf.path)).toHaveLength(1);
    await writer.abort();
    expect(unfinishedObjects(shelf.path)).toEqual([]);
    await expectAll(await reopened(shelf));
  });
});

describe('segments that are prepared', () => {
  it('are not, where they would make space short', async () => {
    const choices = { preparedBytes: 3 * megabyte, roomBytes: 5 * megabyte };
    const shelf = await openShelf(temporary(), choices);
    // Long enough for one that has plenty: the test below.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(shelf.store.spareBytes).toBe(0);
    shelf.roomBytes = 6 * megabyte;
    await expect.poll(() => shelf.store.spareBytes, { timeout: 20_000 }).toBe(3 * megabyte);
  });

  it('are written in idle moments, used first, and still known after a restart', async () => {
    const shelf = await openShelf(temporary(), { preparedBytes: 3 * megabyte });
    await expect.poll(() => shelf.store.spareBytes, { timeout: 20_000 }).toBe(3 * megabyte);
    const before = segmentBytes(shelf.path);
    for (let n = 0; n < 8; n += 1) await put(shelf, 200_000);
    expect(segmentBytes(shelf.path)).toBe(before);
    await shelf.store.close();
    const again = await openShelf(shelf.path, { digests: shelf.digests, preparedBytes: 3 * megabyte });
    expect(again.store.spareBytes).toBe(megabyte);
    await recover(again);
    await expectAll(again);
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
    const after = await openShelf(left, { digests: shelf.digests });
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
    const shelf = await openShelf(temporary(), { disk });
    const ids = await putAll(shelf, 30, 150_000);
    const doomed = ids.filter((_, index) => index % 12 !== 0);
    const copies: string[] = [];
    disk.watch(() => copies.push(copyOf(shelf.path)));
    await remove(shelf, doomed);
    await expect.poll(() => shelf.store.spareBytes, { timeout: 60_000 }).toBeGreaterThan(2 * megabyte);
    disk.failAt(null);
    expect(copies.length).toBeGreaterThan(20);
    for (const copy of copies) {
      const after = await openShelf(copy, { digests: new Map(shelf.digests) });
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
  it('is taken over at start', async () => {
    const shelf = await openShelf(temporary());
    for (const size of [0, 1000, 600_000, 3_000_000]) await put(shelf, size);
    const path = await objectFilesOf(shelf);
    const after = await openShelf(path, { digests: shelf.digests });
    expect(await recover(after)).toBe(1);
    await expectAll(after);
    expect(readdirSync(join(path, 'spool'))).toEqual(['segments']);
    await expectAll(await reopened(after));
  });

  it('also where that is interrupted at any step', async () => {
    const shelf = await openShelf(temporary());
    for (const size of [1000, 600_000]) await put(shelf, size);
    const path = await objectFilesOf(shelf);
    const disk = new FaultyDisk(nodeDisk);
    const copies: string[] = [];
    disk.watch(() => copies.push(copyOf(path)));
    await (await openShelf(path, { digests: shelf.digests, disk })).store.close();
    disk.failAt(null);
    expect(copies.length).toBeGreaterThan(10);
    for (const copy of copies) {
      const after = await openShelf(copy, { digests: shelf.digests });
      await recover(after);
      await expectAll(after);
      await after.store.close();
      rmSync(copy, { recursive: true });
    }
  }, 60_000);
});
