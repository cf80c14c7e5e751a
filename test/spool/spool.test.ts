import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Disk, nodeDisk } from '../../src/base/disk.ts';
import type { Spool } from '../../src/spool/spool.ts';
import type { ForwardItem, ObjectId, QueueEntry } from '../../src/spool/types.ts';
import { filesBelow, temporaryDirectory } from '../fixtures/data-directory.ts';
import { openKeystore, openObject } from '../fixtures/independent-decryptor.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { admit, openSpool, testInstance, writeReceipts } from '../fixtures/open-spool.ts';
import { flipBit, storedObjects, unfinishedObjects, vanish } from '../fixtures/stored-objects.ts';

const limits = { instancesMax: 100, bytesMax: 1e9, order: 'oldest' } as const;
const dayMs = 86_400_000;

async function take(spool: Spool, over: Partial<typeof limits> = {}): Promise<ForwardItem[]> {
  await spool.flush();
  return spool.takeForward('cloud', { ...limits, ...over });
}

async function deliver(spool: Spool): Promise<void> {
  const items = await take(spool);
  await spool.settleForward(
    items.map((item) => ({
      objectId: item.objectId,
      destination: 'cloud',
      to: 'delivered',
      needsDigest: false,
      existed: false,
      warning: null,
    })),
  );
}

async function verify(spool: Spool): Promise<void> {
  await deliver(spool);
  const items = await spool.takeProof('cloud', 100);
  await spool.settleProof(
    items.map((item) => ({ objectId: item.objectId, destination: 'cloud', to: 'verified', by: 'digest' })),
  );
}

async function entries(spool: Spool): Promise<QueueEntry[]> {
  await spool.flush();
  return spool.entries({}, null, 1000);
}

