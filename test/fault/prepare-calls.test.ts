import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codecSyntaxes } from '../../src/codec/frame-format.ts';
import type { Spool } from '../../src/spool/spool.ts';
import type { PrepareSettlement } from '../../src/spool/types.ts';
import { writeReceipts } from '../fixtures/open-spool.ts';
import { placesOf, storedObjects } from '../fixtures/stored-objects.ts';
import { Bench, memoryDirectory } from './bench.ts';
import { campaign, say } from './campaign.ts';
import { type DiskFault, eventually } from './faulty-disk.ts';
import { attemptAll, codec, ctInstance, nameOf, startPreparing } from './preparing.ts';
import { receivedAgain } from './received-again.ts';

/*
 * Every call to the disk that is made while an object is compressed fails, once and from then on, or is the last one.
 * `GANTRY_PREPARE_CALLS` sets how many calls are tried where only some are.
 */

const plan = campaign('failing disk calls while preparing', 'GANTRY_PREPARE_CALLS', 3);
const callsMax = 200;
const patienceMs = 300_000;
/** In one piece, and in several. */
const smallEdge = 96;
const largeEdge = 800;

/** An instance that waits for the codec. */
async function withOneWaiting(path: string, edge: number): Promise<Bench> {
  const bench = Bench.fresh(path);
  const { spool, stop } = await bench.open(codec);
  await bench.send(spool, ctInstance(edge));
  await spool.flush();
  await stop();
  return bench;
}

/** What the codec does with it while the disk fails; a disk that seems to be gone comes back. */
async function prepareWhile(failing: DiskFault, bench: Bench, spool: Spool) {
  bench.faulty.failAt(failing);
  await using preparing = startPreparing(spool);
  let ended = false;
  const settled = preparing.settled().finally(() => {
    ended = true;
  });
  await eventually(() => expect(ended || spool.disk().state === 'missing').toBe(true), patienceMs);
  const { failed, calls } = bench.faulty;
  bench.faulty.failAt(null);
  const settlement = await settled;
  return { failed, calls, settlement, tally: preparing.tally.totals(), lines: preparing.lines };
}

/** What is sent is whole, durable and proven, whichever form it is. @returns names of what was sent */
async function expectSendsWhole(
  bench: Bench,
  spool: Spool,
  settlement: PrepareSettlement,
): Promise<string[]> {
  const attempts = await attemptAll(spool);
  expect(attempts).toHaveLength(1);
  for (const { item, uid, syntax, dataSet } of attempts) {
    expect(item.form).toBe(settlement.to === 'prepared' ? 'prepared' : 'received');
    expect(syntax === codecSyntaxes.htj2k).toBe(settlement.to === 'prepared');
    if (settlement.to === 'prepared') expect(item.sentId).toBe(settlement.preparedId);
    expect(bench.oracle.wasOffered(uid, await receivedAgain(syntax, dataSet))).toBe(true);
    bench.expectDurableAt(placesOf(bench.path, item.sentId));
  }
  return attempts.map(nameOf);
}

/** The whole way of one instance with one fault in it. */
async function oneInstance(bench: Bench, failing: DiskFault): Promise<{ failed: number }> {
  const { spool, stop } = await bench.open(codec);
  const { failed, settlement, tally, lines } = await prepareWhile(failing, bench, spool);
  // A disk that fails is no codec that lies.
  expect(tally.mismatches).toBe(0);
  expect(lines.join('')).not.toContain('codec failed');
  await eventually(() => expect(spool.disk().state).not.toBe('missing'));
  const sent = await expectSendsWhole(bench, spool, settlement);
  await bench.expectSafe();
  // Found as it is by a process that starts while this one still holds on: the same bytes go out again.
  const left = bench.copyTo(`${bench.path}-left`);
  await eventually(() => {
    expect(storedObjects(bench.path)).toHaveLength(settlement.to === 'prepared' ? 2 : 1);
    expect(bench.incoming()).toEqual([]);
  });
  await stop();
  const next = await left.open(codec);
  expect(left.incoming()).toEqual([]);
  expect((await attemptAll(next.spool)).map(nameOf)).toEqual(sent);
  await next.stop();
  await left.expectSafe();
  rmSync(bench.path, { recursive: true });
  rmSync(left.path, { recursive: true });
  return { failed };
}

