import type { Role } from '../../../src/web/api-route.ts';

/** Why a call came to nothing, in the words of the gateway. */
export interface Failure {
  readonly code: string;
  /** Null where the box did not answer at all. */
  readonly words: string | null;
  readonly nextStep: string | null;
}

export class CallFailed extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.code);
    this.failure = failure;
  }
}

export interface Session {
  readonly user: string | null;
  readonly role: Role | null;
  /** Whether the password is changed here. */
  readonly ownPassword?: boolean;
  readonly csrfToken: string | null;
  readonly boxPaired: boolean;
  readonly pairingOpen?: boolean;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** The API of this box, and who has signed in with this browser. */
export class Api {
  readonly #listeners = new Set<() => void>();
  session: Session | null = null;
  /** The session ended by itself: said until somebody signs in again. */
  ended = false;
  /** Somebody has just signed in here: what was in focus is gone. */
  entered = false;

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks who has signed in; a box that does not answer leaves what was known. */
  async refresh(): Promise<void> {
    this.#take(await this.call<Session>('GET', '/api/v1/session'));
  }

  /** Signs in, out, or pairs: whatever answers with a session. */
  async enter(method: Method, path: string, body?: object): Promise<void> {
    this.ended = false;
    const session = await this.call<Session>(method, path, body);
    this.entered = session.user !== null;
    this.#take(session);
  }

  /** @throws CallFailed */
  async call<T>(method: Method, path: string, body?: object): Promise<T> {
    const answer = await this.#fetch(method, path, body);
    const text = await answer.text();
    return (text === '' ? null : JSON.parse(text)) as T;
  }

  /** Hands a file of the box to the browser. @throws CallFailed */
  async download(method: Method, path: string, name: string): Promise<void> {
    const answer = await this.#fetch(method, path);
    const given = /filename="([^"]+)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1];
    const url = URL.createObjectURL(await answer.blob());
    const link = document.createElement('a');
    link.href = url;
    link.download = given ?? name;
    link.click();
    URL.revokeObjectURL(url);
  }

  async #fetch(method: Method, path: string, body?: object): Promise<Response> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers['content-type'] = 'application/json';
    const csrfToken = this.session?.csrfToken ?? null;
    if (method !== 'GET' && csrfToken !== null) headers['x-csrf-token'] = csrfToken;
    let answer: Response;
    try {
      const text = body === undefined ? {} : { body: JSON.stringify(body) };
      answer = await fetch(path, { method, headers, cache: 'no-store', ...text });
    } catch {
      throw new CallFailed({ code: 'NO_ANSWER', words: null, nextStep: null });
    }
    if (answer.ok) return answer;
    const failure = await failureOf(answer);
    if (answer.status === 401 && this.session !== null && this.session.user !== null) {
      this.ended = true;
      this.#take({ ...this.session, user: null, role: null, csrfToken: null });
    }
    throw new CallFailed(failure);
  }

  #take(session: Session): void {
    this.session = session;
    for (const listener of this.#listeners) listener();
  }
}

async function failureOf(answer: Response): Promise<Failure> {
  try {
    const { code, detail, nextStep } = (await answer.json()) as Record<string, string | null>;
    return { code: code ?? `HTTP_${answer.status}`, words: detail ?? null, nextStep: nextStep ?? null };
  } catch {
    return { code: `HTTP_${answer.status}`, words: null, nextStep: null };
  }
}
