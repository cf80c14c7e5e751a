import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { tlsFaults, handshakeFault } from '../../src/intake/tls-faults.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { eventually } from './intake-harness.ts';
import {
  associateRequest,
  dataSetPdus,
  echoCommand,
  RawClient,
  releaseRequest,
  storeCommand,
} from './raw-client.ts';
import { associateOver, startTls, type TlsHarness } from './tls-harness.ts';

const slice = ctSlice({ rows: 256, columns: 256, seed: 1 });

/** A bare TCP connection to the TLS port. */
async function bare({ tls }: TlsHarness): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: tls.state().port });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  await eventually(() => socket.closed);
}

const idle = ({ listener }: TlsHarness) => listener.stats().idleConnections;

test.each(['TLSv1.2', 'TLSv1.3'] as const)('stores over %s, byte for byte', async (version) => {
  const harness = await startTls();
  const socket = await harness.secure({ minVersion: version, maxVersion: version });
  expect(socket.getProtocol()).toBe(version);
  const { client, answer } = await associateOver(socket);
  expect(answer?.type).toBe(2);
  client.send(storeCommand({ SOPInstanceUID: slice.SOPInstanceUID }), dataSetPdus(slice.dataSet));
  expect((await client.response()).status).toBe(0);
  expect(harness.spool.dataSet(0).equals(slice.dataSet)).toBe(true);
  client.send(releaseRequest);
  expect((await client.next())?.type).toBe(6);
  client.close();
  await eventually(() => harness.listener.stats().associations === 0 && idle(harness) === 0);
  expect(harness.counts()).toEqual({});
});

test('a rejection can be read over TLS as in clear', async () => {
  const harness = await startTls();
  const { answer } = await associateOver(await harness.secure(), { called: 'OTHER' });
  expect(answer?.type).toBe(3);
  expect([...(answer?.body.subarray(1) ?? [])]).toEqual([1, 1, 7]);
});

