import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ReportedState } from '../../src/config/remote/documents.ts';
import { enrollBox } from '../../src/fleet/enroll.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { until } from '../fixtures/until.ts';
import { command } from '../cli/command.ts';
import { patienceMs } from './peers.ts';

const folder = temporaryDirectory();
const at = (name: string) => join(folder.path, name);
const git = at('git');
const ca = ['--ca', at('ca.key'), '--dir', git];
const archive = { type: 'stow', url: 'http://127.0.0.1:9/studies' };
const dayMs = 86_400_000;
/** A stick is looked at every second; a machine may be busy. */
const waitMs = 60_000;
const gateways: GatewayProcess[] = [];

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await command(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** What a technician gives a box of this clinic, which has no network: a slot for sticks. */
const settings = (slot: string) => ({
  destinations: { cloud: archive },
  remote: { usb: { folder: at(slot), lookSeconds: 1 } },
});

async function start(name: string): Promise<GatewayProcess> {
  mkdirSync(at(`${name}-slot`), { recursive: true });
  const gateway = await startGateway(at(name), settings(`${name}-slot`));
  gateways.push(gateway);
  return gateway;
}

async function request(name: string): Promise<{ id: string; code: string }> {
  const asked = await ok('enroll', 'request', at(`${name}.request`), '--data', at(name));
  const [, id = '', code = ''] = /Box: (\S+)\nClaim code: (\S+)/.exec(asked) ?? [];
  return { id, code };
}

/** What central IT wants of every box, signed, onto the stick in a slot. */
async function push(site: string, slot: string): Promise<void> {
  const config = {
    site: { name: site },
    intake: { host: '127.0.0.1', port: 0, unknownCallers: 'accept' },
    web: { host: '127.0.0.1', port: 0 },
    spool: { reserveBytes: 50_000_000, preparedBytes: 0 },
    compression: { mode: 'off' },
    destinations: { cloud: archive },
  };
  const layer = { kind: 'Layer', name: 'base', priority: 0, config };
  writeFileSync(join(git, 'layers/base.yaml'), JSON.stringify(layer));
  await ok('fleet', 'render', git, '--out', at('out'));
  await ok('fleet', 'sign', at('out'), '--key', at('it.key'));
  await ok('fleet', 'timestamp', at('out'), '--dir', git, '--key', at('it.key'));
  await ok('fleet', 'publish', at('out'), '--usb', at(slot));
}

/** The newest report of a box on the stick in a slot, believed as central IT believes it; null before there is one. */
async function reported(slot: string, id: string): Promise<ReportedState | null> {
  await command('fleet', 'collect', git, '--from', at(slot), '--out', at('reports'));
  const path = at(`reports/${id}.json`);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ReportedState) : null;
}

function applied(gateway: GatewayProcess, generation: number) {
  return gateway.until(({ config }) => config.central?.generation === generation, waitMs);
}

/** When the certificate for central IT ends, in days from now. */
function certificateDays(report: ReportedState | null): number {
  const end = report?.certificates.find(({ use }) => use === 'central IT')?.notAfter ?? '';
  return (Date.parse(end) - Date.now()) / dayMs;
}

beforeAll(async () => {
  await ok('fleet', 'init', git, '--name', 'acme');
  rmSync(join(git, 'layers/region-north.yaml'));
  await ok('fleet', 'keys', 'new', at('it.key'), '--no-passphrase');
  await ok('fleet', 'ca', 'init', at('ca.key'), '--dir', git, '--no-passphrase');
  const believed = ['--key', at('it.key.pub'), '--device-ca', join(git, 'device-ca.pem')];
  await ok('fleet', 'trust', 'init', '--dir', git, '--fleet', 'acme', ...believed);
  await ok('fleet', 'trust', 'sign', '--dir', git, '--key', at('it.key'));
}, patienceMs);

afterAll(async () => {
  for (const gateway of gateways) await gateway.kill();
  folder[Symbol.dispose]();
});

