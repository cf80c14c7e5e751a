import { afterEach, describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import { Forwarder, type ForwarderOptions } from '../../src/forward/forwarder.ts';
import type { ObjectId } from '../../src/spool/types.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { answered, type ArrivedPart, MemoryArchive } from '../fixtures/memory-archive.ts';
import { MemorySpool } from '../fixtures/memory-spool.ts';

const hourMs = 3_600_000;
const running: Forwarder[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

function setUp(
  destination: { instancesMax?: number; bytesMax?: number; parallel?: number } = {},
  limits: ForwarderOptions['limits'] = {},
) {
  const clock = new ManualClock();
  const spool = new MemorySpool(clock);
  const archive = new MemoryArchive();
  const { instancesMax = 100, bytesMax = 1e8, parallel = 1 } = destination;
  const forwarder = new Forwarder({
    destination: { name: 'cloud', batch: { instancesMax, bytesMax }, parallel },
    client: archive,
    spool,
    clock,
    log: silentLog,
    random: () => 0.999,
    limits,
  });
  running.push(forwarder);
  /** Time passes, and everybody looks again. */
  const pass = (ms: number): void => {
    clock.advance(ms);
    spool.announce();
  };
  /** Lets time pass in steps until the condition holds. */
  const passUntil = async (condition: () => boolean, stepMs = 60_000, stepsMax = 400): Promise<void> => {
    for (let step = 0; step < stepsMax && !condition(); step += 1) {
      pass(stepMs);
      await idle();
    }
    expect(condition()).toBe(true);
  };
  /** So many store requests have come and are settled. */
  const requests = (count: number): Promise<void> =>
    spool.until(() => archive.requests.length >= count && spool.deliveries.every(({ taken }) => !taken));
  /** Nothing is under way, and a moment later nothing more was begun. */
  const idle = async (): Promise<void> => {
    const seen = archive.requests.length + archive.reads.length;
    await new Promise((resolve) => setTimeout(resolve, 30));
    await spool.until(() => spool.deliveries.every(({ taken }) => !taken));
    if (archive.requests.length + archive.reads.length !== seen) await idle();
  };
  return { clock, spool, archive, forwarder, pass, passUntil, requests, idle };
}

const slice = (seed: number, studyUID: string) => ctSlice({ rows: 8, columns: 8, seed, studyUID });
const study = (count: number, studyUID = newUid()): MadeInstance[] =>
  Array.from({ length: count }, (_, seed) => slice(seed, studyUID));
const has = (parts: readonly ArrivedPart[], made: MadeInstance): boolean =>
  parts.some(({ SOPInstanceUID }) => SOPInstanceUID === made.SOPInstanceUID);
const uids = (parts: readonly ArrivedPart[]): string[] => parts.map(({ SOPInstanceUID }) => SOPInstanceUID);

describe('sending', () => {
  test('complete Part 10 files, deterministic header, one study a request, within count and bytes', async () => {
    const { spool, archive, forwarder } = setUp({ instancesMax: 4 });
    const studies = [study(6), study(3)];
    for (const made of studies.flat()) spool.add(made);
    forwarder.start();
    await spool.until(() => spool.states().every((state) => state === 'delivered'));

    for (const made of studies.flat()) {
      const part = archive.requests
        .flat()
        .find(({ SOPInstanceUID }) => SOPInstanceUID === made.SOPInstanceUID);
      expect(part?.file.equals(Buffer.concat([part10Header(made), made.dataSet]))).toBe(true);
    }
    expect(archive.requests.flat()).toHaveLength(9);
    for (const parts of archive.requests) {
      expect(parts.length).toBeLessThanOrEqual(4);
      expect(studies.filter((each) => each.some((made) => has(parts, made)))).toHaveLength(1);
    }
    await forwarder.stop();
    expect(forwarder.state()).toMatchObject({ state: 'up', reason: null, counters: { delivered: 9 } });
  });

  test('fresh and backlog take turns', async () => {
    const { spool, archive, forwarder } = setUp({ instancesMax: 1 });
    const [old, fresh] = [study(3), study(3)];
    for (const made of [...old, ...fresh]) spool.add(made);
    forwarder.start();
    await spool.until(() => spool.states().every((state) => state === 'delivered'));
    const sides = archive.requests.map((parts) => (old.some((made) => has(parts, made)) ? 'old' : 'fresh'));
    expect(new Set(sides.slice(0, 2))).toEqual(new Set(['old', 'fresh']));
    expect(new Set(sides.slice(2, 4))).toEqual(new Set(['old', 'fresh']));
  });

  test('a stored instance that the archive changed is delivered and says so', async () => {
    const { spool, archive, forwarder } = setUp();
    const [made] = study(1) as [MadeInstance];
    const id = spool.add(made);
    archive.onStore = () => answered(200, { warned: { [made.SOPInstanceUID]: 0xb000 } });
    forwarder.start();
    await spool.until(() => spool.get(id).state === 'delivered');
    expect(spool.get(id)).toMatchObject({ needsDigest: false, warning: { code: 'STOW_B000' } });
    await forwarder.stop();
    expect(forwarder.state().counters.withChange).toBe(1);
  });

  test('an outcome is not lost to a hiccup of the ledger', async () => {
    const { spool, archive, forwarder } = setUp();
    const settle = spool.settleForward.bind(spool);
    let failures = 1;
    spool.settleForward = (settlements) => {
      failures -= 1;
      return failures >= 0 ? Promise.reject(new Error('ledger busy')) : settle(settlements);
    };
    const id = spool.add(slice(1, newUid()));
    forwarder.start();
    await spool.until(() => spool.get(id).state === 'delivered');
    expect(archive.requests).toHaveLength(1);
    expect(spool.get(id).needsDigest).toBe(false);
  });

  test('a pause by an operator holds everything back until it ends', async () => {
    const { spool, archive, forwarder, idle } = setUp();
    forwarder.pause();
    forwarder.start();
    const id = spool.add(slice(1, newUid()));
    await idle();
    expect(archive.requests).toHaveLength(0);
    expect(forwarder.state()).toMatchObject({ state: 'paused', reason: { code: 'PAUSED_BY_OPERATOR' } });
    forwarder.resume();
    await spool.until(() => spool.get(id).state === 'delivered');
  });
});

describe('poison', () => {
  test.each([
    ['400 without a body', () => answered(400, { empty: true }), 'HTTP_400'],
    ['500 every time', () => answered(500, { empty: true }), 'HTTP_500'],
    [
      'a reset half-way',
      () => ({ kind: 'failed', phase: 'partial', code: 'ECONNRESET' }) as const,
      'ECONNRESET',
    ],
    ['no answer', () => ({ kind: 'failed', phase: 'unanswered', code: 'ECONNRESET' }) as const, 'ECONNRESET'],
    [
      'an unreadable answer',
      () => ({ ...answered(200), body: 'unreadable' as const }),
      'STOW_UNREADABLE_ANSWER',
    ],
  ])('%s: the others get through, the poison alone waits for an operator', async (_name, answer, code) => {
    const { spool, archive, forwarder, passUntil } = setUp();
    const made = study(9);
    const poison = made[4] as MadeInstance;
    archive.onStore = (parts) => (has(parts, poison) ? answer() : null);
    const ids = made.map((each) => spool.add(each));
    const poisonId = ids[4] as ObjectId;
    forwarder.start();
    let later = 100;
    await passUntil(() => {
      // Work keeps coming, and so the archive keeps proving that it is well.
      if (later < 120) ids.push(spool.add(slice((later += 1), newUid())));
      return ids.every((id) => spool.get(id).state === (id === poisonId ? 'held' : 'delivered'));
    });
    expect(spool.get(poisonId).reason?.code).toBe(code);
    expect(archive.held.has(poison.SOPInstanceUID)).toBe(false);
    await forwarder.stop();
    expect(forwarder.state().counters.held).toBe(1);
  });

  test('refused by name: quarantined at once with the reason, the rest of the same answer delivered', async () => {
    const { spool, archive, forwarder } = setUp();
    const [good, bad, syntax] = study(3) as [MadeInstance, MadeInstance, MadeInstance];
    archive.onStore = () =>
      answered(409, {
        referenced: [good.SOPInstanceUID],
        failed: { [bad.SOPInstanceUID]: 0xa900, [syntax.SOPInstanceUID]: 0xc122 },
      });
    const ids = [good, bad, syntax].map((made) => spool.add(made));
    forwarder.start();
    await spool.until(() => ids.every((id) => spool.get(id).state !== 'queued'));
    expect(ids.map((id) => [spool.get(id).state, spool.get(id).reason?.code ?? null])).toEqual([
      ['delivered', null],
      ['quarantined', 'STOW_A900'],
      ['quarantined', 'STOW_C122'],
    ]);
  });

  test('processing failure: tried again for a day, then quarantined', async () => {
    const { clock, spool, archive, forwarder, passUntil } = setUp();
    const made = slice(1, newUid());
    archive.onStore = () => answered(202, { failed: { [made.SOPInstanceUID]: 0x0110 } });
    const id = spool.add(made);
    const begun = clock.now();
    forwarder.start();
    await passUntil(() => spool.get(id).attempts >= 6);
    expect(spool.get(id).state).toBe('queued');
    await passUntil(() => spool.get(id).state === 'quarantined', hourMs);
    expect(clock.now() - begun).toBeGreaterThanOrEqual(24 * hourMs);
  });

  test('a damaged object is held and never sent; its batch goes without it', async () => {
    const { spool, archive, forwarder } = setUp();
    const ids = study(5).map((made) => spool.add(made));
    spool.damage(ids[2] as ObjectId);
    forwarder.start();
    await spool.until(() => ids.every((id) => spool.get(id).state !== 'queued'));
    expect(ids.map((id) => spool.get(id).state)).toEqual([
      'delivered',
      'delivered',
      'held',
      'delivered',
      'delivered',
    ]);
    expect(spool.get(ids[2] as ObjectId).reason?.code).toBe('OBJECT_DAMAGED');
    expect(archive.held.size).toBe(4);
    expect(forwarder.state().state).toBe('up');
  });
});

describe('a destination at fault', () => {
  test('down then up: one probe a step, no attempt counted, then everything delivered', async () => {
    const { clock, spool, archive, forwarder, pass, requests, idle } = setUp({
      parallel: 4,
      instancesMax: 5,
    });
    archive.onStore = () => ({ kind: 'failed', phase: 'unsent', code: 'ECONNREFUSED' });
    const ids = study(40).map((made) => spool.add(made));
    forwarder.start();
    await requests(1);
    await idle();
    const first = archive.requests.length;
    expect(first).toBeLessThanOrEqual(4);
    expect(forwarder.state()).toMatchObject({ state: 'down', reason: { code: 'ECONNREFUSED' } });

    for (let step = 1; step <= 5; step += 1) {
      pass((forwarder.state().nextAttemptAt ?? 0) - clock.now() - 1);
      await idle();
      expect(archive.requests.length).toBe(first + step - 1);
      pass(1);
      await requests(first + step);
      await idle();
      expect(archive.requests.length).toBe(first + step);
      expect(archive.requests.at(-1)).toHaveLength(1);
    }
    archive.onStore = () => null;
    pass(hourMs);
    await spool.until(() => ids.every((id) => spool.get(id).state === 'delivered'));
    expect(ids.map((id) => spool.get(id).attempts)).toEqual(ids.map(() => 0));
    expect(forwarder.state()).toMatchObject({ state: 'up', reason: null, nextAttemptAt: null });
    expect(archive.held.size).toBe(40);
  });

  test('Retry-After is waited for', async () => {
    const { clock, spool, archive, forwarder, pass, requests, idle } = setUp();
    archive.onStore = () => answered(503, { retryAfterMs: 120_000, empty: true });
    const id = spool.add(slice(1, newUid()));
    forwarder.start();
    await requests(1);
    expect(forwarder.state()).toMatchObject({ state: 'waiting', reason: { code: 'HTTP_503' } });
    expect((forwarder.state().nextAttemptAt ?? 0) - clock.now()).toBeGreaterThanOrEqual(120_000);
    archive.onStore = () => null;
    pass(119_000);
    await idle();
    expect(archive.requests).toHaveLength(1);
    pass(5000);
    await spool.until(() => spool.get(id).state === 'delivered');
  });

  test('401: paused, credentials refreshed, no attempt burnt; recovers by itself', async () => {
    const { spool, archive, forwarder, pass, requests } = setUp();
    archive.onStore = () => (archive.refreshes < 3 ? answered(401, { empty: true }) : null);
    const ids = study(6).map((made) => spool.add(made));
    forwarder.start();
    await requests(1);
    expect(forwarder.state()).toMatchObject({ state: 'paused', reason: { code: 'HTTP_401' } });
    expect(archive.refreshes).toBe(1);
    expect(ids.every((id) => spool.get(id).attempts === 0)).toBe(true);
    for (let probe = 2; probe <= 4; probe += 1) {
      pass(60_000);
      await requests(probe);
    }
    await spool.until(() => ids.every((id) => spool.get(id).state === 'delivered'));
    expect(archive.requests.filter((parts) => parts.length === 1).length).toBeGreaterThanOrEqual(2);
  });

  test('404 and redirects: paused, asked slowly; a resume by an operator asks at once', async () => {
    const { spool, archive, forwarder, pass, requests, idle } = setUp();
    archive.onStore = () => answered(307, { empty: true });
    const id = spool.add(slice(1, newUid()));
    forwarder.start();
    await requests(1);
    expect(forwarder.state()).toMatchObject({ state: 'paused', reason: { code: 'HTTP_307' } });
    pass(20_000);
    await idle();
    expect(archive.requests).toHaveLength(1);
    archive.onStore = () => null;
    forwarder.resume();
    await spool.until(() => spool.get(id).state === 'delivered');
    expect(spool.get(id).attempts).toBe(0);
  });
});

describe('unknown outcomes', () => {
  test('the archive is asked first: what is there is not sent again, and owes the digest', async () => {
    const { spool, archive, forwarder, pass, requests } = setUp();
    archive.onStore = async (parts) => {
      await archive.keep(parts.slice(0, 2));
      return { kind: 'failed', phase: 'unanswered', code: 'UND_ERR_SOCKET' };
    };
    const made = study(3);
    const ids = made.map((each) => spool.add(each));
    forwarder.start();
    await requests(1);
    archive.onStore = () => null;
    pass(60_000);
    await spool.until(() => ids.every((id) => spool.get(id).state === 'delivered'));
    expect(archive.requests.map(uids)).toEqual([
      made.map((each) => each.SOPInstanceUID),
      [made[2]?.SOPInstanceUID],
    ]);
    expect(ids.map((id) => spool.get(id).needsDigest)).toEqual([true, true, true]);
  });

  test('where it cannot be asked, the identical bytes are sent again', async () => {
    const { spool, archive, forwarder, pass, requests } = setUp();
    archive.readFailure = { kind: 'failed', why: 'refused', code: '403', retryAfterMs: null };
    archive.onStore = () => answered(204, { empty: true });
    const id = spool.add(slice(1, newUid()));
    forwarder.start();
    await requests(1);
    archive.onStore = () => null;
    pass(60_000);
    await spool.until(() => spool.get(id).state === 'delivered');
    const [first, second] = archive.requests.map((parts) => parts[0]?.file) as [Buffer, Buffer];
    expect(first.equals(second)).toBe(true);
    expect(spool.get(id).needsDigest).toBe(true);
  });

  test('a crash while sending is an unknown outcome', async () => {
    const { spool, archive, forwarder } = setUp();
    const id = spool.add(slice(1, newUid()));
    const [taken] = await spool.takeForward('cloud', { instancesMax: 9, bytesMax: 1e9, order: 'oldest' });
    expect(taken?.objectId).toBe(id);
    spool.crash();
    forwarder.start();
    await spool.until(() => spool.get(id).state === 'delivered');
    expect(archive.reads.map(({ kind }) => kind)).toEqual(['find']);
    expect(spool.get(id).needsDigest).toBe(true);
  });

  test('"already exists" is delivered and owes the digest', async () => {
    const { spool, archive, forwarder } = setUp();
    const [a, b] = study(2) as [MadeInstance, MadeInstance];
    archive.onStore = () =>
      answered(409, { failed: { [a.SOPInstanceUID]: 45_070 }, referenced: [b.SOPInstanceUID] });
    const ids = [spool.add(a), spool.add(b)];
    forwarder.start();
    await spool.until(() => ids.every((id) => spool.get(id).state === 'delivered'));
    expect(ids.map((id) => spool.get(id).needsDigest)).toEqual([true, false]);
    expect(ids.map((id) => spool.get(id).existed)).toEqual([true, false]);
  });

  test('"already exists" again and again, though it is never to be seen, ends with an operator', async () => {
    const { spool, archive, forwarder } = setUp();
    const made = slice(1, newUid());
    archive.onStore = () => answered(409, { failed: { [made.SOPInstanceUID]: 45_070 } });
    const id = spool.add(made);
    spool.put(id, { attempts: 5 });
    forwarder.start();
    await spool.until(() => spool.get(id).state === 'held');
    expect(spool.get(id).reason?.code).toBe('STOW_B00E');
  });

  test('of a study the archive knew before we sent any of it, every "stored" owes the digest', async () => {
    const { spool, archive, forwarder } = setUp({ instancesMax: 1 });
    const [known, fresh] = [study(3), study(2)];
    archive.knowsStudies = new Set([known[0]?.StudyInstanceUID ?? '']);
    const ids = [...known, ...fresh].map((made) => spool.add(made));
    forwarder.start();
    await spool.until(() => spool.states().every((state) => state === 'delivered'));
    expect(ids.map((id) => spool.get(id).needsDigest)).toEqual([true, true, true, false, false]);
    // Asked once a study, before the first of it was sent; what we sent ourselves does not count.
    expect(archive.studiesAsked).toHaveLength(2);
  });

  test('an archive that answers while it is being sent to gets all but the end before its answer', async () => {
    const { spool, archive, forwarder } = setUp();
    archive.answersWhileStoring = true;
    const asked = Promise.withResolvers<void>();
    archive.onStudyAsked = () => asked.promise;
    const made = study(3);
    for (const each of made) spool.add(each);
    const bytes = made.reduce((sum, each) => sum + part10Header(each).length + each.dataSet.length, 0);
    forwarder.start();
    await vi.waitFor(() => expect(archive.arriving).toBeGreaterThan(bytes / 2), { timeout: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(archive.requests).toHaveLength(0);
    expect(archive.arriving).toBeLessThan(bytes);
    asked.resolve();
    await spool.until(() => spool.states().every((state) => state === 'delivered'));
    expect(spool.deliveries.map(({ needsDigest }) => needsDigest)).toEqual([false, false, false]);
  });

  test('one that seems to take one request at a time gets the end all the same, and is asked first from then on', async () => {
    const { spool, archive, forwarder } = setUp({}, { questionMsMax: 40 });
    archive.answersWhileStoring = true;
    // It answers once it has taken the request whole.
    archive.onStudyAsked = async () => {
      while (archive.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    for (const each of study(2)) spool.add(each);
    forwarder.start();
    await spool.until(() => spool.states().every((state) => state === 'delivered'));
    let arrivingWhenAnswered = -1;
    archive.onStudyAsked = async () => {
      await new Promise((resolve) => setTimeout(resolve, 120));
      arrivingWhenAnswered = archive.arriving + archive.requests.length;
    };
    const second = study(2).map((each) => spool.add(each));
    await spool.until(() => second.every((id) => spool.get(id).state === 'delivered'));
    expect(arrivingWhenAnswered).toBe(1);
    expect(archive.requests).toHaveLength(2);
  });
});

describe('too large', () => {
  test('413 halves the request and is remembered; a single one too large is quarantined', async () => {
    const { spool, archive, forwarder } = setUp();
    const studyUID = newUid();
    const made = [...study(12, studyUID), ctSlice({ rows: 64, columns: 64, seed: 1, studyUID })];
    const limit = 4000;
    const sizeOf = (parts: readonly ArrivedPart[]): number =>
      parts.reduce((sum, { file }) => sum + file.length, 0);
    archive.onStore = (parts) => (sizeOf(parts) > limit ? answered(413, { empty: true }) : null);
    const ids = made.map((each) => spool.add(each));
    forwarder.start();
    await spool.until(() => ids.every((id) => spool.get(id).state !== 'queued'));
    expect(spool.states()).toEqual([...Array<string>(12).fill('delivered'), 'quarantined']);
    expect(spool.get(ids[12] as ObjectId).reason).toMatchObject({ code: 'HTTP_413' });

    const refused = archive.requests.filter((parts) => sizeOf(parts) > limit).length;
    const more = study(12).map((each) => spool.add(each));
    await spool.until(() => more.every((id) => spool.get(id).state === 'delivered'));
    expect(archive.requests.filter((parts) => sizeOf(parts) > limit).length).toBe(refused);
  });
});
