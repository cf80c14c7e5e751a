import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { admit, type OpenedSpool, openSpool, testInstance, writeReceipts } from '../fixtures/open-spool.ts';
import { RssWatch, rssBytes } from './process-stats.ts';
import { freePort, startServer } from './servers.ts';

/**
 * Many small instances that wait while no archive answers: what each costs to enqueue, how soon the gateway accepts
 * associations again after a start, how long a rebuild of the ledger takes, and how much memory all that needs.
 */

const usage = `npm run bench -- queue [options]
  --instances 200000
  --bytes 8192        of each data set
  --senders 16        that store at once
  --purge             also: how long it takes to delete them all once they are verified`;

const goals = { startSeconds: 5, rebuildSeconds: 60, rssMiB: 300, enqueueRatio: 1.2 } as const;
const mebibyte = 2 ** 20;
const segmentBytes = 64 * mebibyte;
const studyInstances = 500;
/** The cost of an instance is measured over so many of them. */
const windowInstances = 1000;
/** Compared at the beginning and at the end. */
const windows = 5;
const patienceMs = 600_000;

export async function benchQueue(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      instances: { type: 'string', default: '200000' },
      bytes: { type: 'string', default: '8192' },
      senders: { type: 'string', default: '16' },
      purge: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const load = {
    instances: Number(values.instances),
    bytes: Number(values.bytes),
    senders: Number(values.senders),
  };
  const directory = await mkdtemp(join(tmpdir(), 'gantry-bench-'));
  try {
    const archiveUrl = `http://127.0.0.1:${await freePort()}/studies`;
    const data = join(directory, 'gantry', 'data');
    // Makes the data directory, and compiles the sources.
    await (await startServer('gantry', { directory, archiveUrl })).stop();
    const enqueue = await fill(data, load);
    const start = await measureStart(data, { directory, archiveUrl });
    for (const suffix of ['', '-wal', '-shm']) await rm(join(data, `ledger.db${suffix}`), { force: true });
    const rebuild = await measureStart(data, { directory, archiveUrl });
    const purge = values.purge ? await measurePurge(data) : null;
    console.log(
      `enqueue    ${enqueue.firstMs.toFixed(3)} ms CPU each at first, ${enqueue.lastMs.toFixed(3)} at the end: ratio ${enqueue.ratio.toFixed(2)} (goal: at most ${goals.enqueueRatio}); ${enqueue.perSecond.toFixed(0)}/s`,
    );
    console.log(`start      ${words(start)} (goal: at most ${goals.startSeconds} s, ${goals.rssMiB} MiB)`);
    console.log(`rebuild    ${words(rebuild)} (goal: at most ${goals.rebuildSeconds} s)`);
    if (purge !== null) console.log(`purge      ${purge.seconds.toFixed(2)} s for ${purge.instances}`);
    console.log(JSON.stringify({ bench: 'queue', ...load, enqueue, start, rebuild, purge }));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface Load {
  readonly instances: number;
  readonly bytes: number;
  readonly senders: number;
}

interface EnqueueCost {
  /** CPU of all threads for one instance, ms. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly ratio: number;
  readonly perSecond: number;
}

async function fill(data: string, load: Load): Promise<EnqueueCost> {
  await warmUp(load);
  const { spool, stop } = await open(data);
  const costs: number[] = [];
  const startedAt = performance.now();
  for (let stored = 0; stored < load.instances; stored += windowInstances) {
    const before = process.cpuUsage();
    await store(spool, load, stored, Math.min(windowInstances, load.instances - stored));
    await spool.flush();
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / 1000 / windowInstances);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await stop();
  const firstMs = median(costs.slice(1, 1 + windows));
  const lastMs = median(costs.slice(-windows));
  return { firstMs, lastMs, ratio: lastMs / firstMs, perSecond: load.instances / seconds };
}

/** The first objects of a process cost more, whatever is stored already. */
async function warmUp(load: Load): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'gantry-bench-'));
  try {
    const { spool, stop } = await open(data);
    await store(spool, load, 0, 5 * windowInstances);
    await stop();
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

function open(data: string): Promise<OpenedSpool> {
  return openSpool(data, { destinations: ['archive'], segmentBytes, quietMs: 0 });
}

async function store(spool: OpenedSpool['spool'], load: Load, from: number, count: number): Promise<void> {
  let next = from;
  const sendNext = async (): Promise<void> => {
    while (next < from + count) {
      const study = `1.2.3.${Math.floor(next / studyInstances)}`;
      next += 1;
      const dataSet = randomFillSync(Buffer.allocUnsafe(load.bytes));
      await admit(spool, testInstance({ study, dataSet, unknownCaller: 'BENCH' }));
    }
  };
  await Promise.all(Array.from({ length: load.senders }, sendNext));
}

interface Start {
  readonly seconds: number;
  readonly peakMiB: number;
  /** Some time after the start. */
  readonly rssMiB: number;
}

async function measureStart(
  data: string,
  options: { readonly directory: string; readonly archiveUrl: string },
): Promise<Start> {
  await forget(join(data, 'spool', 'segments'));
  const startedAt = performance.now();
  let watch: RssWatch | null = null;
  const server = await startServer('gantry', {
    ...options,
    patienceMs,
    spawned: (pid) => {
      watch = new RssWatch(pid);
    },
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const peakBytes = (watch as RssWatch | null)?.stop() ?? 0;
  try {
    await sleep(10_000);
    return { seconds, peakMiB: peakBytes / mebibyte, rssMiB: rssBytes(server.pid) / mebibyte };
  } finally {
    await server.stop();
  }
}

/** What lies in files is read from the disk again, as after a boot. */
async function forget(directory: string): Promise<void> {
  spawnSync('sync');
  for (const name of await readdir(directory)) {
    spawnSync('dd', [`if=${join(directory, name)}`, 'iflag=nocache', 'count=0', 'status=none']);
  }
}

async function measurePurge(data: string): Promise<{ instances: number; seconds: number }> {
  const { spool, stop } = await open(data);
  for (;;) {
    const items = await spool.takeProof('archive', 5000);
    if (items.length === 0) break;
    await spool.settleProof(
      items.map(({ objectId, destination }) => ({ objectId, destination, to: 'verified', by: 'digest' })),
    );
  }
  await writeReceipts(spool);
  const startedAt = performance.now();
  const { instances } = await spool.purgeVerified(Date.now() + 1000);
  const seconds = (performance.now() - startedAt) / 1000;
  await stop();
  return { instances, seconds };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function words({ seconds, peakMiB, rssMiB }: Start): string {
  return `${seconds.toFixed(2)} s until associations are accepted, ${peakMiB.toFixed(0)} MiB resident at most, ${rssMiB.toFixed(0)} afterwards`;
}
