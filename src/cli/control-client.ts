import { setTimeout as delay } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { Client } from '../base/http-clients.ts';
import type { ConfigAttemptView, ConfigView } from '../web/config-tools.ts';
import type { EnrolmentAccepted, EnrolTools } from '../web/control-enrol.ts';
import type { LineReport } from '../health/line-test.ts';
import type { SelfCheckReport } from '../health/self-check.ts';
import type { StatusReport } from '../health/status.ts';
import type {
  BandwidthView,
  ConflictChoice,
  QueueFilter,
  QueuePage,
  ReceiptSummary,
  ScrubReport,
  Selection,
} from '../web/operator.ts';

const answerMs = 30_000;
/** Each hop may take its time-out. */
const lineTestMs = 120_000;
/** Lines are tried, and deliveries under way settle. */
const applyMs = 300_000;
/** A scrub reads every object on the disk. */
const scrubMs = 24 * 3_600_000;

/** Talks to the gateway that runs on a data directory, over its control socket. Close it after use. */
export class ControlClient implements AsyncDisposable {
  readonly #http: Client;

  /** @param socketPath `control.sock` in the data directory */
  constructor(socketPath: string) {
    // Without pipelining every command has its own connection: a gateway restarted in between is not missed.
    const connection = { allowH2: false, pipelining: 0, headersTimeout: 0, bodyTimeout: 0 };
    this.#http = new Client('http://localhost', { socketPath, ...connection });
  }

  status(): Promise<StatusReport> {
    return this.#get('/status');
  }

  selfCheck(): Promise<SelfCheckReport> {
    return this.#get('/self-check');
  }

