import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { nodeDisk } from '../../src/base/disk.ts';
import { GantryError } from '../../src/base/errors.ts';
import type { CodecOptions } from '../../src/spool/prepared.ts';
import type { Spool } from '../../src/spool/spool.ts';
import { FaultyDisk } from '../fault/faulty-disk.ts';
import { filesBelow, temporaryDirectory } from '../fixtures/data-directory.ts';
import { diskError, hookedDisk } from '../fixtures/hooked-disk.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { admit, openSpool, type TestInstance, testInstance, writeReceipts } from '../fixtures/open-spool.ts';
import {
  again,
  codec,
  compressible,
  contentOf,
  delivered,
  prepare,
  prepared,
  reason,
  sealedCount,
  settle,
  sha256,
  syntax,
  take,
  waiting,
} from '../fixtures/prepared-spool.ts';
import { flipBit, storedObjects, vanish } from '../fixtures/stored-objects.ts';

/* The prepared form alone at rest: what was received comes back from it, byte for byte, until it is purged. */

const rest = { codec, replacesReceived: true };
const dayMs = 86_400_000;

async function received(spool: Spool, objectId: Parameters<Spool['open']>[0]): Promise<Buffer> {
  await using object = await spool.open(objectId);
  return await contentOf(object);
}

function idsOf(directory: string): string[] {
  return storedObjects(directory).map(({ id }) => id);
}

function loseLedger(directory: string): void {
  for (const name of filesBelow(directory)) if (/ledger\.db/.test(name)) rmSync(name);
}

/** A codec that fails, as long as it is told to. */
function failingCodec(): CodecOptions & { failure: GantryError | null } {
  return {
    failure: null,
    waitsFor: () => true,
    async *restore(object) {
      if (this.failure !== null) throw this.failure;
      yield inflateSync(await contentOf(object));
    },
  };
}

function failure(code: string, kind: 'permanent' | 'transient'): GantryError {
  return new GantryError({ code, kind, message: 'Made to fail.', nextStep: 'None.' });
}

describe('a proven prepared object', () => {
  it('replaces the received one, which is restored byte for byte, and says so in the counts', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path, rest);
    const made = compressible();
    await admit(spool, made);
    const item = await waiting(spool);
    await using before = await spool.open(item.objectId);
    const preparedId = await prepare(spool, item);
    await spool.codec.settlePrepare([{ objectId: item.objectId, to: 'prepared', preparedId }]);
    await before[Symbol.asyncDispose]();
    await using after = await spool.open(item.objectId);
    const { conflict: _, end: __, ...facts } = { conflict: null, end: null, ...before.facts };
    expect(after.facts).toMatchObject(facts);
    expect(await contentOf(after)).toEqual(made.dataSet);
    await using sent = await spool.open(preparedId);
    expect((await spool.counts()).atRest).toEqual({
      instances: 1,
      bytesReceived: made.dataSet.length,
      bytesStored: sent.facts.dataSetBytes,
    });
    expect(await take(spool)).toMatchObject([{ sentId: preparedId, form: 'prepared' }]);
    await vi.waitFor(() => expect(idsOf(data.path)).toEqual([preparedId]));
    await stop();
  });

  it('does not where that is switched off, or gains little', async () => {
    using data = temporaryDirectory();
    const off = await openSpool(data.path, { codec });
    await admit(off.spool, compressible());
    await prepared(off.spool);
    await off.stop();
    expect(sealedCount(data.path)).toBe(2);
    const on = await openSpool(data.path, rest);
    await admit(on.spool, testInstance({ bytes: 20_000 }));
    await prepared(on.spool);
    expect((await on.spool.counts()).atRest.instances).toBe(0);
    expect(sealedCount(data.path)).toBe(4);
    await on.stop();
  });

  it('does so later where it could not at once: a delivery was on its way in the received form', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path, rest);
    await admit(spool, compressible());
    const first = await prepared(spool);
    await take(spool);
    await settle(spool, first.objectId, { ...again, asReceived: 'syntax-refused' });
    // The next of the class will go as received: that is kept until it is there.
    const made = compressible();
    await admit(spool, made);
    const { objectId, preparedId } = await prepared(spool);
    spool.atRest.start();
    expect(await take(spool)).toHaveLength(2);
    expect(idsOf(data.path)).toContain(objectId);
    await settle(spool, objectId, delivered);
    await spool.takeProof('cloud', 10);
    await spool.settleProof([{ objectId, destination: 'cloud', to: 'verified', by: 'digest' }]);
    await spool.atRest.stop();
    await stop();
    const second = await openSpool(data.path, rest);
    second.spool.atRest.start();
    await vi.waitFor(() => expect(idsOf(data.path)).not.toContain(objectId));
    expect(idsOf(data.path)).toContain(preparedId);
    expect(await received(second.spool, objectId)).toEqual(made.dataSet);
    await second.spool.atRest.stop();
    await second.stop();
  });

  it('is proven anew before it replaces what was kept so far, and given up where it fails', async () => {
    using data = temporaryDirectory();
    const first = await openSpool(data.path, { codec });
    const made = compressible();
    await admit(first.spool, made);
    const { objectId, preparedId } = await prepared(first.spool);
    await first.stop();
    const broken = failingCodec();
    broken.failure = failure('RESTORE_MISMATCH', 'permanent');
    const second = await openSpool(data.path, { codec: broken, replacesReceived: true });
    second.spool.atRest.start();
    await vi.waitFor(() => expect(idsOf(data.path)).toEqual([objectId]));
    expect(idsOf(data.path)).not.toContain(preparedId);
    expect(await take(second.spool)).toMatchObject([{ sentId: objectId, form: 'received' }]);
    expect(await received(second.spool, objectId)).toEqual(made.dataSet);
    await second.spool.atRest.stop();
    await second.stop();
  });
});

