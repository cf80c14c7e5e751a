import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Broker } from '../../src/config/remote/channels/broker.ts';
import { HttpsChannel } from '../../src/config/remote/channels/https-channel.ts';
import { MqttChannel } from '../../src/config/remote/channels/mqtt-channel.ts';
import { Outward } from '../../src/config/remote/channels/outward.ts';
import type { Channel } from '../../src/config/remote/channels/port.ts';
import { RecordClient } from '../../src/config/remote/channels/record-client.ts';
import { UsbChannel } from '../../src/config/remote/channels/usb-channel.ts';
import { remote } from '../../src/config/document-remote.ts';
import {
  boxName,
  type ChannelKind,
  desiredConfig,
  reportedState,
} from '../../src/config/remote/documents.ts';
import { okpJwk, signPayload } from '../../src/crypto/jws.ts';
import { checkBroker } from '../../src/fleet/broker-check.ts';
import { collect, type Source } from '../../src/fleet/collect.ts';
import { type Destination, publish } from '../../src/fleet/publish.ts';
import { gantry, present } from '../e2e/peers.ts';
import { type MadeAuthority, makeAuthority } from '../fixtures/certificates.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { startFleetBroker, startFleetRecord } from '../fixtures/fleet-servers.ts';
import { startMosquitto } from '../fixtures/mosquitto.ts';
import { channelParts, RecordingAgent, testFleet } from '../fixtures/recording-agent.ts';
import { until } from '../fixtures/until.ts';

const ready = present('test/fleet/published.test.ts', 'Mosquitto', 'nginx');

const folder = temporaryDirectory();
const at = (name: string) => join(folder.path, name);
const boxes = ['BOX-1', 'BOX-2', 'BOX-3'].map((name) => boxName.parse(name));
const keys = new Map(boxes.map((box) => [box, generateKeyPairSync('ed25519')]));
const publicKeys = new Map([...keys].map(([box, { publicKey }]) => [box, okpJwk(publicKey)]));
let authority: MadeAuthority;

beforeAll(async () => {
  authority = await makeAuthority();
  writeFileSync(at('ca.pem'), authority.cert);
  writeFileSync(at('crl.pem'), await authority.revocations());
  const made = {
    server: await authority.server(),
    'central-it': await authority.client({ hosts: ['central-it'] }),
  };
  const clients = await Promise.all(
    boxes.map(async (box) => [box, await authority.client({ hosts: [box] })] as const),
  );
  for (const [name, { cert, key }] of [...Object.entries(made), ...clients]) {
    writeFileSync(at(`${name}.pem`), cert);
    writeFileSync(at(`${name}.key`), key);
  }
});

afterAll(() => folder[Symbol.dispose]());

const signInAs = (name: string) => ({
  caFile: at('ca.pem'),
  certFile: at(`${name}.pem`),
  keyFile: at(`${name}.key`),
});

function outwardAs(name: string): Outward {
  const { certFile, keyFile } = signInAs(name);
  return new Outward(
    { caFile: at('ca.pem'), clientCertificate: { certFile, keyFile }, proxy: null },
    channelParts(new RecordingAgent()),
  );
}

/** A folder as "gantry fleet sign" leaves it. */
async function sign(out: string, generation: number, key: KeyObject): Promise<void> {
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'trust.jws'), `[${generation}]`);
  for (const device of boxes) {
    const desired = desiredConfig.parse({
      apiVersion: 'gantry/v1',
      kind: 'DesiredConfig',
      fleet: testFleet,
      device,
      generation,
      issuedAt: '2026-01-01T00:00:00Z',
      schemaVersion: 1,
      source: { commit: '', layers: [] },
      apply: {},
      config: {},
    });
    const signed = await signPayload('gantry-desired', Buffer.from(JSON.stringify(desired)), key);
    writeFileSync(join(out, `${device}.json`), JSON.stringify(desired));
    writeFileSync(join(out, `${device}.jws`), JSON.stringify(signed));
    writeFileSync(join(out, `${device}.freshness.json`), `fresh ${generation}`);
    writeFileSync(join(out, `${device}.certificate.pem`), `certificate ${generation} of ${device}`);
  }
}