  list(filter: Partial<QueueFilter> = {}): Promise<QueuePage> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filter)) if (value !== null) query.set(name, String(value));
    return this.#get(`/queue?${query.toString()}`);
  }

  retry(selection: Selection): Promise<number> {
    return this.#count('/queue/retry', selection);
  }

  release(selection: Selection, to?: string): Promise<number> {
    return this.#count('/queue/release', to === undefined ? selection : { ...selection, to });
  }

  discard(selection: Selection): Promise<number> {
    return this.#count('/queue/discard', selection);
  }

  resolve(objectId: string, choice: ConflictChoice): Promise<number> {
    return this.#count('/queue/resolve', { objectId, choice });
  }

  hurry(objectIds: readonly string[]): Promise<number> {
    return this.#count('/queue/hurry', { objectIds });
  }

  async bandwidth(): Promise<readonly BandwidthView[]> {
    const { destinations } = await this.#get<{ destinations: BandwidthView[] }>('/bandwidth');
    return destinations;
  }

  async limitBandwidth(destination: string, mbitPerSecond: number | null): Promise<void> {
    await this.#count('/bandwidth/set', { destination, mbitPerSecond });
  }

  async clearBandwidth(destination: string): Promise<void> {
    await this.#count('/bandwidth/clear', { destination });
  }

  forgetAbilities(destination: string | null): Promise<number> {
    return this.#count('/compression/forget', destination === null ? {} : { destination });
  }

  async pause(destination: string): Promise<void> {
    await this.#count('/destinations/pause', { destination });
  }

  async resume(destination: string): Promise<void> {
    await this.#count('/destinations/resume', { destination });
  }

  testLine(destination: string): Promise<LineReport> {
    return this.#post('/destinations/test', { destination }, lineTestMs);
  }

  async bundleContents(): Promise<readonly { readonly name: string; readonly about: string }[]> {
    const { parts } = await this.#get<{ parts: { name: string; about: string }[] }>(
      '/support-bundle/contents',
    );
    return parts;
  }

  /** A `.tar.gz`. */
  bundle(): Promise<Buffer> {
    return this.#ask('GET', '/support-bundle', null, answerMs, async (body) =>
      Buffer.from(await body.arrayBuffer()),
    );
  }

  scrub(): Promise<ScrubReport> {
    return this.#post('/scrub', {}, scrubMs);
  }

  async receipts(): Promise<readonly ReceiptSummary[]> {
    const { receipts } = await this.#get<{ receipts: ReceiptSummary[] }>('/receipts');
    return receipts;
  }

  receipt(studyKey: string): Promise<unknown> {
    return this.#get(`/receipts/${encodeURIComponent(studyKey)}`);
  }

  /** @returns a new pairing code */
  async authReset(): Promise<string> {
    return (await this.#post<{ code: string }>('/auth/reset', {}, answerMs)).code;
  }

  async technicianCode(name: string): Promise<string> {
    return (await this.#post<{ code: string }>('/auth/code', { name }, answerMs)).code;
  }

  enrolRequest(): ReturnType<EnrolTools['request']> {
    return this.#post('/enroll/request', {}, answerMs);
  }

  enrolAccept(answer: string): Promise<EnrolmentAccepted> {
    return this.#post('/enroll/accept', { answer }, answerMs);
  }

  config(): Promise<ConfigView> {
    return this.#get('/config');
  }

  async configHistory(): Promise<readonly ConfigAttemptView[]> {
    const { attempts } = await this.#get<{ attempts: ConfigAttemptView[] }>('/config/history');
    return attempts;
  }

  /** Resolves once it is in use, tried or kept. @param confirmSeconds null: nobody has to confirm it */
  applyConfig(
    text: string,
    confirmSeconds: number | null,
  ): Promise<Pick<ConfigView, 'phase' | 'confirmUntil'>> {
    return this.#post('/config/apply', { text, confirmSeconds }, applyMs);
  }

  /** Resolves once nothing is being tried any more. */
  async configSettled(): Promise<void> {
    while ((await this.config()).phase !== 'idle') await delay(200);
  }

  async settleConfig(how: 'confirm' | 'rollback' | 'retry' | 'apply-waiting'): Promise<void> {
    await this.#post(`/config/${how}`, {}, applyMs);
  }

  async releaseAliases(): Promise<number> {
    return this.#count('/config/release', {});
  }

  async close(): Promise<void> {
    await this.#http.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #get<T>(path: string): Promise<T> {
    return this.#request('GET', path, null, answerMs);
  }

  #post<T>(path: string, body: object, waitMs: number): Promise<T> {
    return this.#request('POST', path, JSON.stringify(body), waitMs);
  }

  async #count(path: string, body: object): Promise<number> {
    const { count } = await this.#post<{ count: number }>(path, body, answerMs);
    return count;
  }

  #request<T>(method: 'GET' | 'POST', path: string, body: string | null, waitMs: number): Promise<T> {
    return this.#ask(method, path, body, waitMs, async (answer) => (await answer.json()) as T);
  }

  /** @throws GantryError the gateway's own, or CONTROL_NOT_RUNNING, CONTROL_DENIED, CONTROL_NO_ANSWER */
  async #ask<T>(
    method: 'GET' | 'POST',
    path: string,
    body: string | null,
    waitMs: number,
    read: (answer: Dispatcher.ResponseData['body']) => Promise<T>,
  ): Promise<T> {
    let refusal: unknown;
    try {
      const headers = body === null ? {} : { 'content-type': 'application/json' };
      const signal = AbortSignal.timeout(waitMs);
      const response = await this.#http.request({ method, path, headers, body, signal });
      if (response.statusCode === 200) return await read(response.body);
      refusal = await response.body.json();
    } catch (error) {
      throw connectFailure(error);
    }
    throw answeredFailure(refusal);
  }
}

function connectFailure(cause: unknown): GantryError {
  const code = systemErrorCode(cause);
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') {
    return new GantryError(
      {
        code: 'CONTROL_NOT_RUNNING',
        kind: 'transient',
        message: 'No gateway is running on this data directory.',
        nextStep: 'Start it with `gantry run --data DIR`, or give the data directory of the one that runs.',
      },
      { cause },
    );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new GantryError(
      {
        code: 'CONTROL_DENIED',
        kind: 'permanent',
        message: 'This user may not give commands to the gateway.',
        nextStep: 'Give the command as the user the gateway runs as: sudo -u USER gantry …',
      },
      { cause },
    );
  }
  return new GantryError(
    {
      code: 'CONTROL_NO_ANSWER',
      kind: 'ambiguous',
      message: `The gateway did not answer the command (${code ?? 'no answer in time'}).`,
      nextStep: 'Look at `gantry status` before repeating it: it may have been done all the same.',
    },
    { cause },
  );
}

/** The gateway's error as it was thrown there. */
function answeredFailure(json: unknown): GantryError {
  const { code, kind, detail, nextStep } = json as Record<string, unknown>;
  const known = kind === 'transient' || kind === 'ambiguous' || kind === 'permanent';
  return new GantryError({
    code: typeof code === 'string' ? code : 'CONTROL_BAD_ANSWER',
    kind: known ? kind : 'permanent',
    message: typeof detail === 'string' ? detail : 'The gateway refused the command without saying why.',
    nextStep: typeof nextStep === 'string' ? nextStep : 'Read the log of the gateway.',
  });
}
