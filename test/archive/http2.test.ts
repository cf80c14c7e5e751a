import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  constants,
  createSecureServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DicomWebOptions } from '../../src/archive/dicomweb.ts';
import type { StoreItem } from '../../src/archive/port.ts';
import { makeAuthority, type MadeAuthority } from '../fixtures/certificates.ts';
import { hugeItem, referencing, smallItem } from './fault-server.ts';
import { keepOpened } from './opened.ts';

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();
const json = { ':status': 200, 'content-type': 'application/dicom+json' };

let directory: string;
let authority: MadeAuthority;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-http2-'));
  authority = await makeAuthority();
  await writeFile(join(directory, 'ca.pem'), authority.cert);
});
afterAll(async () => rm(directory, { recursive: true }));

interface Arrived {
  readonly stream: ServerHttp2Stream;
  readonly session: ServerHttp2Session;
  readonly headers: IncomingHttpHeaders;
}

/** An archive that speaks nothing but HTTP/2, and does with each stream what the test wants. */
async function http2Server(handler: (arrived: Arrived) => unknown) {
  const { cert, key } = await authority.server();
  const sessions = new Set<Http2Session>();
  const server = createSecureServer({ cert, key });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const { session } = stream;
    if (session !== undefined) void handler({ stream, session: session as ServerHttp2Session, headers });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  using({
    stop: async () => {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  });
  const url = `https://127.0.0.1:${port}/dicom-web/studies`;
  const client = (limits: DicomWebOptions['limits'] = {}) =>
    clientOf(url, { http2: true, caFile: join(directory, 'ca.pem'), limits });
  return { client, sessions };
}

async function digestOf(stream: ServerHttp2Stream): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

/** An item that says when its source is released. */
function watched(item: StoreItem): { item: StoreItem; closed: Promise<void> } {
  const closed = Promise.withResolvers<void>();
  const content = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* item.content();
    } finally {
      closed.resolve();
    }
  };
  return { item: { ...item, content }, closed: closed.promise };
}

