import { expect, it, vi } from 'vitest';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import type { HeapUse } from '../fixtures/process-inspector.ts';
import { campaign, say } from './campaign.ts';
import { spotless } from './oracle.ts';
import { Soak } from './soak.ts';

const plan = campaign('soak', 'GANTRY_SOAK_WAVES', 4);
const mebibyte = 2 ** 20;
/** Between the second and the last wave some 400 associations and as many visits come and go. */
const growthBytesMax = 3 * mebibyte;

// Callers have addresses of their own in 127.0.0.0/8, which other systems do not give.
it.runIf(process.platform === 'linux')(
  'waves of associations, visitors and silent connections: no error, nothing is kept of them',
  async () => {
    using home = temporaryDirectory();
    await using soak = await Soak.start(home.path, plan, {
      associations: 200,
      objectsEach: 20 / plan.rounds,
      connectsPerSecond: 50,
      idleAssociations: 250,
      muteSockets: 250,
    });
    const heaps: HeapUse[] = [];
    for (let round = 1; round <= plan.rounds; round += 1) {
      await soak.wave();
      heaps.push(await soak.heap());
    }
    expect(soak.troubles.list()).toEqual([]);
    await vi.waitFor(() => expect(soak.silent).toBe(500), 10_000);
    const held = await soak.held();
    expect(held.associations).toBeGreaterThanOrEqual(250);
    expect(held.sockets).toBeGreaterThanOrEqual(450);
    expect(await soak.judge()).toEqual(spotless);
    expect(await soak.empty()).toEqual({ associations: 0, sockets: 0 });
    const { intake, totals } = await soak.gateway.status();
    say(
      `soak: ${soak.acknowledgements} objects, ${soak.visits} visits; heap after collection ` +
        heaps.map(({ main, workers }) => `${mib(main)}+${mib(workers)}`).join(', '),
    );
    expect(totals).toMatchObject({ received: 4000, verified: 4000 });
    const left = ['ASSOCIATE_TIMEOUT', 'PEER_ABORTED', 'LEFT_WITHOUT_RELEASE', 'CONNECTION_LOST'];
    expect(intake.refusals.map(({ code }) => code).filter((code) => !left.includes(code))).toEqual([]);
    const [, second, last] = [heaps[0], heaps[1], heaps.at(-1)];
    if (second === undefined || last === undefined) throw new Error('too few waves to compare');
    expect(last.main - second.main).toBeLessThan(growthBytesMax);
    expect(last.workers - second.workers).toBeLessThan(growthBytesMax);
    expect(await soak.stop()).toBe(0);
  },
  300_000,
);

function mib(bytes: number): string {
  return (bytes / mebibyte).toFixed(1);
}
