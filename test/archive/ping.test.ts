import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { type FaultServer, httpServer } from './fault-server.ts';
import { keepOpened } from './opened.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();

async function serving(handler: (request: IncomingMessage, response: ServerResponse) => unknown) {
  return using(await httpServer(handler));
}

test('asks once, for one study, signed in; any answer is one', async () => {
  const seen: unknown[] = [];
  let status = 200;
  const server = await serving((request, response) => {
    seen.push([request.method, request.url, request.headers.authorization, request.headers.accept]);
    response.writeHead(status, { 'retry-after': '7' }).end('[{"00100010": "a name nobody reads"}]');
  });
  const tokenUrl = 'https://127.0.0.1:9/token';
  const clock = new ManualClock();
  clock.advance(1234);
  const client = clientOf(server.url, { clock });
  expect(client.line().answeredAt).toBeNull();
  for (status of [200, 401, 404, 501, 503]) {
    expect(await client.ping(never)).toEqual({ kind: 'answered', status, retryAfterMs: 7000 });
  }
  expect(client.line().answeredAt).toBe(1234);
  expect(seen).toEqual(
    Array.from({ length: 5 }, () => [
      'GET',
      '/dicom-web/studies?limit=1',
      undefined,
      'application/dicom+json',
    ]),
  );
  const auth = { type: 'oauth2', tokenUrl, clientId: 'box', clientSecretFile: '/no/such/file' } as const;
  const unsigned = clientOf(server.url, {
    auth: { ...auth, scope: null, audience: null, clientAuthentication: 'basic' },
  });
  expect(await unsigned.ping(never)).toEqual({
    kind: 'failed',
    code: 'CLIENT_SECRET_FILE_UNREADABLE',
    file: '/no/such/file',
  });
  expect(unsigned.line().answeredAt).toBeNull();
  expect(seen).toHaveLength(5);
});

test('says why there is no answer', async () => {
  const gone: FaultServer = await httpServer(() => {});
  await gone.stop();
  expect(await clientOf(gone.url).ping(never)).toEqual({ kind: 'failed', code: 'ECONNREFUSED' });
});

test('is bounded as a whole, however slowly the answer drips', async () => {
  const drips = new Set<NodeJS.Timeout>();
  const server = await serving((_request, response) => {
    response.writeHead(200);
    drips.add(setInterval(() => response.write(' '), 20));
  });
  const silent = await serving(() => {});
  for (const { url } of [server, silent]) {
    const answer = await clientOf(url, { limits: { pingMs: 150 } }).ping(never);
    // The head came in time: that is an answer.
    if (url === server.url) expect(answer).toMatchObject({ kind: 'answered', status: 200 });
    else expect(answer).toEqual({ kind: 'failed', code: 'ANSWER_LATE' });
  }
  for (const drip of drips) clearInterval(drip);
});