test('a slow disk holds the sender back: memory does not grow with the object', async () => {
  const harness = await startTls();
  const { client } = await associateOver(await harness.secure());
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  harness.spool.onWrite = () => opened;
  const bytes = Buffer.alloc(32 * 1024 * 1024, 0x20);
  const { socket } = client;
  client.send(storeCommand({ SOPInstanceUID: slice.SOPInstanceUID }), dataSetPdus(bytes, 120_000));
  let taken = -1;
  // What the system's own buffers hold is taken at once; after that nothing moves.
  for (let quiet = 0; quiet < 20; quiet += 1) {
    if (socket.bytesWritten - socket.writableLength !== taken) quiet = 0;
    taken = socket.bytesWritten - socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(harness.listener.stats().bytesIn).toBeLessThan(4 * 1024 * 1024);
  open();
  await client.response();
  expect(harness.listener.stats().bytesIn).toBeGreaterThan(bytes.length);
});

test('versions before TLS 1.2 are refused, with an alert that says so', async () => {
  const harness = await startTls();
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  expect(await harness.refused(old)).toMatch(/ALERT_PROTOCOL_VERSION/);
  await eventually(() => idle(harness) === 0);
  expect(harness.counts()).toEqual({ TLS_VERSION_TOO_OLD: 1 });
});

test.each([
  'ECDHE-RSA-AES256-SHA384',
  'ECDHE-RSA-AES128-SHA',
  'AES128-GCM-SHA256',
  'AES256-SHA',
  'NULL-SHA256',
  'DHE-RSA-AES256-GCM-SHA384',
])('B.13 takes no %s', async (suite) => {
  const harness = await startTls({ made: (by) => by.server({ rsaBits: 2048 }) });
  const options = { ciphers: `${suite}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' } as const;
  expect(await harness.refused(options)).toMatch(/ALERT_HANDSHAKE_FAILURE/);
  await eventually(() => idle(harness) === 0);
  expect(harness.counts()).toEqual({ TLS_NOTHING_SHARED: 1 });
});

test.each(['ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'])(
  'B.13 takes %s',
  async (suite) => {
    const harness = await startTls({ made: (by) => by.server({ rsaBits: 2048 }) });
    const socket = await harness.secure({ ciphers: suite, maxVersion: 'TLSv1.2' });
    expect(socket.getCipher().name).toBe(suite);
    socket.destroy();
  },
);

test('B.12 also takes DHE, with a group that is long enough', async () => {
  const made = { made: (by: TlsHarness['authority']) => by.server({ rsaBits: 2048 }) };
  const harness = await startTls({ ...made, tls: { profile: 'b12' } });
  const socket = await harness.secure({ ciphers: 'DHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' });
  const group = socket.getEphemeralKeyInfo() as { type: string; size: number };
  expect(group.type).toBe('DH');
  expect(group.size).toBeGreaterThanOrEqual(2048);
  socket.destroy();
  const old = { ciphers: 'DHE-RSA-AES128-SHA256', maxVersion: 'TLSv1.2' } as const;
  expect(await harness.refused(old)).toMatch(/ALERT_HANDSHAKE_FAILURE/);
});

test('a connection is not negotiated anew', async () => {
  const harness = await startTls();
  const socket = await harness.secure({ maxVersion: 'TLSv1.2' });
  const failed = once(socket, 'error');
  socket.renegotiate({}, () => undefined);
  const [error] = (await failed) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ERR_SSL_NO_RENEGOTIATION');
  socket.destroy();
  await eventually(() => idle(harness) === 0);
});

test.each([
  ['plain DICOM', associateRequest(), 'PLAIN_ON_TLS_PORT'],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'HTTP_ON_DICOM_PORT'],
  ['a hello of SSL 2', Buffer.from([0x80, 0x2e, 1, 0, 2, 0, 0x15]), 'TLS_VERSION_TOO_OLD'],
  ['noise', Buffer.from([0, 0, 0, 9]), 'NOT_TLS'],
  ['an alert', Buffer.from([0x15, 3, 3, 0, 2, 2, 40]), 'TLS_HANDSHAKE_BROKEN_OFF'],
  ['a broken hello', Buffer.from([0x16, 3, 1, 0, 5, 9, 9, 9, 9, 9]), 'TLS_HANDSHAKE_FAILED'],
  ['a record that is too long', Buffer.from([0x16, 3, 1, 0xff, 0xff, 1]), 'TLS_HANDSHAKE_FAILED'],
])('%s on the TLS port is closed, said and counted', async (_, bytes, code) => {
  const harness = await startTls();
  const socket = await bare(harness);
  socket.write(bytes);
  await closed(socket);
  await eventually(() => idle(harness) === 0);
  expect(harness.counts()).toEqual({ [code]: 1 });
  const [refusal] = harness.listener.stats().refusals;
  expect(refusal).toMatchObject({ kind: 'closed', address: '127.0.0.1', callingAeTitle: '' });
});

test('TLS on the port in clear is told which port to use', async () => {
  const harness = await startTls();
  const socket = connectTls({ host: '127.0.0.1', port: harness.port, rejectUnauthorized: false });
  await once(socket, 'error');
  await eventually(() => idle(harness) === 0);
  expect(harness.counts()).toEqual({ TLS_ON_DICOM_PORT: 1 });
});

test('a device that does not trust our certificate breaks off', async () => {
  const harness = await startTls();
  expect(await harness.refused({ ca: [] })).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
  await eventually(() => idle(harness) === 0);
  expect(harness.counts()).toEqual({ TLS_HANDSHAKE_BROKEN_OFF: 1 });
});

test.each([
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', tlsFaults.certificateRefused],
  ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED', tlsFaults.certificateRefused],
  ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', tlsFaults.certificateRefused],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', tlsFaults.tooOld],
  ['ERR_SSL_NO_SHARED_CIPHER', tlsFaults.nothingShared],
  ['ERR_SSL_NO_SUITABLE_KEY_SHARE', tlsFaults.nothingShared],
  ['ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS', tlsFaults.nothingShared],
  ['ECONNRESET', tlsFaults.brokenOff],
  ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', tlsFaults.failed],
  [null, tlsFaults.failed],
])('%s is put in words', (code, fault) => {
  expect(handshakeFault(code)).toBe(fault);
});

test('who says nothing, or says it slowly, is cut at the deadline', async () => {
  const harness = await startTls({ intake: { timers: { associateMs: 300 } } });
  const silent = await bare(harness);
  const slow = await bare(harness);
  const hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
  const drip = setInterval(() => slow.write(Buffer.from([hello.shift() ?? 0])), 20);
  await Promise.all([closed(silent), closed(slow)]);
  clearInterval(drip);
  await eventually(() => idle(harness) === 0);
  expect(harness.counts()).toEqual({ TLS_HANDSHAKE_TIMEOUT: 2 });
});

test('the deadline counts from the TCP connection: a handshake does not buy more time', async () => {
  let passedMs = 0;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() + passedMs };
  const harness = await startTls({ clock });
  const tcp = await bare(harness);
  await eventually(() => idle(harness) === 1);
  passedMs = 11_000;
  const socket = connectTls({ socket: tcp, ca: harness.authority.cert, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  await closed(socket);
  await eventually(() => idle(harness) === 0);
  expect(harness.counts()).toEqual({ ASSOCIATE_TIMEOUT: 1 });
});

test('slots are taken from the first moment and given back on every way out of a handshake', async () => {
  const harness = await startTls();
  const ways: readonly ((socket: Socket) => void)[] = [
    (socket) => socket.destroy(),
    (socket) => socket.end(),
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.end(Buffer.from([0x16, 3, 1, 2, 0, 1])),
    (socket) => socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1]), () => socket.resetAndDestroy()),
  ];
  for (const leave of ways) {
    const socket = await bare(harness);
    await eventually(() => idle(harness) === 1);
    leave(socket);
    await eventually(() => idle(harness) === 0);
  }
  const socket = await harness.secure();
  expect(idle(harness)).toBe(1);
  socket.destroy();
  await eventually(() => idle(harness) === 0);
});

test('a crowd of handshakes leaves places to those who call in clear', async () => {
  const limits = { idleConnectionsMax: 8, idleConnectionsPerPeerMax: 8, handshakesMax: 3 };
  const harness = await startTls({ intake: { limits } });
  const crowd = await Promise.all(Array.from({ length: 6 }, () => bare(harness)));
  await eventually(() => (harness.counts()['TLS_HANDSHAKES_FULL'] ?? 0) === 3);
  expect(idle(harness)).toBe(3);
  const client = await RawClient.associate(harness.port);
  client.send(echoCommand());
  expect((await client.response()).status).toBe(0);
  for (const socket of crowd) socket.destroy();
  await eventually(() => idle(harness) === 0);
  (await harness.secure()).destroy();
});

test('a flood of handshakes has to queue, and those who call in clear do not', async () => {
  let passedMs = 0;
  const clock = { now: () => Date.now(), monotonic: () => passedMs };
  const harness = await startTls({ clock });
  for (let turn = 0; turn < 32; turn += 1) {
    (await harness.secure()).destroy();
    await eventually(() => idle(harness) === 0);
  }
  let late = false;
  const next = harness.secure().then((socket) => {
    late = true;
    return socket;
  });
  await eventually(() => idle(harness) === 1);
  const client = await RawClient.associate(harness.port);
  client.send(echoCommand());
  expect((await client.response()).status).toBe(0);
  expect(late).toBe(false);
  passedMs += 20;
  expect((await associateOver(await next)).answer?.type).toBe(2);
});

test('both ports share one set of limits', async () => {
  const harness = await startTls({ intake: { limits: { associationsMax: 1, associationsPerPeerMax: 1 } } });
  await RawClient.associate(harness.port);
  const { answer } = await associateOver(await harness.secure());
  expect(answer?.type).toBe(3);
  expect([...(answer?.body.subarray(1) ?? [])]).toEqual([2, 3, 2]);
});

test('what is broken after the handshake ends the association and frees it', async () => {
  const harness = await startTls();
  const tcp = await bare(harness);
  const socket = connectTls({ socket: tcp, ca: harness.authority.cert, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const { answer } = await associateOver(socket);
  expect(answer?.type).toBe(2);
  tcp.resetAndDestroy();
  await eventually(() => harness.listener.stats().associations === 0 && idle(harness) === 0);
  expect(harness.counts()).toEqual({ LEFT_WITHOUT_RELEASE: 1 });
});
