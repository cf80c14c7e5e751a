import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { eventually } from './intake-harness.ts';
import { dataSetPdus, echoCommand, RawClient, releaseRequest, storeCommand } from './raw-client.ts';
import {
  associateOver,
  fingerprint,
  reloaded,
  startTls,
  type TlsHarness,
  type TlsHarnessOptions,
} from './tls-harness.ts';

const slice = ctSlice({ rows: 256, columns: 256, seed: 1 });

/** The fingerprint a client sees, as ours are written. */
async function seen(harness: TlsHarness): Promise<string> {
  const socket = await harness.secure();
  const { fingerprint256 } = socket.getPeerCertificate();
  const { client } = await associateOver(socket);
  client.send(releaseRequest);
  await client.next();
  client.close();
  return fingerprint256.replaceAll(':', '').toLowerCase();
}

async function echo({ port }: TlsHarness): Promise<number> {
  const client = await RawClient.associate(port);
  client.send(echoCommand());
  const { status } = await client.response();
  client.close();
  return status;
}

/** One association that stores until told to stop; resolves with how many were answered 0000. */
async function storing(harness: TlsHarness, going: () => boolean): Promise<number> {
  const { client, answer } = await associateOver(await harness.secure());
  if (answer?.type !== 2) throw new Error('no association');
  let stored = 0;
  while (going()) {
    client.send(storeCommand({ SOPInstanceUID: slice.SOPInstanceUID }), dataSetPdus(slice.dataSet));
    if ((await client.response()).status !== 0) throw new Error('not stored');
    stored += 1;
  }
  client.send(releaseRequest);
  if ((await client.next())?.type !== 6) throw new Error('no release');
  client.close();
  return stored;
}

describe('a new certificate', () => {
  test('counts from the next connection on, and drops nobody', async () => {
    const harness = await startTls();
    let going = true;
    const senders = [1, 2, 3].map(() => storing(harness, () => going));
    await eventually(() => harness.listener.stats().received >= 3);
    for (let turn = 0; turn < 5; turn += 1) {
      const next = await harness.authority.server();
      harness.folder.put(next);
      const before = harness.listener.stats().received;
      await reloaded(harness.tls, next);
      expect(await seen(harness)).toBe(fingerprint(next));
      await eventually(() => harness.listener.stats().received > before + 3);
      expect(harness.listener.stats().associations).toBeGreaterThanOrEqual(3);
    }
    going = false;
    const stored = (await Promise.all(senders)).reduce((sum, each) => sum + each, 0);
    expect(stored).toBe(harness.listener.stats().received);
    expect(harness.counts()).toEqual({});
  });

  test('finds a handshake that was begun under the old one, and finishes it', async () => {
    const harness = await startTls();
    const first = harness.tls.state().certificate?.sha256;
    const slow = await harness.slow();
    const next = await harness.authority.server();
    harness.folder.put(next);
    await reloaded(harness.tls, next);
    const socket = await slow.finish();
    expect(socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase()).toBe(first);
    expect((await associateOver(socket)).answer?.type).toBe(2);
  });

  test('of authorities decides on the next connection', async () => {
    const [one, other] = [await makeAuthority('One'), await makeAuthority('Other')];
    const harness = await startTls({
      clientCa: one.cert,
      intake: { clientCertificateRequired: true },
      tls: { asksForCertificates: true },
    });
    const answer = async () => (await associateOver(await harness.secure(await other.client()))).answer?.type;
    expect(await answer()).toBe(3);
    writeFileSync(harness.folder.clientCaFile, `${one.cert}\n${other.cert}\n`);
    const lines = harness.logLines.length;
    harness.tls.refresh();
    await eventually(() => harness.logLines.slice(lines).some((line) => line.includes('in use')));
    expect(await answer()).toBe(2);
  });
});

