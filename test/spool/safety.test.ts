import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { Spool } from '../../src/spool/spool.ts';
import type { ObjectId } from '../../src/spool/types.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { admit, openSpool, testInstance } from '../fixtures/open-spool.ts';
import { diskError, hookedDisk } from '../fixtures/hooked-disk.ts';
import { flipBit, storedObjects, vanish } from '../fixtures/stored-objects.ts';

/* Ways in which an acknowledged object could be lost after all, each of them closed. */

const limits = { instancesMax: 100, bytesMax: 1e9, order: 'oldest' } as const;
const dayMs = 86_400_000;

async function states(spool: Spool): Promise<string[]> {
  await spool.flush();
  return (await spool.entries({}, null, 100)).map((entry) => `${entry.destination} ${entry.state}`);
}

describe('keys', () => {
  it('are not shredded while the volume is away, whatever the ledger knows', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const first = await openSpool(data.path, { clock });
    await admit(first.spool, testInstance());
    await first.stop();
    renameSync(join(data.path, 'spool'), join(data.path, 'away'));
    for (const name of ['ledger.db', 'ledger.db-wal']) rmSync(join(data.path, name), { force: true });
    clock.advance(2 * dayMs);
    const second = await openSpool(data.path, { clock });
    second.keyring.currentEpoch();
    expect(second.keyring.pastEpochs()).toHaveLength(1);
    expect(await second.spool.purgeVerified(clock.now())).toMatchObject({ epochsShredded: 0 });
    await second.stop();
    rmSync(join(data.path, 'spool'), { recursive: true });
    renameSync(join(data.path, 'away'), join(data.path, 'spool'));
    const third = await openSpool(data.path, { clock });
    await (await third.spool.open(storedObjects(data.path)[0]?.id as ObjectId))[Symbol.asyncDispose]();
    await third.stop();
  });

  it('outlive an object that is still arriving under a past epoch', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const { spool, keyring, stop } = await openSpool(data.path, { clock });
    const instance = testInstance();
    const incoming = await spool.begin(instance.admission);
    await incoming.write(Buffer.from(instance.dataSet));
    clock.advance(dayMs);
    keyring.currentEpoch();
    await expect.poll(() => keyring.pastEpochs().length).toBe(1);
    expect(await spool.purgeVerified(clock.now())).toMatchObject({ epochsShredded: 0 });
    expect(await incoming.commit(instance.found)).toBe('stored');
    expect(await spool.purgeVerified(clock.now())).toMatchObject({ epochsShredded: 0 });
    expect(await spool.scrub()).toMatchObject({ objects: 1, damaged: [] });
    await stop();
  });
});

describe('a duplicate is answered as stored only where the earlier copy is whole', () => {
  it.each(['flipped', 'deleted'])('takes the image in again when the copy was %s unnoticed', async (how) => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    const instance = testInstance({ bytes: 100_000 });
    await admit(spool, instance);
    const [object] = storedObjects(data.path);
    if (how === 'flipped') flipBit(object, 40_000);
    else vanish(object);
    expect(await admit(spool, instance)).toBe('stored');
    expect(await admit(spool, instance)).toBe('duplicate');
    expect((await states(spool)).toSorted()).toEqual(['cloud held', 'cloud queued']);
    await stop();
  });
});

describe('discarding', () => {
  it('gives up one delivery and leaves the others of the object', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path, { destinations: ['a', 'b'] });
    await admit(spool, testInstance());
    await spool.flush();
    expect(await spool.discard({ destination: 'b', states: ['queued'] })).toBe(1);
    expect(storedObjects(data.path)).toHaveLength(1);
    expect(await spool.takeForward('b', limits)).toEqual([]);
    expect(await spool.takeForward('a', limits)).toHaveLength(1);
    await stop();
  });

  it('does not touch what is in flight, and a late answer does not revive what was given up', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    await admit(spool, testInstance());
    await spool.flush();
    const [item] = await spool.takeForward('cloud', limits);
    expect(await spool.discard({ states: ['queued'] })).toBe(0);
    const key = { objectId: item?.objectId as ObjectId, destination: 'cloud' };
    const retry = { countAttempt: false, outcomeUnknown: false, batchInstancesMax: null } as const;
    const reason = { code: 'X', words: 'x' };
    await spool.settleForward([{ ...key, to: 'queued', retryAt: 0, reason, ...retry }]);
    expect(await spool.discard({ states: ['queued'] })).toBe(1);
    await spool.settleForward([
      { ...key, to: 'delivered', needsDigest: false, existed: false, warning: null },
    ]);
    expect((await spool.counts()).totals).toMatchObject({ delivered: 0, verified: 0 });
    await stop();
  });
});

