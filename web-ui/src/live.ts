import type { StatusReport } from '../../src/health/status.ts';

/** What the page knows and how fresh that is. */
export interface LiveState {
  readonly report: StatusReport;
  /** The gateway's time now, milliseconds since the epoch. */
  readonly now: number;
  /** When the gateway was last heard, where the stream is broken or silent; null while it is live. */
  readonly stoppedAt: number | null;
}

const silenceMs = 30_000;
/** A stream just opened must say something sooner. */
const openMs = 5_000;
/** After the browser gave up on its own (an error answer), we open a new stream. */
const reopenMs = 5_000;
/** Relative times are looked at again so often. */
const tickMs = 5_000;

/** Follows `/api/v1/events`. Reads the gateway's clock, not the reader's; rests while the page is hidden. */
export class LiveStatus {
  readonly #url: string;
  readonly #onState: (state: LiveState) => void;
  #report: StatusReport;
  /** The gateway's time when last heard, and our own monotonic time at that moment. */
  #heard: { readonly gatewayMs: number; readonly ownMs: number };
  #stopped = false;
  #source: EventSource | null = null;
  #silence: number | undefined;
  #reopen: number | undefined;

  constructor(url: string, report: StatusReport, onState: (state: LiveState) => void) {
    this.#url = url;
    this.#report = report;
    this.#onState = onState;
    this.#heard = { gatewayMs: Date.parse(report.time), ownMs: performance.now() };
  }

  start(): void {
    this.#open();
    setInterval(() => this.show(), tickMs);
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#close();
      else if (this.#source === null) this.#open();
    });
    // A page brought back whole by the browser may hold a dead stream.
    window.addEventListener('pageshow', (event) => {
      if (event.persisted) this.#open();
    });
  }

  #open(): void {
    this.#close();
    const source = new EventSource(this.#url);
    this.#source = source;
    source.addEventListener('snapshot', (event) => this.#take(JSON.parse(event.data)));
    source.addEventListener('patch', (event) => this.#take(JSON.parse(event.data)));
    source.addEventListener('heartbeat', (event) => this.#take(JSON.parse(event.data)));
    source.addEventListener('error', () => this.#broken(source));
    this.#expectWithin(openMs);
  }

  #close(): void {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#silence);
    clearTimeout(this.#reopen);
  }

  /** Every event carries the gateway's time and whatever members of the report are new. */
  #take(patch: Partial<StatusReport>): void {
    const { version } = this.#report;
    this.#report = { ...this.#report, ...patch };
    if (this.#report.version !== version) {
      // The gateway was updated: this script may no longer fit what it says.
      location.reload();
      return;
    }
    this.#heard = { gatewayMs: Date.parse(this.#report.time), ownMs: performance.now() };
    this.#stopped = false;
    this.#expectWithin(silenceMs);
    this.show();
  }

  #expectWithin(ms: number): void {
    clearTimeout(this.#silence);
    this.#silence = window.setTimeout(() => {
      this.#stop();
      // A connection that died without a word never ends by itself.
      this.#open();
    }, ms);
  }

  #broken(source: EventSource): void {
    if (source !== this.#source) return;
    this.#stop();
    if (source.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.#reopen);
    this.#reopen = window.setTimeout(() => this.#open(), reopenMs);
  }

  #stop(): void {
    this.#stopped = true;
    this.show();
  }

  /** Hands out the state as it is now. */
  show(): void {
    const { gatewayMs, ownMs } = this.#heard;
    const now = gatewayMs + performance.now() - ownMs;
    this.#onState({ report: this.#report, now, stoppedAt: this.#stopped ? gatewayMs : null });
  }
}
