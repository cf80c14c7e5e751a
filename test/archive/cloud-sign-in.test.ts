import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { faultText } from '../../src/archive/client-fault.ts';
import type { ArchiveClient, StoreAnswer } from '../../src/archive/port.ts';
import { sigv4Authorization } from '../../src/archive/sigv4.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { bodyOf, type FaultServer, httpServer, referencing, smallItem } from './fault-server.ts';
import { keepOpened } from './opened.ts';

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();
let directory: string;
/** Whether the archive lets a request in. */
let allows: (request: IncomingMessage) => boolean;
let archive: FaultServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-cloud-'));
});
afterAll(() => rm(directory, { recursive: true }));
beforeEach(async () => {
  archive = using(
    await httpServer(async (request, response) => {
      await bodyOf(request);
      const { item } = smallItem();
      const allowed = allows(request);
      response.writeHead(allowed ? 200 : 403).end(allowed ? referencing(item.SOPInstanceUID) : '');
    }),
  );
});

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

const store = (client: ArchiveClient): Promise<StoreAnswer> => client.store([smallItem().item], never);

async function statusOf(client: ArchiveClient): Promise<number | string> {
  const answer = await store(client);
  if (answer.kind === 'answered') return answer.status;
  return answer.kind === 'failed' ? `${answer.phase} ${answer.code}` : answer.kind;
}

describe('Google service account', () => {
  const email = 'gantry@clinic.iam.gserviceaccount.example';
  let clock: ManualClock;
  let publicKey: KeyObject;
  let privateKey: string;
  let tokenUrl: string;
  let issued: number;
  /** What the token service is asked next is answered by this instead. */
  let refusal: { status: number; body: string } | null;

  beforeEach(async () => {
    clock = new ManualClock();
    issued = 0;
    refusal = null;
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    publicKey = pair.publicKey;
    privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const service = using(
      await httpServer(async (request, response) => {
        const form = new URLSearchParams((await bodyOf(request)).toString());
        if (refusal !== null) {
          response.writeHead(refusal.status).end(refusal.body);
          return;
        }
        expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
        const { payload, protectedHeader } = await jwtVerify(form.get('assertion') ?? '', publicKey, {
          algorithms: ['RS256'],
          issuer: email,
          audience: tokenUrl,
          currentDate: new Date(clock.now()),
        });
        expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'key-1' });
        expect(payload).toMatchObject({ scope: 'https://www.googleapis.com/auth/cloud-healthcare' });
        expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
        issued += 1;
        response.end(JSON.stringify({ access_token: `ya29.${issued}`, expires_in: 3599 }));
      }),
    );
    tokenUrl = `http://127.0.0.1:${service.port}/token`;
    allows = ({ headers }) => headers.authorization === `Bearer ya29.${issued}`;
  });

  async function client(change: object = {}): Promise<ArchiveClient> {
    const key = {
      type: 'service_account',
      client_email: email,
      private_key: privateKey,
      private_key_id: 'key-1',
      token_uri: tokenUrl,
      ...change,
    };
    const keyFile = await file('key.json', JSON.stringify(key, null, 2));
    const scope = 'https://www.googleapis.com/auth/cloud-healthcare';
    return clientOf(archive.url, { clock, auth: { type: 'google-service-account', keyFile, scope } });
  }

  test('exchanges a signed assertion for one token, and for another shortly before its end', async () => {
    const google = await client();
    expect(await Promise.all([1, 2, 3].map(() => statusOf(google)))).toEqual([200, 200, 200]);
    expect(issued).toBe(1);
    clock.advance(3_560_000);
    expect(await statusOf(google)).toBe(200);
    expect(issued).toBe(1);
    clock.advance(10_000);
    expect(await statusOf(google)).toBe(200);
    expect(issued).toBe(2);
  });

  test('a key that is refused, then replaced in its file', async () => {
    const google = await client();
    refusal = { status: 400, body: '{"error":"invalid_grant","error_description":"Invalid JWT Signature."}' };
    expect(await statusOf(google)).toBe('unsent OAUTH_REFUSED');
    refusal = null;
    expect(await statusOf(google)).toBe(200);
  });

  test.each([
    ['no key at all', { private_key: 'none' }],
    ['the key of a person', { type: 'authorized_user' }],
    ['no address', { token_uri: undefined }],
    ['an address that would send it in the clear', { token_uri: 'http://token.example/token' }],
  ])('a key file with %s is named, and nothing of it is told', async (_name, change) => {
    const answer = await store(await client(change));
    const path = join(directory, 'key.json');
    const code = 'SERVICE_ACCOUNT_KEY_FILE_INVALID';
    expect(answer).toEqual({ kind: 'failed', phase: 'unsent', code, file: path });
    expect(faultText(code, path)).toEqual({
      side: 'sign-in',
      words: `the file ${path} is not the JSON key of a service account`,
    });
    expect(inspect(answer, { depth: 9, showHidden: true })).not.toContain('PRIVATE KEY');
  });

  test('a key file that is missing', async () => {
    const auth = { type: 'google-service-account', keyFile: join(directory, 'none'), scope: 's' } as const;
    const google = clientOf(archive.url, { auth });
    expect(await statusOf(google)).toBe('unsent SERVICE_ACCOUNT_KEY_FILE_UNREADABLE');
  });
});