async function contentOf(spool: Spool, objectId: ObjectId): Promise<Buffer> {
  await using object = await spool.open(objectId);
  const chunks: Buffer[] = [];
  for await (const chunk of object.dataSet()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('admission', () => {
  it('seals the object so that FORMAT.md alone opens it, and leaks nothing in clear', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    const instance = testInstance({
      dataSet: Buffer.from('MARKER^PATIENT '.repeat(20_000)),
      uid: '1.2.826.77.42',
    });
    expect(await admit(spool, instance)).toBe('stored');
    await spool.flush();
    await stop();
    const [object] = storedObjects(data.path);
    const opened = openObject(object?.sealed ?? Buffer.alloc(0), openKeystore(data.path));
    expect(opened.body.equals(instance.dataSet)).toBe(true);
    expect(opened.trailer).toMatchObject({
      SOPInstanceUID: '1.2.826.77.42',
      destinations: ['cloud'],
      end: 'END',
    });
    for (const path of filesBelow(data.path)) {
      const bytes = readFileSync(path);
      expect(bytes.includes('MARKER'), path).toBe(false);
      expect(bytes.includes('1.2.826.77.42'), path).toBe(false);
    }
  });

  it('keeps one copy of identical bytes, also of simultaneous senders, also after a restart', async () => {
    using data = temporaryDirectory();
    const instance = testInstance({ bytes: 300_000 });
    const first = await openSpool(data.path);
    const outcomes = await Promise.all([1, 2, 3].map(() => admit(first.spool, instance)));
    expect(outcomes.toSorted()).toEqual(['duplicate', 'duplicate', 'stored']);
    await first.stop();
    const second = await openSpool(data.path);
    expect(await admit(second.spool, instance)).toBe('duplicate');
    expect((await second.spool.counts()).totals.received).toBe(1);
    await second.stop();
    expect(storedObjects(data.path)).toHaveLength(1);
    expect(unfinishedObjects(data.path)).toEqual([]);
  });

  it('keeps other bytes under the same UID, parked as a conflict that is never forwarded until resolved', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    const first = testInstance({ uid: '1.2.3.99' });
    const other = testInstance({ uid: '1.2.3.99' });
    expect(await admit(spool, first)).toBe('stored');
    expect(await admit(spool, other)).toBe('conflict');
    expect(await admit(spool, other)).toBe('duplicate');
    const taken = await take(spool);
    expect(taken).toHaveLength(1);
    expect((await contentOf(spool, taken[0]?.objectId as ObjectId)).equals(first.dataSet)).toBe(true);
    expect((await spool.counts()).totals.conflicts).toBe(1);
    const parked = (await entries(spool)).find((entry) => entry.state === 'conflict');
    expect(parked?.reason?.code).toBe('CONFLICT_HERE');
    expect(await spool.resolveConflict(parked?.objectId as ObjectId, 'forward')).toBe(1);
    const [released] = await take(spool);
    expect((await contentOf(spool, released?.objectId as ObjectId)).equals(other.dataSet)).toBe(true);
    await stop();
  });

  it('leaves nothing behind when an object is aborted', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    const incoming = await spool.begin(testInstance().admission);
    await incoming.write(Buffer.alloc(3_000_000));
    await incoming.abort();
    expect(storedObjects(data.path)).toEqual([]);
    expect(unfinishedObjects(data.path)).toEqual([]);
    await stop();
  });

  it('answers a full disk with SPOOL_DISK_FULL and a closed gate before the disk is full', async () => {
    using data = temporaryDirectory();
    const disk: Disk = {
      ...nodeDisk,
      space: () => Promise.resolve({ freeBytes: 50_000, totalBytes: 1e9, freeFiles: null }),
    };
    const { spool, stop } = await openSpool(data.path, { disk, reserveBytes: 40_000 });
    expect(await admit(spool, testInstance({ bytes: 20_000 }))).toBe('stored');
    expect(spool.intakeGate()).toMatchObject({ open: false, reason: { code: 'SPOOL_DISK_FULL' } });
    await expect(admit(spool, testInstance())).rejects.toMatchObject({ code: 'SPOOL_DISK_FULL' });
    await stop();
  });

  it.each(['sync', 'write', 'sync of the directory'])(
    'never acknowledges after a failed %s, and receives again only after a passed self-test',
    async (what) => {
      using data = temporaryDirectory();
      let failing = false;
      const eio = () => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
      const disk: Disk = {
        ...nodeDisk,
        openFile: async (path, access) => {
          const file = await nodeDisk.openFile(path, access);
          return {
            write: (buffers, at) => (failing && what === 'write' ? eio() : file.write(buffers, at)),
            sync: () => (failing && what === 'sync' ? eio() : file.sync()),
            read: (buffer, at) => file.read(buffer, at),
            size: () => file.size(),
            close: () => file.close(),
          };
        },
        openDirectory: async (path) => {
          const directory = await nodeDisk.openDirectory(path);
          return {
            sync: () => (failing && what === 'sync of the directory' ? eio() : directory.sync()),
            close: () => directory.close(),
          };
        },
      };
      const { spool, stop } = await openSpool(data.path, { disk });
      // A directory is synced where the first segment is made.
      const before = what === 'sync of the directory' ? 0 : 1;
      if (before > 0) await admit(spool, testInstance());
      failing = true;
      await expect(admit(spool, testInstance())).rejects.toMatchObject({
        code: 'SPOOL_IO',
        kind: 'transient',
      });
      expect(spool.intakeGate()).toMatchObject({ open: false, reason: { code: 'SPOOL_SUSPECT' } });
      expect(storedObjects(data.path)).toHaveLength(before);
      expect(unfinishedObjects(data.path)).toEqual([]);
      failing = false;
      await expect.poll(() => spool.intakeGate().open, { timeout: 15_000 }).toBe(true);
      expect(await admit(spool, testInstance())).toBe('stored');
      await stop();
    },
  );
});

