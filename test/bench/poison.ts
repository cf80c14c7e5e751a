import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type PoisonResult, runPoison } from '../fixtures/poison-run.ts';
import { median } from './load.ts';

/** How much 1 % of instances that the archive refuses for good slow down all the others, side by side in one run. */

const usage = `npm run bench -- poison [options]
  --instances 20000   in each run
  --bytes 4096        of one instance
  --pairs 3           of runs, without poison and with it`;

const goalRatio = 0.95;

export async function benchPoison(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      instances: { type: 'string', default: '20000' },
      bytes: { type: 'string', default: '4096' },
      pairs: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const size = { instances: Number(values.instances), bytes: Number(values.bytes) };
  const ratios: number[] = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1) {
    const order = pair % 2 === 0 ? [0, 100] : [100, 0];
    const rates = new Map<number, number>();
    for (const poisonEvery of order) rates.set(poisonEvery, await rateOf({ ...size, poisonEvery }));
    ratios.push((rates.get(100) ?? 0) / (rates.get(0) ?? Number.NaN));
  }
  const ratio = median(ratios);
  console.log(`throughput with 1 % poison / without: ${ratio.toFixed(3)} (goal: at least ${goalRatio})`);
  console.log(JSON.stringify({ bench: 'poison', ...size, ratios, ratio }));
}

/** Healthy instances a second. @throws where one is missing, or one of the others is not quarantined */
async function rateOf(options: { instances: number; bytes: number; poisonEvery: number }): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-poison-'));
  try {
    const result = await runPoison({ ...options, directory });
    check(result);
    const rate = result.healthy.length / result.seconds;
    const words = `${result.healthy.length} healthy, ${result.poison.size} quarantined, ${result.requests} requests`;
    console.log(`${words}: ${result.seconds.toFixed(2)} s, ${rate.toFixed(0)} healthy instances/s`);
    return rate;
  } finally {
    await rm(directory, { recursive: true });
  }
}

function check({ healthy, poison, held, entries }: PoisonResult): void {
  const quarantined = entries.filter(({ state, reason }) => state === 'quarantined' && reason !== null);
  if (held.size !== healthy.length || !healthy.every((uid) => held.has(uid))) {
    throw new Error('a healthy instance did not arrive');
  }
  if (quarantined.length !== poison.size) throw new Error('a poisonous instance is not quarantined');
}