describe('an operator who does not want to wait', () => {
  it('has the look at the archive made now, and nothing sent again', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const { spool, stop } = await openSpool(data.path, { clock });
    await admit(spool, testInstance());
    await spool.flush();
    const [item] = await spool.takeForward('cloud', limits);
    const key = { objectId: item?.objectId as ObjectId, destination: 'cloud' };
    await spool.settleForward([{ ...key, to: 'delivered', needsDigest: true, existed: true, warning: null }]);
    await spool.takeProof('cloud', 10);
    const reason = { code: 'NOT_VISIBLE_YET', words: 'not yet' };
    await spool.settleProof([{ ...key, to: 'delivered', pollAt: clock.now() + 600_000, reason }]);
    expect(await spool.takeProof('cloud', 10)).toEqual([]);

    expect(await spool.retry({ destination: 'elsewhere' })).toBe(0);
    expect(await spool.retry({})).toBe(1);
    expect(await spool.nextProofAt('cloud')).toBe(clock.now());
    // What is owed before a purge, and how often it was looked for, stays.
    expect(await spool.takeProof('cloud', 10)).toMatchObject([{ ...key, existed: true, polls: 1 }]);
    expect(await spool.takeForward('cloud', limits)).toEqual([]);
    // A look under way is left alone.
    expect(await spool.retry({})).toBe(0);
    await stop();
  });
});

describe('a ledger that takes nothing', () => {
  it('holds up the end for a bounded time, and what it did not take is adopted at the next start', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    const other = new DatabaseSync(join(data.path, 'ledger.db'));
    other.exec('BEGIN IMMEDIATE');
    await admit(first.spool, testInstance());
    await first.stop();
    other.exec('ROLLBACK');
    expect(other.prepare('SELECT count(*) AS n FROM instance').get()).toEqual({ n: 0 });
    other.close();
    const second = await openSpool(data.path);
    expect(await states(second.spool)).toEqual(['cloud queued']);
    await second.stop();
  });
});

describe('what is out of reach is not lost', () => {
  it('scrubbing while the volume is away says so and holds nothing', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    await admit(spool, testInstance());
    await spool.flush();
    renameSync(join(data.path, 'spool'), join(data.path, 'away'));
    await expect(spool.scrub()).rejects.toMatchObject({ code: 'SPOOL_VOLUME_MISSING' });
    renameSync(join(data.path, 'away'), join(data.path, 'spool'));
    await expect.poll(() => spool.intakeGate().open, { timeout: 10_000 }).toBe(true);
    expect(await states(spool)).toEqual(['cloud queued']);
    await stop();
  });

  it('an object that is back is sent after all', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await admit(first.spool, testInstance());
    await first.stop();
    const putBack = vanish(storedObjects(data.path)[0]);
    const second = await openSpool(data.path);
    expect(await states(second.spool)).toEqual(['cloud held']);
    expect(await second.spool.retry({})).toBe(0);
    await second.stop();
    putBack();
    const third = await openSpool(data.path);
    expect(await third.spool.takeForward('cloud', limits)).toHaveLength(1);
    await third.stop();
  });

  it('objects stored after the volume was exchanged lie where they are found', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    await admit(spool, testInstance());
    await spool.flush();
    renameSync(join(data.path, 'spool'), join(data.path, 'away'));
    await expect.poll(() => spool.intakeGate().open, { timeout: 10_000 }).toBe(false);
    renameSync(join(data.path, 'away'), join(data.path, 'spool'));
    await expect.poll(() => spool.intakeGate().open, { timeout: 10_000 }).toBe(true);
    expect(await admit(spool, testInstance())).toBe('stored');
    expect(storedObjects(data.path)).toHaveLength(2);
    await stop();
  });

  it('no marker is made where the ledger alone is gone', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await admit(first.spool, testInstance());
    await first.stop();
    renameSync(join(data.path, 'spool'), join(data.path, 'away'));
    rmSync(join(data.path, 'ledger.db'));
    const second = await openSpool(data.path);
    expect(second.spool.intakeGate()).toMatchObject({
      open: false,
      reason: { code: 'SPOOL_VOLUME_MISSING' },
    });
    await second.stop();
  });
});

