import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { filesBelow, temporaryDirectory } from '../fixtures/data-directory.ts';
import { campaign, say } from './campaign.ts';
import { crowd, type CrowdOptions, type CrowdReport, replay } from './hostile/crowd.ts';
import { peerAddress, socketLine } from './hostile/lines.ts';
import { bytesOf } from './hostile/session.ts';
import { everythingTold, startWatched, type WatchedGateway } from './hostile/watched-gateway.ts';
import { canary } from './hostile/wire.ts';
import { wholeStores } from './hostile/witness.ts';
import { Load } from './load.ts';
import { Oracle, safe } from './oracle.ts';

/*
 * Hostile peers on the network against the gateway as it ships, while two modalities send. `GANTRY_HOSTILE_SESSIONS`
 * counts all sessions: a fifth of them is played here, the rest in hostile-volume.test.ts. `GANTRY_SEED` repeats a
 * run, `GANTRY_HOSTILE_ONLY` with it plays one session of it alone and makes it as small as it can be.
 */

const plan = campaign('hostile peers', 'GANTRY_HOSTILE_SESSIONS', 100_000);
const only = process.env['GANTRY_HOSTILE_ONLY'];
const sessions = Math.ceil(plan.rounds / 5);
const peers = 48;
const peersPerAddress = 8;
const mebibyte = 1024 * 1024;

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

/** Files that are neither in the data directory nor were there before. */
function strayFiles(home: string, before: ReadonlySet<string>): string[] {
  const inHome = filesBelow(home).filter((path) => !path.startsWith(join(home, 'data/')));
  return [
    ...inHome.filter((path) => !path.endsWith('config.json')),
    ...[...around()].filter((path) => !before.has(path)),
  ];
}

/** What lies where a path that is not one would end up. */
function around(): Set<string> {
  const places = [process.cwd(), '/', '/etc'];
  return new Set(places.flatMap((place) => readdirSync(place).map((name) => join(place, name))));
}

async function playAgainst(gateway: WatchedGateway, oracle: Oracle): Promise<CrowdReport> {
  const options: CrowdOptions = {
    seed: plan.seed,
    sessions,
    peers,
    connect: (peer) => socketLine(gateway.dicomPort, peerAddress(peer, peersPerAddress)),
    begins: (session) => {
      for (const message of wholeStores(bytesOf(session))) oracle.offered(message);
    },
    ended: (_session, { stored }) => {
      for (const message of stored) oracle.acknowledged(message);
    },
  };
  return only === undefined ? crowd(options) : replay(options, Number(only));
}

it(
  'take nothing, break nothing and hold up nobody, while two modalities lose nothing',
  async () => {
    const home = temporaryDirectory();
    cleanUp.push(() => home[Symbol.dispose]());
    const before = around();
    const dataDirectory = join(home.path, 'data');
    const gateway = await startWatched(dataDirectory);
    cleanUp.push(() => gateway.kill());
    const oracle = new Oracle();
    const load = new Load({ oracle, campaign: plan, senders: 2, pauseMsMax: 20, mediumPercent: 5 });
    load.aim(gateway.dicomPort);
    load.start();
    cleanUp.push(() => load.stop());
    const empty = await gateway.watched({ collect: true, restart: true });

    const report = await playAgainst(gateway, oracle);

    await load.stop();
    await load.sendRest(30_000);
    const full = await gateway.watched();
    const rest = await gateway.watched({ collect: true });
    say(
      `hostile peers on the network: ${report.sessions} sessions, ${(report.sessions / report.seconds).toFixed(0)}/s, ` +
        `${(report.bytesSent / mebibyte).toFixed(0)} MiB; ${report.stored} whole objects stored, ` +
        `${oracle.acknowledgements - report.stored} of the modalities; busy ${report.busy}, late ${report.late}; ` +
        `longest stall ${full.stallMsMax.toFixed(0)} ms (own work ${full.stallCpuMsMax.toFixed(0)} ms), ` +
        `CPU ${(full.cpuSeconds - empty.cpuSeconds).toFixed(1)} s, most in a socket ${(full.socketBytesMax / 1024).toFixed(0)} KiB, ` +
        `heap ${(empty.heapBytes / mebibyte).toFixed(1)} -> ${(rest.heapBytes / mebibyte).toFixed(1)} MiB, ` +
        `RSS ${(empty.rssBytes / mebibyte).toFixed(0)} -> ${(rest.rssBytes / mebibyte).toFixed(0)} MiB`,
    );
    expect(report.failures).toEqual([]);
    expect(report.busy + report.late).toBeLessThanOrEqual(sessions / 100);
    const end = await gateway.until(({ intake }) => intake.associations === 0, 10_000);
    expect(end.totals.received).toBeGreaterThan(0);
    const told = await everythingTold(gateway);
    expect(told).not.toContain(canary.patientName);
    expect(told).not.toContain(canary.uidRoot);
    expect(told).not.toContain('INTAKE_INTERNAL');
    expect(await gateway.stop()).toBe(0);
    expect(strayFiles(home.path, before)).toEqual([]);
    expect(await oracle.judge({ dataDirectory, archiveDirectory: null })).toMatchObject(safe);
    expect([...load.refusals]).toEqual([]);
    expect([...load.rejections]).toEqual([]);
  },
  120_000 + sessions * 20,
);
