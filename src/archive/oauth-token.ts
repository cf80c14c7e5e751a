import type { Clock } from '../base/clock.ts';
import { readBounded } from './bounded-body.ts';
import { ClientFault, faultCode } from './client-fault.ts';
import type { ConnectorOptions } from './connector.ts';
import type { Credentials } from './credentials.ts';
import { HttpLine, type LineLimits } from './http-line.ts';

export interface OAuthOptions {
  readonly connection: Omit<ConnectorOptions, 'connectMs'>;
  readonly limits: LineLimits;
  readonly clock: Clock;
}

/** What is asked of a token endpoint (RFC 6749 §3.2). */
export interface TokenRequest {
  readonly url: string;
  readonly form: URLSearchParams;
  /** Value of the Authorization header, where the client signs in by it. */
  readonly authorization?: string;
}

const answerBytesMax = 256 * 1024;
const tokenCharsMax = 64 * 1024;
/** A token request is small: it is bounded as a whole. */
const requestMs = 30_000;
/** A token is not used in its last seconds: it must outlive the way to the archive. */
const marginMs = 30_000;
/** Where the service does not say how long a token lives. */
const lifetimeMsAssumed = 300_000;
const lifetimeMsMax = 24 * 3_600_000;

interface Token {
  readonly value: string;
  /** On the monotonic clock. */
  readonly usableUntil: number;
}

/** Bearer token of a token service: one for all requests, fetched by one request at a time. */
export class OAuthToken implements Credentials {
  readonly #request: () => Promise<TokenRequest>;
  readonly #options: OAuthOptions;
  readonly #closing = new AbortController();
  #service: { readonly origin: string; readonly line: HttpLine } | null = null;
  #token: Token | null = null;
  #fetching: Promise<Token> | null = null;

  /** @param request makes what is asked, afresh each time; rejects with ClientFault */
  constructor(request: () => Promise<TokenRequest>, options: OAuthOptions) {
    this.#request = request;
    this.#options = options;
  }

  async headers(): Promise<Record<string, string>> {
    const { clock } = this.#options;
    if (this.#token === null || clock.monotonic() >= this.#token.usableUntil) {
      this.#fetching ??= this.#fetch().finally(() => {
        this.#fetching = null;
      });
      this.#token = await this.#fetching;
    }
    return { authorization: `Bearer ${this.#token.value}` };
  }

  refresh(): void {
    this.#token = null;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#service?.line.close();
  }

  async #fetch(): Promise<Token> {
    const request = await this.#request();
    const requestedAt = this.#options.clock.monotonic();
    const { status, body } = await this.#post(request);
    return tokenOf(status, body, requestedAt);
  }

  async #post(request: TokenRequest): Promise<{ status: number; body: Buffer | null }> {
    const { origin, pathname, search } = new URL(request.url);
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(requestMs)]);
    const headers = {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(request.authorization !== undefined && { authorization: request.authorization }),
    };
    const body = request.form.toString();
    try {
      const line = await this.#lineTo(origin);
      const answer = await line.request({ method: 'POST', path: pathname + search, headers, body, signal });
      const read = await readBounded(answer, answerBytesMax);
      return { status: answer.statusCode, body: read.kind === 'whole' ? read.bytes : null };
    } catch (error) {
      if (error instanceof ClientFault) throw error;
      throw new ClientFault('OAUTH_UNAVAILABLE', { cause: new Error(faultCode(error)) });
    }
  }

  /** A key file that is replaced may name another service. */
  async #lineTo(origin: string): Promise<HttpLine> {
    if (this.#service?.origin === origin) return this.#service.line;
    await this.#service?.line.close();
    // Closed in the meantime: nothing is opened that nobody would close.
    this.#closing.signal.throwIfAborted();
    const { connection, limits } = this.#options;
    const line = new HttpLine(origin, connection, {
      ...limits,
      answerIdleMs: requestMs,
      bodyIdleMs: requestMs,
      connectionsMax: 1,
    });
    this.#service = { origin, line };
    return line;
  }
}

/** @throws ClientFault OAUTH_* */
function tokenOf(status: number, body: Buffer | null, requestedAt: number): Token {
  if (status === 408 || status === 429 || status >= 500) throw new ClientFault('OAUTH_UNAVAILABLE');
  if (status === 400 || status === 401 || status === 403) throw new ClientFault('OAUTH_REFUSED');
  if (status !== 200 || body === null) throw new ClientFault('OAUTH_ANSWER_INVALID');
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString('utf8'));
  } catch {
    throw new ClientFault('OAUTH_ANSWER_INVALID');
  }
  const { access_token: value, expires_in: seconds } = (answer ?? {}) as Record<string, unknown>;
  // RFC 6750 §2.1: what may stand in the header.
  if (typeof value !== 'string' || value.length > tokenCharsMax || !/^[\w.~+/-]+=*$/.test(value)) {
    throw new ClientFault('OAUTH_ANSWER_INVALID');
  }
  const given = Number(seconds) * 1000;
  const lifetimeMs = Number.isFinite(given) && given > 0 ? Math.min(given, lifetimeMsMax) : lifetimeMsAssumed;
  return { value, usableUntil: requestedAt + lifetimeMs - marginMs };
}