describe('an instance of which only the prepared object is stored', () => {
  async function atRest(directory: string, over: Parameters<typeof openSpool>[1] = {}) {
    const opened = await openSpool(directory, { ...rest, ...over });
    const made = compressible();
    await admit(opened.spool, made);
    const ids = await prepared(opened.spool);
    await vi.waitFor(() => expect(idsOf(directory)).toEqual([ids.preparedId]));
    return { ...opened, ...ids, made };
  }

  it('goes as it was received after a definite refusal, also after a restart', async () => {
    using data = temporaryDirectory();
    const { spool, objectId, made, stop } = await atRest(data.path);
    await take(spool);
    await settle(spool, objectId, { ...again, asReceived: 'syntax-refused' });
    await stop();
    const second = await openSpool(data.path, rest);
    const [item] = await take(second.spool);
    expect(item).toMatchObject({ sentId: objectId, form: 'received', bytes: made.dataSet.length });
    expect(await received(second.spool, objectId)).toEqual(made.dataSet);
    await second.stop();
  });

  it('is told from a duplicate and from a conflict', async () => {
    using data = temporaryDirectory();
    const { spool, made, stop } = await atRest(data.path);
    expect(await admit(spool, made)).toBe('duplicate');
    const uid = made.admission.SOPInstanceUID;
    expect(await admit(spool, testInstance({ uid }))).toBe('conflict');
    await stop();
  });

  it('comes back with a lost ledger, and is a duplicate, proven, restored and sent as before', async () => {
    using data = temporaryDirectory();
    const first = await atRest(data.path);
    await first.stop();
    loseLedger(data.path);
    const { spool, stop } = await openSpool(data.path, rest);
    const { objectId, preparedId, made } = first;
    expect(idsOf(data.path)).toEqual([preparedId]);
    expect(await admit(spool, made)).toBe('duplicate');
    const [proof] = await spool.takeProof('cloud', 2);
    expect(proof).toMatchObject({ objectId, sentId: objectId, otherId: preparedId, assumed: true });
    expect(await received(spool, objectId)).toEqual(made.dataSet);
    await spool.settleProof([{ objectId, destination: 'cloud', to: 'queued', retryAt: 0, reason }]);
    spool.atRest.start();
    await spool.atRest.stop();
    expect(await take(spool)).toMatchObject([{ objectId, sentId: preparedId, form: 'prepared' }]);
    expect((await spool.counts()).atRest.instances).toBe(1);
    await stop();
  });

  it('comes back with a lost ledger once, and is not brought back after it was purged or discarded', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const { spool, objectId, made, stop } = await atRest(data.path, { clock, quietMs: 1 });
    await take(spool);
    await settle(spool, objectId, delivered);
    await spool.takeProof('cloud', 1);
    await spool.settleProof([{ objectId, destination: 'cloud', to: 'verified', by: 'digest' }]);
    clock.advance(dayMs);
    const [study] = await spool.settledStudies(1);
    expect(study?.deliveries).toMatchObject([{ objectId }]);
    await writeReceipts(spool);
    clock.advance(dayMs);
    expect(await spool.purgeVerified(clock.now())).toMatchObject({
      instances: 1,
      bytes: made.dataSet.length,
    });
    expect((await spool.counts()).atRest).toEqual({ instances: 0, bytesReceived: 0, bytesStored: 0 });
    expect(await admit(spool, made)).toBe('duplicate');
    await admit(spool, compressible());
    const other = await prepared(spool);
    await spool.discard({ objectIds: [other.objectId] });
    await vi.waitFor(() => expect(sealedCount(data.path)).toBe(0));
    await stop();
    loseLedger(data.path);
    const second = await openSpool(data.path, { ...rest, clock });
    expect(await second.spool.entries({}, null, 10)).toEqual([]);
    expect(await admit(second.spool, made)).toBe('duplicate');
    await second.stop();
  });

  it('keeps its key, and lets that of the received object go', async () => {
    using data = temporaryDirectory();
    const clock = new ManualClock();
    const first = await openSpool(data.path, { ...rest, clock });
    const made = compressible();
    await admit(first.spool, made);
    const item = await waiting(first.spool);
    clock.advance(2 * dayMs);
    // The day's key is changed by what comes first, which is discarded: what is prepared is sealed under another.
    await (await first.spool.begin(testInstance().admission)).abort();
    await vi.waitFor(() => expect(first.keyring.pastEpochs()).toHaveLength(1));
    const preparedId = await prepare(first.spool, item);
    await first.spool.codec.settlePrepare([{ objectId: item.objectId, to: 'prepared', preparedId }]);
    expect((await first.spool.purgeVerified(0)).epochsShredded).toBe(1);
    expect(await received(first.spool, item.objectId)).toEqual(made.dataSet);
    await first.stop();
    const second = await openSpool(data.path, { ...rest, clock });
    expect(await received(second.spool, item.objectId)).toEqual(made.dataSet);
    await second.stop();
  });

  it('is held and named by the scrubber once that is damaged, is wanted again, and goes on once it is whole', async () => {
    using data = temporaryDirectory();
    const { spool, objectId, preparedId, made, stop } = await atRest(data.path);
    const stored = storedObjects(data.path).find((one) => one.id === preparedId);
    flipBit(stored, 400);
    expect((await spool.scrub()).damaged).toEqual([objectId]);
    expect(await spool.entries({}, null, 10)).toMatchObject([
      { objectId, state: 'held', reason: { code: 'OBJECT_DAMAGED' } },
    ]);
    expect(await take(spool)).toEqual([]);
    flipBit(stored, 400);
    expect((await spool.scrub()).damaged).toEqual([]);
    expect(await take(spool)).toMatchObject([{ objectId }]);
    await settle(spool, objectId, again);
    flipBit(stored, 400);
    expect(await admit(spool, made)).toBe('stored');
    await stop();
  });

  it('is held as lost where that is missing, and goes on where it comes back', async () => {
    using data = temporaryDirectory();
    const first = await atRest(data.path);
    await first.stop();
    const putBack = vanish(storedObjects(data.path)[0]);
    const second = await openSpool(data.path, rest);
    expect(await second.spool.entries({}, null, 10)).toMatchObject([
      { state: 'held', reason: { code: 'OBJECT_LOST' } },
    ]);
    await second.stop();
    putBack();
    const third = await openSpool(data.path, rest);
    expect(await take(third.spool)).toMatchObject([{ sentId: first.preparedId }]);
    await third.stop();
  });

  it('is held with the reason where the codec cannot restore it, found while sending and by the scrubber', async () => {
    using data = temporaryDirectory();
    const broken = failingCodec();
    const { spool, objectId, preparedId, stop } = await atRest(data.path, { codec: broken });
    await take(spool);
    await settle(spool, objectId, { ...again, asReceived: 'syntax-refused' });
    broken.failure = failure('RESTORE_MISMATCH', 'permanent');
    const [item] = await take(spool);
    expect(item).toMatchObject({ sentId: objectId });
    await expect(received(spool, objectId)).rejects.toThrow(broken.failure);
    const held = { to: 'held', reason: { code: 'RESTORE_MISMATCH', words: 'Made to fail.' } } as const;
    await settle(spool, objectId, held);
    expect(await take(spool)).toEqual([]);
    expect((await spool.scrub()).damaged).toEqual([objectId]);
    expect(await spool.entries({}, null, 10)).toMatchObject([
      { state: 'held', reason: { code: 'OBJECT_NOT_RESTORED' } },
    ]);
    expect(idsOf(data.path)).toEqual([preparedId]);
    broken.failure = null;
    expect((await spool.scrub()).damaged).toEqual([]);
    expect(await take(spool)).toMatchObject([{ objectId }]);
    await stop();
  });

  it('is not given up for a codec that fails once, but for one that fails again and again', async () => {
    using data = temporaryDirectory();
    const broken = failingCodec();
    const { spool, objectId, made, stop } = await atRest(data.path, { codec: broken });
    broken.failure = failure('RESTORE_FAILED', 'transient');
    await expect(received(spool, objectId)).rejects.toMatchObject({ kind: 'transient' });
    broken.failure = null;
    expect(await received(spool, objectId)).toEqual(made.dataSet);
    broken.failure = failure('RESTORE_FAILED', 'transient');
    for (const kind of ['transient', 'transient', 'permanent'])
      await expect(received(spool, objectId)).rejects.toMatchObject({ kind });
    await stop();
  });
});

