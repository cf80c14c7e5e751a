import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Spool } from '../../src/spool/spool.ts';
import { filesBelow } from '../fixtures/data-directory.ts';
import { type TestInstance, testInstance } from '../fixtures/open-spool.ts';
import { storedObjects } from '../fixtures/stored-objects.ts';
import { Bench, deliverAll, memoryDirectory, oldest, verifyAll } from './bench.ts';
import { campaign, say } from './campaign.ts';
import { type DiskFault, eventually } from './faulty-disk.ts';

/*
 * Every call to the disk fails once, and fails from then on. `GANTRY_DISK_CALLS` sets how many calls are tried
 * where only some are; the rest of the time all are.
 */

const plan = campaign('failing disk calls', 'GANTRY_DISK_CALLS', 5);
/** More calls than any of the actions makes: a loop over them that does not end is a defect of this file. */
const callsMax = 100;
/** A volume that failed is tried again only every two seconds, after each of some forty calls. */
const patienceMs = 300_000;

const eioOnce = { code: 'EIO', lasting: false } as const;
const eioLasting = { code: 'EIO', lasting: true } as const;
const enospcOnce = { code: 'ENOSPC', lasting: false } as const;
const enospcLasting = { code: 'ENOSPC', lasting: true } as const;
const everyFault = [eioOnce, eioLasting, enospcOnce, enospcLasting];

/** Does the work with the first call failing, then the second, and so on, until no call is left to fail. */
async function failEveryCall(
  fault: Omit<DiskFault, 'at'>,
  work: (fault: DiskFault) => Promise<{ failed: number }>,
): Promise<void> {
  for (let at = 1; at < callsMax; at += 1) {
    if ((await attempt({ ...fault, at }, work)).failed > 0) continue;
    say(`${nameOf(fault)}: each of ${at - 1} calls failed`);
    return;
  }
  throw new Error('the calls do not end');
}

/** The same with some of the calls: the first, the last, and others that the seed chooses. */
async function failSomeCalls(
  fault: Omit<DiskFault, 'at'>,
  calls: number,
  work: (fault: DiskFault) => Promise<{ failed: number }>,
): Promise<void> {
  const chosen = plan.sample(calls);
  for (const at of chosen) await attempt({ ...fault, at }, work);
  say(`${nameOf(fault)}: of ${calls} calls failed ${chosen.join(' ')}`);
}

async function attempt<T>(fault: DiskFault, work: (fault: DiskFault) => Promise<T>): Promise<T> {
  try {
    return await work(fault);
  } catch (cause) {
    throw new Error(`at call ${fault.at}, ${nameOf(fault)}`, { cause });
  }
}

function nameOf({ code, lasting }: Omit<DiskFault, 'at'>): string {
  return `${code} ${lasting ? 'from then on' : 'once'}`;
}

/** Waits for the gate to open again by itself: `expect.poll` does not know the test it is in among concurrent ones. */
async function intakeOpens(spool: Spool): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!spool.intakeGate().open) {
    if (performance.now() > deadline) throw new Error('intake stays closed');
    await delay(50);
  }
}

