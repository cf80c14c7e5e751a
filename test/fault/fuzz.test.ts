import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { filesBelow } from '../fixtures/data-directory.ts';
import { say } from './campaign.ts';
import { fuzz, type Target } from './fuzz/engine.ts';
import { hits } from './fuzz/instrument.ts';
import { seedInputs } from './fuzz/seeds.ts';
import { type TargetName, targetNames } from './fuzz/targets.ts';

/*
 * The coverage-guided fuzzer at CI size: seeds and so many inputs made of them. `npm run fuzz -- <target> --seconds N`
 * goes on for as long as it is given. `GANTRY_SEED` chooses other inputs.
 */

const folder = join(import.meta.dirname, 'fuzz');
const run = promisify(execFile);
const seed = process.env['GANTRY_SEED'] ?? '1';

const runs: Readonly<Record<TargetName, number>> = {
  gate: 3000,
  association: 100_000,
  command: 100_000,
  header: 3000,
  'store-answer': 40_000,
  multipart: 2000,
};

it('starts from seeds that the project makes itself', () => {
  const made = Object.entries(seedInputs()).flatMap(([target, inputs]) =>
    Object.entries(inputs).map(([name, bytes]) => [
      join(folder, 'seeds', target, `${name}.bin`),
      bytes.toString('hex'),
    ]),
  );
  const committed = filesBelow(join(folder, 'seeds')).map((path) => [
    path,
    readFileSync(path).toString('hex'),
  ]);
  expect(new Map(committed as [string, string][])).toEqual(new Map(made as [string, string][]));
});

it('follows the branches that are taken, to a fault that chance would not find', async () => {
  const secret = Buffer.from('gate');
  const target: Target = {
    name: 'planted',
    words: [],
    run: (input) => {
      for (let at = 0; at < secret.length; at += 1) {
        if (input[at] !== secret[at]) return;
        hits[at + 1] = 1;
      }
      throw new Error('found');
    },
  };
  const plan = {
    seed: 1,
    seeds: [Buffer.from('____')],
    runsMax: 2_000_000,
    msMax: 60_000,
    begins: () => undefined,
  };
  const { failure, found } = await fuzz(target, plan);
  expect(failure?.input.subarray(0, secret.length)).toEqual(secret);
  expect(found.length).toBe(secret.length);
});

describe('finds no fault in', () => {
  it.each(targetNames)('%s', { timeout: 180_000 }, async (name) => {
    const main = join(folder, 'main.ts');
    const { stdout } = await run(process.execPath, [
      main,
      name,
      '--runs',
      String(runs[name]),
      '--seed',
      seed,
    ]);
    say(`fuzzer: ${stdout.trim()}`);
    expect(stdout).toContain(`${name}: seed ${seed}, ${runs[name]} inputs`);
    const [, branches = 0, ofSeeds = 0] = (/(\d+) of \d+ branches \(seeds (\d+)\)/.exec(stdout) ?? []).map(
      Number,
    );
    expect(ofSeeds).toBeGreaterThan(10);
    expect(branches).toBeGreaterThanOrEqual(ofSeeds);
  });
});