describe('over HTTP/2', () => {
  test('requests side by side arrive whole, each on a connection of its own, which is used again', async () => {
    const seen: { session: Http2Session; digest: string; headers: IncomingHttpHeaders }[] = [];
    const all = Promise.withResolvers<void>();
    const { client, sessions } = await http2Server(async ({ stream, session, headers }) => {
      const place = { session, digest: '', headers };
      if (seen.push(place) === 4) all.resolve();
      await all.promise;
      place.digest = await digestOf(stream);
      stream.respond(json);
      stream.end(referencing('1.2'));
    });
    const archive = client();
    const item = hugeItem(3_000_000);
    const answers = await Promise.all([1, 2, 3, 4].map(() => archive.store([item], never)));
    expect(answers).toMatchObject(answers.map(() => ({ kind: 'answered', status: 200, body: 'parsed' })));
    expect(new Set(seen.map(({ session }) => session)).size).toBe(4);
    expect(new Set(seen.map(({ digest }) => digest)).size).toBe(1);
    expect(Number(seen[0]?.headers['content-length'])).toBeGreaterThan(item.bytes);
    await archive.store([smallItem().item], never);
    expect(sessions.size).toBe(4);
  });

  test.each([
    [401, undefined],
    [413, undefined],
    [429, '7'],
    [503, new Date(Date.now() + 60_000).toUTCString()],
  ])(
    '%i while the body is on its way counts; the rest is not sent, and the source is let go',
    async (status, retryAfter) => {
      const { client } = await http2Server(({ stream }) => {
        stream.respond({
          ':status': status,
          ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
        });
        stream.end();
      });
      const { item, closed } = watched(hugeItem());
      const archive = client({ sendIdleMs: 5000 });
      const answer = await archive.store([item], never);
      expect(answer).toMatchObject({ kind: 'answered', status });
      if (answer.kind === 'answered' && retryAfter !== undefined)
        expect(answer.retryAfterMs).toBeGreaterThan(5000);
      await closed;
      expect(archive.line().bytesSent).toBeLessThan(item.bytes / 2);
    },
  );

  test('REFUSED_STREAM: nothing was done with it', async () => {
    const { client } = await http2Server(({ stream }) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    const { item, closed } = watched(hugeItem());
    expect(await client().store([item], never)).toMatchObject({ kind: 'failed', phase: 'unsent' });
    await closed;
  });

  test.each([
    ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR],
    ['CANCEL', constants.NGHTTP2_CANCEL],
  ])('RST_STREAM %s half-way: partial', async (_, code) => {
    const { client } = await http2Server(({ stream }) => stream.once('data', () => stream.close(code)));
    const { item, closed } = watched(hugeItem());
    expect(await client().store([item], never)).toMatchObject({ kind: 'failed', phase: 'partial' });
    await closed;
  });

  test('GOAWAY half-way that lets the stream finish: the answer counts, and the next request has a new connection', async () => {
    let streams = 0;
    const { client, sessions } = await http2Server(async ({ stream, session }) => {
      streams += 1;
      if (streams === 1) session.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
      await digestOf(stream);
      stream.respond(json);
      stream.end(referencing('1.2'));
    });
    const archive = client();
    const item = hugeItem(2_000_000);
    expect(await archive.store([item], never)).toMatchObject({ kind: 'answered', status: 200 });
    expect(await archive.store([item], never)).toMatchObject({ kind: 'answered', status: 200 });
    expect(sessions.size).toBe(2);
  });

  test('GOAWAY half-way that leaves the stream out, or for an error: the outcome is unknown', async () => {
    const { ENHANCE_YOUR_CALM: calm, NO_ERROR: none } = {
      ENHANCE_YOUR_CALM: constants.NGHTTP2_ENHANCE_YOUR_CALM,
      NO_ERROR: constants.NGHTTP2_NO_ERROR,
    };
    for (const code of [none, calm]) {
      let before: number | null = null;
      const { client } = await http2Server(async ({ stream, session }) => {
        if (before !== null) {
          const last = before;
          stream.once('data', () => session.goaway(code, last));
          return;
        }
        before = stream.id ?? null;
        await digestOf(stream);
        stream.respond(json);
        stream.end(referencing('1.2'));
      });
      const archive = client();
      await archive.store([smallItem().item], never);
      const { item, closed } = watched(hugeItem());
      const answer = await archive.store([item], never);
      expect(answer).toMatchObject({ kind: 'failed', phase: 'unanswered' });
      await closed;
    }
  });

  test('a reset connection half-way: partial', async () => {
    const { client } = await http2Server(({ stream, session }) => {
      stream.once('data', () => session.socket.destroy());
    });
    const { item, closed } = watched(hugeItem());
    expect(await client().store([item], never)).toMatchObject({ kind: 'failed', phase: 'partial' });
    await closed;
  });

  test('a connection that ends after the last byte, before the answer: unanswered', async () => {
    const { client } = await http2Server(async ({ stream, session }) => {
      await digestOf(stream);
      session.destroy();
    });
    const answer = await client().store([smallItem().item], never);
    expect(answer).toMatchObject({ kind: 'failed', phase: 'unanswered' });
  });

  test('an archive that takes no more bytes is given up after the idle time, and the source let go', async () => {
    const { client } = await http2Server(({ stream }) => stream.pause());
    const { item, closed } = watched(hugeItem());
    expect(await client({ sendIdleMs: 300 }).store([item], never)).toEqual({
      kind: 'failed',
      phase: 'partial',
      code: 'SEND_STALLED',
    });
    await closed;
  });

  test('a slow archive that goes on taking bytes is never given up', async () => {
    const { client } = await http2Server(async ({ stream }) => {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        await new Promise((resolve) => setTimeout(resolve, chunk.length > 0 ? 10 : 0));
      }
      stream.respond(json);
      stream.end(referencing('1.2'));
    });
    const answer = await client({ sendIdleMs: 1500, answerIdleMs: 1500 }).store([hugeItem(4_000_000)], never);
    expect(answer).toMatchObject({ kind: 'answered', status: 200 });
  });

  test('silence after the last byte, and an answer that stops half-way, are noticed', async () => {
    const silent = await http2Server(({ stream }) => digestOf(stream));
    expect(await silent.client({ answerIdleMs: 300 }).store([smallItem().item], never)).toMatchObject({
      kind: 'failed',
      phase: 'unanswered',
      code: 'UND_ERR_HEADERS_TIMEOUT',
    });
    const halting = await http2Server(async ({ stream }) => {
      await digestOf(stream);
      stream.respond(json);
      stream.write('{"0008');
    });
    expect(await halting.client({ bodyIdleMs: 300 }).store([smallItem().item], never)).toMatchObject({
      kind: 'answered',
      status: 200,
      body: 'unreadable',
    });
  });

  test('aborted half-way: our own doing, and the source let go', async () => {
    const abort = new AbortController();
    const { client } = await http2Server(({ stream }) => stream.once('data', () => abort.abort()));
    const { item, closed } = watched(hugeItem());
    expect(await client().store([item], abort.signal)).toMatchObject({ kind: 'failed', code: 'ABORTED' });
    await closed;
  });
});