async function attempt<T>(failing: DiskFault, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new Error(`at call ${failing.at}, ${failing.code}, lasting: ${failing.lasting}`, { cause });
  }
}

/** So many calls are made where nothing fails. */
async function countCalls(bench: Bench): Promise<number> {
  const { spool, stop } = await bench.open(codec);
  const never = { at: callsMax, code: 'EIO', lasting: false } as const;
  const { settlement, calls } = await prepareWhile(never, bench, spool);
  expect(settlement.to).toBe('prepared');
  await stop();
  return calls;
}

const fates = [
  { code: 'EIO', lasting: false },
  { code: 'EIO', lasting: true },
  { code: 'ENOSPC', lasting: false },
  { code: 'ENOSPC', lasting: true },
] as const;

describe('a call to the disk fails while an object is compressed', () => {
  it.concurrent.each(fates.slice(0, 2))(
    'each call $code (lasting: $lasting): what is sent is whole, in one form, and the same after a restart',
    async (fault) => {
      using home = memoryDirectory();
      const template = await withOneWaiting(join(home.path, 'template'), smallEdge);
      for (let at = 1; at < callsMax; at += 1) {
        const failing = { ...fault, at };
        const bench = template.copyTo(join(home.path, String(at)));
        if ((await attempt(failing, () => oneInstance(bench, failing))).failed > 0) continue;
        say(`preparing, ${fault.code} ${fault.lasting ? 'from then on' : 'once'}: each of ${at - 1} calls`);
        return;
      }
      throw new Error('the calls do not end');
    },
    patienceMs,
  );

  it.concurrent.each([
    ...fates.slice(2).map((fault) => ({ ...fault, edge: smallEdge })),
    ...fates.map((fault) => ({ ...fault, edge: largeEdge })),
  ])(
    'of $edge × $edge, some calls $code (lasting: $lasting): the same',
    async ({ edge, ...fault }) => {
      using home = memoryDirectory();
      const template = await withOneWaiting(join(home.path, 'template'), edge);
      const calls = await countCalls(template.copyTo(join(home.path, 'counted')));
      const chosen = plan.sample(calls);
      for (const at of chosen) {
        const failing = { ...fault, at };
        const bench = template.copyTo(join(home.path, String(at)));
        await attempt(failing, () => oneInstance(bench, failing));
      }
      const how = `${fault.code} ${fault.lasting ? 'from then on' : 'once'}`;
      say(`preparing ${edge} × ${edge}, ${how}: of ${calls} calls ${chosen.join(' ')}`);
    },
    patienceMs,
  );
});

describe('the process ends just before a call to the disk', () => {
  it.concurrent(
    'while verified objects with both forms are purged: none comes back, and none is taken for lost',
    async () => {
      using home = memoryDirectory();
      const bench = await withOneWaiting(join(home.path, 'data'), smallEdge);
      const { spool, stop } = await bench.open(codec);
      {
        await using preparing = startPreparing(spool);
        expect((await preparing.settled()).to).toBe('prepared');
      }
      const [item] = await spool.takeForward('cloud', { instancesMax: 1, bytesMax: 1e9, order: 'oldest' });
      if (item === undefined) throw new Error('nothing is sent');
      const key = { objectId: item.objectId, destination: item.destination };
      const delivered = { to: 'delivered', needsDigest: false, existed: false, warning: null } as const;
      await spool.settleForward([{ ...key, ...delivered }]);
      await spool.takeProof('cloud', 1);
      await spool.settleProof([{ ...key, to: 'verified', by: 'digest' }]);
      await writeReceipts(spool);
      const left: Bench[] = [];
      bench.faulty.watch((call) => left.push(bench.copyTo(`${bench.path}-${call}`)));
      expect((await spool.purgeVerified(Date.now() + 1000)).instances).toBe(1);
      bench.faulty.failAt(null);
      await stop();
      for (const copy of left) {
        const next = await copy.open(codec);
        await next.spool.purgeVerified(Date.now() + 1000);
        expect(await next.spool.entries({ states: ['held', 'quarantined'] }, null, 10)).toEqual([]);
        await eventually(() => expect(storedObjects(copy.path).map(({ id }) => id)).toEqual([]));
        await next.stop();
      }
      say(`crash while both forms are purged: before each of ${left.length} calls`);
    },
    patienceMs,
  );
});
