import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { HttpsChannel } from '../../src/config/remote/channels/https-channel.ts';
import { recordPath } from '../../src/config/remote/channels/port.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { startConnectProxy } from '../fixtures/connect-proxy.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { bytesOf, desired, freshnessFile, signed, signingKey, trustOf } from '../fixtures/fleet-kit.ts';
import { startFleetRecord } from '../fixtures/fleet-servers.ts';
import { channelParts, RecordingAgent } from '../fixtures/recording-agent.ts';
import { until } from '../fixtures/until.ts';
import { boxAt, configOf, simulated } from './fleet-fleet.ts';
import { cpuSeconds } from './process-stats.ts';

/** Further apart than a connection at rest is kept: each poll makes its own, as in the field. */
const everySeconds = 10;
const polls = 3;
const patienceMs = 60_000;
const pollMinutes = 5;

/** What one box that has everything costs each time it asks the nginx of deploy/fleet, with TLS and its certificate. */
export async function benchPoll(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryDirectory());
  const at = (name: string): string => join(folder.path, name);
  const device = boxAt(0);
  const authority = await makeAuthority();
  writeFileSync(at('ca.pem'), authority.cert);
  writeFileSync(at('crl.pem'), await authority.revocations());
  for (const [name, made] of [
    ['server', await authority.server()],
    ['box', await authority.client({ hosts: [device] })],
  ] as const) {
    writeFileSync(at(`${name}.pem`), made.cert);
    writeFileSync(at(`${name}.key`), made.key);
  }
  const nginx = stack.use(
    await startFleetRecord({
      fleet: simulated,
      server: at('server'),
      boxCa: at('ca.pem'),
      crl: at('crl.pem'),
    }),
  );
  const proxy = await startConnectProxy();
  stack.defer(() => proxy.stop());
  await writeRecord(nginx.folder);
  const agent = new RecordingAgent();
  const channel = new HttpsChannel(
    {
      url: `https://localhost:${nginx.port}`,
      caFile: at('ca.pem'),
      clientCertificate: { certFile: at('box.pem'), keyFile: at('box.key') },
      proxy: { url: proxy.url, user: null, passwordFile: null },
      poll: `*/${everySeconds} * * * * *`,
      jitterSeconds: 0,
      report: true,
    },
    channelParts(agent, { fleet: simulated, device }),
  );
  channel.start();
  stack.defer(() => channel.stop());
  await until(() => agent.texts('desired').length === 1 && agent.back.length >= 3, patienceMs);
  await sleep(2000);
  const look = () => ({
    ...proxy.carried(),
    connections: proxy.targets.length,
    box: process.cpuUsage(),
    server: cpuSeconds(nginx.pid),
  });
  const before = look();
  await until(() => proxy.targets.length === before.connections + polls, patienceMs);
  await sleep(2000);
  const after = look();
  if (agent.texts('desired').length !== 1) throw new Error('it was answered with documents it had');
  const { user, system } = process.cpuUsage(before.box);
  const per = (amount: number): string => (amount / polls).toFixed(1);
  const table = new Table({ head: ['a poll that finds nothing new', ''], style: { head: [] } });
  table.push(
    ['bytes to the server, TLS with client certificate included', per(after.up - before.up)],
    ['bytes from the server', per(after.down - before.down)],
    ['CPU of the box and the proxy in between, ms', per((user + system) / 1000)],
    ['CPU of nginx, ms', per((after.server - before.server) * 1000)],
    [`polls a second of 20,000 boxes, every ${pollMinutes} min`, (20_000 / pollMinutes / 60).toFixed(0)],
  );
  console.log(table.toString());
}

/** The published record of one box. */
async function writeRecord(folder: string): Promise<void> {
  const key = signingKey();
  const device = boxAt(0);
  const trust = trustOf([[key, ['config', 'redirect', 'trust', 'timestamp', 'command']]], {
    fleet: simulated,
  });
  const entries = Array.from({ length: 20_000 }, (_, index) => ({
    device: boxAt(index),
    generation: 1,
    sha256: '0'.repeat(64),
  }));
  const config = configOf(2_000_000_000);
  const documents = {
    trust: [await signed('gantry-trust', trust, key)],
    desired: await signed('gantry-desired', desired({ fleet: simulated, device, config }), key),
    freshness: await freshnessFile(entries, key, { fleet: simulated }, device),
  };
  for (const kind of ['trust', 'desired', 'freshness'] as const) {
    const path = join(folder, recordPath(simulated, device, kind));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytesOf(documents[kind]));
  }
}
