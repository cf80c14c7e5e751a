import type { Clock } from '../base/clock.ts';
import type { AuthConfig } from '../config/schema.ts';
import { readBounded } from './bounded-body.ts';
import { ClientFault, faultCode } from './client-fault.ts';
import type { ConnectorOptions } from './connector.ts';
import type { Credentials } from './credentials.ts';
import { httpBasic } from './http-basic.ts';
import { HttpLine, type LineLimits } from './http-line.ts';
import { readSecretFile } from './secret-file.ts';

export interface OAuthOptions {
  readonly connection: Omit<ConnectorOptions, 'connectMs'>;
  readonly limits: LineLimits;
  /** Where the client's id and secret go (RFC 6749 §2.3.1): the Authorization header, or the form. */
  readonly clientAuthentication: 'basic' | 'post';
  readonly clock: Clock;
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

/** Client credentials grant (RFC 6749 §4.4): one token for all requests, fetched by one request at a time. */
export class OAuthToken implements Credentials {
  readonly #auth: Extract<AuthConfig, { type: 'oauth2' }>;
  readonly #options: OAuthOptions;
  readonly #line: HttpLine;
  readonly #path: string;
  readonly #closing = new AbortController();
  #token: Token | null = null;
  #fetching: Promise<Token> | null = null;

  constructor(auth: Extract<AuthConfig, { type: 'oauth2' }>, options: OAuthOptions) {
    const url = new URL(auth.tokenUrl);
    this.#auth = auth;
    this.#options = options;
    this.#path = url.pathname + url.search;
    this.#line = new HttpLine(url.origin, options.connection, {
      ...options.limits,
      answerIdleMs: requestMs,
      bodyIdleMs: requestMs,
      connectionsMax: 1,
    });
  }

  async authorization(): Promise<string> {
    const { clock } = this.#options;
    if (this.#token === null || clock.monotonic() >= this.#token.usableUntil) {
      this.#fetching ??= this.#fetch().finally(() => {
        this.#fetching = null;
      });
      this.#token = await this.#fetching;
    }
    return `Bearer ${this.#token.value}`;
  }

  refresh(): void {
    this.#token = null;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#line.close();
  }

  async #fetch(): Promise<Token> {
    const { clientId, clientSecretFile } = this.#auth;
    const secret = await readSecretFile(clientSecretFile, 'CLIENT_SECRET_FILE_UNREADABLE');
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (this.#auth.scope !== null) form.set('scope', this.#auth.scope);
    if (this.#auth.audience !== null) form.set('audience', this.#auth.audience);
    const headers: Record<string, string> = {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    };
    if (this.#options.clientAuthentication === 'basic') {
      headers['authorization'] = httpBasic(formEncoded(clientId), formEncoded(secret));
    } else {
      form.set('client_id', clientId);
      form.set('client_secret', secret);
    }
    const requestedAt = this.#options.clock.monotonic();
    const { status, body } = await this.#post(headers, form.toString());
    return tokenOf(status, body, requestedAt);
  }

  async #post(
    headers: Record<string, string>,
    body: string,
  ): Promise<{ status: number; body: Buffer | null }> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(requestMs)]);
    try {
      const answer = await this.#line.request({ method: 'POST', path: this.#path, headers, body, signal });
      const read = await readBounded(answer, answerBytesMax);
      return { status: answer.statusCode, body: read.kind === 'whole' ? read.bytes : null };
    } catch (error) {
      if (error instanceof ClientFault) throw error;
      throw new ClientFault('OAUTH_UNAVAILABLE', { cause: new Error(faultCode(error)) });
    }
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

/** RFC 6749 Appendix B, asked for by §2.3.1 before Basic. */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}