async function report(device: string, seq: number, key: KeyObject): Promise<string> {
  const state = reportedState.parse({
    apiVersion: 'gantry/v1',
    kind: 'ReportedState',
    fleet: testFleet,
    device,
    seq,
    at: '2026-01-01T00:00:00Z',
    config: {
      observedGeneration: seq,
      appliedGeneration: seq,
      effectiveSha256: null,
      schemaVersion: 1,
      localOverrides: {},
      phase: 'Applied',
      error: null,
      trustVersion: 1,
      timestampVersion: 1,
      freshness: 'fresh',
    },
    refused: [],
    verdict: { state: 'working', reason: null },
    queue: { studies: 0, instances: 0, bytes: 0, oldestAgeSeconds: null, parked: 0 },
    disk: { freeBytes: null, daysLeft: null },
    certificates: [],
    software: { version: '0', node: '24' },
    commands: [],
  });
  return JSON.stringify(await signPayload('gantry-reported', Buffer.from(JSON.stringify(state)), key));
}

const servers = { fleet: testFleet, server: at('server'), boxCa: at('ca.pem'), crl: at('crl.pem') };
const fleetBroker = () => startFleetBroker(servers);
const fleetRecord = () => startFleetRecord(servers);

interface Way {
  readonly kind: ChannelKind;
  readonly to: Destination;
  readonly from: Source;
  readonly open: (agent: RecordingAgent, box: (typeof boxes)[number]) => Channel;
}

function waysOf(httpsPort: number, mqttPort: number, record: string): Way[] {
  const central = signInAs('central-it');
  const clientFor = (box: string) => ({ certFile: signInAs(box).certFile, keyFile: signInAs(box).keyFile });
  const mqttUrl = `mqtts://localhost:${mqttPort}`;
  const stick = at('stick');
  mkdirSync(stick);
  return [
    {
      kind: 'https',
      to: { kind: 'folder', folder: record },
      from: { folder: record },
      open: (agent, device) => {
        const { https } = remote.parse({
          https: {
            url: `https://localhost:${httpsPort}`,
            caFile: at('ca.pem'),
            clientCertificate: clientFor(device),
            poll: '* * * * * *',
            jitterSeconds: 0,
          },
        });
        if (https === null) throw new Error('no channel');
        return new HttpsChannel(https, channelParts(agent, { device }));
      },
    },
    {
      kind: 'mqtt',
      to: { kind: 'mqtt', url: mqttUrl, signIn: central },
      from: { kind: 'mqtt', url: mqttUrl, signIn: central },
      open: (agent, device) => {
        const { mqtt } = remote.parse({
          mqtt: { url: mqttUrl, caFile: at('ca.pem'), clientCertificate: clientFor(device) },
        });
        if (mqtt === null) throw new Error('no channel');
        return new MqttChannel(mqtt, channelParts(agent, { device }));
      },
    },
    {
      kind: 'usb',
      to: { kind: 'stick', folder: stick },
      from: { folder: stick },
      open: (agent, device) =>
        new UsbChannel({ folder: stick, lookSeconds: 1 }, channelParts(agent, { device })),
    },
  ];
}

