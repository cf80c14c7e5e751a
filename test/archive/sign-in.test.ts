import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DicomWebOptions } from '../../src/archive/dicomweb.ts';
import type { ArchiveClient } from '../../src/archive/port.ts';
import type { AuthConfig } from '../../src/config/schema.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { bodyOf, type FaultServer, httpServer, referencing, smallItem } from './fault-server.ts';
import { keepOpened } from './opened.ts';

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();
let directory: string;
let archive: FaultServer;
/** What the archive was shown, in order. */
let shown: (string | undefined)[];
/** What the archive lets in; null for everything. */
let valid: string | null;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-sign-in-'));
});
afterAll(() => rm(directory, { recursive: true }));
beforeEach(async () => {
  shown = [];
  valid = null;
  archive = await httpServer(async (request, response) => {
    shown.push(request.headers.authorization);
    await bodyOf(request);
    const allowed = valid === null || request.headers.authorization === valid;
    response.writeHead(allowed ? 200 : 401).end(allowed ? referencing() : '');
  });
  using(archive);
});
async function secret(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

function signingIn(auth: AuthConfig, options: Partial<DicomWebOptions> = {}): ArchiveClient {
  return clientOf(archive.url, { auth, ...options });
}

async function statusOf(client: ArchiveClient): Promise<number | string> {
  const answer = await client.store([smallItem().item], never);
  if (answer.kind === 'answered') return answer.status;
  return answer.kind === 'failed' ? `${answer.phase} ${answer.code}` : answer.kind;
}

test('none: shows nothing', async () => {
  expect(await statusOf(signingIn({ type: 'none' }))).toBe(200);
  expect(shown).toEqual([undefined]);
});

test('basic: user and password in UTF-8, the file without its line end', async () => {
  const passwordFile = await secret('password', 'pä:ss\n');
  expect(await statusOf(signingIn({ type: 'basic', user: 'büro', passwordFile }))).toBe(200);
  expect(shown).toEqual([`Basic ${Buffer.from('büro:pä:ss', 'utf8').toString('base64')}`]);
});

test('bearer: a replaced file counts at once', async () => {
  const tokenFile = await secret('token', 'one\n');
  const client = signingIn({ type: 'bearer', tokenFile });
  valid = 'Bearer two';
  expect(await statusOf(client)).toBe(401);
  await secret('token', 'two\n');
  expect(await statusOf(client)).toBe(200);
  expect(shown).toEqual(['Bearer one', 'Bearer two']);
});

test('a secret file that is missing, empty or of several lines is named, and nothing is sent', async () => {
  for (const path of [
    join(directory, 'none'),
    await secret('empty', ' \n'),
    await secret('lines', 'a\r\nb'),
  ]) {
    expect(await statusOf(signingIn({ type: 'bearer', tokenFile: path }))).toBe(
      'unsent TOKEN_FILE_UNREADABLE',
    );
    const basic = signingIn({ type: 'basic', user: 'box', passwordFile: path });
    expect(await statusOf(basic)).toBe('unsent PASSWORD_FILE_UNREADABLE');
    const failed = { kind: 'failed', code: 'PASSWORD_FILE_UNREADABLE', file: path };
    expect(await basic.ping(never)).toEqual(failed);
    const unread = { ...failed, why: 'unavailable', retryAfterMs: null };
    expect(await basic.find(ctSlice({ rows: 4, columns: 4, seed: 1 }), never)).toEqual(unread);
  }
  expect(shown).toEqual([]);
});

describe('OAuth 2 client credentials', () => {
  let requests: { headers: IncomingMessage['headers']; form: Record<string, string> }[];
  let answer: (count: number) => { status: number; body: string; headers?: Record<string, string> };
  let service: FaultServer;
  let caFile: string;
  let clock: ManualClock;

  beforeEach(async () => {
    requests = [];
    clock = new ManualClock();
    const authority = await makeAuthority();
    caFile = await secret('ca.pem', authority.cert);
    answer = (count) => ({
      status: 200,
      body: JSON.stringify({ access_token: `t${count}`, expires_in: 600 }),
    });
    service = await httpServer(
      async (request, response) => {
        const form = new URLSearchParams((await bodyOf(request)).toString());
        requests.push({ headers: request.headers, form: Object.fromEntries(form) });
        const { status, body, headers } = answer(requests.length);
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
      },
      await authority.server(),
    );
    using(service);
  });

  async function oauthClient(clientAuthentication: 'basic' | 'post' = 'basic'): Promise<ArchiveClient> {
    const auth: AuthConfig = {
      type: 'oauth2',
      tokenUrl: `https://127.0.0.1:${service.port}/token?tenant=north`,
      clientId: 'box 1',
      clientSecretFile: await secret('client-secret', 's3cret+/=\n'),
      scope: 'dicom.write',
      audience: null,
      clientAuthentication,
    };
    return signingIn(auth, { caFile, clock });
  }

  test('asks once for many requests at the same time and keeps the token until shortly before its end', async () => {
    const client = await oauthClient();
    const statuses = await Promise.all(Array.from({ length: 5 }, () => statusOf(client)));
    expect(statuses).toEqual([200, 200, 200, 200, 200]);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.form).toEqual({ grant_type: 'client_credentials', scope: 'dicom.write' });
    // RFC 6749 §2.3.1: form-encoded first, then Basic.
    const pair = Buffer.from('box+1:s3cret%2B%2F%3D').toString('base64');
    expect(requests[0]?.headers.authorization).toBe(`Basic ${pair}`);
    clock.advance(569_000);
    await statusOf(client);
    expect(requests).toHaveLength(1);
    clock.advance(2000);
    await statusOf(client);
    expect(requests).toHaveLength(2);
    expect(shown.at(-1)).toBe('Bearer t2');
  });

  test('sends id and secret in the form where told to', async () => {
    expect(await statusOf(await oauthClient('post'))).toBe(200);
    expect(requests[0]?.headers.authorization).toBeUndefined();
    expect(requests[0]?.form).toMatchObject({ client_id: 'box 1', client_secret: 's3cret+/=' });
  });

  test('signs in afresh after a refusal', async () => {
    const client = await oauthClient();
    valid = 'Bearer t2';
    expect(await statusOf(client)).toBe(401);
    expect(await statusOf(client)).toBe(401);
    expect(requests).toHaveLength(1);
    client.refreshCredentials();
    expect(await statusOf(client)).toBe(200);
  });

  const failures: readonly (readonly [string, number, string, string])[] = [
    ['the secret is refused', 401, '{"error":"invalid_client"}', 'OAUTH_REFUSED'],
    ['the request is refused', 400, '{"error":"invalid_scope"}', 'OAUTH_REFUSED'],
    ['the service is out of order', 503, '', 'OAUTH_UNAVAILABLE'],
    ['the service asks to wait', 429, '', 'OAUTH_UNAVAILABLE'],
    ['there is no such service', 404, 'not here', 'OAUTH_ANSWER_INVALID'],
    ['the answer is a page', 200, '<html>', 'OAUTH_ANSWER_INVALID'],
    ['the answer has no token', 200, '{"access_token":""}', 'OAUTH_ANSWER_INVALID'],
    ['the token would break the header', 200, '{"access_token":"a\\r\\nb: c"}', 'OAUTH_ANSWER_INVALID'],
    ['the answer never ends', 200, ' '.repeat(300_000), 'OAUTH_ANSWER_INVALID'],
    ['the service has moved', 302, '', 'OAUTH_ANSWER_INVALID'],
  ];
  for (const [name, status, body, code] of failures) {
    test(`says so where ${name}, and tries again with the next request`, async () => {
      const client = await oauthClient();
      const working = answer;
      answer = () => ({ status, body, headers: { location: archive.url } });
      expect(await statusOf(client)).toBe(`unsent ${code}`);
      expect(shown).toEqual([]);
      answer = working;
      expect(await statusOf(client)).toBe(200);
    });
  }

  test('an aborted store does not wait for the token, and others still get it', async () => {
    const client = await oauthClient();
    const abort = new AbortController();
    const first = client.store([smallItem().item], abort.signal);
    const second = statusOf(client);
    abort.abort();
    expect(await first).toEqual({ kind: 'failed', phase: 'unsent', code: 'ABORTED' });
    expect(await second).toBe(200);
    expect(requests).toHaveLength(1);
  });
});