describe('a received object that is damaged or lost beside a proven prepared one', () => {
  it.each(['damaged', 'lost'])(
    '%s: found at start or by the scrubber, the prepared one stands in',
    async (how) => {
      using data = temporaryDirectory();
      const first = await openSpool(data.path, { codec });
      const made = compressible();
      await admit(first.spool, made);
      const { objectId, preparedId } = await prepared(first.spool);
      await first.stop();
      const stored = storedObjects(data.path).find((one) => one.id === objectId);
      if (how === 'lost') vanish(stored);
      else flipBit(stored, 400);
      const { spool, stop } = await openSpool(data.path, { codec });
      if (how === 'damaged') expect((await spool.scrub()).damaged).toEqual([objectId]);
      expect(idsOf(data.path)).toEqual([preparedId]);
      expect(await received(spool, objectId)).toEqual(made.dataSet);
      expect(await take(spool)).toMatchObject([{ objectId, sentId: preparedId }]);
      expect(await admit(spool, made)).toBe('duplicate');
      await stop();
    },
  );

  it('found while it is sent, it is restored for the next attempt', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path, { codec });
    const made = compressible();
    await admit(spool, made);
    const { objectId, preparedId } = await prepared(spool);
    await take(spool);
    await settle(spool, objectId, { ...again, asReceived: 'syntax-refused' });
    flipBit(
      storedObjects(data.path).find((one) => one.id === objectId),
      400,
    );
    expect(await take(spool)).toMatchObject([{ sentId: objectId }]);
    await settle(spool, objectId, { to: 'held', reason: { code: 'OBJECT_DAMAGED', words: 'It is.' } });
    expect(await take(spool)).toMatchObject([{ sentId: objectId, form: 'received' }]);
    expect(await received(spool, objectId)).toEqual(made.dataSet);
    expect(idsOf(data.path)).toEqual([preparedId]);
    await stop();
  });
});