describe.skipIf(!ready)('the record of a fleet, by a real web server, a real broker and a stick', () => {
  test('each box gets its own documents, the same bytes each way, and its report comes back', async () => {
    await using record = await fleetRecord();
    await using broker = await fleetBroker();
    const out = at('out');
    const central = generateKeyPairSync('ed25519').privateKey;
    for (const { kind, to, from, open } of waysOf(record.port, broker.port, record.folder)) {
      await sign(out, 1, central);
      await publish(out, to);
      const agents = new Map(boxes.map((box) => [box, new RecordingAgent()]));
      const channels = [...agents].map(([box, agent]) => open(agent, box));
      for (const [box, agent] of agents)
        agent.says(await report(box, 1, keys.get(box)?.privateKey ?? central));
      for (const channel of channels) channel.start();
      try {
        for (const [box, agent] of agents) {
          await agent.until(() => agent.offers.length >= 4 && agent.back.includes(kind));
          expect(agent.texts('desired')).toEqual([readFileSync(join(out, `${box}.jws`), 'utf8')]);
          expect(agent.texts('trust')).toEqual(['[1]']);
          expect(agent.texts('freshness')).toEqual(['fresh 1']);
          expect(agent.texts('certificate')).toEqual([`certificate 1 of ${box}`]);
        }
        await sign(out, 2, central);
        const second = await publish(out, to);
        expect(second).toMatchObject({ boxes: 3, unchanged: 0 });
        expect(await publish(out, to)).toMatchObject({ written: 0, unchanged: kind === 'mqtt' ? 12 : 10 });
        for (const [box, agent] of agents)
          await agent.until(() =>
            agent.texts('desired').includes(readFileSync(join(out, `${box}.jws`), 'utf8')),
          );
        await sign(out, 3, central);
        // Trust, certificate, document and its proof; at a broker the other boxes have a trust document each.
        expect(await publish(out, to, { device: 'BOX-2' })).toMatchObject({ boxes: 1, written: 4 });
        expect(await publish(out, to)).toMatchObject({ boxes: 3, written: kind === 'mqtt' ? 8 : 6 });
        const reports = at(`reports-${kind}`);
        const options = { fleet: testFleet, keys: publicKeys, from, reports };
        await until(async () => (await collect(options)).withoutReport === 0);
        expect(await collect(options)).toEqual({ newer: 0, known: 3, refused: [], withoutReport: 0 });
        expect(JSON.parse(readFileSync(join(reports, 'BOX-2.json'), 'utf8'))).toMatchObject({
          device: 'BOX-2',
          seq: 1,
        });
      } finally {
        await Promise.all(channels.map((channel) => channel.stop()));
      }
    }
  });

  test('the web server lets a box read and write its own alone, and nobody without a certificate', async () => {
    await using record = await fleetRecord();
    const out = at('out-nginx');
    await sign(out, 1, generateKeyPairSync('ed25519').privateKey);
    await publish(out, { kind: 'folder', folder: record.folder });
    const url = `https://localhost:${record.port}`;
    const own = new RecordClient(url, outwardAs('BOX-1'));
    const stranger = new RecordClient(
      url,
      new Outward(
        { caFile: at('ca.pem'), clientCertificate: null, proxy: null },
        channelParts(new RecordingAgent()),
      ),
    );
    const root = `v1/${testFleet}`;
    expect((await own.fetch(`${root}/BOX-1/desired.jws`, null)).kind).toBe('new');
    expect((await own.fetch(`${root}/trust.jws`, null)).kind).toBe('new');
    await own.put(`${root}/BOX-1/reported.jws`, Buffer.from('mine'));
    expect(readFileSync(join(record.folder, root, 'BOX-1/reported.jws'), 'utf8')).toBe('mine');
    for (const attempt of [
      () => own.fetch(`${root}/BOX-2/desired.jws`, null),
      () => own.put(`${root}/BOX-2/reported.jws`, Buffer.from('not mine')),
      () => own.put(`${root}/BOX-1/desired.jws`, Buffer.from('not mine')),
      () => own.put(`${root}/trust.jws`, Buffer.from('not mine')),
    ])
      await expect(attempt()).rejects.toMatchObject({ code: 'REMOTE_SIGN_IN_REFUSED' });
    await expect(own.put(`${root}/BOX-1/reported.jws`, Buffer.alloc(70_000))).rejects.toThrow();
    await expect(stranger.fetch(`${root}/trust.jws`, null)).rejects.toMatchObject({
      code: 'REMOTE_SIGN_IN_REFUSED',
    });
    await own.close();
    await stranger.close();
  });

  test('the broker gives a box what is for it, and takes what is from it', async () => {
    await using broker = await fleetBroker();
    const url = `mqtts://localhost:${broker.port}`;
    const out = at('out-acl');
    await sign(out, 1, generateKeyPairSync('ed25519').privateKey);
    await publish(out, { kind: 'mqtt', url, signIn: signInAs('central-it') });
    const open = () => Broker.open(url, outwardAs('BOX-1'), { clientId: 'box', keepAliveSeconds: 60 });
    const box = await open();
    const heard = new Set<string>();
    box.onMessage((topic) => heard.add(topic));
    await box.subscribe(['gantry/v1/#']);
    const root = `gantry/v1/${testFleet}`;
    await until(() => heard.size === 4);
    await box.publish(`${root}/BOX-1/reported`, Buffer.from('mine'), true);
    expect([...heard].every((topic) => topic.startsWith(`${root}/BOX-1/`))).toBe(true);
    for (const topic of [`${root}/BOX-2/reported`, `${root}/BOX-1/desired`, `${root}/BOX-1/trust`]) {
      // Whoever tries is also put out.
      const forger = await open();
      await expect(forger.publish(topic, Buffer.from('forged'), true)).rejects.toMatchObject({
        code: 'REMOTE_SIGN_IN_REFUSED',
      });
      await forger.close();
    }
    await box.close();
  });

  test('a broker as it comes loses most of a fleet in silence, and the check says so; the one of deploy/ does not', async () => {
    const fleet = { boxes: 1500, bytes: 300 };
    await using asItComes = await startMosquitto();
    const lost = await checkBroker({ url: `mqtt://127.0.0.1:${asItComes.port}`, signIn: {}, ...fleet });
    expect(lost.written).toBe(1500);
    expect(lost.intact).toBeLessThan(1500);
    await using tuned = await fleetBroker();
    const url = `mqtts://localhost:${tuned.port}`;
    const whole = await checkBroker({ url, signIn: signInAs('central-it'), ...fleet });
    expect(whole.intact).toBe(1500);
    // It tidies up after itself.
    const reader = await Broker.open(url, outwardAs('central-it'), {
      clientId: 'reader',
      keepAliveSeconds: 60,
    });
    let kept = 0;
    reader.onMessage((topic) => (kept += topic.endsWith('/mark') ? 0 : 1));
    await reader.subscribe(['gantry/v1/#']);
    await reader.publish('gantry/v1/x/y/mark', Buffer.from('mark'), false);
    expect(kept).toBe(0);
    await reader.close();
  });
});

