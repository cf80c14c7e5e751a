import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ReportedState } from '../../src/config/remote/documents.ts';
import { openBroker } from '../../src/fleet/central-line.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { startFleetBroker, startFleetRecord } from '../fixtures/fleet-servers.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { program } from '../fixtures/program.ts';
import { until } from '../fixtures/until.ts';
import { gantry, runProgram } from './peers.ts';

/** A fleet of one box that has all three ways to central IT at once, made with the commands of the README. */
export interface OneBoxFleet extends AsyncDisposable {
  readonly id: string;
  /** A path in the folder of the test. */
  at(name: string): string;
  readonly gateway: GatewayProcess;
  restart(): Promise<void>;
  /** Writes the layer of the box, renders, signs and gives it to all three ways. @returns its generation */
  push(config: object, ...render: string[]): Promise<number>;
  /** Ends what central IT runs: broker, web server and stick. */
  endCentral(): Promise<void>;
  /** The newest report of the box, once it fits. */
  reported(fits: (report: ReportedState) => boolean): Promise<ReportedState>;
  /** Everything that lies at the web server and at the broker, by its place. */
  published(): Promise<ReadonlyMap<string, Buffer>>;
  /** For commands that publish: to the broker. */
  readonly toBroker: readonly string[];
  /** The same: the folder that the web server shows. */
  readonly recordFolder: string;
}

/** Runs a command that has to succeed, with something on its standard input. */
export async function ok(args: readonly string[], input = ''): Promise<string> {
  const shell = ['-c', 'printf %s "$INPUT" | "$@"', 'sh', ...program(), ...args];
  const { code, stdout, stderr } = await runProgram('sh', shell, { INPUT: input });
  expect(code, stderr).toBe(0);
  return stdout;
}

/** @param destinations what a technician gives the box before it belongs to the fleet */
export async function oneBoxFleet(destinations: object): Promise<OneBoxFleet> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryDirectory());
  const at = (name: string) => join(folder.path, name);
  const authority = await makeAuthority();
  const certify = (name: string, { cert, key }: { cert: string; key: string }) => {
    writeFileSync(at(`${name}.pem`), cert);
    writeFileSync(at(`${name}.key`), key);
  };
  writeFileSync(at('ca.pem'), authority.cert);
  certify('server', await authority.server());
  certify('central-it', await authority.client({ hosts: ['central-it'] }));
  writeFileSync(at('crl.pem'), await authority.revocations());
  const servers = { fleet: 'acme', server: at('server'), boxCa: at('ca.pem'), crl: at('crl.pem') };
  const broker = await startFleetBroker(servers);
  const record = await startFleetRecord(servers);
  const central = stack.use(new AsyncDisposableStack());
  central.use(broker);
  central.use(record);
  await ok(['fleet', 'init', at('fleet'), '--name', 'acme']);
  await ok(['fleet', 'keys', 'new', at('it.key'), '--no-passphrase']);
  const trust = ['fleet', 'trust'];
  await ok([...trust, 'init', '--dir', at('fleet'), '--fleet', 'acme', '--key', at('it.key.pub')]);
  await ok([...trust, 'sign', '--dir', at('fleet'), '--key', at('it.key')]);
  const signIn = {
    caFile: at('ca.pem'),
    clientCertificate: { certFile: at('box.pem'), keyFile: at('box.key') },
  };
  const https = { url: `https://localhost:${record.port}`, ...signIn, poll: '* * * * * *', jitterSeconds: 0 };
  const brokerUrl = `mqtts://localhost:${broker.port}`;
  const remote = {
    https,
    mqtt: { url: brokerUrl, ...signIn },
    usb: { folder: folder.path, lookSeconds: 1 },
  };
  const begin = { destinations, remote };
  expect(await (await startGateway(at('box'), begin)).stop()).toBe(0);
  const asked = await ok(['enroll', 'request', at('request'), '--data', at('box')]);
  const [, id = '', code = ''] = /Box: (\S+)\nClaim code: (\S+)/.exec(asked) ?? [];
  const enroll = ['fleet', 'enroll', at('request'), at('answer'), '--code', code];
  await ok([...enroll, '--dir', at('fleet')]);
  await ok(['enroll', 'accept', at('answer'), '--data', at('box')]);
  certify('box', await authority.client({ hosts: [id] }));
  let gateway = await startGateway(at('box'), begin);
  stack.defer(() => gateway.kill());
  const brokerSignIn = ['--ca', at('ca.pem'), '--cert', at('central-it.pem'), '--key', at('central-it.key')];
  const publish = ['fleet', 'publish', at('out')];

  const push = async (config: object, ...render: string[]): Promise<number> => {
    const base = {
      intake: { host: '127.0.0.1', port: 0, unknownCallers: 'accept' },
      web: { host: '127.0.0.1', port: 0 },
      spool: { reserveBytes: 50_000_000, preparedBytes: 0 },
      compression: { mode: 'off' },
      remote: { ...remote, ...(config as { remote?: object }).remote },
    };
    const layer = { kind: 'Layer', name: 'base', priority: 0, config: { ...config, ...base } };
    writeFileSync(at('fleet/layers/base.yaml'), JSON.stringify(layer));
    writeFileSync(at('fleet/layers/region-north.yaml'), '');
    await ok(['fleet', 'render', at('fleet'), '--out', at('out'), ...render]);
    await ok(['fleet', 'sign', at('out'), '--key', at('it.key')]);
    await ok([...publish, '--to', record.folder]);
    await ok([...publish, '--to', brokerUrl, ...brokerSignIn]);
    await ok([...publish, '--usb', folder.path]);
    const document = readFileSync(at(`out/${id}.json`), 'utf8');
    return (JSON.parse(document) as { generation: number }).generation;
  };

  const reported = async (fits: (report: ReportedState) => boolean): Promise<ReportedState> => {
    let report: ReportedState | null = null;
    await until(async () => {
      await gantry('fleet', 'collect', at('fleet'), '--from', record.folder, '--out', at('reports'));
      report = JSON.parse(readFileSync(at(`reports/${id}.json`), 'utf8')) as ReportedState;
      return fits(report);
    }, 60_000);
    if (report === null) throw new Error('no report');
    return report;
  };

  const all = stack.move();
  return {
    id,
    at,
    get gateway() {
      return gateway;
    },
    restart: async () => {
      expect(await gateway.stop()).toBe(0);
      gateway = await startGateway(at('box'), begin);
    },
    push,
    endCentral: async () => {
      await central.disposeAsync();
      rmSync(at('gantry-fleet'), { recursive: true });
    },
    reported,
    toBroker: ['--to', brokerUrl, ...brokerSignIn],
    recordFolder: record.folder,
    published: async () => {
      const found = new Map<string, Buffer>();
      for (const entry of readdirSync(record.folder, { withFileTypes: true, recursive: true })) {
        const path = join(entry.parentPath, entry.name);
        if (entry.isFile()) found.set(path, readFileSync(path));
      }
      const line = await openBroker(brokerUrl, {
        caFile: at('ca.pem'),
        certFile: at('central-it.pem'),
        keyFile: at('central-it.key'),
      });
      line.onMessage((topic, bytes) => found.set(topic, bytes));
      await line.subscribe(['gantry/v1/acme/#']);
      await until(
        () => found.has(`gantry/v1/acme/${id}/desired`) && found.has(`gantry/v1/acme/${id}/reported`),
      );
      await line.close();
      return found;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
