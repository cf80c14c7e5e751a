import { randomStream } from '../../fixtures/dicom-objects.ts';
import { branchCount, hits } from './instrument.ts';
import { Mutator } from './mutator.ts';

/** Code under test, fed with any bytes. */
export interface Target {
  readonly name: string;
  /** Words that its inputs are made of; put in by the mutator. */
  readonly words: readonly Buffer[];
  /** Throws where the code under test does something it must not. */
  readonly run: (input: Buffer) => Promise<void> | void;
}

export interface Plan {
  readonly seed: number;
  readonly seeds: readonly Buffer[];
  /** It ends after so many inputs or so long, whichever is first. */
  readonly runsMax: number;
  readonly msMax: number;
  /** Told of each input before it runs, so that one that never ends is known. */
  readonly begins: (input: Buffer, run: number) => void;
}

export interface Result {
  readonly runs: number;
  readonly seconds: number;
  /** Branches taken, and how many of them the seeds took already. */
  readonly branches: number;
  readonly branchesOfSeeds: number;
  /** Inputs that took a way nothing took before, seeds not included. */
  readonly found: readonly Buffer[];
  /** Of this thread's processor time. */
  readonly slowestMs: number;
  readonly slowest: Buffer;
  readonly failure: { readonly input: Buffer; readonly error: unknown } | null;
}

/** How often a branch was taken, as powers of two: 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more. */
const buckets = Uint8Array.from({ length: 256 }, (_, times) => {
  const upper = [0, 1, 2, 3, 7, 15, 31, 127].findIndex((limit) => times <= limit);
  return upper < 0 ? 128 : upper === 0 ? 0 : 1 << (upper - 1);
});
const corpusMax = 20_000;

/**
 * Runs inputs made of earlier ones and keeps those that reach something new (a branch, or a branch more often than
 * ever). The same seed, seeds and code run the same inputs.
 */
export async function fuzz(target: Target, plan: Plan): Promise<Result> {
  const seen = new Uint8Array(hits.length);
  const corpus: Buffer[] = [];
  const found: Buffer[] = [];
  const random = randomStream(plan.seed);
  const mutator = new Mutator(random, target.words);
  const started = performance.now();
  let [runs, slowestMs, slowest]: [number, number, Buffer] = [0, 0, Buffer.alloc(0)];
  const failures: NonNullable<Result['failure']>[] = [];

  const attempt = async (input: Buffer): Promise<boolean> => {
    plan.begins(input, ++runs);
    hits.fill(0, 0, counterBytes());
    const before = process.threadCpuUsage();
    try {
      await target.run(input);
    } catch (error) {
      failures.push({ input, error });
    }
    const { user, system } = process.threadCpuUsage(before);
    const ms = (user + system) / 1000;
    if (ms > slowestMs) [slowestMs, slowest] = [ms, input];
    return learn(seen);
  };

  for (const seed of plan.seeds) {
    await attempt(seed);
    corpus.push(seed);
    if (failures.length > 0) break;
  }
  const branchesOfSeeds = taken(seen);
  while (failures.length === 0 && runs < plan.runsMax && performance.now() - started < plan.msMax) {
    const input = mutator.mutate(choose(corpus, random), choose(corpus, random));
    if (!(await attempt(input))) continue;
    found.push(input);
    if (corpus.length < corpusMax) corpus.push(input);
  }
  const [failure = null] = failures;
  const seconds = (performance.now() - started) / 1000;
  return { runs, seconds, branches: taken(seen), branchesOfSeeds, found, slowestMs, slowest, failure };
}

/** One of the inputs, the newer half more often. */
function choose(corpus: readonly Buffer[], random: () => number): Buffer {
  const from = random() % 2 === 0 ? corpus.length >> 1 : 0;
  return corpus[from + (random() % Math.max(1, corpus.length - from))] ?? Buffer.alloc(0);
}

/** @returns whether something new was reached */
function learn(seen: Uint8Array): boolean {
  let isNew = false;
  const words = new Uint32Array(hits.buffer, 0, counterBytes() / 4);
  for (let word = 0; word < words.length; word += 1) {
    if (words[word] === 0) continue;
    for (let at = 4 * word; at < 4 * word + 4; at += 1) {
      const bucket = buckets[hits[at] ?? 0] ?? 0;
      const before = seen[at] ?? 0;
      if ((before | bucket) === before) continue;
      seen[at] = before | bucket;
      isNew = true;
    }
  }
  return isNew;
}

/** As far as there can be counters that are not zero. */
function counterBytes(): number {
  return Math.max(64, (branchCount() + 4) & ~3);
}

function taken(seen: Uint8Array): number {
  return seen.reduce((sum, each) => sum + (each === 0 ? 0 : 1), 0);
}
