import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeAuthority } from '../fixtures/certificates.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { dataSetPdus, RawClient, releaseRequest, storeCommand } from '../intake/raw-client.ts';
import { associateOver } from '../intake/tls-harness.ts';
import { patienceMs } from './peers.ts';

/** Nothing listens there: what is received stays. */
const destinations = { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } };
const slice = ctSlice({ rows: 64, columns: 64, seed: 1 });

let directory: TemporaryDirectory;
let gateways: GatewayProcess[] = [];

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.kill()));
  gateways = [];
  directory[Symbol.dispose]();
});

async function start(tls: object): Promise<GatewayProcess> {
  const intake = { unknownCallers: 'accept', tls: { port: 0, ...tls } };
  const gateway = await startGateway(join(directory.path, 'data'), { destinations, intake });
  gateways.push(gateway);
  return gateway;
}

/** The TLS port of the ready line. */
function tlsPort({ lines }: GatewayProcess): number | null {
  const ready = lines.find((line) => line.includes('"event":"ready"')) ?? '{}';
  return (JSON.parse(ready) as { dicomTlsPort: number | null }).dicomTlsPort;
}

/** A secure connection whose server certificate is exactly one that is trusted. */
async function secure(gateway: GatewayProcess, ca: string): Promise<TLSSocket> {
  const port = tlsPort(gateway) ?? 0;
  // Devices check the certificate, seldom the name: the box has whatever address it is called by.
  const socket = connect({ host: '127.0.0.1', port, ca, checkServerIdentity: () => undefined });
  await once(socket, 'secureConnect');
  return socket;
}

async function store(client: RawClient): Promise<number> {
  client.send(storeCommand({ SOPInstanceUID: slice.SOPInstanceUID }), dataSetPdus(slice.dataSet));
  return (await client.response()).status;
}

async function storeInClear({ dicomPort }: GatewayProcess): Promise<number> {
  const client = await RawClient.associate(dicomPort);
  const status = await store(client);
  client.send(releaseRequest);
  await client.next();
  client.close();
  return status;
}

const ownFile = () => join(directory.path, 'data', 'config', 'dicom-tls.pem');
const fileMode = (path: string) => statSync(path).mode & 0o777;

test('the box makes its own certificate once, keeps its key sealed, and says what it is', {
  timeout: patienceMs,
}, async () => {
  const first = await start({});
  const pem = readFileSync(ownFile(), 'utf8');
  const { client, answer } = await associateOver(await secure(first, pem));
  expect(answer?.type).toBe(2);
  expect(await store(client)).toBe(0);
  client.close();

  const certificate = new X509Certificate(pem);
  expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(3072);
  const { intake } = await first.status();
  expect(intake.tls).toMatchObject({
    open: true,
    port: tlsPort(first),
    profile: 'b13',
    problem: null,
    certificate: { selfSigned: true, file: ownFile(), sha256: certificate.fingerprint256, life: 'ok' },
  });
  const sealed = readFileSync(join(directory.path, 'data', 'config', 'dicom-tls'));
  expect(sealed.toString('latin1')).not.toMatch(/BEGIN/);
  expect(fileMode(join(directory.path, 'data', 'config', 'dicom-tls'))).toBe(0o600);
  const metrics = await (await fetch(`http://127.0.0.1:${first.webPort}/metrics`)).text();
  expect(metrics).toContain('gantry_tls_open 1');
  expect(metrics).toContain(
    `gantry_tls_certificate_expires_timestamp_seconds ${certificate.validToDate.getTime() / 1000}`,
  );
  expect(await first.stop()).toBe(0);

  // The copy for people is only that: the certificate stays the same without it.
  rmSync(ownFile());
  const second = await start({});
  expect(readFileSync(ownFile(), 'utf8')).toBe(pem);
  (await secure(second, pem)).destroy();
  expect(await second.stop()).toBe(0);

  // Removed on purpose, it is made anew.
  rmSync(join(directory.path, 'data', 'config', 'dicom-tls'));
  const third = await start({});
  expect((await third.status()).intake.tls?.certificate?.sha256).not.toBe(certificate.fingerprint256);
});

test('SIGHUP takes a new certificate over; an association that is open goes on', {
  timeout: patienceMs,
}, async () => {
  const authority = await makeAuthority();
  const files = { certFile: join(directory.path, 'c.pem'), keyFile: join(directory.path, 'k.pem') };
  const put = async () => {
    const { cert, key } = await authority.server();
    writeFileSync(files.certFile, cert);
    writeFileSync(files.keyFile, key);
    return new X509Certificate(cert).fingerprint256;
  };
  const before = await put();
  const gateway = await start(files);
  const { client } = await associateOver(await secure(gateway, authority.cert));
  expect(await store(client)).toBe(0);
  const after = await put();
  expect(after).not.toBe(before);
  gateway.process.kill('SIGHUP');
  await gateway.until(({ intake }) => intake.tls?.certificate?.sha256 === after);
  expect(await store(client)).toBe(0);
  const fresh = await secure(gateway, authority.cert);
  expect(fresh.getPeerCertificate().fingerprint256).toBe(after);
  fresh.destroy();

  writeFileSync(files.certFile, 'not a certificate');
  gateway.process.kill('SIGHUP');
  const { intake } = await gateway.until((status) => status.intake.tls?.problem?.code === 'TLS_FILE_INVALID');
  expect(intake.tls?.certificate?.sha256).toBe(after);
  expect(await store(client)).toBe(0);
  client.send(releaseRequest);
  expect((await client.next())?.type).toBe(6);
  client.close();
  expect(await gateway.stop()).toBe(0);
});

test('whatever is wrong with TLS, the gateway starts and receives in clear', {
  timeout: patienceMs,
}, async () => {
  const missing = await start({ certFile: '/nowhere/cert.pem', keyFile: '/nowhere/key.pem' });
  expect(tlsPort(missing)).toBeNull();
  expect(await storeInClear(missing)).toBe(0);
  const { verdict, reason, nextStep, intake } = await missing.status();
  expect(intake.open).toBe(true);
  expect(intake.tls?.problem?.code).toBe('TLS_FILE_UNREADABLE');
  expect(verdict).toBe('degraded');
  expect(reason).toMatch(/^Not receiving over TLS: .*ENOENT/);
  expect(nextStep).toContain('/nowhere/cert.pem');
  expect(await missing.stop()).toBe(0);

  const taken = await start({});
  const second = temporaryDirectory();
  try {
    const port = tlsPort(taken);
    const other = await startGateway(join(second.path, 'data'), { destinations, intake: { tls: { port } } });
    gateways.push(other);
    expect(tlsPort(other)).toBeNull();
    expect(await storeInClear(other)).toBe(0);
    expect((await other.status()).intake.tls?.problem?.code).toBe('TLS_PORT_TAKEN');
    await other.kill();
  } finally {
    second[Symbol.dispose]();
  }
  await taken.kill();

  writeFileSync(join(directory.path, 'data', 'config', 'dicom-tls'), 'damaged');
  const damaged = await start({});
  expect(await storeInClear(damaged)).toBe(0);
  const { tls } = (await damaged.status()).intake;
  expect(tls?.problem?.code).toBe('TLS_OWN_CERTIFICATE_DAMAGED');
  expect(tls?.problem?.nextStep).toContain('remove it');
});