describe('restart', () => {
  it('deletes half-written objects and adopts durable ones the ledger does not know', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await admit(first.spool, testInstance());
    await first.stop();
    const ledger = join(data.path, 'ledger.db');
    copyFileSync(ledger, `${ledger}.before`);
    const second = await openSpool(data.path);
    const orphan = testInstance();
    await admit(second.spool, orphan);
    const half = await second.spool.begin(testInstance().admission);
    await half.write(Buffer.alloc(3_000_000));
    await expect.poll(() => unfinishedObjects(data.path)).toHaveLength(1);
    // As a crash right after the acknowledgement leaves it: the object is there, its row is not.
    using left = temporaryDirectory();
    spawnSync('cp', ['-a', `${data.path}/.`, left.path]);
    renameSync(join(left.path, 'ledger.db.before'), join(left.path, 'ledger.db'));
    for (const name of ['ledger.db-wal', 'ledger.db-shm']) rmSync(join(left.path, name), { force: true });
    await half.abort();
    expect(unfinishedObjects(data.path)).toEqual([]);
    await second.stop();
    const third = await openSpool(left.path);
    expect(unfinishedObjects(left.path)).toEqual([]);
    expect((await third.spool.counts()).totals.received).toBe(2);
    const items = await take(third.spool);
    expect(items).toHaveLength(2);
    expect((await contentOf(third.spool, items[1]?.objectId as ObjectId)).equals(orphan.dataSet)).toBe(true);
    expect(await admit(third.spool, orphan)).toBe('duplicate');
    await third.stop();
  });

  it('sends again what was in flight, and demands the digest for it', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await admit(first.spool, testInstance());
    expect(await take(first.spool)).toHaveLength(1);
    expect(await take(first.spool)).toHaveLength(0);
    await first.stop();
    const second = await openSpool(data.path);
    const [item] = await take(second.spool);
    expect(item).toMatchObject({ unknowns: 1, attempts: 0 });
    await second.spool.settleForward([
      {
        objectId: item?.objectId as ObjectId,
        destination: 'cloud',
        to: 'delivered',
        needsDigest: false,
        existed: false,
        warning: null,
      },
    ]);
    expect(await second.spool.takeProof('cloud', 10)).toMatchObject([{ needsDigest: true, assumed: false }]);
    await second.stop();
  });

  it.each(['deleted', 'overwritten', 'cut'])(
    'rebuilds a ledger that was %s; deliveries are proven before anything is sent',
    async (how) => {
      using data = temporaryDirectory();
      const first = await openSpool(data.path);
      const conflict = testInstance({ uid: '1.2.3.50' });
      await admit(first.spool, testInstance({ uid: '1.2.3.50' }));
      await admit(first.spool, conflict);
      await admit(first.spool, testInstance());
      await first.stop();
      const ledger = join(data.path, 'ledger.db');
      if (how === 'deleted') unlinkSync(ledger);
      else if (how === 'cut') truncateSync(ledger, 8192);
      else writeFileSync(ledger, 'x'.repeat(100_000));
      const second = await openSpool(data.path);
      expect((await second.spool.counts()).totals).toMatchObject({ received: 3, conflicts: 1 });
      expect(await take(second.spool)).toEqual([]);
      expect(await second.spool.takeProof('cloud', 10)).toMatchObject([
        { assumed: true, needsDigest: true },
        { assumed: true, needsDigest: true },
      ]);
      expect(await admit(second.spool, conflict)).toBe('duplicate');
      await second.stop();
    },
  );

  it('alarms about an object that vanished, and takes it in again when it is re-sent', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    const instance = testInstance();
    await admit(first.spool, instance);
    await first.stop();
    vanish(storedObjects(data.path)[0]);
    const second = await openSpool(data.path);
    expect(await entries(second.spool)).toMatchObject([{ state: 'held', reason: { code: 'OBJECT_LOST' } }]);
    expect(await admit(second.spool, instance)).toBe('stored');
    await second.stop();
  });

  it('is refused while another process has the directory, naming the holder', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await expect(openSpool(data.path)).rejects.toMatchObject({
      code: 'DATA_LOCKED',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    await first.stop();
    await (await openSpool(data.path)).stop();
  });

  it('receives nothing while the volume marker is missing, and goes on when the volume is back', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await admit(first.spool, testInstance());
    await first.stop();
    renameSync(join(data.path, 'spool'), join(data.path, 'away'));
    const second = await openSpool(data.path);
    expect(second.spool.intakeGate()).toMatchObject({
      open: false,
      reason: { code: 'SPOOL_VOLUME_MISSING' },
    });
    expect(await take(second.spool)).toEqual([]);
    rmSync(join(data.path, 'spool'), { recursive: true });
    renameSync(join(data.path, 'away'), join(data.path, 'spool'));
    await expect.poll(() => second.spool.intakeGate().open, { timeout: 15_000 }).toBe(true);
    expect(await take(second.spool)).toHaveLength(1);
    await second.stop();
  });

  it('refuses to make new keys where objects are', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await admit(first.spool, testInstance());
    await first.stop();
    rmSync(join(data.path, 'keys'), { recursive: true });
    await expect(openSpool(data.path)).rejects.toMatchObject({ code: 'KEYS_MISSING' });
  });
});

