import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeAuthority } from '../fixtures/certificates.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { startFleetBroker, startFleetRecord } from '../fixtures/fleet-servers.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import type { Mosquitto } from '../fixtures/mosquitto.ts';
import type { Nginx } from '../fixtures/nginx.ts';
import { until } from '../fixtures/until.ts';
import { gantry, patienceMs, present } from './peers.ts';

const ready = present('test/e2e/fleet.test.ts', 'Mosquitto', 'nginx');
const ways = ['https', 'mqtt', 'usb'] as const;
type Way = (typeof ways)[number];

const folder = temporaryDirectory();
const at = (name: string) => join(folder.path, name);
const ca = ['--ca', at('ca.key'), '--dir', at('fleet')];
const archive = { type: 'stow', url: 'http://127.0.0.1:9/studies' };

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await gantry(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** From a git folder to running gateways and back, by the commands of the README. */
describe.skipIf(!ready)('three boxes that central IT configures, each by another way', () => {
  const boxes = new Map<Way, { id: string; gateway: GatewayProcess }>();
  let broker: Mosquitto;
  let record: Nginx;

  beforeAll(async () => {
    const authority = await makeAuthority();
    writeFileSync(at('ca.pem'), authority.cert);
    certify('server', await authority.server());
    await ok('fleet', 'init', at('fleet'), '--name', 'acme');
    await ok('fleet', 'keys', 'new', at('it.key'), '--no-passphrase');
    await ok('fleet', 'ca', 'init', at('ca.key'), '--dir', at('fleet'), '--no-passphrase');
    const believed = ['--key', at('it.key.pub'), '--device-ca', at('fleet/device-ca.pem')];
    await ok('fleet', 'trust', 'init', '--dir', at('fleet'), '--fleet', 'acme', ...believed);
    await ok('fleet', 'trust', 'sign', '--dir', at('fleet'), '--key', at('it.key'));
    await ok('fleet', 'certificates', 'issue', 'central-it', at('central-it.pem'), ...ca);
    const boxCa = { boxCa: at('fleet/device-ca.pem'), crl: at('fleet/device-crl.pem') };
    broker = await startFleetBroker({ fleet: 'acme', server: at('server'), ...boxCa });
    record = await startFleetRecord({ fleet: 'acme', server: at('server'), ...boxCa });
    for (const way of ways) boxes.set(way, await enroll(way));
  }, patienceMs);

  afterAll(async () => {
    for (const { gateway } of boxes.values()) await gateway.kill();
    await broker?.[Symbol.asyncDispose]();
    await record?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  function certify(name: string, { cert, key }: { cert: string; key: string }): void {
    writeFileSync(at(`${name}.pem`), cert);
    writeFileSync(at(`${name}.key`), key);
  }

  /** Lets the running box ask, central IT take it in, and the box accept. */
  async function enroll(way: Way): Promise<{ id: string; gateway: GatewayProcess }> {
    const gateway = await startGateway(at(way), start(way));
    const [request, answer] = [at(`${way}.request`), at(`${way}.answer`)];
    const asked = await ok('enroll', 'request', request, '--data', at(way));
    const [, id = '', code = ''] = /Box: (\S+)\nClaim code: (\S+)/.exec(asked) ?? [];
    await ok('fleet', 'enroll', request, answer, '--code', code, ...ca);
    await ok('enroll', 'accept', answer, '--data', at(way));
    return { id, gateway };
  }

  /** What a technician gives a new box: an archive, and the way to central IT. */
  function start(way: Way): object {
    return { destinations: { cloud: archive }, remote: remoteOf(way) };
  }

  function remoteOf(way: Way): object {
    // No "clientCertificate": each signs in with the one it got at its enrolment.
    const signIn = { caFile: at('ca.pem') };
    return {
      https: {
        https: { url: `https://localhost:${record.port}`, ...signIn, poll: '* * * * * *', jitterSeconds: 0 },
      },
      mqtt: { mqtt: { url: `mqtts://localhost:${broker.port}`, ...signIn } },
      usb: { usb: { folder: folder.path, lookSeconds: 1 } },
    }[way];
  }

  /** Writes what boxes are to have, and gives it to all three ways. */
  async function push(site: string): Promise<void> {
    const config = {
      site: { name: site },
      intake: { host: '127.0.0.1', port: 0, unknownCallers: 'accept' },
      web: { host: '127.0.0.1', port: 0 },
      spool: { reserveBytes: 50_000_000, preparedBytes: 0 },
      compression: { mode: 'off' },
      destinations: { cloud: archive },
    };
    writeFileSync(
      at('fleet/layers/base.yaml'),
      JSON.stringify({ kind: 'Layer', name: 'base', priority: 0, config }),
    );
    writeFileSync(
      at('fleet/layers/region-north.yaml'),
      JSON.stringify({ kind: 'Layer', name: 'north', priority: 1, config: {} }),
    );
    for (const [way, { id }] of boxes) {
      const path = at(`fleet/devices/${id}.json`);
      const device = JSON.parse(readFileSync(path, 'utf8')) as object;
      writeFileSync(path, JSON.stringify({ ...device, overrides: { remote: remoteOf(way) } }));
    }
    const out = at('out');
    await ok('fleet', 'lint', at('fleet'));
    await ok('fleet', 'render', at('fleet'), '--out', out);
    await ok('fleet', 'sign', out, '--key', at('it.key'));
    await ok('fleet', 'timestamp', out, '--dir', at('fleet'), '--key', at('it.key'));
    await ok('fleet', 'publish', out, '--to', record.folder);
    await ok('fleet', 'publish', out, '--to', `mqtts://localhost:${broker.port}`, ...centralIt);
    await ok('fleet', 'publish', out, '--usb', folder.path);
  }

  const centralIt = ['--ca', at('ca.pem'), '--cert', at('central-it.pem'), '--key', at('central-it.pem.key')];

  test.each([1, 2])(
    'what is in git is in use on each of them, and central IT reads it in their reports (%i)',
    async (generation: number) => {
      await push(`North ${generation}`);
      for (const { gateway } of boxes.values()) {
        const status = await gateway.until(({ config }) => config.central?.generation === generation);
        expect(status.config).toMatchObject({ origin: 'central', rejected: null });
        expect(status.site.name).toBe(`North ${generation}`);
      }
      const sources: Record<Way, string[]> = {
        https: [record.folder],
        mqtt: [`mqtts://localhost:${broker.port}`, ...centralIt],
        usb: [folder.path],
      };
      for (const [way, { id }] of boxes) {
        const reports = at(`reports-${way}`);
        await until(async () => {
          await gantry('fleet', 'collect', at('fleet'), '--from', ...sources[way], '--out', reports);
          const table = await gantry('fleet', 'status', reports, '--json');
          return new RegExp(`"${id}"`).test(table.stdout) && appliedIn(reports, id) === generation;
        });
      }
    },
    patienceMs,
  );

  function appliedIn(reports: string, id: string): number {
    const text = readFileSync(join(reports, `${id}.json`), 'utf8');
    return (JSON.parse(text) as { config: { appliedGeneration: number } }).config.appliedGeneration;
  }
});
