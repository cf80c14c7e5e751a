import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { Bench } from './bench.ts';
import { campaign, say } from './campaign.ts';
import { attemptAll, codec, ctInstance, nameOf, startPreparing } from './preparing.ts';
import { receivedAgain } from './received-again.ts';
import { canMake, fileSystems, type LoopVolume, loopVolume } from './volumes.ts';

/*
 * A process of its own ends just before a call to the disk while it compresses and sends. `GANTRY_PREPARE_STEPS` sets
 * before how many of them.
 */

const plan = campaign('ends while preparing', 'GANTRY_PREPARE_STEPS', 3);
const program = join(import.meta.dirname, 'prepare-process.ts');
const patienceMs = 60_000 + plan.rounds * 20_000;
/** One in a single piece, one in several. */
const edges = [96, 800];

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

interface Ended {
  readonly signal: NodeJS.Signals | null;
  /** Names of what it had sent by then. */
  readonly sent: readonly string[];
  /** Calls to the disk, where it came to its end. */
  readonly calls: number;
}

async function prepareIn(dataDirectory: string, endBefore: number, cut?: string): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [
      program,
      '--data',
      dataDirectory,
      '--instances',
      String(edges.length),
      '--end-before',
      String(endBefore),
      ...(cut === undefined ? [] : ['--cut', cut]),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const sent: string[] = [];
  let calls = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as { sent?: string; calls?: number };
    if (said.sent !== undefined) sent.push(said.sent);
    calls = said.calls ?? calls;
  });
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { signal, sent, calls };
}

/** How often the volume is looked at depends on the time: it may have come to its end with fewer calls. */
function expectEnded({ signal, calls }: Ended, at: number): void {
  if (signal === null) expect(calls).toBeLessThan(at);
  else expect(signal).toBe('SIGKILL');
}

/** Both wait for the codec. */
async function withWaiting(path: string): Promise<Bench> {
  const bench = Bench.fresh(path);
  const { spool, stop } = await bench.open(codec);
  for (const edge of edges) await bench.send(spool, ctInstance(edge));
  await spool.flush();
  await stop();
  return bench;
}

/** The next process goes on: all is there and whole, and what was sent before is sent in the same bytes again. */
async function expectGoesOn(bench: Bench, sent: readonly string[]): Promise<void> {
  const { spool, stop } = await bench.open(codec);
  try {
    expect(bench.incoming()).toEqual([]);
    await bench.expectSafe();
    await using preparing = startPreparing(spool);
    let attempts = await attemptAll(spool);
    while (attempts.length < edges.length) {
      await preparing.settled();
      attempts = await attemptAll(spool);
    }
    for (const { item, uid, syntax, dataSet } of attempts) {
      expect(item.form).toBe('prepared');
      expect(bench.oracle.wasOffered(uid, await receivedAgain(syntax, dataSet))).toBe(true);
    }
    expect(attempts.map(nameOf)).toEqual(expect.arrayContaining([...new Set(sent)]));
  } finally {
    await stop();
  }
  await bench.expectSafe();
}

it(
  'goes on after it is killed at any call to the disk, and sends the same bytes again',
  async () => {
    using home = temporaryDirectory();
    const template = await withWaiting(join(home.path, 'template'));
    const whole = template.copyTo(join(home.path, 'whole'));
    const { calls, sent } = await prepareIn(whole.path, 0);
    expect(sent.length).toBeGreaterThan(0);
    const chosen = plan.sample(calls);
    for (const at of chosen) {
      const bench = template.copyTo(join(home.path, String(at)));
      const ended = await prepareIn(bench.path, at);
      expectEnded(ended, at);
      await expectGoesOn(bench, ended.sent);
    }
    say(`killed while preparing: before calls ${chosen.join(' ')} of ${calls}`);
  },
  patienceMs,
);

describe.each(fileSystems)('on %s the power is cut at a call to the disk', (fileSystem) => {
  it.skipIf(!canMake(fileSystem, `Power cuts while preparing, on ${fileSystem},`))(
    'it goes on, and sends the same bytes again',
    async () => {
      const home: TemporaryDirectory = temporaryDirectory();
      cleanUp.push(() => home[Symbol.dispose]());
      const volume: LoopVolume = loopVolume(join(home.path, 'disk'), 512, fileSystem);
      cleanUp.push(() => volume[Symbol.dispose]());
      const counted = await withWaiting(join(volume.path, 'counted'));
      const { calls } = await prepareIn(counted.path, 0);
      const chosen = plan.sample(calls);
      for (const at of chosen) {
        const bench = await withWaiting(join(volume.path, String(at)));
        const ended = await prepareIn(bench.path, at, volume.path);
        expectEnded(ended, at);
        await volume.unmount();
        volume.mount();
        await expectGoesOn(bench, ended.sent);
      }
      say(`power cut on ${fileSystem} while preparing: before calls ${chosen.join(' ')} of ${calls}`);
    },
    patienceMs,
  );
});
