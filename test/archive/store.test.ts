import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { StoreItem } from '../../src/archive/port.ts';
import { multipartBoundary, multipartParts } from '../../src/dicom/multipart.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import {
  bodyOf,
  httpServer,
  hugeItem,
  itemOfBytes,
  rawServer,
  referencing,
  smallItem,
} from './fault-server.ts';
import { keepOpened } from './opened.ts';

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();

describe('the request', () => {
  test('carries each file whole, with the exact length, uncompressed, and is the same when sent again', async () => {
    const requests: { headers: IncomingMessage['headers']; digest: string; parts: string[] }[] = [];
    const server = using(
      await httpServer(async (request, response) => {
        const body = await bodyOf(request);
        const boundary = multipartBoundary(request.headers['content-type'] ?? '') ?? '';
        const parts: string[] = [];
        for await (const part of multipartParts(pieces(body, 1000), boundary)) {
          const hash = createHash('sha256');
          for await (const chunk of part.content) hash.update(chunk);
          parts.push(`${part.headers.get('content-type')} ${hash.digest('hex')}`);
        }
        requests.push({ headers: request.headers, digest: digest(body), parts });
        response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(referencing());
      }),
    );
    const bodies = [0, 1, 1337, 65_535, 65_536, 200_000].map((length) => Buffer.alloc(length, length % 251));
    const items = bodies.map((bytes) => itemOfBytes(ctSlice({ rows: 1, columns: 1, seed: 1 }), bytes));
    const client = clientOf(server.url);
    await client.store(items, never);
    await client.store(items, never);
    const [first, again] = requests;
    expect(first?.parts).toEqual(bodies.map((bytes) => `application/dicom ${digest(bytes)}`));
    expect(again?.digest).toBe(first?.digest);
    expect(again?.headers['content-type']).toBe(first?.headers['content-type']);
    expect(first?.headers).toMatchObject({
      'content-type': expect.stringMatching(
        /^multipart\/related; type="application\/dicom"; boundary=[\w-]+$/,
      ),
      accept: 'application/dicom+json, application/dicom+xml;q=0.8',
      'accept-encoding': 'identity',
    });
    expect(first?.headers['content-encoding']).toBeUndefined();
    expect(first?.headers['transfer-encoding']).toBeUndefined();
    expect(client.line().bytesSent).toBe(2 * Number(first?.headers['content-length']));
  });

  test('reads no faster than the archive takes', async () => {
    const arrived = Promise.withResolvers<Socket>();
    const server = using(await rawServer((socket) => arrived.resolve(socket.pause())));
    let read = 0;
    const item = hugeItem();
    const abort = new AbortController();
    const content = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of item.content()) {
        read += chunk.length;
        yield chunk;
      }
    };
    const answer = clientOf(server.url, { limits: { sendIdleMs: 300 } }).store(
      [{ ...item, content }],
      abort.signal,
    );
    await arrived.promise;
    expect(await answer).toEqual({ kind: 'failed', phase: 'partial', code: 'SEND_STALLED' });
    // What the kernel buffers on both sides, not what the object is long.
    expect(read).toBeLessThan(item.bytes / 4);
  });

  test('opens an item only when its turn comes, and closes it when the line breaks', async () => {
    const server = using(await rawServer((socket) => socket.once('data', () => socket.resetAndDestroy())));
    const opened: number[] = [];
    const closed: number[] = [];
    const items = [0, 1].map((index): StoreItem => {
      const item = hugeItem();
      return {
        ...item,
        content: async function* () {
          opened.push(index);
          try {
            yield* item.content();
          } finally {
            closed.push(index);
          }
        },
      };
    });
    expect(await clientOf(server.url).store(items, never)).toMatchObject({
      kind: 'failed',
      phase: 'partial',
    });
    await new Promise(setImmediate);
    expect(opened).toEqual([0]);
    expect(closed).toEqual([0]);
  });
});

