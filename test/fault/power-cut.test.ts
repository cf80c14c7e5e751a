import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { ArchiveProcess } from './archive-process.ts';
import { campaign, say } from './campaign.ts';
import { Load } from './load.ts';
import { Oracle, safe, spotless } from './oracle.ts';
import { canMake, loopVolume } from './volumes.ts';

const plan = campaign('power cuts under load', 'GANTRY_CUTS', 5);
const cutMsMax = 2500;
/** How long the gateway goes on with a disk that keeps nothing any more: it must not answer 0000 meanwhile. */
const afterlifeMsMax = 400;

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

describe.skipIf(!canMake('loop', 'Power cuts'))('the power is cut', () => {
  it(
    'loses nothing that was answered 0000, and opens again each time',
    async () => {
      const home = temporaryDirectory();
      cleanUp.push(() => home[Symbol.dispose]());
      const volume = loopVolume(join(home.path, 'disk'), 1024);
      cleanUp.push(() => volume[Symbol.dispose]());
      const dataDirectory = join(volume.path, 'data');
      const archive = new ArchiveProcess(join(home.path, 'archive'));
      await archive.start();
      cleanUp.push(() => archive.kill());
      const config = {
        spool: { keepVerifiedHours: 0, purgeSchedule: '* * * * * *' },
        destinations: { cloud: { type: 'stow', url: archive.url, digestSample: 0.1 } },
      };
      const oracle = new Oracle();
      const load = new Load({ oracle, campaign: plan, senders: 4, pauseMsMax: 10, mediumPercent: 15 });
      load.start();
      cleanUp.push(() => load.stop());
      const places = { dataDirectory, archiveDirectory: archive.directory };
      let gateway: GatewayProcess | null = null;
      cleanUp.push(() => gateway?.kill());

      for (let round = 1; round <= plan.rounds; round += 1) {
        gateway = await startGateway(dataDirectory, config);
        load.aim(gateway.dicomPort);
        await delay(plan.between(100, cutMsMax));
        const cutAt = await volume.cutPower();
        await delay(plan.between(20, afterlifeMsMax));
        await gateway.kill();
        load.aim(null);
        await volume.unmount();
        volume.mount();
        expect(oracle.withPowerUntil(cutAt, await oracle.judge(places))).toMatchObject(safe);
      }

      gateway = await startGateway(dataDirectory, config);
      load.aim(gateway.dicomPort);
      await load.stop();
      await load.sendRest(30_000);
      const end = await gateway.until((status) => oracle.isAllSent(status), 60_000);
      expect(await gateway.stop()).toBe(0);
      expect(await oracle.judge(places)).toEqual(spotless);
      expect(end.totals).toMatchObject({ held: 0, quarantined: 0 });
      say(
        `power cuts: ${plan.rounds} cuts, ${oracle.acknowledgements} acknowledgements of ${oracle.contents} contents, ` +
          `${oracle.conflicts} conflicts, ${oracle.answeredWithoutPower} answered only after the cut and gone, 0 lost`,
      );
    },
    60_000 + plan.rounds * 15_000,
  );
});