/** Everything is carried by stick: no box here ever has a network. */
test(
  'a certificate that ended is renewed while the box runs; a box that died is replaced, and refused when it comes back',
  async () => {
    let old = await start('old');
    const asked = await request('old');
    const authority = {
      cert: readFileSync(join(git, 'device-ca.pem'), 'utf8'),
      key: createPrivateKey(readFileSync(at('ca.key'))),
    };
    // Enrolled 400 days ago, without a network since.
    const then = { days: 365, now: new Date(Date.now() - 400 * dayMs) };
    const file = { request: readFileSync(at('old.request')), code: asked.code };
    writeFileSync(at('old.answer'), (await enrollBox(git, file, authority, then)).answer);
    await ok('enroll', 'accept', at('old.answer'), '--data', at('old'));
    const device = join(git, `devices/${asked.id}.json`);
    const labels = { labels: { region: 'north' }, overrides: { remote: settings('old-slot').remote } };
    writeFileSync(device, JSON.stringify({ ...JSON.parse(readFileSync(device, 'utf8')), ...labels }));
    await push('Clinic 1', 'old-slot');
    await applied(old, 1);

    let report: ReportedState | null = null;
    await until(
      async () => (report = await reported('old-slot', asked.id))?.certificateRequest !== undefined,
      waitMs,
    );
    expect(certificateDays(report)).toBeLessThan(0);
    const ending = await ok('fleet', 'status', at('reports'), '--cert-days', '0', '--json');
    expect(ending).toContain(asked.id);
    const renew = ['fleet', 'certificates', 'renew', at('reports'), '--out', at('out'), ...ca];
    expect(await ok(...renew)).toContain('1 certificates issued, 0 issued before');
    expect(await ok(...renew)).toContain('0 certificates issued, 1 issued before');
    await ok('fleet', 'publish', at('out'), '--usb', at('old-slot'));
    await until(async () => certificateDays((report = await reported('old-slot', asked.id))) > 360, waitMs);
    expect(report).not.toHaveProperty('certificateRequest');
    expect(report).toMatchObject({ refused: [], config: { appliedGeneration: 1 } });
    expect((await old.status()).verdict).not.toBe('down');

    await old.kill();
    const fresh = await start('fresh');
    const { id, code } = await request('fresh');
    const files = ['--request', at('fresh.request'), '--answer', at('fresh.answer'), '--crl', at('crl.pem')];
    const told = await ok('fleet', 'device', 'replace', asked.id, ...files, '--code', code, ...ca);
    expect(told).toContain(`${id} takes the place of ${asked.id}: generation 2`);
    const place = JSON.parse(readFileSync(join(git, `devices/${id}.json`), 'utf8')) as object;
    expect(place).toMatchObject({ replaces: asked.id, labels: { region: 'north' } });
    const overrides = { remote: settings('fresh-slot').remote };
    writeFileSync(join(git, `devices/${id}.json`), JSON.stringify({ ...place, overrides }));
    await ok('enroll', 'accept', at('fresh.answer'), '--data', at('fresh'));
    await push('Clinic 2', 'fresh-slot');
    await fresh.until(
      ({ site, config }) => site.name === 'Clinic 2' && (config.central?.generation ?? 0) > 1,
      waitMs,
    );
    await until(async () => certificateDays(await reported('fresh-slot', id)) > 360, waitMs);

    // It is found in the cellar and switched on, with all that central IT has on the stick.
    await push('Clinic 3', 'old-slot');
    rmSync(at(`old-slot/gantry-fleet/v1/acme/${asked.id}`), { recursive: true, force: true });
    old = await start('old');
    await until(() => existsSync(at(`old-slot/gantry-fleet/v1/acme/${asked.id}/reported.jws`)), waitMs);
    rmSync(at(`reports/${asked.id}.json`));
    expect(await reported('old-slot', asked.id)).toBeNull();
    expect((await old.status()).site.name).toBe('Clinic 1');
    const certificates = JSON.parse(readFileSync(join(git, `certificates/${asked.id}.json`), 'utf8')) as {
      certificates: { revoked: object | null; cert: string }[];
    };
    expect(certificates.certificates).toHaveLength(2);
    expect(certificates.certificates.every(({ revoked }) => revoked !== null)).toBe(true);
    const [current] = certificates.certificates;
    expect(new X509Certificate(current?.cert ?? '').subject).toBe(`CN=${asked.id}`);
  },
  patienceMs,
);
