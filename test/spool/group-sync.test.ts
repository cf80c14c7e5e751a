import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { GroupSync } from '../../src/spool/group-sync.ts';

/** A sync that lasts until it is told to end. */
class SlowSync {
  readonly #ends: PromiseWithResolvers<void>[] = [];
  #running = 0;
  begun = 0;
  mostAtOnce = 0;

  async run(): Promise<void> {
    this.begun += 1;
    this.#running += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#running);
    const end = Promise.withResolvers<void>();
    this.#ends.push(end);
    await end.promise.finally(() => (this.#running -= 1));
  }

  end(failure?: Error): void {
    const end = this.#ends.shift();
    if (failure === undefined) end?.resolve();
    else end?.reject(failure);
  }
}

describe('a group sync', () => {
  it('all who ask while one runs share the next', async () => {
    const slow = new SlowSync();
    const group = new GroupSync(() => slow.run());
    const first = group.sync();
    const shared = [group.sync(), group.sync(), group.sync()];
    slow.end();
    await first;
    await turn();
    expect(slow.begun).toBe(2);
    slow.end();
    await Promise.all(shared);
    await group.idle();
    expect(slow.begun).toBe(2);
  });

  it.each([['succeeds', undefined] as const, ['fails', new Error('EIO')] as const])(
    'never runs two at once, whenever somebody asks after one %s',
    async (_, failure) => {
      for (let ticks = 0; ticks < 12; ticks += 1) {
        const slow = new SlowSync();
        const group = new GroupSync(() => slow.run());
        const asked = [group.sync(), group.sync()];
        slow.end(failure);
        for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
        asked.push(group.sync());
        await turn();
        asked.push(group.sync());
        const settled = Promise.allSettled(asked);
        for (let n = 0; n < asked.length; n += 1) {
          slow.end();
          await turn();
        }
        expect((await settled).map(({ status }) => status)).toEqual([
          failure === undefined ? 'fulfilled' : 'rejected',
          'fulfilled',
          'fulfilled',
          'fulfilled',
        ]);
        expect(slow.mostAtOnce, `after ${ticks} microtasks`).toBe(1);
        expect(group.isRunning).toBe(false);
      }
    },
  );
});