describe('reports are believed only from the box itself', () => {
  test('forged, of another box, older, or not a report', async () => {
    const place = at('reports-in');
    const reports = at('reports-out');
    const write = (box: string, text: string) => {
      mkdirSync(join(place, 'v1', testFleet, box), { recursive: true });
      writeFileSync(join(place, 'v1', testFleet, box, 'reported.jws'), text);
    };
    const keyOf = (box: (typeof boxes)[number]) => keys.get(box)?.privateKey as KeyObject;
    const [one, two, three] = boxes as [(typeof boxes)[0], (typeof boxes)[0], (typeof boxes)[0]];
    const options = { fleet: testFleet, keys: publicKeys, from: { folder: place }, reports };
    write(one, await report(one, 7, keyOf(one)));
    write(two, await report(two, 1, keyOf(three)));
    write(three, await report(one, 1, keyOf(three)));
    const first = await collect(options);
    expect(first.newer).toBe(1);
    expect(first.refused.map(({ device }) => device)).toEqual([two, three]);
    write(one, await report(one, 6, keyOf(one)));
    write(two, 'no report');
    const second = await collect(options);
    expect(second.newer).toBe(0);
    expect(second.refused.map(({ why }) => why)).toEqual([
      'is older than one seen before',
      'is no report',
      'is that of another box',
    ]);
    expect(JSON.parse(readFileSync(join(reports, `${one}.json`), 'utf8'))).toMatchObject({ seq: 7 });
  });
});

describe('the commands', () => {
  test('publish to a folder and to a stick, and say what is not an address', async () => {
    const out = at('out-commands');
    await sign(out, 1, generateKeyPairSync('ed25519').privateKey);
    const first = await gantry('fleet', 'publish', out, '--to', at('shown'), '--json');
    expect(JSON.parse(first.stdout)).toEqual({
      boxes: 3,
      written: 10,
      unchanged: 0,
      removed: 0,
      left: 0,
    });
    const stick = await gantry('fleet', 'sync', out, '--usb', at('mounted'));
    expect(stick.stdout).toBe('3 boxes: 10 documents written, 0 were there already.\n');
    const name = `v1/${testFleet}/BOX-1/desired.jws`;
    expect(readFileSync(join(at('mounted'), 'gantry-fleet', name))).toEqual(
      readFileSync(join(at('shown'), name)),
    );
    const clear = await gantry('fleet', 'publish', out, '--to', 'mqtt://broker.example');
    expect(clear).toMatchObject({ code: 2 });
    expect(clear.stderr).toContain('USAGE_ADDRESS');
    expect((await gantry('fleet', 'publish', at('nowhere'), '--to', at('shown'))).stderr).toContain(
      'FLEET_NOTHING_SIGNED',
    );
  });

  test('collect takes the keys of the boxes from the git folder', async () => {
    const directory = at('git');
    await gantry('fleet', 'init', directory, '--name', testFleet);
    for (const box of boxes)
      writeFileSync(
        join(directory, 'devices', `${box}.json`),
        JSON.stringify({
          kind: 'Device',
          id: box,
          keys: { sign: publicKeys.get(box), seal: okpJwk(generateKeyPairSync('x25519').publicKey) },
        }),
      );
    const place = at('collected-from');
    mkdirSync(join(place, 'v1', testFleet, 'BOX-1'), { recursive: true });
    writeFileSync(
      join(place, 'v1', testFleet, 'BOX-1', 'reported.jws'),
      await report('BOX-1', 1, keys.get(boxes[0] ?? boxName.parse('BOX-1'))?.privateKey as KeyObject),
    );
    const done = await gantry(
      'fleet',
      'collect',
      directory,
      '--from',
      place,
      '--out',
      at('collected'),
      '--json',
    );
    expect(JSON.parse(done.stdout)).toMatchObject({ newer: 1, known: 0, refused: [] });
    expect(JSON.parse(readFileSync(join(at('collected'), 'BOX-1.json'), 'utf8'))).toMatchObject({ seq: 1 });
  });
});