describe('work', () => {
  it('gives batches of one study within limits, oldest or newest first', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    for (const study of ['1.1', '1.1', '1.1', '1.2', '1.2'])
      await admit(spool, testInstance({ study, bytes: 1000 }));
    expect(await take(spool, { order: 'newest' } as never)).toHaveLength(2);
    expect(await take(spool, { bytesMax: 2500 } as never)).toHaveLength(2);
    expect(await take(spool, { bytesMax: 10 } as never)).toHaveLength(1);
    expect(await take(spool)).toEqual([]);
    await stop();
  });

  it('gives stat alone where asked, makes a whole study stat when told, and what comes of it later', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    const inStudy = (study: string) => admit(spool, testInstance({ study, bytes: 1000 }));
    for (const study of ['1.1', '1.1', '1.2', '1.2', '1.3']) await inStudy(study);
    const ids = (await entries(spool)).map(({ objectId }) => objectId);
    expect(await take(spool, { statOnly: true } as never)).toEqual([]);

    expect(await spool.hurry([ids[2] as ObjectId])).toBe(2);
    expect(await spool.hurry([ids[3] as ObjectId])).toBe(0);
    await inStudy('1.2');
    await inStudy('1.1');
    const hurried = await take(spool);
    expect(hurried).toMatchObject([{ priority: 'stat' }, { priority: 'stat' }, { priority: 'stat' }]);
    expect(hurried.slice(0, 2).map(({ objectId }) => objectId)).toEqual(ids.slice(2, 4));
    expect(await take(spool, { statOnly: true } as never)).toEqual([]);
    expect(await take(spool)).toMatchObject([{ priority: 'routine' }, { priority: 'routine' }, {}]);
    await stop();
  });

  it('holds back until the retry is due and then respects the smaller batch', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const { spool, stop } = await openSpool(data.path, { clock });
    for (let n = 0; n < 4; n += 1) await admit(spool, testInstance());
    const items = await take(spool);
    const retryAt = clock.now() + 5000;
    await spool.settleForward(
      items.map((item) => ({
        objectId: item.objectId,
        destination: 'cloud',
        to: 'queued',
        retryAt,
        countAttempt: true,
        outcomeUnknown: false,
        batchInstancesMax: 2,
        reason: { code: 'TOO_LARGE', words: 'halved' },
      })),
    );
    expect(await take(spool)).toEqual([]);
    expect(await spool.nextForwardAt('cloud')).toBe(retryAt);
    clock.advance(5000);
    expect(await take(spool)).toMatchObject([{ attempts: 1 }, { attempts: 1 }]);
    await stop();
  });

  it('counts distinct instances, and keeps counting after restart and purge', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const first = await openSpool(data.path, { clock });
    await admit(first.spool, testInstance({ bytes: 100 }));
    await verify(first.spool);
    clock.advance(30_000);
    await writeReceipts(first.spool);
    await admit(first.spool, testInstance({ bytes: 200, study: '1.2.3.2' }));
    await first.spool.flush();
    clock.advance(60_000);
    expect(await first.spool.counts()).toMatchObject({
      queue: { studies: 1, instances: 1, bytes: 200, oldestAgeSeconds: 60 },
      totals: { received: 2, delivered: 1, verified: 1 },
      modalities: { ct1: { received: 2 } },
      destinations: { cloud: { queued: 1, verified: 1, queuedBytes: 200 } },
    });
    await verify(first.spool);
    clock.advance(60_000);
    await writeReceipts(first.spool);
    expect(await first.spool.purgeVerified(clock.now())).toMatchObject({ instances: 2 });
    await first.stop();
    const second = await openSpool(data.path, { clock });
    expect((await second.spool.counts()).totals).toMatchObject({ received: 2, verified: 2 });
    await second.stop();
  });

  it('tells a modality from an unknown caller that has taken its name, and forgets callers beyond measure', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const { spool, stop } = await openSpool(data.path, { clock });
    await admit(spool, testInstance());
    await admit(spool, testInstance({ unknownCaller: 'ct1' }));
    await admit(spool, testInstance({ unknownCaller: 'ct1' }));
    await spool.flush();
    expect(await spool.counts()).toMatchObject({
      modalities: { ct1: { received: 1 } },
      unknownCallers: { ct1: { received: 2 } },
    });
    for (let at = 0; at < 250; at++) {
      clock.advance(1000);
      await admit(spool, testInstance({ unknownCaller: `MADE_UP_${at}` }));
    }
    await spool.flush();
    const { modalities, unknownCallers, totals } = await spool.counts();
    expect(totals.received).toBe(253);
    expect(Object.keys(modalities)).toEqual(['ct1']);
    expect(Object.keys(unknownCallers)).toHaveLength(200);
    expect(unknownCallers['MADE_UP_249']).toMatchObject({ received: 1 });
    expect(unknownCallers['MADE_UP_49']).toBeUndefined();
    await stop();
  });

  it('settles a study after its quiet period, once, and again when an image arrives late', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const { spool, stop } = await openSpool(data.path, { clock, quietMs: 30_000 });
    await admit(spool, testInstance());
    await verify(spool);
    expect(await spool.settledStudies(10)).toEqual([]);
    clock.advance(30_000);
    const [study] = await spool.settledStudies(10);
    expect(study?.deliveries).toMatchObject([{ destination: 'cloud', state: 'verified', by: 'digest' }]);
    await admit(spool, testInstance());
    await spool.flush();
    await spool.receiptWritten(study?.studyKey as never, 1, study?.revision as number);
    await verify(spool);
    clock.advance(30_000);
    const [late] = await spool.settledStudies(10);
    expect(late).toMatchObject({ receiptNumber: 1 });
    expect(late?.deliveries).toHaveLength(2);
    await spool.receiptWritten(late?.studyKey as never, 2, late?.revision as number);
    expect(await spool.settledStudies(10)).toEqual([]);
    await stop();
  });
});

