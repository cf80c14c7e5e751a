import { afterEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { Retention } from '../../src/proof/retention.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';

const running: Retention[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

function setUp(schedule: string, purge: (before: number) => Promise<void>) {
  const clock = new ManualClock();
  const asked: number[] = [];
  const spool = {
    purgeVerified: async (before: number) => {
      asked.push(before);
      await purge(before);
      return { instances: 3, bytes: 30, epochsShredded: 1 };
    },
  };
  const options = {
    spool,
    schedule,
    timeZone: 'Europe/Berlin',
    keepVerifiedHours: 72,
    clock,
    log: silentLog,
  };
  const retention = new Retention(options);
  running.push(retention);
  return { clock, asked, retention };
}

describe('retention', () => {
  test('runs on its schedule, for what was verified long enough ago', async () => {
    let ran = (): void => undefined;
    const run = new Promise<void>((resolve) => {
      ran = resolve;
    });
    const { clock, asked, retention } = setUp('* * * * * *', () => Promise.resolve(ran()));
    retention.start();
    await run;
    await retention.stop();
    expect(asked[0]).toBe(clock.now() - 72 * 3_600_000);
  });

  test('one run at a time: a second request joins the first; a failed run does not block the next', async () => {
    const ends: ((error?: Error) => void)[] = [];
    const { asked, retention } = setUp('0 3 * * *', () => {
      return new Promise((resolve, reject) => {
        ends.push((error) => (error === undefined ? resolve() : reject(error)));
      });
    });
    const both = [retention.runNow(), retention.runNow()];
    expect(asked).toHaveLength(1);
    ends[0]?.();
    expect(await Promise.all(both)).toEqual([
      { instances: 3, bytes: 30, epochsShredded: 1 },
      { instances: 3, bytes: 30, epochsShredded: 1 },
    ]);

    const failing = retention.runNow();
    ends[1]?.(new Error('disk'));
    await expect(failing).rejects.toThrow('disk');
    const again = retention.runNow();
    ends[2]?.();
    expect(await again).toMatchObject({ instances: 3 });
  });

  test('a schedule that is none is refused at start', () => {
    const { retention } = setUp('whenever', () => Promise.resolve());
    expect(() => retention.start()).toThrow();
  });
});
