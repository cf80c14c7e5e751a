import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HttpsChannel } from '../../src/config/remote/channels/https-channel.ts';
import { recordPath } from '../../src/config/remote/channels/port.ts';
import { remote } from '../../src/config/document-remote.ts';
import { type MadeAuthority, type MadeCertificate, makeAuthority } from '../fixtures/certificates.ts';
import { startConnectProxy } from '../fixtures/connect-proxy.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { type RecordServer, startRecordServer } from '../fixtures/record-server.ts';
import { channelParts, RecordingAgent, testBox, testFleet } from '../fixtures/recording-agent.ts';
import { until } from '../fixtures/until.ts';

const folder = temporaryDirectory();
const caFile = join(folder.path, 'ca.pem');
let authority: MadeAuthority;
let client: MadeCertificate;
let tls: { cert: string; key: string; ca: string; requestCert: boolean; rejectUnauthorized: boolean };

beforeAll(async () => {
  authority = await makeAuthority();
  client = await authority.client({ hosts: [testBox] });
  tls = { ...(await authority.server()), ca: authority.cert, requestCert: true, rejectUnauthorized: true };
  writeFileSync(caFile, authority.cert);
});

afterAll(() => folder[Symbol.dispose]());

function put(root: string, kind: Parameters<typeof recordPath>[2], text: string): void {
  const path = join(root, recordPath(testFleet, testBox, kind));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function openChannel(agent: RecordingAgent, settings: object, credentials: MadeCertificate | null = client) {
  const config = remote.parse({
    https: { caFile, poll: '* * * * * *', jitterSeconds: 0, ...settings },
  }).https;
  if (config === null) throw new Error('no channel');
  const channel = new HttpsChannel(
    config,
    channelParts(agent, { ownCertificate: () => Promise.resolve(credentials) }),
  );
  channel.start();
  return { channel, [Symbol.asyncDispose]: () => channel.stop() };
}

async function serve(root: string): Promise<RecordServer & AsyncDisposable> {
  const server = await startRecordServer(root, tls);
  return { ...server, [Symbol.asyncDispose]: () => server.stop() };
}

describe('configuration from a web server', () => {
  test('comes in the order of use, once, and the report goes back under the certificate of the box', async () => {
    using root = temporaryDirectory();
    for (const kind of ['command', 'desired', 'freshness', 'trust'] as const) put(root.path, kind, kind);
    await using server = await serve(root.path);
    const agent = new RecordingAgent();
    await using opened = openChannel(agent, { url: server.url });
    // Further rounds find everything as it was.
    await until(() => server.seen.filter(({ status }) => status === 304).length >= 8);
    expect(agent.offers.map(({ kind, text, via }) => [kind, text, via])).toEqual(
      ['trust', 'freshness', 'desired', 'command'].map((kind) => [kind, kind, 'https']),
    );
    expect(agent.back).toContain('https');
    expect(opened.channel.state()).toMatchObject({ kind: 'https', failure: null });
    const report = join(root.path, recordPath(testFleet, testBox, 'reported'));
    expect(readFileSync(report, 'utf8')).toBe('report 1');
    expect(new Set(server.seen.map((one) => one.client))).toEqual(new Set([testBox]));

    put(root.path, 'desired', 'newer');
    await agent.until(() => agent.texts('desired').includes('newer'));
    agent.says('report 2');
    await until(() => readFileSync(report, 'utf8') === 'report 2');
    expect(agent.texts('trust')).toEqual(['trust']);
  });

  test('comes through a proxy with a sign-in', async () => {
    using root = temporaryDirectory();
    put(root.path, 'desired', 'desired');
    await using server = await serve(root.path);
    const proxy = await startConnectProxy({
      authorization: `Basic ${Buffer.from('box:secret').toString('base64')}`,
    });
    const passwordFile = join(root.path, 'password');
    writeFileSync(passwordFile, 'secret\n');
    const agent = new RecordingAgent();
    {
      await using opened = openChannel(agent, {
        url: server.url,
        proxy: { url: proxy.url, user: 'box', passwordFile },
      });
      await agent.until(() => agent.texts('desired').length === 1 && agent.back.length > 0);
      expect(opened.channel.state().contactAt).not.toBeNull();
    }
    expect(proxy.targets).toContain(`127.0.0.1:${server.port}`);
    await proxy.stop();
  });

  test('a document that is too large is not taken, nor is a redirect followed', async () => {
    using root = temporaryDirectory();
    put(root.path, 'trust', 'x'.repeat(70_000));
    await using server = await serve(root.path);
    const agent = new RecordingAgent();
    await using opened = openChannel(agent, { url: server.url });
    await until(() => opened.channel.state().failure?.code === 'REMOTE_TOO_LARGE');
    server.answerWith(302, { location: `${server.url}/elsewhere` });
    await using other = openChannel(agent, { url: server.url });
    await until(() => other.channel.state().failure?.code === 'REMOTE_ANSWER');
    expect(server.seen.some(({ path }) => path === '/elsewhere')).toBe(false);
    expect(agent.offers).toEqual([]);
    expect(agent.back).toEqual([]);
  });

  test('an unasked-for server that knows nothing of the fleet is not central IT', async () => {
    using root = temporaryDirectory();
    await using server = await serve(root.path);
    const agent = new RecordingAgent();
    await using opened = openChannel(agent, { url: server.url });
    await until(() => opened.channel.state().failure?.code === 'REMOTE_ANSWER');
    expect(agent.back).toEqual([]);
  });

  test.each<[string, number, Record<string, string>]>([
    ['REMOTE_SIGN_IN_REFUSED', 403, {}],
    ['REMOTE_BUSY', 503, { 'retry-after': '120' }],
    ['REMOTE_ANSWER', 500, {}],
  ])('%s where the answer is %i', async (code, status, headers) => {
    using root = temporaryDirectory();
    await using server = await serve(root.path);
    server.answerWith(status, headers);
    await using opened = openChannel(new RecordingAgent(), { url: server.url });
    await until(() => opened.channel.state().failure?.code === code);
  });

  test('a server that asks for patience is left alone, whatever the schedule says', async () => {
    using root = temporaryDirectory();
    await using server = await serve(root.path);
    server.answerWith(503, { 'retry-after': '600' });
    const agent = new RecordingAgent();
    await using opened = openChannel(agent, { url: server.url });
    await until(() => opened.channel.state().failure !== null);
    const asked = server.seen.length;
    agent.says('report 2');
    // The schedule fires every second.
    await new Promise((resolve) => setTimeout(resolve, 2200));
    expect(server.seen.length).toBe(asked);
  });

  test.each<[string, (server: RecordServer) => Promise<object>]>([
    ['REMOTE_TLS_UNTRUSTED', (server) => Promise.resolve({ url: server.url, caFile: null })],
    ['REMOTE_FILE_UNREADABLE', (server) => Promise.resolve({ url: server.url, caFile: '/nowhere/ca.pem' })],
    ['REMOTE_NAME_UNKNOWN', () => Promise.resolve({ url: 'https://central-it.invalid' })],
    ['REMOTE_UNREACHABLE', async () => ({ url: `https://127.0.0.1:${await closedPort()}` })],
    [
      'REMOTE_PROXY_UNREACHABLE',
      async (server) => ({ url: server.url, proxy: { url: `http://127.0.0.1:${await closedPort()}` } }),
    ],
  ])('%s is told in words', async (code, settings) => {
    using root = temporaryDirectory();
    await using server = await serve(root.path);
    await using opened = openChannel(new RecordingAgent(), await settings(server));
    await until(() => opened.channel.state().failure !== null);
    expect(opened.channel.state().failure?.code).toBe(code);
    expect(opened.channel.state().failure?.nextStep).not.toBe('');
    expect(server.seen).toEqual([]);
  });

  test('a server that wants a certificate gets no further without one', async () => {
    using root = temporaryDirectory();
    await using server = await serve(root.path);
    await using opened = openChannel(new RecordingAgent(), { url: server.url }, null);
    await until(() => opened.channel.state().failure !== null);
    expect(server.seen).toEqual([]);
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 1;
}