describe('purge', () => {
  it('deletes only what is verified and has a receipt, remembers it, and recognises a late duplicate and a late conflict', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const first = await openSpool(data.path, { clock });
    const verified = testInstance({ study: '1.2.3.9' });
    await admit(first.spool, verified);
    await verify(first.spool);
    await admit(first.spool, testInstance());
    await deliver(first.spool);
    await admit(first.spool, testInstance());
    await first.spool.flush();
    clock.advance(30_000);
    expect(await first.spool.purgeVerified(clock.now())).toMatchObject({ instances: 0 });
    await writeReceipts(first.spool);
    expect(await first.spool.purgeVerified(clock.now())).toMatchObject({ instances: 1, bytes: 1000 });
    expect(storedObjects(data.path)).toHaveLength(2);
    expect(await admit(first.spool, verified)).toBe('duplicate');
    await first.stop();
    rmSync(join(data.path, 'ledger.db'));
    const second = await openSpool(data.path, { clock });
    expect(await admit(second.spool, verified)).toBe('duplicate');
    expect(await admit(second.spool, testInstance({ uid: verified.admission.SOPInstanceUID }))).toBe(
      'conflict',
    );
    await second.stop();
  });

  it('shreds the key of an epoch once nothing needs it', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const { spool, keyring, stop } = await openSpool(data.path, { clock, quietMs: 0 });
    await admit(spool, testInstance());
    const sealed = storedObjects(data.path)[0]?.sealed ?? Buffer.alloc(0);
    await verify(spool);
    await writeReceipts(spool);
    clock.advance(dayMs);
    keyring.currentEpoch();
    await expect.poll(() => keyring.pastEpochs().length).toBe(1);
    expect(() => openObject(sealed, openKeystore(data.path))).not.toThrow();
    expect(await spool.purgeVerified(clock.now())).toMatchObject({ instances: 1, epochsShredded: 1 });
    expect(() => openObject(sealed, openKeystore(data.path))).toThrow('unknown epoch');
    await stop();
  });

  it('takes in again what an operator discarded', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    const instance = testInstance();
    await admit(spool, instance);
    await spool.flush();
    expect(await spool.discard({ states: ['queued'] })).toBe(1);
    expect(storedObjects(data.path)).toEqual([]);
    expect(await admit(spool, instance)).toBe('stored');
    await stop();
  });
});

describe('scrub', () => {
  it('finds a flipped bit, holds the object, and takes the image in again', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    const instance = testInstance({ bytes: 100_000 });
    await admit(spool, instance);
    await admit(spool, testInstance());
    await spool.flush();
    const [object] = storedObjects(data.path);
    flipBit(object, 50_000);
    const report = await spool.scrub();
    expect(report).toMatchObject({ objects: 2, damaged: [object?.id] });
    expect((await entries(spool))[0]).toMatchObject({ state: 'held', reason: { code: 'OBJECT_DAMAGED' } });
    await expect(contentOf(spool, report.damaged[0] as ObjectId)).rejects.toMatchObject({
      code: 'OBJECT_DAMAGED',
    });
    expect(await admit(spool, instance)).toBe('stored');
    await stop();
  });
});
