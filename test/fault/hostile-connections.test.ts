import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path, { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { echoCommand, pdu } from '../intake/raw-client.ts';
import { campaign, notice, say } from './campaign.ts';
import { crowd } from './hostile/crowd.ts';
import { peerAddress, socketLine } from './hostile/lines.ts';
import { bytesOf } from './hostile/session.ts';
import type { WatchReport } from './hostile/watch.ts';
import { startWatched, type WatchedGateway } from './hostile/watched-gateway.ts';
import { associate, commandPdu, object, storeElements } from './hostile/wire.ts';
import { wholeStores } from './hostile/witness.ts';
import { Load } from './load.ts';
import { Oracle, safe } from './oracle.ts';

/* What hostile peers can take up by just being there: connections, memory, places in the file system. */

const plan = campaign('hostile connections', 'GANTRY_HOSTILE_CONNECTIONS', 10_000);
const mebibyte = 1024 * 1024;

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

async function gatewayAt(
  home: string,
  ...more: readonly [limits?: object, wrapper?: readonly string[]]
): Promise<WatchedGateway> {
  const gateway = await startWatched(join(home, 'data'), ...more);
  cleanUp.push(() => gateway.kill());
  return gateway;
}

function homeDirectory(): string {
  const home = temporaryDirectory();
  cleanUp.push(() => home[Symbol.dispose]());
  return home.path;
}

function modality(oracle: Oracle, gateway: WatchedGateway): Load {
  const load = new Load({ oracle, campaign: plan, senders: 1, pauseMsMax: 5, mediumPercent: 0 });
  load.aim(gateway.dicomPort);
  load.start();
  cleanUp.push(() => load.stop());
  return load;
}

/** Descriptors that this process may have open. */
function descriptorsMax(): number {
  const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Number(line?.[1] ?? 0);
}

/** Opens a connection that says so much and stays, listening or not. */
function opened(
  port: number,
  localAddress: string,
  words: Buffer | null,
  sockets: Socket[],
  listens = true,
): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  sockets.push(socket);
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('connect', () => {
    if (words !== null) socket.write(words);
    resolve();
  });
  socket.on('error', () => resolve());
  if (listens) socket.resume();
  return promise;
}

it('ten thousand connections are refused or closed, and the modality goes on', {
  timeout: 180_000,
}, async () => {
  const connections = Math.min(plan.rounds, descriptorsMax() - 500);
  if (connections < plan.rounds)
    notice(`${plan.rounds - connections} of ${plan.rounds} connections`, 'too few descriptors (ulimit -n)');
  const gateway = await gatewayAt(homeDirectory());
  const oracle = new Oracle();
  const load = modality(oracle, gateway);
  await expect.poll(() => oracle.acknowledgements, { timeout: 20_000 }).toBeGreaterThan(0);
  const before = await gateway.watched({ collect: true, restart: true });
  const sockets: Socket[] = [];
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let n = 0; n < connections; n += 100) {
    const batch = Array.from({ length: Math.min(100, connections - n) }, (_, k) => {
      const words = (n + k) % 3 === 0 ? null : pdu(1, Buffer.alloc(60), 1000);
      return opened(gateway.dicomPort, peerAddress(n + k, 50), words, sockets);
    });
    await Promise.all(batch);
  }
  const held = await gateway.watched();
  // It closes what it does not refuse: nobody is let stay without saying who he is.
  await expect.poll(() => sockets.every((socket) => socket.closed), { timeout: 60_000 }).toBe(true);
  const acknowledged = oracle.acknowledgements;
  await expect.poll(() => oracle.acknowledgements, { timeout: 20_000 }).toBeGreaterThan(acknowledged);
  await load.stop();
  await load.sendRest(30_000);
  const after = await gateway.watched({ collect: true });
  say(
    `hostile connections: ${connections} opened, most at once in the gateway ${held.socketsMax}, longest stall ` +
      `${held.stallMsMax.toFixed(0)} ms (own work ${held.stallCpuMsMax.toFixed(0)} ms), heap ${(before.heapBytes / mebibyte).toFixed(1)} -> ${(after.heapBytes / mebibyte).toFixed(1)} MiB, ` +
      `${oracle.acknowledgements} objects of the modality`,
  );
  await gateway.until(({ intake }) => intake.associations === 0, 10_000);
  expect(await gateway.stop()).toBe(0);
  expect(await oracle.judge({ dataDirectory: gateway.dataDirectory, archiveDirectory: null })).toMatchObject(
    safe,
  );
  expect([...load.refusals]).toEqual([]);
});

