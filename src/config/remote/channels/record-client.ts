import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { Pool } from '../../../base/http-clients.ts';
import { documentBytesMax } from '../documents.ts';
import { asRemoteFault, remoteFault } from './faults.ts';
import type { Outward, Target } from './outward.ts';

/** One exchange as a whole: the documents are small. */
const exchangeMs = 60_000;
const answerMs = 30_000;
const retryAfterMsMax = 3_600_000;

export type Fetched =
  | { readonly kind: 'new'; readonly bytes: Buffer; readonly etag: string | null }
  /** As it was (304), or nothing is there (404, 410). */
  | { readonly kind: 'same' | 'none' };

/** The server asks for patience. */
export class ServerBusyError extends Error {
  /** What it said itself (Retry-After, RFC 9110 §10.2.3), at most an hour; null where it did not. */
  readonly afterMs: number | null;

  constructor(afterMs: number | null) {
    super('server is busy');
    this.afterMs = afterMs;
  }
}

/** Where the web server of a URL is reached. */
export function recordTarget(url: string): Target {
  const { hostname, port, protocol } = new URL(url);
  const secure = protocol === 'https:';
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    secure,
    alpn: ['http/1.1'],
  };
}

/** Reads and writes small files at a web server. Never follows a redirect. */
export class RecordClient {
  readonly #pool: Pool;
  /** Path of the folder, ending in "/". */
  readonly #base: string;

  /** @param connections at the same time; one is enough for a box */
  constructor(url: string, outward: Outward, connections = 1) {
    const { origin, pathname } = new URL(url);
    const target = recordTarget(url);
    this.#base = pathname.endsWith('/') ? pathname : `${pathname}/`;
    this.#pool = new Pool(origin, {
      connections,
      pipelining: 1,
      allowH2: false,
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
      // One round asks several times; between rounds a connection at rest is of no use.
      keepAliveTimeout: 5000,
      keepAliveMaxTimeout: 10_000,
      connect: (_options, callback) => void connectWith(outward, target, callback),
    });
  }

  /** @throws GantryError REMOTE_*; ServerBusyError */
  async fetch(path: string, etag: string | null): Promise<Fetched> {
    const answer = await this.#ask('GET', path, { ...(etag !== null && { 'if-none-match': etag }) });
    if (answer.status === 304) return { kind: 'same' };
    if (answer.status === 404 || answer.status === 410) return { kind: 'none' };
    if (answer.status !== 200) throw unusable(answer.status);
    return { kind: 'new', bytes: answer.bytes, etag: answer.etag };
  }

  /** @throws GantryError REMOTE_*; ServerBusyError */
  async put(path: string, bytes: Buffer): Promise<void> {
    const { status } = await this.#ask('PUT', path, { 'content-type': 'application/jose+json' }, bytes);
    if (status < 200 || status > 299) throw unusable(status);
  }

  /** @returns false where the server does not let it be taken away. @throws GantryError REMOTE_*; ServerBusyError */
  async remove(path: string): Promise<boolean> {
    const { status } = await this.#ask('DELETE', path, {});
    return (status >= 200 && status <= 299) || status === 404 || status === 410;
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  async #ask(method: 'GET' | 'PUT' | 'DELETE', path: string, headers: Record<string, string>, body?: Buffer) {
    try {
      const answer = await this.#pool.request({
        method,
        path: `${this.#base}${path}`,
        headers: { 'accept-encoding': 'identity', 'user-agent': 'Gantry', ...headers },
        body: body ?? null,
        signal: AbortSignal.timeout(exchangeMs),
      });
      const status = answer.statusCode;
      if (status === 429 || status === 503) {
        await answer.body.dump();
        const seconds = Number(answer.headers['retry-after']);
        throw new ServerBusyError(
          Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0) * 1000, retryAfterMsMax) : null,
        );
      }
      const { etag } = answer.headers;
      const bytes = await bounded(answer.body);
      return { status, bytes, etag: typeof etag === 'string' && etag.length <= 256 ? etag : null };
    } catch (error) {
      throw error instanceof ServerBusyError ? error : asRemoteFault(error);
    }
  }
}

/** For `connect` of a pool. */
export async function connectWith(
  outward: Pick<Outward, 'connect'>,
  target: Target,
  callback: buildConnector.Callback,
): Promise<void> {
  let socket: Socket;
  try {
    socket = await outward.connect(target);
  } catch (error) {
    callback(error as Error, null);
    return;
  }
  callback(null, socket);
}

async function bounded(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > documentBytesMax) throw remoteFault('REMOTE_TOO_LARGE');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function unusable(status: number): Error {
  return remoteFault(status === 401 || status === 403 ? 'REMOTE_SIGN_IN_REFUSED' : 'REMOTE_ANSWER');
}
