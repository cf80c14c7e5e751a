import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StoreItem } from '../../src/archive/port.ts';
import { parseConfig } from '../../src/config/schema.ts';
import type { SOPClassUID, SOPInstanceUID, TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { judge } from '../../src/forward/outcome.ts';
import { bodyOf, type FaultServer, httpServer } from '../archive/fault-server.ts';
import { keepOpened } from '../archive/opened.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { letters, uidAt } from './stow-cases.ts';

/**
 * What the documentation of each service says that it answers, by a server that answers so: through the
 * configuration, the profile's sign-in, the client and the judge. The services themselves are not here.
 */

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();
const [a, b] = [uidAt(0), uidAt(1)] as const;
type Profile = 'google' | 'azure' | 'aws';
type Entry = readonly [uid: string, code?: number, words?: string];

function said(referenced: readonly Entry[], failed: readonly Entry[] = []): string {
  const us = (code: number) => ({ vr: 'US', Value: [code] });
  const item = (tag: string) => (entry: Entry) => ({
    '00081150': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.2'] },
    '00081155': { vr: 'UI', Value: [entry[0]] },
    ...(entry[1] !== undefined && { [tag]: us(entry[1]) }),
    ...(entry[2] !== undefined && { '00090097': { vr: 'LT', Value: [entry[2]] } }),
  });
  return JSON.stringify({
    ...(failed.length > 0 && { '00081198': { vr: 'SQ', Value: failed.map(item('00081197')) } }),
    ...(referenced.length > 0 && { '00081199': { vr: 'SQ', Value: referenced.map(item('00081196')) } }),
  });
}

const googleError = (code: number, status: string): string =>
  JSON.stringify({ error: { code, message: 'see the log', status } });

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Record<string, string>;
}