describe('AWS Signature Version 4', () => {
  const key = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
  const scope = { region: 'eu-west-1', service: 'medical-imaging' };
  const credentials = `[other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = other\n\n# ours\n[default]\naws_access_key_id = ${key.accessKeyId}\naws_secret_access_key = ${key.secretAccessKey}\n`;
  let requests: IncomingMessage[];

  beforeEach(() => {
    requests = [];
    // As the service does: the signature is made again from what came over the line.
    allows = (request) => {
      requests.push(request);
      const names = /SignedHeaders=([^,]*)/.exec(request.headers.authorization ?? '')?.[1]?.split(';') ?? [];
      const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name])]));
      const { method = '', url = '' } = request;
      const payloadHash = String(request.headers['x-amz-content-sha256']);
      const expected = sigv4Authorization({ method, path: url, headers, payloadHash }, scope, key);
      return request.headers.authorization === expected;
    };
  });

  async function client(text: string, credentialsProfile = 'default', now?: ManualClock) {
    const credentialsFile = await file('credentials', text);
    const auth = { type: 'aws-sigv4', ...scope, credentialsFile, credentialsProfile } as const;
    return clientOf(archive.url, { auth, ...(now && { clock: now }) });
  }

  test('signs what goes over the line, for storing and for searching', async () => {
    const clock = new ManualClock();
    const aws = await client(credentials, 'default', clock);
    expect(await statusOf(aws)).toBe(200);
    expect(await aws.find({ ...smallItem().made }, never)).not.toMatchObject({ why: 'refused' });
    expect(requests.map(({ method }) => method)).toEqual(['POST', 'GET']);
    const [sent] = requests;
    const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, '');
    expect(sent?.headers).toMatchObject({
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-amz-date': stamp,
      authorization: expect.stringContaining(
        `Credential=AKIDEXAMPLE/${stamp.slice(0, 8)}/eu-west-1/medical-imaging/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, `,
      ),
    });
    expect(requests.every(allows)).toBe(true);
  });

  test('a session token is signed too; replaced credentials count with the next request', async () => {
    const aws = await client(`${credentials}aws_session_token = t0ken/+==\n`);
    expect(await statusOf(aws)).toBe(200);
    expect(requests[0]?.headers['x-amz-security-token']).toBe('t0ken/+==');
    expect(requests[0]?.headers.authorization).toContain('x-amz-security-token');
    await file('credentials', credentials.replace(key.secretAccessKey, 'expired'));
    expect(await statusOf(aws)).toBe(403);
    await file('credentials', credentials);
    expect(await statusOf(aws)).toBe(200);
  });

  test.each([
    ['no such name', credentials, 'clinic'],
    ['no secret', '[default]\naws_access_key_id = AKIDEXAMPLE', 'default'],
    [
      'an id that would break the header',
      '[default]\naws_access_key_id=a b\naws_secret_access_key=x',
      'default',
    ],
  ])('a file with %s is named, and nothing of it is told', async (_name, text, profile) => {
    const answer = await store(await client(text, profile));
    const path = join(directory, 'credentials');
    const code = 'AWS_CREDENTIALS_FILE_INVALID';
    expect(answer).toEqual({ kind: 'failed', phase: 'unsent', code, file: path });
    expect(requests).toEqual([]);
    expect(inspect(answer, { depth: 9, showHidden: true })).not.toContain('AKID');
  });
});
