import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { program } from '../fixtures/program.ts';
import { ArchiveProcess } from './archive-process.ts';
import { type Campaign, campaign, say } from './campaign.ts';
import { Load } from './load.ts';
import { Oracle, safe, spotless } from './oracle.ts';

const killMsMax = 1500;
/** From the start of the process to its ready line, about. */
const openingMsMax = 900;
const plan = campaign('kill -9 under load', 'GANTRY_KILLS', 20);

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

function configFor(archive: ArchiveProcess): object {
  return {
    // What is verified is purged at once, so that kills meet purging as well.
    spool: { keepVerifiedHours: 0, purgeSchedule: '* * * * * *' },
    destinations: { cloud: { type: 'stow', url: archive.url, digestSample: 0.1 } },
  };
}

/** Starts it and kills it after so long, ready or not. */
async function killWhileOpening(dataDirectory: string, afterMs: number): Promise<void> {
  const [command, ...before] = program();
  const args = [...before, 'run', '--data', dataDirectory, '--config', `${dataDirectory}.config.json`];
  const child = spawn(command, args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  await delay(afterMs);
  child.kill('SIGKILL');
  await exited;
}

/** Ends the archive somewhere in the round and brings it back before the round is over. */
async function killArchive(archive: ArchiveProcess, choices: Campaign): Promise<void> {
  await delay(choices.between(0, killMsMax));
  await archive.kill();
  await delay(choices.between(0, 300));
  await archive.start();
}

it(
  'loses nothing that was answered 0000, wherever the gateway or the archive is killed',
  async () => {
    const home = temporaryDirectory();
    cleanUp.push(() => home[Symbol.dispose]());
    const dataDirectory = join(home.path, 'data');
    const archive = new ArchiveProcess(join(home.path, 'archive'));
    await archive.start();
    cleanUp.push(() => archive.kill());
    const oracle = new Oracle();
    const load = new Load({ oracle, campaign: plan, senders: 4, pauseMsMax: 15, mediumPercent: 15 });
    load.start();
    cleanUp.push(() => load.stop());
    const places = { dataDirectory, archiveDirectory: archive.directory };
    let gateway: GatewayProcess | null = null;
    cleanUp.push(() => gateway?.kill());

    for (let round = 1; round <= plan.rounds; round += 1) {
      gateway = await startGateway(dataDirectory, configFor(archive));
      load.aim(gateway.dicomPort);
      const archiveRound = plan.chance(30) ? killArchive(archive, plan) : Promise.resolve();
      await delay(plan.between(3, killMsMax));
      await gateway.kill();
      load.aim(null);
      await archiveRound;
      if (plan.chance(25)) await killWhileOpening(dataDirectory, plan.between(100, openingMsMax));
      if (round % 10 === 0) expect(await oracle.judge(places)).toMatchObject(safe);
    }

    gateway = await startGateway(dataDirectory, configFor(archive));
    load.aim(gateway.dicomPort);
    await load.stop();
    await load.sendRest(30_000);
    const end = await gateway.until((status) => oracle.isAllSent(status), 60_000);
    expect(await gateway.stop()).toBe(0);
    expect(await oracle.judge(places)).toEqual(spotless);
    expect(end.totals).toMatchObject({ conflicts: oracle.conflicts, held: 0, quarantined: 0 });
    say(
      `kill -9: ${plan.rounds} kills, ${oracle.acknowledgements} acknowledgements of ${oracle.contents} contents, ` +
        `${oracle.conflicts} conflicts, 0 lost`,
    );
    expect([...load.refusals]).toEqual([]);
  },
  60_000 + plan.rounds * 10_000,
);
