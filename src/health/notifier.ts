import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Note } from '../base/note.ts';
import { z } from 'zod';
import type { StatusReport, Verdict } from './status.ts';

/** What somebody is told. PHI-free: the status page says the same to everybody. */
export interface Notice {
  /** `start`: something is wrong; `worse`: nothing is received any more; `end`: all is well again; `digest`: the day. */
  readonly kind: 'start' | 'worse' | 'end' | 'digest';
  readonly site: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly nextStep: string | null;
  /** ISO 8601: when it began, for a start and for an end. */
  readonly since: string;
  readonly at: string;
  readonly queue: StatusReport['queue'];
  readonly totals: StatusReport['totals'];
  readonly version: string;
}

/** One way to tell somebody. Throws where it did not get through. */
export interface NoticeChannel {
  readonly name: 'webhook' | 'email';
  readonly send: (notice: Notice, signal: AbortSignal) => Promise<void>;
}

const told = z.strictObject({
  /** What was told last of what goes on; null: nothing goes on, as far as anybody was told. */
  verdict: z.enum(['degraded', 'down']).nullable(),
  since: z.number(),
  /** When notices were sent, within the last day. */
  sentAt: z.array(z.number()),
});
type Told = Readonly<z.output<typeof told>>;

/** What was told already: after a restart nothing is told twice, and an end is told all the same. */
export const toldNote = {
  schema: told as z.ZodType<Told>,
  empty: { verdict: null, since: 0, sentAt: [] } as Told,
};

export interface NotifierOptions {
  readonly status: () => Promise<StatusReport>;
  readonly channels: readonly NoticeChannel[];
  readonly note: Note<Told>;
  readonly clock: Clock;
  readonly log: Log;
  /** Something must be wrong, or well again, for so long before it is told. */
  readonly holdMs: number;
  readonly lookMs?: number;
  readonly retryMs?: readonly number[];
}

const lookMsDefault = 10_000;
const sendMsMax = 30_000;
/** Before each further attempt. */
const retryMsDefault = [30_000, 120_000, 600_000, 1_800_000];
const dayMs = 86_400_000;
/** Of starts and worsenings; what was begun is also ended. */
export const noticesPerDayMax = 12;

/** Tells people when the verdict changes and when it clears: once each, after it has lasted a while. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #abort = new AbortController();
  readonly #sending = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  /** What is seen now and since when, on the monotonic clock. */
  #seen: { readonly verdict: Verdict; readonly since: number; readonly wallSince: number } | null = null;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#options.lookMs ?? lookMsDefault);
    this.#timer.unref();
  }

  /** Gives up what is being sent. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#abort.abort();
    await this.#looking;
    await Promise.all(this.#sending);
  }

  /** One look; a call while one is under way joins it. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => this.#options.log.warn({ error }, 'the status could not be told'))
      .finally(() => {
        this.#looking = null;
      });
    return this.#looking;
  }

  /** How things stand, whatever was told before. Never rejects. */
  async digest(): Promise<void> {
    try {
      const report = await this.#options.status();
      this.#send(noticeOf('digest', report, Date.parse(report.startedAt)));
    } catch (error) {
      this.#options.log.warn({ error }, 'the digest could not be made');
    }
  }

  /** Resolves when nothing is being sent any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#sending);
  }

  async #look(): Promise<void> {
    const { clock, note, holdMs, status } = this.#options;
    const report = await status();
    if (this.#seen?.verdict !== report.verdict)
      this.#seen = { verdict: report.verdict, since: clock.monotonic(), wallSince: clock.now() };
    if (clock.monotonic() - this.#seen.since < holdMs) return;
    const before = note.value;
    const kind = change(before.verdict, report.verdict);
    if (kind === null) return;
    const recent = before.sentAt.filter((at) => at <= clock.now() && clock.now() - at < dayMs);
    if (kind !== 'end' && recent.length >= noticesPerDayMax) return;
    const since = kind === 'start' ? this.#seen.wallSince : before.since;
    // First noted, then sent: a crash in between loses a notice rather than sending it at every start.
    await note.change(() => ({
      verdict: report.verdict === 'working' ? null : report.verdict,
      since,
      sentAt: kind === 'end' ? recent : [...recent, clock.now()],
    }));
    this.#send(noticeOf(kind, report, since));
  }

  #send(notice: Notice): void {
    for (const channel of this.#options.channels) {
      const sending = this.#sendBy(channel, notice).finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
    }
  }

  async #sendBy(channel: NoticeChannel, notice: Notice): Promise<void> {
    const { log, retryMs = retryMsDefault } = this.#options;
    for (const wait of [0, ...retryMs]) {
      if (wait > 0) await pause(wait, this.#abort.signal);
      if (this.#abort.signal.aborted) return;
      try {
        await channel.send(notice, AbortSignal.any([this.#abort.signal, AbortSignal.timeout(sendMsMax)]));
        log.info({ event: 'notice-sent', channel: channel.name, kind: notice.kind }, 'notice sent');
        return;
      } catch (error) {
        log.warn(
          { code: 'NOTICE_FAILED', channel: channel.name, kind: notice.kind, error },
          'notice not sent',
        );
      }
    }
    log.error(
      { code: 'NOTICE_GIVEN_UP', channel: channel.name, kind: notice.kind },
      'notice given up after several attempts',
    );
  }
}

/** What is to be told, going by what was told last; null: nothing. That it is less bad than before is no news. */
function change(before: Told['verdict'], now: Verdict): 'start' | 'worse' | 'end' | null {
  if (now === 'working') return before === null ? null : 'end';
  if (before === null) return 'start';
  return before === 'degraded' && now === 'down' ? 'worse' : null;
}

function noticeOf(kind: Notice['kind'], report: StatusReport, since: number): Notice {
  const { verdict, reason, nextStep, queue, totals, time, version, site } = report;
  return {
    kind,
    site: site.name,
    verdict,
    reason,
    nextStep,
    since: new Date(since).toISOString(),
    at: time,
    queue,
    totals,
    version,
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