describe('the ledger', () => {
  it('that is in use elsewhere is not mistaken for a damaged one', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await admit(first.spool, testInstance());
    await first.stop();
    const other = new DatabaseSync(join(data.path, 'ledger.db'));
    other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE study SET revision = revision;');
    await expect(openSpool(data.path)).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
      kind: 'transient',
    });
    other.exec('COMMIT');
    other.close();
  });

  it('whose rebuild was interrupted is rebuilt still: what it does not know is proven before it is sent', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await admit(first.spool, testInstance());
    await first.stop();
    const ledger = new DatabaseSync(join(data.path, 'ledger.db'));
    ledger.exec('DELETE FROM delivery; DELETE FROM instance; DELETE FROM recovered;');
    ledger.close();
    const second = await openSpool(data.path);
    expect(await second.spool.takeForward('cloud', limits)).toEqual([]);
    expect(await second.spool.takeProof('cloud', 10)).toMatchObject([{ assumed: true, needsDigest: true }]);
    await second.stop();
  });

  it('remembers for good what the archive had before anything was sent', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path);
    await admit(spool, testInstance());
    await spool.flush();
    const [first] = await spool.takeForward('cloud', limits);
    expect(first?.archiveHad).toBeNull();
    expect(await spool.noteArchiveHad(first?.studyKey as never, 'cloud', false)).toBe(false);
    expect(await spool.noteArchiveHad(first?.studyKey as never, 'cloud', true)).toBe(false);
    await admit(spool, testInstance());
    await spool.flush();
    expect(await spool.takeForward('cloud', limits)).toMatchObject([{ archiveHad: false }]);
    await stop();
  });
});

describe('an object that could not be read when it was found', () => {
  it('is entered afresh once it can be', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path);
    await admit(first.spool, testInstance());
    await first.stop();
    const [object] = storedObjects(data.path);
    const inTrailer = (object?.sealed.length ?? 0) - 40;
    flipBit(object, inTrailer);
    rmSync(join(data.path, 'ledger.db'));
    const second = await openSpool(data.path);
    expect(await states(second.spool)).toEqual(['unknown held']);
    await second.stop();
    flipBit(object, inTrailer);
    const third = await openSpool(data.path);
    expect(await states(third.spool)).toEqual(['cloud queued']);
    expect((await third.spool.counts()).totals).toMatchObject({ received: 1, held: 0 });
    await third.stop();
  });
});

describe('a probe', () => {
  it('writes as an image would be written, and closes intake where that fails', async () => {
    using data = temporaryDirectory();
    let broken = false;
    const disk = hookedDisk({
      write: ({ path }, go) =>
        broken && path.endsWith('write-probe') ? Promise.reject(diskError('EIO')) : go(),
    });
    const { spool, stop } = await openSpool(data.path, { disk });
    expect(await spool.probe()).toBeNull();
    broken = true;
    expect(await spool.probe()).toMatchObject({ code: 'SPOOL_IO' });
    expect(spool.intakeGate()).toMatchObject({ open: false, reason: { code: 'SPOOL_SUSPECT' } });
    expect(await spool.probe()).toMatchObject({ code: 'SPOOL_SUSPECT' });
    await stop();
  });
});