describe('how far a failed request came', () => {
  test('unsent: nothing listens', async () => {
    const server = await rawServer(() => {});
    await server.stop();
    const answer = await clientOf(server.url).store([smallItem().item], never);
    expect(answer).toEqual({ kind: 'failed', phase: 'unsent', code: 'ECONNREFUSED' });
  });

  test('unsent: no such host name', async () => {
    const answer = await clientOf('http://archive.invalid/studies').store([smallItem().item], never);
    expect(answer).toMatchObject({ kind: 'failed', phase: 'unsent' });
    expect(answer).toHaveProperty('code', expect.stringMatching(/^(?:ENOTFOUND|EAI_AGAIN)$/));
  });

  test('unsent: aborted before it began', async () => {
    const server = using(await httpServer((_request, response) => response.end()));
    const answer = await clientOf(server.url).store([smallItem().item], AbortSignal.abort());
    expect(answer).toEqual({ kind: 'failed', phase: 'unsent', code: 'ABORTED' });
  });

  test('partial: reset while the body is on its way', async () => {
    const server = using(await rawServer((socket) => socket.once('data', () => socket.resetAndDestroy())));
    const answer = await clientOf(server.url).store([hugeItem()], never);
    expect(answer).toMatchObject({ kind: 'failed', phase: 'partial' });
    expect(answer).toHaveProperty('code', expect.stringMatching(/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/));
  });

  test('partial: the archive closes its half while the body is on its way', async () => {
    const server = using(
      await rawServer((socket) => {
        socket.once('data', () => socket.end());
        socket.resume();
      }),
    );
    const answer = await clientOf(server.url, { limits: { sendIdleMs: 2000 } }).store([hugeItem()], never);
    expect(answer).toMatchObject({ kind: 'failed', phase: 'partial' });
  });

  test('partial: aborted half-way', async () => {
    const abort = new AbortController();
    const server = using(
      await rawServer((socket) => {
        socket.pause();
        abort.abort();
      }),
    );
    const answer = await clientOf(server.url).store([hugeItem()], abort.signal);
    expect(answer).toMatchObject({ kind: 'failed', code: 'ABORTED' });
  });

  test('partial: the client is closed half-way, which is our own doing', async () => {
    const arrived = Promise.withResolvers<void>();
    const server = using(
      await rawServer((socket) => {
        socket.once('data', () => {
          socket.pause();
          arrived.resolve();
        });
      }),
    );
    const client = clientOf(server.url);
    const answer = client.store([hugeItem()], never);
    await arrived.promise;
    await client.close();
    expect(await answer).toEqual({ kind: 'failed', phase: 'partial', code: 'UND_ERR_DESTROYED' });
  });

  test('unanswered: closed after the last byte', async () => {
    const server = using(
      await httpServer(async (request, response) => {
        await bodyOf(request);
        response.destroy();
      }),
    );
    const answer = await clientOf(server.url).store([smallItem().item], never);
    expect(answer).toMatchObject({ kind: 'failed', phase: 'unanswered' });
  });

  test('unanswered: reset after the last byte', async () => {
    const server = using(
      await httpServer(async (request) => {
        await bodyOf(request);
        request.socket.resetAndDestroy();
      }),
    );
    const answer = await clientOf(server.url).store([smallItem().item], never);
    expect(answer).toMatchObject({ kind: 'failed', phase: 'unanswered' });
  });

  test('unanswered: silent after the last byte', async () => {
    const server = using(await httpServer(() => {}));
    const client = clientOf(server.url, { limits: { answerIdleMs: 200 } });
    const answer = await client.store([smallItem().item], never);
    expect(answer).toEqual({ kind: 'failed', phase: 'unanswered', code: 'UND_ERR_HEADERS_TIMEOUT' });
  });

  test('our own source failing: the archive never sees the end of the body', async () => {
    const ended = Promise.withResolvers<string>();
    const server = using(
      await httpServer((request) => {
        request.on('end', () => ended.resolve('complete')).on('error', () => ended.resolve('broken off'));
        request.resume();
      }),
    );
    const { item } = smallItem();
    const damaged = new Error('damaged');
    const content = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(300_000);
      throw damaged;
    };
    const answer = await clientOf(server.url).store([{ ...item, bytes: 600_000, content }], never);
    expect(answer).toEqual({ kind: 'source-failed', error: damaged });
    expect(await ended.promise).toBe('broken off');
  });
});

describe('an answer while the body is still going', () => {
  for (const status of [401, 413, 503]) {
    test(`${status} counts, and the rest is not sent`, async () => {
      let took = 0;
      const closed = Promise.withResolvers<void>();
      const server = using(
        await httpServer((request, response) => {
          request.socket.on('close', () => closed.resolve());
          request.once('data', () => {
            response.writeHead(status, { 'retry-after': '7', 'content-length': '2' }).end('no');
          });
          request.on('data', (chunk: Buffer) => {
            took += chunk.length;
          });
          request.on('error', () => {});
        }),
      );
      const item = hugeItem();
      const answer = await clientOf(server.url).store([item], never);
      expect(answer).toEqual({
        kind: 'answered',
        status,
        retryAfterMs: 7000,
        body: 'unreadable',
        referenced: [],
        failed: [],
      });
      await closed.promise;
      expect(took).toBeLessThan(item.bytes);
    });
  }

  test('counts when the archive stops reading and keeps the connection open', async () => {
    const server = using(
      await rawServer((socket) => {
        socket.once('data', () => {
          socket.pause();
          socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
        });
      }),
    );
    const answer = await clientOf(server.url).store([hugeItem()], never);
    expect(answer).toMatchObject({ kind: 'answered', status: 413, body: 'empty' });
  });

  test('a cut one still has its status', async () => {
    const server = using(
      await rawServer((socket) => {
        socket.once('data', () => socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nhalf'));
      }),
    );
    const answer = await clientOf(server.url).store([hugeItem()], never);
    expect(answer).toMatchObject({ kind: 'answered', status: 503, body: 'unreadable' });
  });
});

async function* pieces(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
