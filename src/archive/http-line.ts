import type { Dispatcher } from 'undici';
import { Client, Pool } from '../base/http-clients.ts';
import { Connections, type ConnectorOptions } from './connector.ts';

/** How long one step of an exchange may make no progress; only `pingMs` bounds an exchange as a whole. */
export interface LineLimits {
  /** Name look-up, connection, tunnel, TLS: each. */
  readonly connectMs: number;
  /** The archive takes no bytes. */
  readonly sendIdleMs: number;
  /** The request is out and no answer begins: an archive may need long to take in a large batch. */
  readonly answerIdleMs: number;
  /** The answer stops half-way. */
  readonly bodyIdleMs: number;
  /** The question whether the archive is there, from the sign-in to the end of the answer. */
  readonly pingMs: number;
  /**
   * A connection at rest is kept, so that the next batch finds it warm. Less than the minute or so after which
   * servers and middle boxes drop one; what a server itself names goes before it.
   */
  readonly keepAliveMs: number;
  /**
   * So long before the server says it closes a connection at rest, it is not used any more: its close and our next
   * request must not cross. Longer than a round trip over a line that is full.
   */
  readonly keepAliveMarginMs: number;
  /** Connections to the archive at the same time. */
  readonly connectionsMax: number;
}

export const defaultLineLimits: LineLimits = {
  connectMs: 10_000,
  sendIdleMs: 60_000,
  answerIdleMs: 300_000,
  bodyIdleMs: 60_000,
  pingMs: 30_000,
  keepAliveMs: 30_000,
  keepAliveMarginMs: 700,
  connectionsMax: 32,
};

export interface LineRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query, relative to the origin. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string | AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
}

export type LineAnswer = Dispatcher.ResponseData;

/**
 * For HTTP/2, where undici's pool puts all requests on one connection: one alone does not fill a long or lossy line,
 * and what is lost on it holds up all its streams. Here each request has the first connection that is free.
 */
class ClientPerRequest {
  readonly #make: () => Client;
  readonly #connectionsMax: number;
  /** With the requests under way on each. */
  readonly #clients = new Map<Client, number>();

  constructor(make: () => Client, connectionsMax: number) {
    this.#make = make;
    this.#connectionsMax = connectionsMax;
  }

  async request(options: Dispatcher.RequestOptions): Promise<LineAnswer> {
    const client = this.#leastBusy();
    const count = (by: number) => this.#clients.set(client, (this.#clients.get(client) ?? 0) + by);
    count(1);
    try {
      const answer = await client.request(options);
      answer.body.once('close', () => count(-1));
      return answer;
    } catch (error) {
      count(-1);
      throw error;
    }
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#clients.keys()].map((client) => client.destroy()));
  }

  #leastBusy(): Client {
    const [least] = [...this.#clients].toSorted(([, one], [, other]) => one - other);
    const full = this.#clients.size >= this.#connectionsMax;
    if (least !== undefined && (least[1] === 0 || full)) return least[0];
    const client = this.#make();
    this.#clients.set(client, 0);
    return client;
  }
}

/** The connection pool to one origin. Never follows a redirect, never asks twice. */
export class HttpLine {
  readonly #connections: Connections;
  readonly #pool: Pool | ClientPerRequest;
  #clockOffsetMs: number | null = null;

  constructor(origin: string, options: Omit<ConnectorOptions, 'connectMs'>, limits: LineLimits) {
    this.#connections = new Connections({ ...options, connectMs: limits.connectMs });
    const { connectionsMax } = limits;
    const clientOptions = {
      connect: this.#connections.connector,
      allowH2: options.allowH2,
      pipelining: 1,
      keepAliveTimeout: limits.keepAliveMs,
      keepAliveTimeoutThreshold: limits.keepAliveMarginMs,
      headersTimeout: limits.answerIdleMs,
      bodyTimeout: limits.bodyIdleMs,
      maxHeaderSize: 64 * 1024,
    };
    this.#pool = options.allowH2
      ? new ClientPerRequest(() => new Client(origin, clientOptions), connectionsMax)
      : new Pool(origin, { ...clientOptions, connections: connectionsMax });
  }

  /**
   * Resolves once the head of the answer is here. The body must be read or destroyed.
   * @throws whatever broke: ClientFault, a system, TLS or undici error
   */
  async request(request: LineRequest): Promise<LineAnswer> {
    const answer = await this.#pool.request({
      method: request.method,
      path: request.path,
      headers: { 'accept-encoding': 'identity', 'user-agent': 'Gantry', ...request.headers },
      // undici takes async iterables, pulling a piece when the line has room; its types leave them out.
      body: (request.body ?? null) as string | null,
      signal: request.signal,
    });
    // An answer that is dropped or cut reports that as an error event as well; the reader sees it anyway.
    answer.body.on('error', () => {});
    const date = Date.parse(headerOf(answer, 'date') ?? '');
    if (!Number.isNaN(date)) this.#clockOffsetMs = date - Date.now();
    return answer;
  }

  /** How much the server's clock (its Date header, in whole seconds) is ahead of ours; null before it said so. */
  get clockOffsetMs(): number | null {
    return this.#clockOffsetMs;
  }

  /** When the server certificate last seen ends (ms since the epoch), or null. */
  get certificateEndsAt(): number | null {
    return this.#connections.certificateEndsAt;
  }

  /** Ends every request still under way. */
  async close(): Promise<void> {
    await this.#pool.destroy();
    await this.#connections.close();
  }
}

/** The first value of a header, or null. */
export function headerOf(answer: Pick<LineAnswer, 'headers'>, name: string): string | null {
  const value = answer.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

const retryAfterMsMax = 24 * 3_600_000;

/** Retry-After (RFC 9110 §10.2.3), in seconds or as an HTTP date; at most a day, null where absent or garbled. */
export function retryAfterMs(answer: Pick<LineAnswer, 'headers'>, now: number): number | null {
  const text = headerOf(answer, 'retry-after')?.trim() ?? '';
  const wait = /^\d+$/.test(text)
    ? Number(text) * 1000
    : /[A-Za-z]/.test(text)
      ? Date.parse(text) - now
      : Number.NaN;
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), retryAfterMsMax);
}