describe('a call to the disk fails while an object comes in', () => {
  /** The first object of its directory, and a new start after each failure. */
  async function firstObject(bench: Bench, failing: DiskFault): Promise<{ failed: number }> {
    const { spool, stop } = await bench.open();
    const instance = testInstance({ bytes: 2000 });
    bench.faulty.failAt(failing);
    const outcome = await bench.send(spool, instance).catch(() => null);
    const { failed } = bench.faulty;
    if (outcome === null && !failing.lasting) {
      expect(storedObjects(bench.path)).toEqual([]);
      expect(bench.incoming()).toEqual([]);
    }
    // Found as it is by a process that starts while this one still holds on.
    const left = bench.copyTo(`${bench.path}-left`);
    bench.faulty.failAt(null);
    await stop();
    await left.expectRecovery([instance]);
    return { failed };
  }

  it.concurrent.each([eioOnce, eioLasting])(
    'the first of a directory, each call $code (lasting: $lasting): nothing is acknowledged that is not durable',
    async (fault) => {
      using home = memoryDirectory();
      const template = Bench.fresh(join(home.path, 'template'));
      await (await template.open()).stop();
      await failEveryCall(fault, (failing) =>
        firstObject(template.copyTo(join(home.path, String(failing.at))), failing),
      );
    },
    patienceMs,
  );

  it.concurrent.each([enospcOnce, enospcLasting])(
    'the first of a directory, some calls $code (lasting: $lasting): nothing is acknowledged that is not durable',
    async (fault) => {
      using home = memoryDirectory();
      const template = Bench.fresh(join(home.path, 'template'));
      const counted = await template.open();
      template.faulty.failAt(null);
      await template.send(counted.spool, testInstance({ bytes: 2000 }));
      const { calls } = template.faulty;
      await counted.stop();
      const empty = Bench.fresh(join(home.path, 'empty'));
      await (await empty.open()).stop();
      await failSomeCalls(fault, calls, (failing) =>
        firstObject(empty.copyTo(join(home.path, String(failing.at))), failing),
      );
    },
    patienceMs,
  );

  it.concurrent.each(everyFault)(
    'of 1.5 MB, each call $code (lasting: $lasting): it is refused, nothing of it stays, and it is taken in afterwards',
    async (fault) => {
      using home = memoryDirectory();
      const bench = Bench.fresh(join(home.path, 'data'));
      const { spool, stop } = await bench.open();
      await bench.send(spool, testInstance());
      await failEveryCall(fault, async (failing) => {
        const instance = testInstance({ bytes: 1_500_000 });
        bench.faulty.failAt(failing);
        const outcome = await bench.send(spool, instance).catch(() => null);
        const { failed } = bench.faulty;
        bench.faulty.failAt(null);
        await intakeOpens(spool);
        const again = await bench.send(spool, instance);
        expect(again).toBe(outcome === null ? 'stored' : 'duplicate');
        // What somebody reads from a segment meanwhile dies a little later.
        await eventually(() => {
          expect(storedObjects(bench.path)).toHaveLength(bench.oracle.contents);
          expect(bench.incoming()).toEqual([]);
        });
        return { failed };
      });
      await stop();
      await bench.expectRecovery();
    },
    patienceMs,
  );
});

describe('a call to the disk fails while verified objects are purged', () => {
  it.concurrent.each(everyFault)(
    'each call $code (lasting: $lasting): what waits stays, and what was purged is recognised for ever',
    async (fault) => {
      using home = memoryDirectory();
      const bench = Bench.fresh(join(home.path, 'data'));
      const first = await bench.open();
      const { spool } = first;
      await bench.send(spool, testInstance());
      await deliverAll(spool);
      const purged: TestInstance[] = [];
      await failEveryCall(fault, async (failing) => {
        const verified = testInstance({ study: '1.2.3.2' });
        purged.push(verified);
        await bench.sendElsewhere(spool, verified);
        await verifyAll(spool);
        bench.faulty.failAt(failing);
        await spool.purgeVerified(Date.now() + 1000).catch(() => null);
        const { failed } = bench.faulty;
        bench.faulty.failAt(null);
        if (storedObjects(bench.path).length === 1) expect(volatileTombstones(bench)).toEqual([]);
        await intakeOpens(spool);
        expect(await bench.sendElsewhere(spool, verified)).toBe('duplicate');
        await spool.purgeVerified(Date.now() + 1000);
        await eventually(() => expect(storedObjects(bench.path)).toHaveLength(1));
        return { failed };
      });
      await first.stop();
      rmSync(join(bench.path, 'ledger.db'));
      const second = await bench.open();
      for (const instance of purged)
        expect(await bench.sendElsewhere(second.spool, instance)).toBe('duplicate');
      await second.stop();
      await bench.expectRecovery();
    },
    patienceMs,
  );

  function volatileTombstones(bench: Bench): string[] {
    const files = filesBelow(join(bench.path, 'spool', 'tombstones'));
    return files.filter((path) => !path.endsWith('.tmp') && bench.audit.doubtsAbout(path).length > 0);
  }
});

describe('a call to the disk fails while a new data directory is opened', () => {
  it.concurrent.each(everyFault)(
    'some calls $code (lasting: $lasting): it opens the next time, if it did not at once',
    async (fault) => {
      using home = memoryDirectory();
      const counted = Bench.fresh(join(home.path, 'counted'));
      await (await counted.open()).stop();
      await failSomeCalls(fault, counted.faulty.calls, async (failing) => {
        const bench = Bench.fresh(join(home.path, String(failing.at)));
        bench.faulty.failAt(failing);
        const opened = await bench.open().catch(() => null);
        const instance = testInstance();
        if (opened !== null) await bench.send(opened.spool, instance).catch(() => null);
        const { failed } = bench.faulty;
        const left = bench.copyTo(`${bench.path}-left`);
        bench.faulty.failAt(null);
        await opened?.stop();
        await left.expectRecovery([instance]);
        return { failed };
      });
    },
    patienceMs,
  );
});

