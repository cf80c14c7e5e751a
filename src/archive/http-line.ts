import { type Dispatcher, Pool } from 'undici';
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
  /** Connections to the archive at the same time. */
  readonly connectionsMax: number;
}

export const defaultLineLimits: LineLimits = {
  connectMs: 10_000,
  sendIdleMs: 60_000,
  answerIdleMs: 300_000,
  bodyIdleMs: 60_000,
  pingMs: 30_000,
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

/** The connection pool to one origin. Never follows a redirect, never asks twice. */
export class HttpLine {
  readonly #connections: Connections;
  readonly #pool: Pool;

  constructor(origin: string, options: Omit<ConnectorOptions, 'connectMs'>, limits: LineLimits) {
    this.#connections = new Connections({ ...options, connectMs: limits.connectMs });
    this.#pool = new Pool(origin, {
      connect: this.#connections.connector,
      allowH2: options.allowH2,
      connections: limits.connectionsMax,
      pipelining: 1,
      headersTimeout: limits.answerIdleMs,
      bodyTimeout: limits.bodyIdleMs,
      maxHeaderSize: 64 * 1024,
    });
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
    return answer;
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
