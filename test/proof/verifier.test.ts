import { afterEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { lookFor } from '../../src/proof/policy.ts';
import { Verifier, type VerifierOptions } from '../../src/proof/verifier.ts';
import type { ObjectId } from '../../src/spool/types.ts';
import { ctSlice, type MadeInstance, newUid, srDocument, usMultiframe } from '../fixtures/dicom-objects.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { MemoryArchive } from '../fixtures/memory-archive.ts';
import { MemorySpool } from '../fixtures/memory-spool.ts';

type Policy = VerifierOptions['destination']['verify'];

const running: Verifier[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

const image = { Rows: 16, Columns: 12, BitsAllocated: 16, NumberOfFrames: 1 };
const slice = (values: { patientName?: string; seed?: number; instanceUID?: string } = {}) =>
  ctSlice({ rows: 16, columns: 12, seed: 1, studyUID: '1.2.3.4.5.6', seriesUID: '1.2.3.4.5.6.7', ...values });

function setUp(verify: Policy, digestSample = 0) {
  const clock = new ManualClock();
  const spool = new MemorySpool(clock);
  const archive = new MemoryArchive();
  const verifier = new Verifier({
    destination: { name: 'cloud', verify, digestSample },
    client: archive,
    spool,
    clock,
    log: silentLog,
    random: () => 0.5,
  });
  running.push(verifier);
  return { clock, spool, archive, verifier };
}

function deliver(spool: MemorySpool, clock: ManualClock, made: MadeInstance, values: object = {}): ObjectId {
  const objectId = spool.add(made, { image });
  spool.put(objectId, { state: 'delivered', deliveredAt: clock.now(), ...values });
  return objectId;
}

/** Lets the present work end: the delivery has left `delivered`, or has been looked at so often. */
function looked(spool: MemorySpool, objectId: ObjectId, polls = 1): Promise<void> {
  return spool.until(() => {
    const each = spool.get(objectId);
    return !each.taken && (each.state !== 'delivered' || each.polls >= polls);
  });
}

describe('policies', () => {
  test('response: the answer is all that is asked for; accepted, never verified', async () => {
    const { clock, spool, archive, verifier } = setUp('response');
    const id = deliver(spool, clock, slice());
    verifier.start();
    await looked(spool, id);
    expect(spool.get(id)).toMatchObject({ state: 'accepted', verifiedAt: null });
    expect(archive.reads).toEqual([]);
  });

  test('qido: being there is enough, unless the digest is owed', async () => {
    const { clock, spool, archive, verifier } = setUp('qido');
    const [plain, owed] = [slice({ seed: 1 }), slice({ seed: 2 })];
    archive.put(plain);
    archive.put(owed);
    const ids = [deliver(spool, clock, plain), deliver(spool, clock, owed, { needsDigest: true })];
    verifier.start();
    await Promise.all(ids.map((id) => looked(spool, id)));
    expect(ids.map((id) => [spool.get(id).state, spool.get(id).by])).toEqual([
      ['verified', 'qido'],
      ['verified', 'digest'],
    ]);
  });

  test('find: being listed by C-FIND is recorded as that', async () => {
    const { clock, spool, archive, verifier } = setUp('find');
    const made = slice();
    archive.put(made);
    const id = deliver(spool, clock, made);
    verifier.start();
    await looked(spool, id);
    expect(spool.get(id)).toMatchObject({ state: 'verified', by: 'find' });
    expect(archive.reads.map(({ kind }) => kind)).toEqual(['find']);
  });

  test('wado-metadata: a difference in geometry is settled by the digest', async () => {
    const { clock, spool, archive, verifier } = setUp('wado-metadata');
    const made = [slice({ seed: 1 }), slice({ seed: 2 }), slice({ seed: 3 })] as const;
    archive.put(made[0]);
    Object.assign(archive.held.get(made[0].SOPInstanceUID)?.facts ?? {}, { image });
    archive.put(made[1]);
    Object.assign(archive.held.get(made[1].SOPInstanceUID)?.facts ?? {}, {
      image: { ...image, Columns: 99 },
    });
    archive.put(made[2], { dataSet: slice({ seed: 4 }).dataSet });
    const ids = made.map((each) => deliver(spool, clock, each));
    verifier.start();
    await Promise.all(ids.map((id) => looked(spool, id)));
    expect(ids.map((id) => [spool.get(id).state, spool.get(id).by])).toEqual([
      ['verified', 'metadata'],
      ['verified', 'digest'],
      ['conflict', null],
    ]);
  });

  test('the sample is a property of the object: stable, and of the size asked for', () => {
    const ids = Array.from({ length: 4000 }, (_, n) => n.toString(16).padStart(32, '0') as ObjectId);
    const sampled = (share: number): number =>
      ids.filter((objectId) => lookFor('wado-metadata', share, { objectId, needsDigest: false }) === 'digest')
        .length;
    expect(sampled(0)).toBe(0);
    expect(sampled(1)).toBe(4000);
    expect(sampled(0.1)).toBe(sampled(0.1));
    expect(sampled(0.1)).toBeGreaterThan(300);
    expect(sampled(0.1)).toBeLessThan(500);
  });
});

describe('comparing content', () => {
  test('rewritten headers around equal pixels are verified by the frames, native and encapsulated', async () => {
    const { clock, spool, archive, verifier } = setUp('wado-digest');
    const uids = { studyUID: newUid(), seriesUID: newUid(), instanceUID: newUid() };
    const native = slice({ instanceUID: newUid() });
    const frames = usMultiframe({ rows: 16, columns: 16, frames: 3, seed: 5, ...uids });
    archive.put(native, {
      dataSet: slice({ instanceUID: native.SOPInstanceUID, patientName: 'Renamed^By^Archive' }).dataSet,
    });
    archive.put(frames, {
      dataSet: usMultiframe({ rows: 16, columns: 16, frames: 3, seed: 5, ...uids, patientName: 'Other' })
        .dataSet,
    });
    const ids = [native, frames].map((each) => deliver(spool, clock, each));
    verifier.start();
    await Promise.all(ids.map((id) => looked(spool, id)));
    expect(ids.map((id) => spool.get(id).by)).toEqual(['frames', 'frames']);
  });

  test('where the archive said it had one already, equal pixels under another header are a conflict', async () => {
    const { clock, spool, archive, verifier } = setUp('wado-metadata');
    const made = slice({ instanceUID: newUid() });
    const theirs = slice({ instanceUID: made.SOPInstanceUID, patientName: 'Somebody^Else' });
    archive.put(made, { dataSet: theirs.dataSet, facts: { ...made, image } });
    const id = deliver(spool, clock, made, { needsDigest: true, existed: true });
    verifier.start();
    await looked(spool, id);
    expect(spool.get(id)).toMatchObject({ state: 'conflict', reason: { code: 'ARCHIVE_HAD_OTHER_CONTENT' } });
  });

  test('other pixels, another study, or other bytes without pixels are a conflict, never deleted there', async () => {
    const { clock, spool, archive, verifier } = setUp('wado-digest');
    const pixels = slice({ instanceUID: newUid() });
    archive.put(pixels, { dataSet: slice({ instanceUID: pixels.SOPInstanceUID, seed: 9 }).dataSet });
    const moved = slice({ instanceUID: newUid() });
    archive.put(moved, {
      dataSet: slice({ instanceUID: moved.SOPInstanceUID, patientName: 'X' }).dataSet,
      facts: {
        SOPClassUID: moved.SOPClassUID,
        SOPInstanceUID: moved.SOPInstanceUID,
        StudyInstanceUID: newUid(),
        SeriesInstanceUID: moved.SeriesInstanceUID,
      },
    });
    const uids = { studyUID: newUid(), seriesUID: newUid(), instanceUID: newUid() };
    const report = srDocument(uids);
    archive.put(report, { dataSet: srDocument({ ...uids, findings: ['Something else entirely.'] }).dataSet });
    const ids = [pixels, moved, report].map((each) => deliver(spool, clock, each));
    verifier.start();
    await Promise.all(ids.map((id) => looked(spool, id)));
    expect(ids.map((id) => [spool.get(id).state, spool.get(id).reason?.code])).toEqual(
      ids.map(() => ['conflict', 'ARCHIVE_HAS_OTHER_CONTENT']),
    );
    expect(archive.held.size).toBe(3);
    expect(await spool.purgeVerified(Infinity)).toMatchObject({ instances: 0 });
    await verifier.stop();
    expect(verifier.state().counters.conflicts).toBe(3);
  });

  test('a copy of ours that does not verify vouches for nothing', async () => {
    const { clock, spool, archive, verifier } = setUp('wado-digest');
    const made = slice();
    archive.put(made, { dataSet: slice({ instanceUID: made.SOPInstanceUID, patientName: 'Y' }).dataSet });
    const id = deliver(spool, clock, made);
    spool.damage(id);
    verifier.start();
    await looked(spool, id);
    expect(spool.get(id)).toMatchObject({ state: 'held', reason: { code: 'OBJECT_DAMAGED' } });
  });

  test('a file in deflated or re-encoded form says that it cannot be compared', async () => {
    const { clock, spool, archive, verifier } = setUp('wado-digest');
    const made = slice();
    const syntax = '1.2.840.10008.1.2.4.50' as MadeInstance['TransferSyntaxUID'];
    const other = usMultiframe({
      rows: 16,
      columns: 12,
      frames: 1,
      seed: 1,
      instanceUID: made.SOPInstanceUID,
    });
    archive.put(made, { dataSet: other.dataSet, TransferSyntaxUID: syntax });
    const id = deliver(spool, clock, made);
    verifier.start();
    await looked(spool, id);
    expect(spool.get(id)).toMatchObject({ state: 'conflict', reason: { code: 'ARCHIVE_RE_ENCODED' } });
  });
});

describe('absent, refused, unavailable', () => {
  test('not visible yet is looked for again with growing pauses; absent for long is sent again', async () => {
    const { clock, spool, verifier } = setUp('wado-metadata');
    const id = deliver(spool, clock, slice());
    verifier.start();
    const pauses: number[] = [];
    for (let polls = 1; spool.get(id).state === 'delivered'; polls += 1) {
      await looked(spool, id, polls);
      const { state, pollAt, reason } = spool.get(id);
      if (state !== 'delivered') break;
      expect(reason?.code).toBe('NOT_VISIBLE_YET');
      pauses.push(pollAt - clock.now());
      clock.advance(pollAt - clock.now());
      spool.put(id, {});
    }
    expect(spool.get(id)).toMatchObject({ state: 'queued', reason: { code: 'ABSENT_AT_ARCHIVE' } });
    expect(clock.now() - spool.get(id).deliveredAt).toBeGreaterThanOrEqual(600_000);
    expect(pauses.length).toBeGreaterThanOrEqual(9);
    expect(pauses.slice(0, 5)).toEqual([1125, 2125, 4125, 8125, 16_125]);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(300_000);
  });

  test('a delivery that was only assumed is sent at once where the archive does not have it', async () => {
    const { clock, spool, verifier } = setUp('qido');
    const id = deliver(spool, clock, slice(), { assumed: true });
    verifier.start();
    await looked(spool, id);
    expect(spool.get(id)).toMatchObject({ state: 'queued', reason: { code: 'ABSENT_AFTER_REBUILD' } });
  });

  test.each(['response', 'wado-metadata'] as const)(
    'under %s, a delivery that was only assumed is sent again where the archive refuses to be read',
    async (policy) => {
      const { clock, spool, archive, verifier } = setUp(policy);
      archive.readFailure = { kind: 'failed', why: 'refused', code: '403', retryAfterMs: null };
      const values = { assumed: true, needsDigest: true };
      const ids = [1, 2, 3, 4, 5].map((seed) => deliver(spool, clock, slice({ seed }), values));
      verifier.start();
      await Promise.all(ids.map((id) => looked(spool, id)));
      const reason = { code: 'UNREADABLE_AFTER_REBUILD' };
      for (const id of ids) expect(spool.get(id)).toMatchObject({ state: 'queued', reason });
    },
  );

  test('an archive that refuses to be read: shown, kept, asked rarely, verified once it allows it', async () => {
    const { clock, spool, archive, verifier } = setUp('wado-metadata');
    const made = Array.from({ length: 20 }, (_, seed) => slice({ seed }));
    for (const each of made) archive.put(each, { facts: { ...each, image } });
    archive.readFailure = { kind: 'failed', why: 'refused', code: '403', retryAfterMs: null };
    const ids = made.map((each) => deliver(spool, clock, each));
    verifier.start();
    await Promise.all(ids.map((id) => looked(spool, id)));
    expect(new Set(ids.map((id) => spool.get(id).reason?.code))).toEqual(new Set(['CANNOT_VERIFY_REFUSED']));
    expect(verifier.state().reason?.code).toBe('CANNOT_VERIFY_REFUSED');
    // Three in a row, and what was under way beside them; not one request for each of the twenty.
    expect(archive.reads.length).toBeLessThanOrEqual(6);
    expect(await spool.purgeVerified(Infinity)).toMatchObject({ instances: 0 });

    archive.readFailure = null;
    clock.advance(3_600_000);
    spool.put(ids[0] as ObjectId, {});
    await spool.until(() => ids.every((id) => spool.get(id).state === 'verified'));
    expect(verifier.state().reason).toBeNull();
  });

  test('where a file of ours is the cause, the reason names it', async () => {
    const { clock, spool, archive, verifier } = setUp('qido');
    const code = 'TOKEN_FILE_UNREADABLE';
    const file = '/etc/gantry/token';
    archive.readFailure = { kind: 'failed', why: 'unavailable', code, file, retryAfterMs: null };
    const id = deliver(spool, clock, slice());
    verifier.start();
    await looked(spool, id);
    const words =
      'The archive cannot be asked at present (TOKEN_FILE_UNREADABLE: the token file /etc/gantry/token cannot be read). It is asked again.';
    expect(verifier.state().reason).toEqual({ code: 'CANNOT_VERIFY_UNAVAILABLE', words });
    expect(spool.get(id).reason?.words).toBe(words);
  });

  test('while the archive is away one probe goes out per step, not one per instance', async () => {
    const { clock, spool, archive, verifier } = setUp('qido');
    const made = Array.from({ length: 12 }, (_, seed) => slice({ seed }));
    for (const each of made) archive.put(each);
    archive.readFailure = { kind: 'failed', why: 'unavailable', code: 'ECONNREFUSED', retryAfterMs: null };
    const ids = made.map((each) => deliver(spool, clock, each));
    verifier.start();
    await spool.until(() => archive.reads.length > 0 && ids.every((id) => !spool.get(id).taken));
    const first = archive.reads.length;
    expect(first).toBeLessThanOrEqual(4);
    for (let step = 1; step <= 3; step += 1) {
      clock.advance(300_000);
      spool.put(ids[0] as ObjectId, {});
      await spool.until(
        () => archive.reads.length === first + step && ids.every((id) => !spool.get(id).taken),
      );
    }
    archive.readFailure = null;
    clock.advance(300_000);
    spool.put(ids[0] as ObjectId, {});
    await spool.until(() => ids.every((id) => spool.get(id).state === 'verified'));
  });

  test('policy response: an owed digest that cannot be had leaves it accepted; a different one is a conflict', async () => {
    const { clock, spool, archive, verifier } = setUp('response');
    const made = slice();
    archive.put(made, { dataSet: slice({ instanceUID: made.SOPInstanceUID, seed: 77 }).dataSet });
    const id = deliver(spool, clock, made, { needsDigest: true });
    verifier.start();
    await looked(spool, id);
    expect(spool.get(id).state).toBe('conflict');

    archive.readFailure = { kind: 'failed', why: 'unsupported', code: '405', retryAfterMs: null };
    const blind = deliver(spool, clock, slice({ seed: 3 }), { needsDigest: true });
    await looked(spool, blind);
    expect(spool.get(blind)).toMatchObject({ state: 'accepted', verifiedAt: null });

    const values = { needsDigest: true, existed: true };
    const unseen = deliver(spool, clock, slice({ seed: 4 }), values);
    await looked(spool, unseen);
    expect(spool.get(unseen)).toMatchObject({ state: 'held', reason: { code: 'EXISTED_UNSEEN' } });
  });
});
