import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createSecureServer } from 'node:http2';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ArchiveClient } from '../../src/archive/port.ts';
import { type MadeAuthority, makeAuthority } from '../fixtures/certificates.ts';
import { startConnectProxy } from '../fixtures/connect-proxy.ts';
import { bodyOf, type FaultServer, httpServer, hugeItem, referencing, smallItem } from './fault-server.ts';
import { keepOpened } from './opened.ts';

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();
let directory: string;
let authority: MadeAuthority;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-connection-'));
  authority = await makeAuthority();
  await put('ca.pem', authority.cert);
});
afterAll(() => rm(directory, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());
function at(name: string): string {
  return join(directory, name);
}

async function put(name: string, text: string): Promise<string> {
  await writeFile(at('new'), text);
  await rename(at('new'), at(name));
  return at(name);
}

/** An archive that stores everything and notes how it was asked. */
async function noting(
  tls?: Parameters<typeof httpServer>[1],
): Promise<{ server: FaultServer; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = await httpServer(async (request, response) => {
    requests.push(request);
    await bodyOf(request);
    response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(referencing('1.2.3'));
  }, tls);
  return { server: using(server), requests };
}

const takenIn = { kind: 'answered', status: 200, body: 'parsed' };

describe('TLS', () => {
  test('trusts an authority of its own file, and knows when the certificate ends', async () => {
    const { server } = await noting(await authority.server({ toDays: 30 }));
    const client = clientOf(server.url, { caFile: at('ca.pem') });
    expect(client.line().tlsDaysLeft).toBeNull();
    expect(await client.store([smallItem().item], never)).toMatchObject(takenIn);
    expect(client.line().tlsDaysLeft).toBe(29);
  });

  const refused: readonly (readonly [string, Parameters<MadeAuthority['server']>[0], string])[] = [
    ['that is over', { fromDays: -9, toDays: -1 }, 'CERT_HAS_EXPIRED'],
    ['that has not begun', { fromDays: 1, toDays: 9 }, 'CERT_NOT_YET_VALID'],
    ['of another host', { hosts: ['elsewhere.example'] }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ];
  for (const [name, options, code] of refused) {
    test(`refuses a certificate ${name}`, async () => {
      const { server, requests } = await noting(await authority.server(options));
      const client = clientOf(server.url, { caFile: at('ca.pem') });
      expect(await client.store([smallItem().item], never)).toEqual({
        kind: 'failed',
        phase: 'unsent',
        code,
      });
      expect(requests).toHaveLength(0);
    });
  }

  test('refuses an authority it was not told of, and one that only looks the same', async () => {
    const { server } = await noting(await authority.server());
    const other = await put('other.pem', (await makeAuthority()).cert);
    for (const caFile of [null, other]) {
      const answer = await clientOf(server.url, { caFile }).store([smallItem().item], never);
      expect(answer).toMatchObject({ kind: 'failed', phase: 'unsent' });
      expect(answer).toHaveProperty('code', expect.stringMatching(/SIGNATURE|ISSUER|SELF_SIGNED/));
    }
  });

  test('NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment switches no check off', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    // Node's own warning that it is set.
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { server, requests } = await noting(await authority.server());
    const plain = await noting();
    const secureProxy = using(await startConnectProxy({ tls: await authority.server() }));
    const token = await put('client-secret', 'secret');
    const tokenUrl = `https://127.0.0.1:${server.port}/token`;
    const oauth2 = { type: 'oauth2', tokenUrl, clientId: 'box', clientSecretFile: token } as const;
    const proxy = { url: secureProxy.url, user: null, passwordFile: null };
    const clients: (readonly [ArchiveClient, RegExp])[] = [
      [clientOf(server.url), /SIGNATURE|ISSUER|SELF_SIGNED/],
      [
        clientOf(plain.server.url, {
          auth: { ...oauth2, scope: null, audience: null, clientAuthentication: 'basic' },
        }),
        /^OAUTH_UNAVAILABLE$/,
      ],
      [clientOf(plain.server.url, { proxy }), /^PROXY_UNAVAILABLE$/],
    ];
    for (const [client, code] of clients) {
      const answer = await client.store([smallItem().item], never);
      expect(answer).toMatchObject({ kind: 'failed', phase: 'unsent', code: expect.stringMatching(code) });
    }
    expect([requests, plain.requests, secureProxy.targets]).toEqual([[], [], []]);
    // Trusted properly, the same proxy works.
    const trusting = clientOf(plain.server.url, { proxy, caFile: at('ca.pem') });
    expect(await trusting.store([smallItem().item], never)).toMatchObject(takenIn);
    warned.mockRestore();
  });

  test('refuses TLS 1.1', async () => {
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' } as const;
    const { server } = await noting({ ...(await authority.server()), ...old });
    const answer = await clientOf(server.url, { caFile: at('ca.pem') }).store([smallItem().item], never);
    expect(answer).toMatchObject({ kind: 'failed', phase: 'unsent' });
  });

  test('shows a client certificate, and a renewed one from the next connection on', async () => {
    const trust = { requestCert: true, rejectUnauthorized: false, ca: authority.cert };
    const seen: string[] = [];
    const server = using(
      await httpServer(
        async (request, response) => {
          const socket = request.socket as import('node:tls').TLSSocket;
          seen.push([socket.authorized, socket.getPeerCertificate().subject.CN].join(' '));
          await bodyOf(request);
          response.writeHead(200, { connection: 'close' }).end(referencing());
        },
        { ...(await authority.server()), ...trust },
      ),
    );
    const files = { certFile: at('client.pem'), keyFile: at('client.key') };
    const client = clientOf(server.url, { caFile: at('ca.pem'), auth: { type: 'mtls', ...files } });
    expect(await client.store([smallItem().item], never)).toMatchObject({
      kind: 'failed',
      phase: 'unsent',
      code: 'CLIENT_CERTIFICATE_UNREADABLE',
    });
    for (const name of ['box-one', 'box-two']) {
      const { cert, key } = await authority.client({ hosts: [name] });
      await put('client.pem', cert);
      await put('client.key', key);
      expect(await client.store([smallItem().item], never)).toMatchObject({ kind: 'answered', status: 200 });
    }
    expect(seen).toEqual(['true box-one', 'true box-two']);
  });

  test('says which of its files is wrong', async () => {
    const missing = clientOf('https://127.0.0.1:9/studies', { caFile: at('none.pem') });
    expect(await missing.store([smallItem().item], never)).toEqual({
      kind: 'failed',
      phase: 'unsent',
      code: 'CA_FILE_UNREADABLE',
      file: at('none.pem'),
    });
    const garbled = clientOf('https://127.0.0.1:9/studies', {
      caFile: await put('garbled.pem', 'no certificate'),
    });
    expect(await garbled.store([smallItem().item], never)).toEqual({
      kind: 'failed',
      phase: 'unsent',
      code: 'TLS_FILES_INVALID',
      file: at('garbled.pem'),
    });
  });

  test('speaks HTTP/2 only where told to', async () => {
    const versions: string[] = [];
    const server = createSecureServer({ ...(await authority.server()), allowHTTP1: true });
    server.on('request', (request, response) => {
      versions.push(request.httpVersion);
      request.resume().on('end', () => response.writeHead(200).end(referencing()));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    using({ stop: async () => void server.close() });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    for (const http2 of [false, true]) {
      const client = clientOf(`https://127.0.0.1:${port}/studies`, { caFile: at('ca.pem'), http2 });
      const answer = await client.store([hugeItem(1_000_000)], never);
      expect(answer).toMatchObject({ kind: 'answered', status: 200, body: 'parsed' });
    }
    expect(versions).toEqual(['1.1', '2.0']);
  });
});

describe('proxy', () => {
  const noProxyUser = { user: null, passwordFile: null };

  test('tunnels to an https archive, which sees the client certificate of the tunnel', async () => {
    const trust = { requestCert: true, rejectUnauthorized: true, ca: authority.cert };
    const { server } = await noting({ ...(await authority.server()), ...trust });
    const { cert, key } = await authority.client();
    const clientCertificate = { certFile: await put('p.pem', cert), keyFile: await put('p.key', key) };
    const proxy = using(await startConnectProxy());
    const client = clientOf(server.url, {
      caFile: at('ca.pem'),
      clientCertificate,
      proxy: { url: proxy.url, ...noProxyUser },
    });
    expect(await client.store([smallItem().item], never)).toMatchObject(takenIn);
    expect(proxy.targets).toEqual([`127.0.0.1:${server.port}`]);
    expect(client.line().tlsDaysLeft).toBe(89);
  });

  test('tunnels to a plain http archive, signed in at the proxy only', async () => {
    const { server, requests } = await noting();
    const proxy = using(
      await startConnectProxy({
        authorization: `Basic ${Buffer.from('box:open sesame').toString('base64')}`,
      }),
    );
    const passwordFile = await put('proxy-password', 'open sesame\n');
    const client = clientOf(server.url, { proxy: { url: proxy.url, user: 'box', passwordFile } });
    expect(await client.store([smallItem().item], never)).toMatchObject(takenIn);
    expect(proxy.targets).toEqual([`127.0.0.1:${server.port}`]);
    expect(requests[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  test('says what is wrong with the proxy; nothing has left then', async () => {
    const { server, requests } = await noting();
    const unsent = { kind: 'failed', phase: 'unsent' };
    const signIn = using(await startConnectProxy({ authorization: 'Basic other' }));
    const forbidden = using(await startConnectProxy({ refuseWith: 403 }));
    const broken = using(await startConnectProxy({ refuseWith: 502 }));
    const gone = await startConnectProxy();
    await gone.stop();
    const cases = [
      [{ url: signIn.url, ...noProxyUser }, 'PROXY_SIGN_IN_REFUSED'],
      [{ url: forbidden.url, ...noProxyUser }, 'PROXY_REFUSED'],
      [{ url: broken.url, ...noProxyUser }, 'PROXY_UNAVAILABLE'],
      [{ url: gone.url, ...noProxyUser }, 'PROXY_UNAVAILABLE'],
      [{ url: signIn.url, user: 'box', passwordFile: at('none') }, 'PROXY_PASSWORD_FILE_UNREADABLE'],
    ] as const;
    for (const [proxy, code] of cases) {
      const answer = await clientOf(server.url, { proxy }).store([smallItem().item], never);
      expect(answer).toEqual({
        ...unsent,
        code,
        ...(proxy.user !== null && { file: proxy.passwordFile }),
      });
    }
    expect(requests).toHaveLength(0);
  });
});