describe('what a delivery was sent as', () => {
  it('is kept, and proves it though the prepared object is damaged', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path, { codec });
    await admit(spool, compressible());
    const { objectId, preparedId } = await prepared(spool);
    await take(spool);
    const sent = await received(spool, preparedId);
    await settle(spool, objectId, delivered);
    flipBit(
      storedObjects(data.path).find((one) => one.id === preparedId),
      400,
    );
    await spool.scrub();
    const [proof] = await spool.takeProof('cloud', 1);
    expect(proof).toMatchObject({
      sentId: objectId,
      lostForm: {
        TransferSyntaxUID: syntax,
        dataSetBytes: sent.length,
        digest: spool.digestKey(sha256(sent)),
      },
    });
    await stop();
  });
});

describe('what destinations take', () => {
  it('is forgotten when their settings change, and by the operator', async () => {
    using data = temporaryDirectory();
    const { spool, stop } = await openSpool(data.path, { codec, destinations: ['cloud', 'pacs'] });
    const made = compressible();
    const { SOPClassUID } = made.admission;
    const learn = async (): Promise<void> => {
      await admit(spool, compressible());
      const { objectId } = await prepared(spool);
      for (const destination of ['cloud', 'pacs']) {
        await spool.takeForward(destination, { instancesMax: 100, bytesMax: 1e9, order: 'oldest' });
        await spool.settleForward([
          { objectId, destination, reason, ...again, asReceived: 'syntax-refused' },
        ]);
      }
    };
    const known = () => ['cloud', 'pacs'].map((name) => spool.codec.accepts(name, SOPClassUID, syntax));
    await spool.codec.noteSettings({ cloud: 'a', pacs: 'a' });
    await learn();
    await spool.codec.noteSettings({ cloud: 'a', pacs: 'a' });
    expect(known()).toEqual([false, false]);
    await spool.codec.noteSettings({ cloud: 'b', pacs: 'a' });
    expect(known()).toEqual([null, false]);
    expect(await spool.codec.forgetAbilities('cloud')).toBe(0);
    expect(await spool.codec.forgetAbilities(null)).toBe(1);
    expect(known()).toEqual([null, null]);
    await stop();
  });
});

