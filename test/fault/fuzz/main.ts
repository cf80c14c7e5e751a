import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sha256 } from '../oracle.ts';
import { fuzz, type Result } from './engine.ts';
import { branchCount, instrumentModules } from './instrument.ts';
import { Watchdog } from './watchdog.ts';

/*
 * `npm run fuzz -- <target> --seconds 60`. Ends with exit code 1 and the input in base64 where it finds a fault or
 * an input that never ends; `--input FILE` runs one input alone, `--keep DIRECTORY` keeps what reached something new.
 */

instrumentModules();
// Only now, so that what they load is instrumented.
const { targetNames, targetOf } = await import('./targets.ts');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string', default: process.env['GANTRY_SEED'] ?? '1' },
    keep: { type: 'string' },
    input: { type: 'string' },
  },
});
const name = targetNames.find((each) => each === positionals[0]);
if (name === undefined) {
  process.stderr.write(`Name a target: ${targetNames.join(', ')}.\n`);
  process.exit(2);
}

const target = await targetOf(name);
const seeds = values.input === undefined ? seedsOf(name) : [readFileSync(values.input)];
const watchdog = new Watchdog();
const result = await fuzz(target, {
  seed: Number(values.seed),
  seeds,
  runsMax: values.input === undefined ? Number(values.runs ?? Number.POSITIVE_INFINITY) : 1,
  msMax: 1000 * Number(values.seconds ?? (values.runs === undefined ? 60 : Number.POSITIVE_INFINITY)),
  begins: (input) => watchdog.look(input),
});
report(result);
process.exit(result.failure === null ? 0 : 1);

function seedsOf(of: string): Buffer[] {
  const folder = join(import.meta.dirname, 'seeds', of);
  return readdirSync(folder)
    .toSorted()
    .map((file) => readFileSync(join(folder, file)));
}

function report({
  runs,
  seconds,
  branches,
  branchesOfSeeds,
  found,
  slowest,
  slowestMs,
  failure,
}: Result): void {
  process.stdout.write(
    `${name}: seed ${values.seed}, ${runs} inputs, ${Math.round(runs / seconds)}/s, ${branches} of ${branchCount()} branches ` +
      `(seeds ${branchesOfSeeds}), ${found.length} new inputs, slowest ${slowestMs.toFixed(1)} ms\n`,
  );
  if (slowestMs > 1000) process.stdout.write(`slowest: ${slowest.toString('base64')}\n`);
  if (failure !== null) {
    process.stdout.write(`FAULT: ${String(failure.error)}\n${failure.input.toString('base64')}\n`);
  }
  const { keep } = values;
  if (keep === undefined) return;
  mkdirSync(keep, { recursive: true });
  for (const input of found) writeFileSync(join(keep, sha256(input).slice(0, 16)), input);
}
