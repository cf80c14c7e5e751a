import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { campaign, say } from './campaign.ts';
import { slopePerHour } from './least-squares.ts';
import { spotless } from './oracle.ts';
import { Soak } from './soak.ts';

/**
 * The soak at full size: waves of associations, visitors and silent connections for as long as asked for. Prints
 * what is alive on the heap and resident in memory, how fast they grow, and a verdict. Ends with 1 where it fails.
 */

const usage = `npm run soak -- [options]
  --minutes 10          how long; from an hour on the slope of the resident memory is judged
  --pause 0             seconds from one wave to the next
  --directory DIR       where the data lies, the system's temporary one by default`;

const mebibyte = 2 ** 20;
const rssEveryMs = 10_000;
const rssSlopeMibMax = 1;
const judgedMinutesMin = 60;
const heapGrowthMibMax = 4;
const wavesPerJudgement = 4;
/** This share of the time at the start is not judged: caches fill, code is compiled. */
const warmUp = 0.25;
const heapSamples = 20;

interface Sample {
  /** Since the start. */
  readonly ms: number;
  readonly mib: number;
}

interface Samples {
  readonly rss: Sample[];
  readonly mainHeap: Sample[];
  readonly workerHeap: Sample[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      pause: { type: 'string', default: '0' },
      directory: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage);
  const minutes = Number(values.minutes);
  const home = mkdtempSync(join(values.directory, 'gantry-soak-'));
  try {
    const troubles = await soakFor(home, minutes, Number(values.pause) * 1000);
    for (const trouble of troubles) say(`FAULT: ${trouble}`);
    say(troubles.length === 0 ? 'verdict: passed' : 'verdict: FAILED');
    process.exitCode = troubles.length === 0 ? 0 : 1;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** @returns what is wrong, in words */
async function soakFor(home: string, minutes: number, pauseMs: number): Promise<string[]> {
  const plan = campaign('soak', 'GANTRY_SOAK_WAVES', 0);
  const samples: Samples = { rss: [], mainHeap: [], workerHeap: [] };
  await using soak = await Soak.start(home, plan, {
    associations: 200,
    objectsEach: 20,
    connectsPerSecond: 50,
    idleAssociations: 250,
    muteSockets: 250,
  });
  const startedAt = performance.now();
  const msSince = () => performance.now() - startedAt;
  const rss = setInterval(() => {
    samples.rss.push({ ms: msSince(), mib: soak.rssBytes() / mebibyte });
  }, rssEveryMs);
  const faults: string[] = [];
  for (let wave = 1, heapAt = 0; msSince() < minutes * 60_000; wave += 1) {
    await soak.wave();
    if (wave === 1 || msSince() >= heapAt) {
      heapAt = msSince() + (minutes * 60_000) / heapSamples;
      await sampleHeap(soak, samples, msSince);
    }
    if (wave % wavesPerJudgement === 0) faults.push(...(await judge(soak)));
    await delay(pauseMs);
  }
  await sampleHeap(soak, samples, msSince);
  const measuredMs = msSince();
  clearInterval(rss);
  faults.push(...(await judge(soak)));
  const held = await soak.empty();
  if (held.associations > 0 || held.sockets > 0) faults.push(`still held: ${JSON.stringify(held)}`);
  faults.push(...soak.troubles.list(), ...verdictOf(samples, measuredMs));
  const code = await soak.stop();
  if (code !== 0) faults.push(`the gateway ended with ${code}`);
  say(
    `${soak.acknowledgements} objects answered 0000 and found byte for byte, ${soak.visits} visits ` +
      `(${((soak.visits * 1000) / measuredMs).toFixed(1)}/s) in ${(measuredMs / 60_000).toFixed(1)} min`,
  );
  return faults;
}

async function sampleHeap(soak: Soak, samples: Samples, msSince: () => number): Promise<void> {
  const { main: mainBytes, workers } = await soak.heap();
  const ms = msSince();
  samples.mainHeap.push({ ms, mib: mainBytes / mebibyte });
  samples.workerHeap.push({ ms, mib: workers / mebibyte });
  say(
    `${(ms / 60_000).toFixed(1)} min: heap after collection ${(mainBytes / mebibyte).toFixed(2)} MiB, ` +
      `ledger thread ${(workers / mebibyte).toFixed(2)} MiB, resident ${(soak.rssBytes() / mebibyte).toFixed(1)} MiB, ` +
      `${soak.acknowledgements} objects, ${soak.visits} visits, ${soak.silent} silent`,
  );
}

async function judge(soak: Soak): Promise<string[]> {
  const judgement = await soak.judge();
  return Object.keys(spotless).flatMap((kind) => {
    const found = judgement[kind as keyof typeof judgement];
    return found.length === 0 ? [] : [`${kind}: ${found.length}, e.g. ${found[0]}`];
  });
}

/** Prints the slopes; says what grows. */
function verdictOf({ rss, mainHeap, workerHeap }: Samples, measuredMs: number): string[] {
  const warmMs = measuredMs * warmUp;
  const judged = measuredMs >= judgedMinutesMin * 60_000;
  const faults: string[] = [];
  const told = { 'resident memory': rss, heap: mainHeap, "ledger thread's heap": workerHeap };
  for (const [name, all] of Object.entries(told)) {
    const warm = all.filter(({ ms }) => ms >= warmMs);
    const slope = slopePerHour(warm);
    say(`${name}: ${slope.toFixed(2)} MiB/h (least squares over ${warm.length} samples after warm-up)`);
    const growth = (warm.at(-1)?.mib ?? 0) - (warm[0]?.mib ?? 0);
    if (all === rss) {
      if (judged && slope > rssSlopeMibMax) faults.push(`${name} grows by ${slope.toFixed(2)} MiB/h`);
    } else if (growth > heapGrowthMibMax) {
      faults.push(`${name} grew by ${growth.toFixed(1)} MiB after warm-up`);
    }
  }
  if (!judged) say(`the slope of the resident memory is judged from ${judgedMinutesMin} minutes on`);
  return faults;
}

await main();
