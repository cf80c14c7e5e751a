import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Disk, nodeDisk } from '../../src/base/disk.ts';
import { SegmentFiles } from '../../src/spool/stored-object.ts';
import type { ObjectId } from '../../src/spool/types.ts';
import { Bench, memoryDirectory } from '../fault/bench.ts';
import { DurabilityAudit } from '../fault/durability-audit.ts';
import { type DiskHooks, diskError, hookedDisk } from '../fixtures/hooked-disk.ts';
import { openSpool, testInstance } from '../fixtures/open-spool.ts';
import { type Place, placesOf, unfinishedObjects } from '../fixtures/stored-objects.ts';
import {
  arrive,
  copyOf,
  expectAll,
  isEnd,
  megabyte,
  objectFilesOf,
  openShelf,
  ownerOf,
  put,
  putAll,
  recover,
  remove,
  reopened,
  segmentBytes,
  segmentPath,
  temporary,
} from './segment-shelf.ts';

/*
 * Segments on a disk that fails in single places, and kills and power cuts at moments that were once unsafe. Most
 * segments are of 1 MiB: six objects of 150 kB fill one.
 */

const blockBytes = 4096;
const patience = { timeout: 20_000, interval: 10 };
/** As much of a run as reaches the disk where its write is torn. */
const tornBytes = 10 * blockBytes;

/** A place where a bench keeps data directories. */
function home(): string {
  const directory = memoryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  return directory.path;
}

/** A write of which only the beginning reaches the disk. */
const tear: NonNullable<DiskHooks['write']> = async ({ file, buffers, position }) => {
  await file.write([Buffer.concat(buffers).subarray(0, tornBytes)], position);
  throw diskError('ENOSPC');
};

/** Does the work, and is killed before the ledger has entered anything of what was stored. */
async function killedAfter(bench: Bench, work: () => Promise<unknown>): Promise<Bench> {
  const before = bench.copyTo(`${bench.path}-before`).path;
  await work();
  const left = bench.copyTo(`${bench.path}-left`);
  const ledgerFiles = (path: string): string[] =>
    readdirSync(path).filter((name) => name.startsWith('ledger.db'));
  for (const name of ledgerFiles(left.path)) rmSync(join(left.path, name));
  for (const name of ledgerFiles(before)) renameSync(join(before, name), join(left.path, name));
  return left;
}

/** A disk that cannot read this byte. */
function unreadable(file: string, byte: number): Disk {
  return hookedDisk({
    read: ({ path, position, bytes }, go) =>
      path === file && position <= byte && position + bytes > byte ? Promise.reject(diskError('EIO')) : go(),
  });
}

