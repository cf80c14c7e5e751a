import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPrivateKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Broker } from '../../src/config/remote/channels/broker.ts';
import { Outward } from '../../src/config/remote/channels/outward.ts';
import { RecordClient } from '../../src/config/remote/channels/record-client.ts';
import { makeCertificateRequest, readCertificateRequest } from '../../src/crypto/device-authority.ts';
import { CertificateRecord } from '../../src/fleet/certificate-record.ts';
import { command } from '../cli/command.ts';
import { present } from '../e2e/peers.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { startFleetBroker, startFleetRecord } from '../fixtures/fleet-servers.ts';
import { startRecordServer } from '../fixtures/record-server.ts';
import { until } from '../fixtures/until.ts';

const ready = present('test/fleet/revocation.test.ts', 'Mosquitto', 'nginx');
const folder = temporaryDirectory();
const at = (name: string) => join(folder.path, name);
const git = at('git');
const out = at('out');
const ca = ['--ca', at('ca.key'), '--dir', git];
const boxes = ['BOX-1', 'BOX-2'] as const;

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await command(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}

beforeAll(async () => {
  await ok('fleet', 'init', git, '--name', 'acme');
  await ok('fleet', 'keys', 'new', at('it.key'), '--no-passphrase');
  await ok('fleet', 'ca', 'init', at('ca.key'), '--dir', git, '--no-passphrase');
  const believed = ['--key', at('it.key.pub'), '--device-ca', join(git, 'device-ca.pem')];
  await ok('fleet', 'trust', 'init', '--dir', git, '--fleet', 'acme', ...believed);
  await ok('fleet', 'trust', 'sign', '--dir', git, '--key', at('it.key'));
  await ok('fleet', 'certificates', 'issue', 'central-it', at('central-it.pem'), ...ca);
  writeFileSync(
    join(git, 'devices/boxes.yaml'),
    '# The two of the north.\nkind: Device\nid: BOX-1 # in the cellar\n---\nkind: Device\nid: BOX-2\n',
  );
  const authority = {
    cert: readFileSync(join(git, 'device-ca.pem'), 'utf8'),
    key: createPrivateKey(readFileSync(at('ca.key'))),
  };
  for (const name of boxes) {
    const { key, request } = await makeCertificateRequest(name);
    const read = await readCertificateRequest(request);
    if (read === null) throw new Error('not readable');
    const terms = { name, days: 30, now: new Date() };
    const { certificate } = await new CertificateRecord(git).issue(authority, read, terms);
    writeFileSync(at(`${name}.pem`), certificate.cert);
    writeFileSync(at(`${name}.pem.key`), key);
  }
  const servers = await makeAuthority();
  const { cert, key } = await servers.server();
  writeFileSync(at('servers.pem'), servers.cert);
  writeFileSync(at('server.pem'), cert);
  writeFileSync(at('server.key'), key);
});

afterAll(() => folder[Symbol.dispose]());

const signIn = (name: string) => ({ certFile: at(`${name}.pem`), keyFile: at(`${name}.pem.key`) });

function outwardAs(name: string): Outward {
  return new Outward(
    { caFile: at('servers.pem'), clientCertificate: signIn(name), proxy: null },
    { readText: async (path) => readFileSync(path, 'utf8'), ownCertificate: () => Promise.resolve(null) },
  );
}

/** What becomes of a sign-in: its code, or "in". */
async function askRecord(port: number, name: string): Promise<string> {
  const client = new RecordClient(`https://localhost:${port}`, outwardAs(name));
  try {
    await client.fetch(`v1/acme/${name}/desired.jws`, null);
    return 'in';
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await client.close();
  }
}