describe('a crash or a failing disk while a received object is replaced', () => {
  async function expectWhole(directory: string, made: TestInstance): Promise<number> {
    const { spool, stop } = await openSpool(directory, rest);
    await spool.flush();
    const [entry, ...more] = await spool.entries({}, null, 10);
    expect(more).toEqual([]);
    if (entry === undefined) throw new Error('the instance is lost');
    expect(await received(spool, entry.objectId)).toEqual(made.dataSet);
    expect(await admit(spool, made)).toBe('duplicate');
    const [item] = await spool.codec.takePrepare(1);
    if (item !== undefined) {
      const preparedId = await prepare(spool, item);
      await spool.codec.settlePrepare([{ objectId: item.objectId, to: 'prepared', preparedId }]);
    }
    spool.atRest.start();
    await spool.atRest.stop();
    const left = sealedCount(directory);
    await stop();
    return left;
  }

  it('at any call to the disk: nothing is lost, and nothing is left beside the prepared object', async () => {
    using home = temporaryDirectory();
    const path = join(home.path, 'data');
    const disk = new FaultyDisk(nodeDisk);
    const { spool, stop } = await openSpool(path, { ...rest, disk });
    const made = compressible();
    await admit(spool, made);
    const item = await waiting(spool);
    const copies: string[] = [];
    disk.watch((call) => {
      const copy = join(home.path, String(call));
      cpSync(path, copy, { recursive: true });
      copies.push(copy);
    });
    const preparedId = await prepare(spool, item);
    await spool.codec.settlePrepare([{ objectId: item.objectId, to: 'prepared', preparedId }]);
    disk.failAt(null);
    await stop();
    expect(copies.length).toBeGreaterThan(4);
    for (const copy of [...copies, path]) expect(await expectWhole(copy, made), copy).toBe(1);
    for (const copy of [...copies, path]) {
      loseLedger(copy);
      expect(await expectWhole(copy, made), copy).toBe(1);
    }
  }, 180_000);

  it('where the disk does not let the received object go, that is done at the next start', async () => {
    using data = temporaryDirectory();
    let refuses = false;
    const disk = hookedDisk({
      openFile: async (_path, access) => {
        if (refuses && access === 'read-write') throw diskError('EIO');
      },
    });
    const { spool, stop } = await openSpool(data.path, { ...rest, disk });
    const made = compressible();
    await admit(spool, made);
    const item = await waiting(spool);
    const preparedId = await prepare(spool, item);
    refuses = true;
    await spool.codec.settlePrepare([{ objectId: item.objectId, to: 'prepared', preparedId }]);
    expect(await received(spool, item.objectId)).toEqual(made.dataSet);
    await stop();
    expect(idsOf(data.path)).toEqual([item.objectId, preparedId].toSorted());
    const second = await openSpool(data.path, rest);
    await vi.waitFor(() => expect(idsOf(data.path)).toEqual([preparedId]));
    expect(await received(second.spool, item.objectId)).toEqual(made.dataSet);
    await second.stop();
  });

  it('takes the received object back where it is here still and the prepared one is lost', async () => {
    using data = temporaryDirectory();
    let refuses = false;
    const disk = hookedDisk({
      openFile: async (_path, access) => {
        if (refuses && access === 'read-write') throw diskError('EIO');
      },
    });
    const { spool, stop } = await openSpool(data.path, { ...rest, disk });
    const made = compressible();
    await admit(spool, made);
    const item = await waiting(spool);
    const preparedId = await prepare(spool, item);
    refuses = true;
    await spool.codec.settlePrepare([{ objectId: item.objectId, to: 'prepared', preparedId }]);
    await stop();
    vanish(storedObjects(data.path).find(({ id }) => id === preparedId));
    const second = await openSpool(data.path, rest);
    expect(await take(second.spool)).toMatchObject([{ sentId: item.objectId, form: 'received' }]);
    expect(await received(second.spool, item.objectId)).toEqual(made.dataSet);
    expect((await second.spool.counts()).atRest.instances).toBe(0);
    await second.stop();
  });
});
