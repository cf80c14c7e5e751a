import type { Credentials } from './credentials.ts';
import type { HttpLine, LineAnswer, LineRequest } from './http-line.ts';

/** Requests to the archive that carry the sign-in. */
export class SignedLine {
  readonly #line: HttpLine;
  readonly #credentials: Credentials;

  constructor(line: HttpLine, credentials: Credentials) {
    this.#line = line;
    this.#credentials = credentials;
  }

  /** @throws like `HttpLine.request`, and ClientFault where the sign-in cannot be made */
  async request(request: LineRequest): Promise<LineAnswer> {
    const authorization = await untilAborted(this.#credentials.authorization(), request.signal);
    const headers = authorization === null ? request.headers : { ...request.headers, authorization };
    return this.#line.request({ ...request, headers });
  }

  refreshCredentials(): void {
    this.#credentials.refresh();
  }

  get certificateEndsAt(): number | null {
    return this.#line.certificateEndsAt;
  }

  async close(): Promise<void> {
    await this.#credentials.close();
    await this.#line.close();
  }
}

/** @throws the signal's reason once it is aborted; the work goes on for those who share it */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