/** Flips a bit in the middle of a run. */
function damage({ path, from, to }: Place): void {
  const bytes = readFileSync(path);
  const middle = Math.floor((from + to) / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  writeFileSync(path, bytes);
}

describe('a kill', () => {
  it('while a large object is alone in its segment loses none of the small ones acknowledged beside it', async () => {
    const shelf = await openShelf(temporary());
    await arrive(shelf, 700_000);
    await Promise.all([1, 2, 3, 4].map(() => put(shelf, 200_000)));
    await expect.poll(() => unfinishedObjects(shelf.path), patience).toHaveLength(1);
    const after = await openShelf(copyOf(shelf.path), { digests: shelf.digests });
    expect(await recover(after)).toBe(1);
    await expectAll(after);
    await expectAll(await reopened(after));
  });

  it('while a large object arrives loses nothing of the spool', async () => {
    const bench = Bench.fresh(join(home(), 'data'));
    const { spool, stop } = await bench.open();
    const large = testInstance({ bytes: 900_000 });
    const incoming = await spool.begin(large.admission);
    const small = [1, 2, 3, 4].map(() => testInstance({ bytes: 200_000 }));
    const left = await killedAfter(bench, async () => {
      for (let at = 0; at < 800_000; at += 65_536)
        await incoming.write(large.dataSet.subarray(at, at + 65_536));
      await Promise.all(small.map((one) => bench.send(spool, one)));
      await expect.poll(() => bench.incoming(), patience).toHaveLength(1);
    });
    await incoming.abort();
    await stop();
    await left.expectRecovery();
  });

  it('with a write under way and others behind it done leaves a segment that is sound after the next start', async () => {
    const held = Promise.withResolvers<void>();
    let holds = false;
    const disk = hookedDisk({
      write: async ({ buffers }, go) => {
        if (!holds && ownerOf(buffers) !== null) {
          holds = true;
          await held.promise;
        }
        await go();
      },
    });
    const shelf = await openShelf(temporary(), { disk });
    const first = put(shelf, 100_000);
    onTestFinished(() => held.resolve());
    await expect.poll(() => holds, patience).toBe(true);
    const second = await put(shelf, 100_000);
    const after = await openShelf(copyOf(shelf.path), { digests: new Map(shelf.digests) });
    held.resolve();
    await first;
    // The ledger knows it: it is not written anew.
    await after.store.removeUnfinished(new Set([second]));
    await after.store.makeDurable([]);
    await expectAll(after);
    const again = await reopened(after);
    expect([...after.said, ...again.said]).toEqual([]);
    await remove(again, [second]);
    await expect.poll(() => again.store.spareBytes, patience).toBe(segmentBytes(again.path));
  });

  it('when one copy of an object is damaged keeps the other, whichever it is', async () => {
    let left: string | null = null;
    let armed = false;
    const path = temporary();
    const disk = hookedDisk({
      // The first word that the old copies are not needed any more.
      write: async (write, go) => {
        if (armed && write.path === segmentPath(path, 1)) left ??= copyOf(path);
        await go();
      },
    });
    const shelf = await openShelf(path, { disk });
    const [kept = '', ...others] = await putAll(shelf, 12, 150_000);
    await remove(shelf, others.slice(0, 5));
    armed = true;
    await expect.poll(() => left, patience).not.toBeNull();
    for (const damaged of [0, 1]) {
      const copy = copyOf(left ?? '');
      const places = placesOf(copy, kept);
      expect(places).toHaveLength(2);
      damage(places[damaged] as Place);
      const after = await openShelf(copy, { digests: shelf.digests });
      await recover(after);
      await expectAll(after);
      await expectAll(await reopened(after));
    }
  });

  it('while objects of an earlier kill are made durable, and a power cut after it, lose none of them', async () => {
    const path = temporary();
    const audit = new DurabilityAudit(nodeDisk, path);
    const shelf = await openShelf(path, { disk: audit });
    const ids = await Promise.all([1, 2].map(() => put(shelf, 100_000)));

    // After the first kill their copies are written, and at the second they are not synced.
    const one = copyOf(path);
    const auditOfOne = audit.forCopy(nodeDisk, one);
    let copied = 0;
    const second: { path: string; audit: DurabilityAudit }[] = [];
    const unsynced = hookedDisk(
      {
        write: async ({ buffers }, go) => {
          await go();
          if (ids.some((id) => id === ownerOf(buffers))) copied += 1;
          if (copied < ids.length || second.length > 0) return;
          const two = copyOf(one);
          second.push({ path: two, audit: auditOfOne.forCopy(nodeDisk, two) });
        },
      },
      auditOfOne,
    );
    await recover(await openShelf(one, { disk: unsynced }));
    const [two] = second;
    if (two === undefined) throw new Error('nothing was written anew');

    // Whenever the power is cut from here on, one copy of each is durable.
    const inDoubt = (): ObjectId[] =>
      ids.filter((id) =>
        placesOf(two.path, id).every(
          (place) => two.audit.doubtsAbout(place.path, place.from, place.to).length > 0,
        ),
      );
    const doubted: ObjectId[][] = [];
    const watched = hookedDisk(
      {
        // The copies are found first.
        openFile: async (file) => {
          if (file === segmentPath(two.path, 1)) await delay(50);
        },
        write: async (_, go) => {
          doubted.push(inDoubt());
          await go();
        },
      },
      two.audit,
    );
    expect(ids.flatMap((id) => placesOf(two.path, id))).toHaveLength(4);
    const after = await openShelf(two.path, { disk: watched, digests: shelf.digests });
    await after.store.removeUnfinished(new Set());
    expect(inDoubt()).toEqual([]);
    await after.store.makeDurable(after.store.list());
    expect(inDoubt()).toEqual([]);
    expect(doubted.length).toBeGreaterThan(2);
    expect(doubted.flat()).toEqual([]);
    await expectAll(after);
  });
});

describe('a write that fails half way', () => {
  it.each([['can', false] as const, ['cannot', true] as const])(
    'while an object is moved leaves it as it was, also where the torn copy %s be marked as dead',
    async (_, marksFail) => {
      let kept = '';
      let torn: { path: string; position: number } | null = null;
      let armed = false;
      const disk = hookedDisk({
        write: (write, go) => {
          const { path, position } = write;
          if (armed && torn === null && ownerOf(write.buffers) === kept) {
            torn = { path, position };
            return tear(write, go);
          }
          const isMark = torn !== null && path === torn.path && position === torn.position;
          return marksFail && isMark ? Promise.reject(diskError('EIO')) : go();
        },
      });
      const shelf = await openShelf(temporary(), { disk });
      const [first = '', ...others] = await putAll(shelf, 12, 150_000);
      kept = first;
      armed = true;
      await remove(shelf, others.slice(0, 5));
      await expect.poll(() => torn, patience).not.toBeNull();
      await shelf.store.close();
      // The torn copy is found first.
      const slow = hookedDisk({
        openFile: async (path) => {
          if (path !== torn?.path) await delay(50);
        },
      });
      const after = await openShelf(shelf.path, { digests: shelf.digests, disk: slow });
      await recover(after);
      await expectAll(after);
      await expectAll(await reopened(after));
    },
  );

  it('and cannot be taken back is not seen after a restart, and those stored beside it are', async () => {
    let torn: string | null = null;
    let armed = false;
    const disk = hookedDisk({
      write: (write, go) => {
        if (!armed || torn !== null || ownerOf(write.buffers) === null) return go();
        torn = write.path;
        return tear(write, go);
      },
      openFile: (path, access) =>
        path === torn && access === 'read-write' ? Promise.reject(diskError('EIO')) : Promise.resolve(),
    });
    const shelf = await openShelf(temporary(), { disk });
    await put(shelf, 100_000);
    armed = true;
    await expect(put(shelf, 100_000)).rejects.toMatchObject({ code: 'ENOSPC' });
    await put(shelf, 100_000);
    await shelf.store.close();
    const after = await openShelf(shelf.path, { digests: shelf.digests });
    expect(await recover(after)).toBe(1);
    expect(unfinishedObjects(after.path)).toEqual([]);
    await expectAll(after);
    await expectAll(await reopened(after));
  });
});

describe('a bad sector', () => {
  it('that cannot be written stops neither intake nor winning space back elsewhere', async () => {
    let bad: string | null = null;
    const disk = hookedDisk({
      write: ({ path, position }, go) =>
        path === bad && position === blockBytes ? Promise.reject(diskError('EIO')) : go(),
    });
    const shelf = await openShelf(temporary(), { disk });
    const ids = await putAll(shelf, 18, 150_000);
    bad = segmentPath(shelf.path, 1);
    // What lies there cannot be marked as dead.
    const [undead, ...rest] = ids as [ObjectId, ...ObjectId[]];
    await remove(shelf, [undead]);
    await putAll(shelf, 10, 1000);
    await remove(shelf, rest.slice(5, 11));
    await expect.poll(() => shelf.store.spareBytes, patience).toBeGreaterThan(0.8 * megabyte);
    await expectAll(shelf);
    await shelf.store.close();

    const after = await openShelf(shelf.path, { digests: shelf.digests, disk });
    await recover(after);
    // As the ledger has it.
    await after.store.remove([undead]);
    await put(after, 1000);
    await expectAll(after);
  });

  it('that cannot be read hides what begins there, and nothing else; what it hides is kept', async () => {
    const shelf = await openShelf(temporary());
    const [hidden] = (await putAll(shelf, 12, 150_000)) as [ObjectId, ...ObjectId[]];
    await shelf.store.close();
    const digests = new Map(shelf.digests);
    digests.delete(hidden);
    const after = await openShelf(shelf.path, {
      digests,
      disk: unreadable(segmentPath(shelf.path, 1), blockBytes),
    });
    await recover(after);
    expect(after.said).toContain('SEGMENT_DAMAGED');
    await expectAll(after);
    await put(after, 100_000);
    await after.store.close();
    digests.set(hidden, shelf.digests.get(hidden) ?? '');
    const mended = await openShelf(shelf.path, { digests });
    await recover(mended);
    await expectAll(mended);
  });

  it('takes only its own object, also where those around it are read together', async () => {
    let bad = -1;
    const disk = hookedDisk({
      read: ({ position, bytes }, go) =>
        position <= bad && position + bytes > bad ? Promise.reject(diskError('EIO')) : go(),
    });
    const shelf = await openShelf(temporary(), { disk });
    const ids = await putAll(shelf, 6, 5000);
    const [place] = placesOf(shelf.path, ids[2] ?? '') as [Place];
    bad = place.from;
    await using files = new SegmentFiles();
    for (const id of ids) {
      const opened = shelf.store.open(id, files);
      if (id === ids[2]) await expect(opened).rejects.toMatchObject({ code: 'EIO' });
      else await (await opened).close();
    }
  });

  it('in an object that a kill left in doubt is no reason to delete it', async () => {
    const shelf = await openShelf(temporary());
    const [, last = ''] = await putAll(shelf, 2, 100_000);
    const left = copyOf(shelf.path);
    const [place] = placesOf(left, last) as [Place];
    const disk = unreadable(place.path, place.from + 2 * blockBytes);
    const after = await openShelf(left, { digests: shelf.digests, disk });
    expect(await recover(after)).toBe(0);
    expect(after.store.list()).toContain(last);
    await after.store.close();
    const mended = await openShelf(left, { digests: shelf.digests });
    await recover(mended);
    await expectAll(mended);
  });

  it('in an object file of the first form leaves that one where it is; the others are taken over', async () => {
    const shelf = await openShelf(temporary());
    const [bad] = (await putAll(shelf, 3, 600_000)) as [ObjectId, ...ObjectId[]];
    const path = await objectFilesOf(shelf);
    const file = join(path, 'spool', 'objects', '2026112403', bad);
    const sealed = readFileSync(file);
    const digests = new Map(shelf.digests);
    digests.delete(bad);
    // Not in its first piece: the copy is begun.
    const after = await openShelf(path, { digests, disk: unreadable(file, 300_000) });
    await recover(after);
    expect(after.said).toContain('OBJECT_DAMAGED');
    await expectAll(after);
    expect(unfinishedObjects(path)).toEqual([]);
    expect(readdirSync(join(file, '..'))).toEqual([bad]);
    expect(readFileSync(file).equals(sealed)).toBe(true);
    await after.store.close();
    const mended = await openShelf(path, { digests: shelf.digests });
    await recover(mended);
    await expectAll(mended);
    expect(readdirSync(join(path, 'spool'))).toEqual(['segments']);
  });
});

describe('a store', () => {
  it('is started once', async () => {
    const shelf = await openShelf(temporary());
    await put(shelf, 1000);
    await expect(shelf.store.start()).rejects.toThrow('started once');
    await expectAll(shelf);
  });

  it('of a volume that was away begins anew when its recovery fails, and loses nothing', async () => {
    const bench = Bench.fresh(join(home(), 'data'));
    const { spool, stop } = await bench.open();
    const left = await killedAfter(bench, async () => {
      for (let n = 0; n < 4; n += 1) await bench.send(spool, testInstance({ bytes: 100_000 }));
    });
    await stop();
    renameSync(join(left.path, 'spool'), join(left.path, 'away'));
    let ended = false;
    let failed = 0;
    const disk = hookedDisk({
      write: async ({ buffers }, go) => {
        await go();
        ended ||= isEnd(buffers);
      },
      // The first look at an object, once all are durable.
      openFile: (path, access) => {
        if (!ended || failed > 0 || access !== 'read' || !path.endsWith('.seg')) return Promise.resolve();
        failed += 1;
        return Promise.reject(diskError('EIO'));
      },
    });
    const second = await openSpool(left.path, { disk, quietMs: 0 });
    try {
      renameSync(join(left.path, 'away'), join(left.path, 'spool'));
      await expect.poll(() => second.spool.intakeGate().open, patience).toBe(true);
      expect(failed).toBe(1);
      for (let n = 0; n < 10; n += 1)
        await left.sendElsewhere(second.spool, testInstance({ bytes: 100_000 }));
      expect(await second.spool.scrub()).toMatchObject({ objects: 14, damaged: [], missing: [] });
    } finally {
      await second.stop();
    }
    await left.expectSafe();
  });

  it('leaves a segment file alone that it did not make', async () => {
    const shelf = await openShelf(temporary());
    const path = segmentPath(shelf.path, 1);
    writeFileSync(path, 'of somebody else');
    await expect(put(shelf, 1000)).rejects.toMatchObject({ code: 'EEXIST' });
    await put(shelf, 1000);
    await expectAll(shelf);
    expect(readFileSync(path, 'utf8')).toBe('of somebody else');
  });

  it('passes over a spare whose file is gone, or is another one', async () => {
    const other = await openShelf(temporary());
    await put(other, 100_000);
    await other.store.close();
    const shelf = await openShelf(temporary());
    await remove(shelf, await putAll(shelf, 24, 150_000));
    await expect.poll(() => shelf.store.spareBytes, patience).toBeGreaterThan(2.5 * megabyte);
    const theirs = readFileSync(segmentPath(other.path, 1));
    renameSync(segmentPath(other.path, 1), segmentPath(shelf.path, 1));
    rmSync(segmentPath(shelf.path, 2));
    await putAll(shelf, 24, 150_000);
    expect(shelf.store.spareBytes).toBe(0);
    expect(existsSync(segmentPath(shelf.path, 2))).toBe(false);
    expect(readFileSync(segmentPath(shelf.path, 1)).equals(theirs)).toBe(true);
    await expectAll(shelf);
    for (const [id, digest] of other.digests) shelf.digests.set(id, digest);
    await expectAll(await reopened(shelf));
  });

  it('uses a segment anew in which only an object lay that was still arriving', async () => {
    const shelf = await openShelf(temporary(), { segmentBytes: 8 * megabyte });
    const arriving = await arrive(shelf, 1_200_000);
    const others = await putAll(shelf, 7, 1_500_000);
    await remove(shelf, others);
    // Meanwhile it is tried to empty the segment.
    await delay(2500);
    await arriving.commit();
    await expectAll(shelf);
    await remove(shelf, [arriving.id]);
    await expect.poll(() => shelf.store.spareBytes, patience).toBeGreaterThan(7 * megabyte);
  });
});
