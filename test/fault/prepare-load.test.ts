import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { ArchiveProcess } from './archive-process.ts';
import { type Campaign, campaign, say } from './campaign.ts';
import { Load } from './load.ts';
import { Oracle, safe, spotless } from './oracle.ts';
import { type Passage, type PassingLine, passingLine } from './passing-line.ts';
import { canMake, fileSystems, loopVolume } from './volumes.ts';

/* The gateway as shipped, compression on, over a line that loses answers: it is killed, or loses power, at random. */

const lifeMsMax = 3000;
/** How long the gateway goes on with a disk that keeps nothing any more. */
const afterlifeMsMax = 300;
const lostPercent = 20;

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

function passageOf(choices: Campaign): Passage {
  if (!choices.chance(lostPercent)) return 'answered';
  return choices.chance(50) ? 'lost' : 'answer lost';
}

interface Stage {
  readonly oracle: Oracle;
  readonly load: Load;
  readonly line: PassingLine;
  readonly places: { readonly dataDirectory: string; readonly archiveDirectory: string };
  readonly start: () => Promise<GatewayProcess>;
}

async function stage(home: string, dataDirectory: string, choices: Campaign): Promise<Stage> {
  const archive = new ArchiveProcess(join(home, 'archive'));
  await archive.start();
  cleanUp.push(() => archive.kill());
  const line = await passingLine(
    () => archive.url,
    () => passageOf(choices),
  );
  cleanUp.push(async () => line[Symbol.asyncDispose]());
  const oracle = new Oracle();
  const load = new Load({ oracle, campaign: choices, senders: 3, pauseMsMax: 10, mediumPercent: 70 });
  load.start();
  cleanUp.push(() => load.stop());
  const config = {
    compression: { mode: 'always' },
    spool: { keepVerifiedHours: 0, purgeSchedule: '* * * * * *' },
    destinations: { cloud: { type: 'stow', url: line.url, digestSample: 0.2 } },
  };
  const start = async (): Promise<GatewayProcess> => {
    const gateway = await startGateway(dataDirectory, config);
    cleanUp.push(() => gateway.kill());
    load.aim(gateway.dicomPort);
    return gateway;
  };
  return { oracle, load, line, start, places: { dataDirectory, archiveDirectory: archive.directory } };
}

/** All comes to its end, each instance in one form from its first attempt to its last. */
async function expectSpotlessEnd({ oracle, load, line, start, places }: Stage, what: string): Promise<void> {
  const gateway = await start();
  await load.stop();
  await load.sendRest(60_000);
  const end = await gateway.until((status) => oracle.isAllSent(status), 90_000);
  expect(await gateway.stop()).toBe(0);
  expect(await oracle.judge(places)).toEqual(spotless);
  expect(end.totals).toMatchObject({ conflicts: oracle.conflicts, held: 0, quarantined: 0 });
  expect(end.compression).toMatchObject({ mismatches: 0 });
  expect([...line.sent].filter(([, forms]) => forms.size > 1)).toEqual([]);
  const forms = [...line.sent.values()].flatMap((each) => [...each]);
  const compressed = forms.filter((form) => form.startsWith('1.2.840.10008.1.2.4.')).length;
  expect(compressed).toBeGreaterThan(0);
  say(
    `${what}: ${oracle.acknowledgements} acknowledgements of ${oracle.contents} contents, ${compressed} of ` +
      `${forms.length} sent compressed in ${line.attempts} attempts, 0 lost, 0 sent in two forms`,
  );
}

const kills = campaign('kill -9 while compressing', 'GANTRY_PREPARE_KILLS', 4);

it(
  'loses nothing and sends nothing in two forms, wherever it is killed',
  async () => {
    const home = temporaryDirectory();
    cleanUp.push(() => home[Symbol.dispose]());
    const made = await stage(home.path, join(home.path, 'data'), kills);
    for (let round = 1; round <= kills.rounds; round += 1) {
      const gateway = await made.start();
      await delay(kills.between(3, lifeMsMax));
      await gateway.kill();
      made.load.aim(null);
      if (round % 5 === 0) expect(await made.oracle.judge(made.places)).toMatchObject(safe);
    }
    await expectSpotlessEnd(made, `kill -9 while compressing, ${kills.rounds} kills`);
  },
  180_000 + kills.rounds * 10_000,
);

describe.each(fileSystems)('on %s', (fileSystem) => {
  const cuts = campaign(`power cuts while compressing, ${fileSystem}`, 'GANTRY_PREPARE_CUTS', 1);

  it.skipIf(!canMake(fileSystem, `Power cuts while compressing, on ${fileSystem},`))(
    'loses nothing and sends nothing in two forms, whenever the power is cut',
    async () => {
      const home = temporaryDirectory();
      cleanUp.push(() => home[Symbol.dispose]());
      const volume = loopVolume(join(home.path, 'disk'), 1024, fileSystem);
      cleanUp.push(() => volume[Symbol.dispose]());
      const made = await stage(home.path, join(volume.path, 'data'), cuts);
      for (let round = 1; round <= cuts.rounds; round += 1) {
        const gateway = await made.start();
        await delay(cuts.between(100, lifeMsMax));
        const cutAt = await volume.cutPower();
        await delay(cuts.between(20, afterlifeMsMax));
        await gateway.kill();
        made.load.aim(null);
        await volume.unmount();
        volume.mount();
        const { oracle, places } = made;
        expect(oracle.withPowerUntil(cutAt, await oracle.judge(places))).toMatchObject(safe);
      }
      await expectSpotlessEnd(made, `power cuts on ${fileSystem} while compressing, ${cuts.rounds} cuts`);
    },
    180_000 + cuts.rounds * 15_000,
  );
});