describe('the process ends just before a call to the disk', () => {
  /** A copy for each call: what the next process would find. */
  function copies(bench: Bench): Bench[] {
    const made: Bench[] = [];
    bench.faulty.watch((call) => made.push(bench.copyTo(`${bench.path}-${call}`)));
    return made;
  }

  it.concurrent(
    'while objects, a duplicate and a conflict come in: what was acknowledged by then is kept',
    async () => {
      using home = memoryDirectory();
      const bench = Bench.fresh(join(home.path, 'data'));
      const { spool, stop } = await bench.open();
      const small = testInstance({ bytes: 2000 });
      const other = testInstance({ bytes: 3000, uid: small.admission.SOPInstanceUID });
      const large = testInstance({ bytes: 1_500_000 });
      const made = copies(bench);
      await Promise.all([small, small, large].map((one) => bench.send(spool, one)));
      expect(await bench.send(spool, other)).toBe('conflict');
      bench.faulty.failAt(null);
      await stop();
      const chosen = plan.sample(made.length);
      for (const call of chosen) await made[call - 1]?.expectRecovery([small, large, other]);
      say(`crash while receiving: before calls ${chosen.join(' ')} of ${made.length}`);
    },
    patienceMs,
  );

  it.concurrent(
    'while a purge runs: what waits is kept, what was verified is recognised',
    async () => {
      using home = memoryDirectory();
      const bench = Bench.fresh(join(home.path, 'data'));
      const { spool, stop } = await bench.open();
      await bench.send(spool, testInstance());
      await deliverAll(spool);
      const verified = testInstance({ study: '1.2.3.2' });
      await bench.sendElsewhere(spool, verified);
      await verifyAll(spool);
      const made = copies(bench);
      await spool.purgeVerified(Date.now() + 1000);
      bench.faulty.failAt(null);
      await stop();
      const chosen = plan.sample(made.length);
      for (const call of chosen) {
        const left = made[call - 1];
        const opened = await left?.open();
        if (left === undefined || opened === undefined) throw new Error('no such copy');
        expect(await left.sendElsewhere(opened.spool, verified)).toBe('duplicate');
        await opened.spool.purgeVerified(Date.now() + 1000);
        expect(storedObjects(left.path)).toHaveLength(1);
        await opened.stop();
        await left.expectRecovery();
      }
      say(`crash while purging: before calls ${chosen.join(' ')} of ${made.length}`);
    },
    patienceMs,
  );

  it.concurrent(
    'while a lost ledger is rebuilt: nothing is sent before it is looked for, and purged objects are recognised',
    async () => {
      using home = memoryDirectory();
      const bench = Bench.fresh(join(home.path, 'data'));
      const first = await bench.open();
      const purged = testInstance({ study: '1.2.3.2' });
      await bench.sendElsewhere(first.spool, purged);
      await verifyAll(first.spool);
      await first.spool.purgeVerified(Date.now() + 1000);
      await bench.send(first.spool, testInstance());
      await deliverAll(first.spool);
      await first.stop();
      rmSync(join(bench.path, 'ledger.db'));
      const made = copies(bench);
      const second = await bench.open();
      bench.faulty.failAt(null);
      await second.stop();
      const chosen = plan.sample(made.length);
      for (const call of chosen) {
        const left = made[call - 1];
        const opened = await left?.open();
        if (left === undefined || opened === undefined) throw new Error('no such copy');
        expect(await opened.spool.takeForward('cloud', oldest)).toEqual([]);
        expect(await opened.spool.takeProof('cloud', 10)).toMatchObject([{ assumed: true }]);
        expect(await left.sendElsewhere(opened.spool, purged)).toBe('duplicate');
        await opened.stop();
        await left.expectRecovery();
      }
      say(`crash while rebuilding: before calls ${chosen.join(' ')} of ${made.length}`);
    },
    patienceMs,
  );
});