async function askBroker(port: number, name: string): Promise<string> {
  try {
    const options = { clientId: name, keepAliveSeconds: 30 };
    const broker = await Broker.open(`mqtts://localhost:${port}`, outwardAs(name), options);
    await broker.close();
    return 'in';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const refused = /^REMOTE_(?:SIGN_IN_REFUSED|TLS)$/;

async function publishEverywhere(mqttPort: number, webPort: number): Promise<void> {
  await ok('fleet', 'render', git, '--out', out);
  await ok('fleet', 'sign', out, '--key', at('it.key'));
  await ok('fleet', 'timestamp', out, '--dir', git, '--key', at('it.key'));
  await ok('fleet', 'publish', out, '--to', at('shown'));
  await ok('fleet', 'publish', out, '--usb', at('stick'));
  await ok('fleet', 'publish', out, '--to', `https://127.0.0.1:${webPort}`, '--ca', at('servers.pem'));
  const central = ['--cert', at('central-it.pem'), '--key', at('central-it.pem.key')];
  await ok(
    'fleet',
    'publish',
    out,
    '--to',
    `mqtts://localhost:${mqttPort}`,
    '--ca',
    at('servers.pem'),
    ...central,
  );
}

/** Topics of a box at which the broker keeps something. */
async function keptFor(port: number, name: string): Promise<string[]> {
  const options = { clientId: 'reader', keepAliveSeconds: 30 };
  const broker = await Broker.open(`mqtts://localhost:${port}`, outwardAs('central-it'), options);
  const topics: string[] = [];
  const all = Promise.withResolvers<void>();
  broker.onMessage((topic) => (topic.endsWith('/mark') ? all.resolve() : topics.push(topic)));
  await broker.subscribe([`gantry/v1/acme/${name}/+`]);
  await broker.publish(`gantry/v1/acme/${name}/mark`, Buffer.from('mark'), false);
  await all.promise;
  await broker.close();
  return topics.map((topic) => topic.split('/').at(-1) ?? '').toSorted();
}

describe.skipIf(!ready)('a box that is revoked', () => {
  test('is refused by the web server and the broker, and its documents are taken away everywhere; the others stay', async () => {
    const files = {
      fleet: 'acme',
      server: at('server'),
      boxCa: join(git, 'device-ca.pem'),
      crl: at('crl.pem'),
    };
    await ok('fleet', 'certificates', 'crl', at('crl.pem'), ...ca);
    await using record = await startFleetRecord(files);
    await using broker = await startFleetBroker(files);
    const web = await startRecordServer(at('web'), {
      cert: readFileSync(at('server.pem')),
      key: readFileSync(at('server.key')),
    });
    mkdirSync(at('stick'));
    await publishEverywhere(broker.port, web.port);
    const places = [at('shown'), at('stick/gantry-fleet'), at('web')];
    const documents = (name: string) =>
      places.map((place) =>
        ['desired.jws', 'freshness.json'].filter((file) => existsSync(join(place, 'v1/acme', name, file))),
      );
    const both = ['desired.jws', 'freshness.json'];
    expect(documents('BOX-1')).toEqual([both, both, both]);
    expect(await keptFor(broker.port, 'BOX-1')).toEqual(['desired', 'freshness', 'trust']);
    for (const name of boxes) {
      expect(await askRecord(record.port, name)).toBe('in');
      expect(await askBroker(broker.port, name)).toBe('in');
    }

    const told = await ok(
      'fleet',
      'device',
      'revoke',
      'BOX-1',
      '--reason',
      'stolen',
      '--crl',
      at('crl.pem'),
      ...ca,
    );
    expect(told).toContain('1 certificates revoked');
    process.kill(record.pid, 'SIGHUP');
    process.kill(broker.pid, 'SIGHUP');
    await until(async () => (await askRecord(record.port, 'BOX-1')) === 'REMOTE_SIGN_IN_REFUSED');
    await until(async () => refused.test(await askBroker(broker.port, 'BOX-1')));
    expect(await askRecord(record.port, 'BOX-2')).toBe('in');
    expect(await askBroker(broker.port, 'BOX-2')).toBe('in');

    // What people wrote beside it stays as it was.
    const written = readFileSync(join(git, 'devices/boxes.yaml'), 'utf8');
    expect(written).toMatch(
      /^# The two of the north\.\nkind: Device\nid: BOX-1 # in the cellar\nretired: true\n/,
    );
    expect(written).toMatch(/retiredBecause: stolen[^]*---\nkind: Device\nid: BOX-2\n$/);
    await publishEverywhere(broker.port, web.port);
    expect(existsSync(join(out, 'BOX-1.jws'))).toBe(false);
    expect(documents('BOX-1')).toEqual([[], [], []]);
    expect(documents('BOX-2')).toEqual([both, both, both]);
    expect(await keptFor(broker.port, 'BOX-1')).toEqual([]);
    expect(await keptFor(broker.port, 'BOX-2')).toEqual(['desired', 'freshness', 'trust']);
    // The list that nginx reads is published beside them.
    expect(readFileSync(join(at('shown'), 'v1/acme/crl.pem'), 'utf8')).toContain('X509 CRL');
    await web.stop();
  }, 60_000);
});
