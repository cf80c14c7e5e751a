import { afterEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { Bandwidth, type BandwidthPlan } from '../../src/forward/bandwidth.ts';
import { Forwarder } from '../../src/forward/forwarder.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { answered, type ArrivedPart, MemoryArchive } from '../fixtures/memory-archive.ts';
import { type AddOptions, MemorySpool } from '../fixtures/memory-spool.ts';

const running: Forwarder[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

const plain: BandwidthPlan = { mbitPerSecond: null, windows: [] };

function setUp({ parallel = 1, instancesMax = 100, plan = plain, wall = Date.UTC(2026, 0, 16, 9) } = {}) {
  const clock = new ManualClock(wall);
  const spool = new MemorySpool(clock);
  const archive = new MemoryArchive();
  const forwarder = new Forwarder({
    destination: { name: 'cloud', batch: { instancesMax, bytesMax: 1e8 }, parallel },
    client: archive,
    spool,
    clock,
    log: silentLog,
    bandwidth: new Bandwidth(plan, 'UTC', clock),
    random: () => 0.999,
    limits: { stopGraceMs: 50 },
  });
  running.push(forwarder);
  const add = (made: readonly MadeInstance[], options?: AddOptions) =>
    made.map((each) => spool.add(each, options));
  const has = (made: MadeInstance): boolean =>
    archive.requests.flat().some((part) => part.SOPInstanceUID === made.SOPInstanceUID);
  /** Time passes in steps, and everybody looks again, until the condition holds. */
  const passUntil = async (condition: () => boolean, stepMs = 1000, stepsMax = 2000): Promise<void> => {
    for (let step = 0; step < stepsMax && !condition(); step += 1) {
      clock.advance(stepMs);
      spool.announce();
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    expect(condition()).toBe(true);
  };
  return { clock, spool, archive, forwarder, add, has, passUntil };
}

const study = (count: number, size = 8, studyUID = newUid()): MadeInstance[] =>
  Array.from({ length: count }, (_, seed) => ctSlice({ rows: size, columns: size, seed, studyUID }));
const sizeOf = (parts: readonly ArrivedPart[]): number =>
  parts.reduce((sum, { file }) => sum + file.length, 0);

describe('stat', () => {
  test('goes out on a connection of its own while routine work has all others, one request at a time', async () => {
    const { spool, archive, forwarder, add, has } = setUp({ parallel: 2, instancesMax: 1 });
    const release = Promise.withResolvers<void>();
    const full = Promise.withResolvers<void>();
    const [routine, stat] = [study(6), study(3)];
    const isStat = (parts: readonly ArrivedPart[]) =>
      stat.some((made) => made.SOPInstanceUID === parts[0]?.SOPInstanceUID);
    const underWay = { stat: 0, most: 0 };
    archive.onStore = async (parts) => {
      if (!isStat(parts)) {
        if (archive.requests.length === 2) full.resolve();
        await release.promise;
      } else {
        underWay.stat += 1;
        underWay.most = Math.max(underWay.most, underWay.stat);
        await new Promise(setImmediate);
        underWay.stat -= 1;
      }
      return null;
    };
    add(routine);
    forwarder.start();
    await full.promise;
    const ids = add(stat, { priority: 'stat' });
    await spool.until(() => ids.every((id) => spool.get(id).state === 'delivered'));
    // Nothing else was begun meanwhile.
    expect(archive.requests.filter((parts) => !isStat(parts))).toHaveLength(2);
    expect(underWay.most).toBe(1);
    release.resolve();
    await spool.until(() => spool.states().every((state) => state === 'delivered'));
    expect(routine.every(has)).toBe(true);
  });

  test('under a rate limit it takes what there is first: a large batch that is under way waits', async () => {
    const { spool, archive, forwarder, add, passUntil } = setUp({
      parallel: 1,
      plan: { ...plain, mbitPerSecond: 0.08 },
    });
    const [routine, stat] = [study(10, 64), study(2, 32)];
    const routineIds = add(routine);
    forwarder.start();
    await passUntil(() => forwarder.state().inFlight === 1, 1);
    const statIds = add(stat, { priority: 'stat' });
    await passUntil(() => statIds.every((id) => spool.get(id).state === 'delivered'), 100);
    expect(archive.requests).toHaveLength(1);
    expect(routineIds.some((id) => spool.get(id).state === 'delivered')).toBe(false);
    await passUntil(() => routineIds.every((id) => spool.get(id).state === 'delivered'));
  });

  test('takes no turns of the others: fresh and old still alternate', async () => {
    const { spool, archive, forwarder, add } = setUp({ instancesMax: 1 });
    const [old, fresh] = [study(6), study(6)];
    add(old);
    add(fresh);
    const sides: string[] = [];
    archive.onStore = (parts) => {
      const uid = parts[0]?.SOPInstanceUID;
      const side = old.some((made) => made.SOPInstanceUID === uid)
        ? 'old'
        : fresh.some((made) => made.SOPInstanceUID === uid)
          ? 'fresh'
          : null;
      if (side !== null && sides.push(side) < 10) add(study(1), { priority: 'stat' });
      return null;
    };
    forwarder.start();
    await spool.until(() => spool.states().every((state) => state === 'delivered'));
    for (let turn = 0; turn < 12; turn += 2) {
      expect(new Set(sides.slice(turn, turn + 2))).toEqual(new Set(['old', 'fresh']));
    }
  });
});

test('with 10,000 waiting, what is fresh goes out within two requests, and the backlog takes every other one', async () => {
  const { spool, archive, forwarder, add } = setUp({ instancesMax: 50 });
  for (let each = 0; each < 100; each += 1) add(study(100, 1));
  let backlogSent = 0;
  const waits = new Map<string, number>();
  const waited: number[] = [];
  archive.onStore = (parts) => {
    const request = archive.requests.length;
    for (const { SOPInstanceUID } of parts) {
      const since = waits.get(SOPInstanceUID);
      if (since === undefined) backlogSent += 1;
      else waited.push(request - since);
    }
    if (request % 2 === 0 && request <= 60) {
      const [made] = study(1, 1) as [MadeInstance];
      waits.set(made.SOPInstanceUID, request);
      add([made]);
    }
    return null;
  };
  forwarder.start();
  await spool.until(() => archive.requests.length >= 64);
  expect(waited).toHaveLength(30);
  expect(Math.max(...waited)).toBeLessThanOrEqual(2);
  expect(backlogSent).toBeGreaterThanOrEqual(30 * 50);
  await spool.until(() => spool.states().every((state) => state === 'delivered'));
  expect(archive.held.size).toBe(10_030);
}, 60_000);

describe('a rate limit', () => {
  test('holds for all requests together, and another one counts within a request', async () => {
    const { clock, spool, archive, forwarder, add, passUntil } = setUp({
      parallel: 4,
      instancesMax: 2,
      plan: { ...plain, mbitPerSecond: 0.8 },
    });
    const ids = add(study(20, 128));
    const startedAt = clock.monotonic();
    forwarder.start();
    await passUntil(() => archive.requests.length >= 2, 20);
    const seconds = (clock.monotonic() - startedAt) / 1000;
    // Three more may be nearly through.
    const bytes = sizeOf(archive.requests.flat());
    expect(bytes / seconds).toBeLessThan(110_000);
    expect(forwarder.state().line.limit).toMatchObject({ mbitPerSecond: 0.8, because: 'setting' });

    forwarder.limitBandwidth(null);
    await spool.until(() => ids.every((id) => spool.get(id).state === 'delivered'));
    expect(forwarder.state().line.limit).toEqual({ mbitPerSecond: null, because: 'operator', until: null });
    forwarder.clearBandwidth();
    expect(forwarder.state().line.limit).toMatchObject({ mbitPerSecond: 0.8, because: 'setting' });
  });

  test('of 0 ends what is under way without blame, begins nothing, and ends by itself with its window', async () => {
    const window = { days: 'fri', from: '10:00', to: '11:00', mbitPerSecond: 0 };
    const { clock, spool, archive, forwarder, add, passUntil } = setUp({
      plan: { mbitPerSecond: 0.08, windows: [window] },
      wall: Date.UTC(2026, 0, 16, 9, 59, 57),
    });
    const ids = add(study(10, 128));
    forwarder.start();
    await passUntil(() => forwarder.state().inFlight === 1, 1);
    await passUntil(() => forwarder.state().inFlight === 0);
    const untilAt = Date.UTC(2026, 0, 16, 11);
    expect(clock.now()).toBeLessThan(Date.UTC(2026, 0, 16, 10, 1));
    expect(spool.states().every((state) => state === 'queued')).toBe(true);
    expect(spool.deliveries.map(({ attempts, unknowns }) => attempts + unknowns)).toEqual(ids.map(() => 0));
    expect(forwarder.state()).toMatchObject({
      reason: null,
      line: { limit: { because: 'window', until: untilAt } },
    });
    const takes = spool.takes.length;
    clock.advance(1_800_000);
    spool.announce();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(spool.takes).toHaveLength(takes);
    clock.advance(untilAt - clock.now());
    forwarder.limitBandwidth(8);
    await passUntil(() => ids.every((id) => spool.get(id).state === 'delivered'), 100);
    expect(archive.held.size).toBe(10);
  });
});

test('an archive that flaps, 10 s up and 10 s down: one try a step while it is down, and the backlog drains', async () => {
  const { clock, spool, archive, forwarder, add } = setUp({ parallel: 4, instancesMax: 2 });
  const up = (): boolean => Math.floor(clock.monotonic() / 10_000) % 2 === 0;
  archive.onStore = () => (up() ? null : { kind: 'failed', phase: 'unsent', code: 'ECONNREFUSED' });
  archive.onPing = () =>
    up() ? { kind: 'answered', status: 200, retryAfterMs: null } : { kind: 'failed', code: 'ECONNREFUSED' };
  const tries = (): number => archive.requests.length + archive.pings;
  forwarder.start();
  let delivered = 0;
  for (let second = 0; second < 90; second += 1) {
    if (up()) delivered += add(study(4)).length;
    const before = { tries: tries(), nextAt: forwarder.state().nextAttemptAt };
    clock.advance(1000);
    spool.announce();
    await new Promise((resolve) => setTimeout(resolve, 15));
    await spool.until(() => spool.deliveries.every(({ taken }) => !taken));
    if (up()) continue;
    // What had begun when it went down fails together; from then on it is one try when its time has come.
    const most = before.nextAt === null ? 5 : before.nextAt <= clock.now() ? 1 : 0;
    expect(tries() - before.tries).toBeLessThanOrEqual(most);
  }
  archive.onStore = () => null;
  clock.advance(60_000);
  spool.announce();
  await spool.until(() => spool.states().every((state) => state === 'delivered'));
  expect(archive.held.size).toBe(delivered);
  expect(spool.deliveries.every(({ attempts }) => attempts === 0)).toBe(true);
});

test('archives that ask for less get fewer requests at a time', async () => {
  const { spool, archive, forwarder, add, passUntil } = setUp({ parallel: 8, instancesMax: 1 });
  archive.onStore = () => answered(429, { retryAfterMs: 5000, empty: true });
  const ids = add(study(20));
  expect(forwarder.state().line.places).toBe(4);
  forwarder.start();
  await passUntil(() => archive.requests.length >= 6);
  expect(forwarder.state().line.places).toBe(1);
  archive.onStore = () => null;
  await passUntil(() => ids.every((id) => spool.get(id).state === 'delivered'));
});
