import type { Clock } from '../base/clock.ts';
import type { Credentials } from './credentials.ts';
import type { HttpLine, LineAnswer, LineRequest } from './http-line.ts';

/** Requests to the archive that carry the sign-in. */
export class SignedLine {
  readonly #line: HttpLine;
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  #answeredAt: number | null = null;

  constructor(line: HttpLine, credentials: Credentials, clock: Clock) {
    this.#line = line;
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /** @throws like `HttpLine.request`, and ClientFault where the sign-in cannot be made */
  async request(request: LineRequest): Promise<LineAnswer> {
    const signature = await untilAborted(this.#credentials.headers(request), request.signal);
    const answer = await this.#line.request({ ...request, headers: { ...request.headers, ...signature } });
    this.#answeredAt = this.#clock.monotonic();
    return answer;
  }

  refreshCredentials(): void {
    this.#credentials.refresh();
  }

  /** When the archive last answered anything, on the monotonic clock; null before the first answer. */
  get answeredAt(): number | null {
    return this.#answeredAt;
  }

  get clockOffsetMs(): number | null {
    return this.#line.clockOffsetMs;
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