/** Verdicts as in stow-cases.ts; then what it means for the destination. */
const answers: readonly (readonly [Profile, string, Answer, string, string])[] = [
  ['google', 'stored', { status: 200, body: said([[a], [b]]) }, 'ss', 'ok'],
  [
    'google',
    'one is there already: 409, said in words',
    { status: 409, body: said([[a]], [[b, 272, 'DICOM instance already exists']]) },
    'sc',
    'ok',
  ],
  ['google', 'the only one is there already: 409', { status: 409, body: '' }, 'c', 'ok'],
  [
    'google',
    'the only one is there already: 409 as an error',
    { status: 409, body: googleError(409, 'ALREADY_EXISTS') },
    'c',
    'ok',
  ],
  [
    'google',
    'one cannot be taken',
    { status: 409, body: said([[a]], [[b, 272, 'invalid tag']]) },
    'sl',
    'ok',
  ],
  ['google', 'invalid', { status: 400, body: googleError(400, 'INVALID_ARGUMENT') }, 'pp', 'ok'],
  ['google', 'sign-in', { status: 401, body: googleError(401, 'UNAUTHENTICATED') }, 'nn', 'authFault'],
  [
    'google',
    'no permission',
    { status: 403, body: googleError(403, 'PERMISSION_DENIED') },
    'nn',
    'authFault',
  ],
  ['google', 'no such store', { status: 404, body: googleError(404, 'NOT_FOUND') }, 'nn', 'configFault'],
  ['google', 'quota', { status: 429, body: googleError(429, 'RESOURCE_EXHAUSTED') }, 'rr', 'backOff'],
  ['google', 'away', { status: 503, body: googleError(503, 'UNAVAILABLE') }, 'rr', 'backOff'],
  [
    'google',
    'too long under way',
    { status: 504, body: googleError(504, 'DEADLINE_EXCEEDED') },
    'rr',
    'backOff',
  ],

  ['azure', 'stored', { status: 200, body: said([[a], [b]]) }, 'ss', 'ok'],
  ['azure', 'stored, attributes not indexed', { status: 202, body: said([[a, 1], [b]]) }, 'ws', 'ok'],
  ['azure', 'stored, not as the class says', { status: 202, body: said([[a, 45_063], [b]]) }, 'ws', 'ok'],
  [
    'azure',
    'is there already',
    {
      status: 409,
      body: said(
        [],
        [
          [a, 45_070],
          [b, 45_070],
        ],
      ),
    },
    'cc',
    'ok',
  ],
  ['azure', 'one is there already', { status: 202, body: said([[a]], [[b, 45_070]]) }, 'sc', 'ok'],
  ['azure', 'being stored just now', { status: 409, body: said([], [[a, 45_071]]) }, 'r', 'ok'],
  ['azure', 'processing failure', { status: 202, body: said([[a]], [[b, 272]]) }, 'sl', 'ok'],
  ['azure', 'not valid', { status: 409, body: said([], [[a, 43_264]]) }, 'q', 'ok'],
  ['azure', 'of another study', { status: 409, body: said([], [[a, 43_265]]) }, 'q', 'ok'],
  ['azure', 'nothing in it: 204', { status: 204, body: '' }, 'uu', 'ok'],
  ['azure', 'invalid', { status: 400, body: 'The field is invalid' }, 'pp', 'ok'],
  ['azure', 'sign-in', { status: 401, body: '' }, 'nn', 'authFault'],
  ['azure', 'no role', { status: 403, body: '' }, 'nn', 'authFault'],
  ['azure', 'not acceptable', { status: 406, body: '' }, 'nn', 'configFault'],
  ['azure', 'too large', { status: 413, body: '' }, 'hh', 'ok'],
  ['azure', 'media type', { status: 415, body: '' }, 'pp', 'ok'],
  ['azure', 'busy', { status: 429, body: '', headers: { 'retry-after': '7' } }, 'rr', 'backOff'],
  ['azure', 'away', { status: 503, body: '' }, 'rr', 'backOff'],

  ['aws', 'stored', { status: 200, body: said([[a], [b]]) }, 'ss', 'ok'],
  ['aws', 'one failed', { status: 202, body: said([[a]], [[b, 272]]) }, 'sl', 'ok'],
  [
    'aws',
    'all failed',
    {
      status: 409,
      body: said(
        [],
        [
          [a, 43_264],
          [b, 49_152],
        ],
      ),
    },
    'qq',
    'ok',
  ],
  ['aws', 'invalid', { status: 400, body: '{"message":"ValidationException"}' }, 'pp', 'ok'],
  ['aws', 'no permission', { status: 403, body: '{"message":"AccessDeniedException"}' }, 'nn', 'authFault'],
  ['aws', 'signature', { status: 403, body: '{"message":"InvalidSignatureException"}' }, 'nn', 'authFault'],
  [
    'aws',
    'no such store',
    { status: 404, body: '{"message":"ResourceNotFoundException"}' },
    'nn',
    'configFault',
  ],
  ['aws', 'too large', { status: 413, body: '' }, 'hh', 'ok'],
  ['aws', 'too large alone', { status: 413, body: '' }, 'q', 'ok'],
  ['aws', 'throttled', { status: 429, body: '{"message":"ThrottlingException"}' }, 'rr', 'backOff'],
  ['aws', 'broken', { status: 500, body: '{"message":"InternalServerException"}' }, 'rr', 'backOff'],
];