describe('a file that cannot be used', () => {
  const faults: readonly (readonly [
    name: string,
    spoil: NonNullable<TlsHarnessOptions['spoil']>,
    code: string,
  ])[] = [
    ['is missing', ({ folder }) => rmSync(folder.certFile), 'TLS_FILE_UNREADABLE'],
    ['is empty', ({ folder }) => writeFileSync(folder.certFile, ''), 'TLS_FILE_INVALID'],
    ['is not PEM', ({ folder }) => writeFileSync(folder.keyFile, 'secret'), 'TLS_FILE_INVALID'],
    [
      'belongs to another key',
      async ({ folder, authority }) => writeFileSync(folder.certFile, (await authority.server()).cert),
      'TLS_KEY_MISMATCH',
    ],
    [
      'has a short key',
      async ({ folder, authority }) => folder.put(await authority.server({ rsaBits: 1024 })),
      'TLS_KEY_TOO_SHORT',
    ],
  ];

  test.each(faults)('because it %s leaves the certificate in use', async (_, spoil, code) => {
    const harness = await startTls();
    const before = await seen(harness);
    await spoil(harness);
    harness.tls.refresh();
    await eventually(() => harness.tls.state().problem !== null);
    const { problem, open } = harness.tls.state();
    expect(open).toBe(true);
    expect(problem?.code).toBe(code);
    expect(problem?.nextStep).not.toBe('');
    expect(await seen(harness)).toBe(before);
    const good = await harness.authority.server();
    harness.folder.put(good);
    await reloaded(harness.tls, good);
    await eventually(() => harness.tls.state().problem === null);
  });

  test.each(faults)(
    'because it %s keeps the TLS port closed at the start, and nothing else',
    async (_, spoil, code) => {
      const harness = await startTls({ spoil });
      expect(harness.tls.state()).toMatchObject({ open: false, certificate: null, problem: { code } });
      expect(await echo(harness)).toBe(0);
      const good = await harness.authority.server();
      harness.folder.put(good);
      await reloaded(harness.tls, good);
      await eventually(() => harness.tls.state().open);
      expect(await seen(harness)).toBe(fingerprint(good));
    },
  );
});

test('an authority file without a certificate is not taken for "trust nobody in particular"', async () => {
  const harness = await startTls({ clientCa: 'none' });
  expect(harness.tls.state()).toMatchObject({ open: false, problem: { code: 'TLS_FILE_INVALID' } });
});

test('a port that is taken is asked for again, and does not stop receiving in clear', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const harness = await startTls({ tls: { port: (squatter.address() as AddressInfo).port } });
  expect(harness.tls.state()).toMatchObject({ open: false, problem: { code: 'TLS_PORT_TAKEN' } });
  expect(await echo(harness)).toBe(0);
  squatter.close();
  await once(squatter, 'close');
  harness.tls.refresh();
  await eventually(() => harness.tls.state().open);
  expect(harness.tls.state().problem).toBeNull();
  (await harness.secure()).destroy();
});

test('an expired certificate is served on, and said; so is one that ends soon', async () => {
  const dayMs = 86_400_000;
  let now = Date.now();
  const clock = { now: () => now, monotonic: () => performance.now() };
  const harness = await startTls({ clock });
  const life = () => harness.tls.state().certificate?.life;
  const warned = (code: string) => harness.logLines.some((line) => line.includes(code));
  expect(life()).toBe('ok');
  now += 70 * dayMs;
  expect(life()).toBe('renew');
  harness.tls.refresh();
  await eventually(() => warned('TLS_CERTIFICATE_RENEW'));
  now += 30 * dayMs;
  expect(life()).toBe('expired');
  harness.tls.refresh();
  await eventually(() => warned('TLS_CERTIFICATE_EXPIRED'));
  expect((await associateOver(await harness.secure())).answer?.type).toBe(2);
  expect(await echo(harness)).toBe(0);
  // A clock that was never set.
  now = 0;
  expect(life()).toBe('early');
  expect((await associateOver(await harness.secure())).answer?.type).toBe(2);
  expect(await echo(harness)).toBe(0);
});

test('stopping closes what is under way', async () => {
  const harness = await startTls();
  const slow = await harness.slow();
  harness.tls.stop();
  await eventually(() => slow.tcp.closed);
  await eventually(() => harness.listener.stats().idleConnections === 0);
  await expect(harness.secure()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(await echo(harness)).toBe(0);
});
