import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { RemoteAgent } from '../../src/config/remote/agent.ts';
import { Applier, type ApplyPorts } from '../../src/config/remote/apply.ts';
import { ApplyRefusal } from '../../src/config/remote/apply-failures.ts';
import { BoxCertificate } from '../../src/config/remote/box-certificate.ts';
import { MqttChannel } from '../../src/config/remote/channels/mqtt-channel.ts';
import type { BoxName } from '../../src/config/remote/documents.ts';
import { RemoteState } from '../../src/config/remote/state.ts';
import type { TrustState } from '../../src/config/remote/trust.ts';
import { configSchemaVersion } from '../../src/config/schema-version.ts';
import { ConfigStore, type SealedFile } from '../../src/config/store.ts';
import { eachOf } from '../../src/fleet/central-line.ts';
import { until } from '../fixtures/until.ts';
import { badReserve, boxAt, boxKey, configOf, refuses, simulated } from './fleet-fleet.ts';

/*
 * The boxes of the simulation, in a process of their own: the agent, the applier, the memory and the channel are those
 * of the product; below them is no gateway, and no disk.
 */

interface Boxes {
  readonly url: string;
  readonly count: number;
  readonly trust: TrustState;
}

export interface BoxProcess extends AsyncDisposable {
  readonly pid: number;
}

/** Starts that many boxes; resolves once each of them is connected. */
export async function startBoxes(boxes: Boxes): Promise<BoxProcess> {
  const child = fork(import.meta.filename, { serialization: 'advanced' });
  const connected = once(child, 'message');
  const exited = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the boxes ended (${String(code ?? signal)})`);
  });
  exited.catch(() => undefined);
  child.send(boxes);
  await Promise.race([connected, exited]);
  return {
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      child.disconnect();
      await exited.catch(() => undefined);
    },
  };
}

const applyPorts: ApplyPorts = {
  plan: () => ['everything'],
  dryRun: async () => {},
  look: async () => ({}),
  follow: async () => {},
  followAll: async () => [],
};

const facts = {
  verdict: { state: 'working', reason: null },
  queue: { studies: 2, instances: 300, bytes: 157_000_000, oldestAgeSeconds: 12, parked: 0 },
  disk: { freeBytes: 400_000_000_000, daysLeft: 90 },
  certificates: [{ use: 'page', notAfter: '2027-01-01T00:00:00.000Z' }],
  software: { version: '0.1.0', node: process.versions.node },
};

/** Nothing is kept: this box does not outlive its process. */
const nowhere: SealedFile = { read: async () => null, write: async () => {} };

async function startBox(device: BoxName, { url, trust }: Boxes) {
  const store = await ConfigStore.open(nowhere);
  await store.importFile(JSON.stringify(configOf(1_000_000_000)));
  const state = await RemoteState.open(nowhere, () => {});
  const ports: ApplyPorts = {
    ...applyPorts,
    dryRun: async ({ spool }) => {
      if (spool.reserveBytes === badReserve && refuses(device))
        throw new ApplyRefusal('/spool/reserveBytes', cannot);
    },
  };
  const applier = new Applier({ store, state, ports, clock: systemClock, log: silentLog });
  const agent = new RemoteAgent({
    state,
    store,
    applier,
    signingKey: boxKey(device),
    certificate: await BoxCertificate.open(nowhere, () => {}),
    clock: systemClock,
    log: silentLog,
    schemaVersion: configSchemaVersion,
    ports: {
      facts: async () => facts,
      clockTrusted: async () => true,
      allowed: () => [],
      command: async () => '',
      commandNote: async () => {},
      openSecret: async () => '',
      enrolled: async () => {},
      inWindow: () => true,
    },
  });
  agent.start();
  await agent.enrol({ fleet: simulated, device, trust });
  const config = { url, user: null, passwordFile: null, keepAliveSeconds: 600 };
  const line = { caFile: null, clientCertificate: null, proxy: null };
  const channel = new MqttChannel(
    { ...config, ...line },
    {
      agent,
      fleet: simulated,
      device,
      readText: (path) => readFile(path, 'utf8'),
      ownCertificate: () => Promise.resolve(null),
      log: silentLog,
    },
  );
  channel.start();
  return { agent, channel };
}

const cannot = {
  code: 'APPLY_RESERVE',
  kind: 'permanent',
  message: 'Less space is free than is to be kept in reserve: no image would be taken any more.',
  nextStep: 'Lower "spool.reserveBytes", or give the box a larger disk.',
} as const;

const connectsAtOnce = 100;
const patienceMs = 150_000;

if (process.argv[1] === import.meta.filename) {
  const [boxes] = (await once(process, 'message')) as [Boxes];
  const names = Array.from({ length: boxes.count }, (_, at) => boxAt(at));
  const running: Awaited<ReturnType<typeof startBox>>[] = [];
  await eachOf(names, connectsAtOnce, async (device) => {
    const box = await startBox(device, boxes);
    running.push(box);
    await until(() => box.channel.state().contactAt !== null, patienceMs);
  });
  process.send?.('connected');
  await once(process, 'disconnect');
  // The broker goes with them: nobody says goodbye.
  process.exit(0);
}