it('a peer makes the gateway hold 4 MiB at the most', { timeout: 120_000 }, async () => {
  const gateway = await gatewayAt(homeDirectory(), { associateWaitMs: 60_000, idleMs: 60_000 });
  const inRequest = pdu(1, Buffer.alloc(mebibyte - 1, 0x99), mebibyte);
  const inCommand = Buffer.concat([
    associate(),
    ...Array.from({ length: 8 }, () => pdu(4, fragmentOf(0x01, 8000))),
  ]);
  const inObject = Buffer.concat([
    associate(),
    commandPdu(storeElements(object(0), 1)),
    pdu(4, fragmentOf(0, mebibyte - 6)),
  ]);
  const deaf = Buffer.concat([associate(), ...Array.from({ length: 20_000 }, () => echoCommand())]);
  const peers = 40;
  const empty = await gateway.watched({ collect: true, restart: true });
  for (const [name, bytes] of Object.entries({ inRequest, inCommand, inObject, deaf })) {
    const sockets: Socket[] = [];
    for (let n = 0; n < peers; n += 1) {
      await opened(gateway.dicomPort, peerAddress(n, 8), bytes, sockets, name !== 'deaf');
    }
    await expect.poll(async () => (await gateway.watched()).sockets, { timeout: 20_000 }).toBe(peers);
    const full = await fullest(gateway);
    const bytesEach = (full.heapBytes + full.externalBytes - empty.heapBytes - empty.externalBytes) / peers;
    say(`held for a peer that stops ${name}: ${(bytesEach / 1024).toFixed(0)} KiB`);
    expect(full.sockets).toBe(peers);
    expect(bytesEach).toBeLessThan(4 * mebibyte);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await gateway.watched()).sockets, { timeout: 20_000 }).toBe(0);
  }
  expect(await gateway.stop()).toBe(0);
});

/** Asks until no more is coming in. */
async function fullest(gateway: WatchedGateway): Promise<WatchReport> {
  let last = await gateway.watched({ collect: true });
  for (;;) {
    await delay(500);
    const now = await gateway.watched({ collect: true });
    const grown = now.heapBytes + now.externalBytes - last.heapBytes - last.externalBytes;
    if (Math.abs(grown) < mebibyte) return now;
    last = now;
  }
}

/** A fragment that is not the last, of context 1. */
function fragmentOf(control: number, bytes: number): Buffer {
  const fragment = Buffer.alloc(bytes);
  fragment.writeUInt32BE(bytes - 4, 0);
  fragment[4] = 1;
  fragment[5] = control;
  return fragment;
}

const strace = ['strace', '-D', '-f', '-qq', '-s', '4096'];
/** System calls that make or change a name in the file system. */
const namingCalls =
  'open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknod,unlink,unlinkat,truncate,chmod,fchmodat,chown';

/** The paths that a trace names in calls which make or change them; opening for reading makes nothing. */
function pathsChanged(trace: string): Set<string> {
  const paths = new Set<string>();
  for (const line of trace.split('\n')) {
    const call = /^\d+\s+(\w+)\(/.exec(line)?.[1];
    if (call === undefined) continue;
    const reads = call.startsWith('open') && !/O_CREAT|O_WRONLY|O_RDWR|O_TRUNC|O_TMPFILE/.test(line);
    if (reads) continue;
    for (const [, name = ''] of line.matchAll(/"((?:[^"\\]|\\.)*)"/g)) paths.add(path.resolve(name));
  }
  return paths;
}

it('no name that a peer gives becomes a path: strace sees the data directory alone', {
  timeout: 180_000,
}, async () => {
  if (spawnSync('strace', ['-V']).status !== 0)
    return notice('paths that are changed', 'strace is not installed');
  const home = homeDirectory();
  const trace = join(home, 'trace');
  const gateway = await gatewayAt(home, {}, [...strace, '-e', `trace=${namingCalls}`, '-o', trace]);
  const oracle = new Oracle();
  const report = await crowd({
    seed: plan.seed,
    sessions: 800,
    peers: 32,
    connect: (peer) => socketLine(gateway.dicomPort, peerAddress(peer, 8)),
    begins: (session) => {
      for (const message of wholeStores(bytesOf(session))) oracle.offered(message);
    },
    ended: (_session, { stored }) => {
      for (const message of stored) oracle.acknowledged(message);
    },
  });
  expect(await gateway.stop()).toBe(0);
  const changed = [...pathsChanged(readFileSync(trace, 'utf8'))];
  const inside = changed.filter((each) => `${each}/`.startsWith(`${gateway.dataDirectory}/`));
  say(
    `hostile names: ${report.sessions} sessions, ${inside.length} paths changed, ${report.stored} objects stored`,
  );
  expect(report.failures).toEqual([]);
  expect(inside.length).toBeGreaterThan(10);
  // The devices of the system are no files of anybody's.
  expect(changed.filter((each) => !inside.includes(each) && !each.startsWith('/dev/'))).toEqual([]);
  expect(await oracle.judge({ dataDirectory: gateway.dataDirectory, archiveDirectory: null })).toMatchObject(
    safe,
  );
});