const secrets = { google: 'ya29.t0ken', azure: 'eyJ.t0ken', aws: 'wJalrXUtnFEMI' } as const;
const signature: Readonly<Record<Profile, RegExp>> = {
  google: /^Bearer ya29\.t0ken$/,
  azure: /^Bearer eyJ\.t0ken$/,
  aws: /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/medical-imaging\/aws4_request, /,
};
let directory: string;
let service: FaultServer;
let caFile: string;
let answer: Answer;
let stores: IncomingMessage[];
let tokenForms: URLSearchParams[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-cloud-answers-'));
});
afterAll(() => rm(directory, { recursive: true }));
beforeEach(async () => {
  stores = [];
  tokenForms = [];
  const authority = await makeAuthority();
  caFile = await file('ca.pem', authority.cert);
  service = using(
    await httpServer(
      async (request, response) => {
        const body = await bodyOf(request);
        if (request.url === '/token') {
          const form = new URLSearchParams(body.toString());
          tokenForms.push(form);
          const token = form.has('assertion') ? secrets.google : secrets.azure;
          response.end(JSON.stringify({ access_token: token, expires_in: 3600 }));
          return;
        }
        stores.push(request);
        response.writeHead(answer.status, answer.headers).end(answer.body);
      },
      await authority.server(),
    ),
  );
});

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

async function signIn(profile: Profile): Promise<object> {
  const tokenUrl = `https://127.0.0.1:${service.port}/token`;
  if (profile === 'azure') {
    const clientSecretFile = await file('secret', 'S3CRET');
    return { type: 'oauth2', tokenUrl, clientId: 'box', clientSecretFile };
  }
  if (profile === 'aws') {
    const text = `[default]\naws_access_key_id=AKIDEXAMPLE\naws_secret_access_key=${secrets.aws}\n`;
    return { type: 'aws-sigv4', region: 'eu-west-1', credentialsFile: await file('credentials', text) };
  }
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = {
    type: 'service_account',
    client_email: 'box@clinic.example',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    token_uri: tokenUrl,
  };
  return { type: 'google-service-account', keyFile: await file('key.json', JSON.stringify(key)) };
}

/** A client as the gateway makes it from its configuration. */
async function clientFor(profile: Profile) {
  const cloud = { type: 'stow', url: service.url, profile, caFile, auth: await signIn(profile) };
  const parsed = parseConfig({ destinations: { cloud } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const destination = parsed.config.destinations['cloud'];
  if (destination?.type !== 'stow') throw new Error('no destination');
  return clientOf(destination.url, destination);
}

const items = (count: number): StoreItem[] =>
  Array.from({ length: count }, (_, at) => ({
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.2' as SOPClassUID,
    SOPInstanceUID: uidAt(at) as SOPInstanceUID,
    StudyInstanceUID: null,
    SeriesInstanceUID: null,
    TransferSyntaxUID: '1.2.840.10008.1.2.1' as TransferSyntaxUID,
    bytes: 4,
    content: async function* () {
      yield Buffer.from('DICM');
    },
  }));

test.each(answers)('%s: %s', async (profile, _name, documented, expected, destination) => {
  answer = documented;
  const client = await clientFor(profile);
  const sent = items(expected.length);
  const got = await client.store(sent, never);
  const judgement = judge(got, sent);
  expect(judgement.perInstance.map(({ kind }) => kind)).toEqual(
    expected.split('').map((letter) => letters[letter as keyof typeof letters]),
  );
  expect(judgement.destination).toMatchObject({
    kind: destination,
    ...(documented.headers && { retryAfterMs: 7000 }),
  });
  expect(stores.map(({ headers }) => headers.authorization)).toEqual([
    expect.stringMatching(signature[profile]),
  ]);
  const shown = inspect([got, judgement], { depth: 9, showHidden: true });
  expect(shown).not.toMatch(/t0ken|wJalr|S3CRET|PRIVATE KEY|AKID/);
});

describe('the token', () => {
  test('azure: asked for by a form, with the scope of the service', async () => {
    answer = { status: 200, body: said([[a]]) };
    await (await clientFor('azure')).store(items(1), never);
    expect(tokenForms.map((form) => Object.fromEntries(form))).toEqual([
      {
        grant_type: 'client_credentials',
        client_id: 'box',
        client_secret: 'S3CRET',
        scope: 'https://dicom.healthcareapis.azure.com/.default',
      },
    ]);
  });
});
