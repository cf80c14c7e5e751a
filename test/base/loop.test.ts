import { afterEach, describe, expect, test } from 'vitest';
import { Loop } from '../../src/base/loop.ts';

const running: Loop[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

/** A loop whose rounds the test ends one by one. */
function setUp() {
  const begun: (() => void)[] = [];
  const waiting: (() => void)[] = [];
  const failures: unknown[] = [];
  let rounds = 0;
  let atOnce = 0;
  const loop = new Loop({
    round: async () => {
      rounds += 1;
      atOnce += 1;
      expect(atOnce).toBe(1);
      waiting.shift()?.();
      await new Promise<void>((resolve) => begun.push(resolve));
      atOnce -= 1;
      return Infinity;
    },
    failed: (error) => failures.push(error),
  });
  running.push(loop);
  const roundBegins = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  return { loop, roundBegins, endRound: () => begun.shift()?.(), rounds: () => rounds, failures };
}

describe('loop', () => {
  test('a notification during a round makes exactly one more follow at once', async () => {
    const { loop, roundBegins, endRound, rounds } = setUp();
    const first = roundBegins();
    loop.start();
    loop.start();
    await first;
    for (let times = 0; times < 5; times += 1) loop.notify();
    const second = roundBegins();
    endRound();
    await second;
    endRound();
    const third = roundBegins();
    // Nothing was announced since: only this ends the sleep.
    loop.notifySoon();
    await third;
    expect(rounds()).toBe(3);
    endRound();
  });

  test('stopping lets the round under way finish and starts no other', async () => {
    const { loop, roundBegins, endRound, rounds } = setUp();
    const first = roundBegins();
    loop.start();
    await first;
    loop.notify();
    const stopped = loop.stop();
    endRound();
    await stopped;
    expect(rounds()).toBe(1);
  });

  test('a round that throws is reported and does not end the loop', async () => {
    const failures: unknown[] = [];
    let rounds = 0;
    const twice = new Promise<void>((resolve) => {
      const loop = new Loop({
        round: () => {
          rounds += 1;
          if (rounds === 1) return Promise.reject(new Error('ledger busy'));
          resolve();
          return Promise.resolve(Infinity);
        },
        failed: (error) => {
          failures.push(error);
          loop.notify();
        },
      });
      running.push(loop);
      loop.start();
    });
    await twice;
    expect(failures).toEqual([new Error('ledger busy')]);
  });
});
