import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import type { StatusReport } from '../../src/health/status.ts';
import { startOrthanc } from '../fixtures/orthanc.ts';
import { median } from './load.ts';
import { type RunningServer, startServer } from './servers.ts';
import { loadMaterial, type Material, makeStudy } from './study-material.ts';
import { sendStudy } from './study-sender.ts';

/** How long after its last image a study is proven to be in an archive in the same house. */

const usage = `npm run bench -- lan-study [options]
  --slices 300             of the study
  --runs 3                 the median counts
  --directory DIR          for the gateway's data`;

interface Times {
  /** First image to the answer to the last. */
  readonly intakeSeconds: number;
  /** From the answer to the last image: until the archive has all; until it has said so; until that is proven. */
  readonly storedSeconds: number;
  readonly deliveredSeconds: number;
  readonly verifiedSeconds: number;
}

const patienceMs = 120_000;
const lookMs = 10;

export async function benchLanStudy(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      slices: { type: 'string', default: '300' },
      runs: { type: 'string', default: '3' },
      directory: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const [load = 0] = loadavg();
  if (load > availableParallelism() / 2) {
    console.log(`NOTICE: this machine is busy (load ${load.toFixed(1)}): all figures are high and uneven.`);
  }
  const material = await loadMaterial('CT');
  const orthanc = await startOrthanc({ environment: { TCP_NODELAY: '1' } });
  if (material === null || orthanc === null) return;
  const directory = await mkdtemp(join(values.directory, 'gantry-bench-'));
  const gantry = await startServer('gantry', { directory, archiveUrl: orthanc.url });
  try {
    const runs: Times[] = [];
    for (let run = 0; run < Number(values.runs); run++) {
      runs.push(await measure(gantry, orthanc.restUrl, material, Number(values.slices)));
    }
    report(runs, Number(values.slices), material);
  } finally {
    await gantry.stop();
    await orthanc.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(
  gantry: RunningServer,
  restUrl: string,
  material: Material,
  slices: number,
): Promise<Times> {
  const totals = async () => ((await getJson(gantry.statusUrl ?? '')) as StatusReport).totals;
  const stored = async () =>
    ((await getJson(`${restUrl}/statistics`)) as { CountInstances: number }).CountInstances;
  const before = { ...(await totals()), stored: await stored() };
  const study = makeStudy(material, slices);
  const start = performance.now();
  await sendStudy({ ...gantry.target, host: '127.0.0.1' }, study);
  const last = performance.now();
  const after = async (holds: () => Promise<boolean>) => {
    await until(holds);
    return (performance.now() - last) / 1000;
  };
  const [storedSeconds, deliveredSeconds, verifiedSeconds] = await Promise.all([
    after(async () => (await stored()) >= before.stored + slices),
    after(async () => (await totals()).delivered >= before.delivered + slices),
    after(async () => (await totals()).verified >= before.verified + slices),
  ]);
  return { intakeSeconds: (last - start) / 1000, storedSeconds, deliveredSeconds, verifiedSeconds };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`nothing after ${patienceMs} ms`);
    await sleep(lookMs);
  }
}

async function getJson(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

function report(runs: readonly Times[], slices: number, material: Material): void {
  const middle = (name: keyof Times): number => median(runs.map((run) => run[name]));
  const names = ['intakeSeconds', 'storedSeconds', 'deliveredSeconds', 'verifiedSeconds'] as const;
  const table = new Table({
    head: ['Study', 'First to last C-STORE s', 'then stored s', 'delivered s', 'verified s'],
    style: { head: [], border: [], compact: true },
  });
  table.push([`${slices} CT (${material.origin})`, ...names.map((name) => middle(name).toFixed(2))]);
  console.log(`${runs.length} runs, medians; delivered and verified are counted every quarter of a second.`);
  console.log(table.toString());
  console.log(JSON.stringify({ bench: 'lan-study', slices, runs }));
}
