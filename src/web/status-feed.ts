import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { type FailureText, GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StatusReport } from '../health/status.ts';

/** Where the status comes from. */
export interface StatusSource {
  current(): Promise<StatusReport> | StatusReport;
  /** Calls back when the report may have changed. */
  onChange(listener: () => void): () => void;
}

/** The members of a report that changed, whole; laid over the report before, they give the report after. */
export type StatusPatch = Partial<StatusReport>;

/** A report as it was announced to those who follow, with the id it was announced under. */
export interface Announced {
  readonly id: string;
  readonly report: StatusReport;
}

export interface FeedOptions {
  readonly source: StatusSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Announcements are at least so far apart. */
  readonly eventIntervalMs: number;
  /** Ages and load change with nobody calling back: look so often while somebody follows. */
  readonly refreshMs: number;
}

export const statusUnreadable: FailureText = {
  code: 'STATUS_UNREADABLE',
  kind: 'transient',
  message: 'The gateway runs but could not read its own state.',
  nextStep: 'Try again in a minute. If it stays, read the log of the gateway and restart it.',
};

type Follower = (announced: Announced, patch: StatusPatch) => void;

/** Announcements remembered for those who come back; each is only a list of member names. */
const historyMax = 64;

/** The report's validator: equal where all but the time of asking is equal (a weak ETag, RFC 9110 §8.8.3). */
export function etagOf(report: StatusReport): string {
  const { time: _, ...rest } = report;
  return `W/"${createHash('sha256').update(JSON.stringify(rest)).digest('base64url').slice(0, 22)}"`;
}

function changedMembers(before: StatusReport, after: StatusReport): (keyof StatusReport)[] {
  const members = Object.keys(after) as (keyof StatusReport)[];
  return members.filter(
    (member) => member !== 'time' && JSON.stringify(before[member]) !== JSON.stringify(after[member]),
  );
}

function pick(report: StatusReport, members: Iterable<keyof StatusReport>): StatusPatch {
  const patch = Object.fromEntries([...members].map((member) => [member, report[member]]));
  return { time: report.time, ...patch };
}

/** Turns a status source into numbered announcements, never more often than the interval, whoever asks. */
export class StatusFeed {
  readonly #options: FeedOptions;
  /** Distinguishes the numbers of this process from those of the one before. */
  readonly #feedId = randomBytes(4).toString('hex');
  readonly #followers = new Set<Follower>();
  readonly #history: { readonly number: number; readonly members: readonly (keyof StatusReport)[] }[] = [];
  #number = 0;
  #report: StatusReport | null = null;
  #reading: Promise<StatusReport> | null = null;
  #announcing: Promise<void> | null = null;
  #announceTimer: NodeJS.Timeout | null = null;
  #refreshTimer: NodeJS.Timeout | null = null;
  #unsubscribe: (() => void) | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #readAt = Number.NEGATIVE_INFINITY;
  #failing = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  start(): void {
    this.#unsubscribe = this.#options.source.onChange(() => this.#schedule());
    this.#refreshTimer = setInterval(() => this.#schedule(), this.#options.refreshMs);
  }

  stop(): void {
    this.#unsubscribe?.();
    if (this.#refreshTimer !== null) clearInterval(this.#refreshTimer);
    if (this.#announceTimer !== null) clearTimeout(this.#announceTimer);
    this.#followers.clear();
  }

  /** The report as it is now. Callers at the same moment share one look. */
  read(): Promise<StatusReport> {
    this.#reading ??= this.#current().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  /**
   * Looks afresh where the last look is longer ago than the interval.
   * @throws GantryError STATUS_UNREADABLE
   */
  async update(): Promise<void> {
    if (this.#sinceMs(this.#lookedAt) >= this.#options.eventIntervalMs) await this.#announce();
    else await this.#announcing;
    if (this.#failing || this.#report === null) throw new GantryError(statusUnreadable);
  }

  /** What was last announced; null before the first look. */
  get announced(): Announced | null {
    return this.#report === null ? null : { id: this.#id(), report: this.#report };
  }

  /** What changed since the announcement with this id, or null where that is too long ago or not ours. */
  since(id: string): StatusPatch | null {
    const [feedId, digits = ''] = id.split('-');
    const number = /^\d{1,15}$/.test(digits) ? Number(digits) : -1;
    const first = this.#history[0]?.number ?? this.#number + 1;
    if (this.#report === null || feedId !== this.#feedId || number < first - 1 || number > this.#number)
      return null;
    const later = this.#history.filter((entry) => entry.number > number);
    return pick(this.#report, new Set(later.flatMap((entry) => entry.members)));
  }

  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** Whether the status could be read lately; a page fed by a gateway that cannot must not look alive. */
  get fresh(): boolean {
    return !this.#failing && this.#sinceMs(this.#readAt) < 3 * this.#options.refreshMs;
  }

  /** Asynchronous, so that what a source throws at once is a rejection too. */
  async #current(): Promise<StatusReport> {
    return this.#options.source.current();
  }

  #id(): string {
    return `${this.#feedId}-${this.#number}`;
  }

  #sinceMs(then: number): number {
    return this.#options.clock.monotonic() - then;
  }

  #schedule(): void {
    if (this.#announceTimer !== null || this.#followers.size === 0) return;
    const delayMs = Math.max(0, this.#options.eventIntervalMs - this.#sinceMs(this.#lookedAt));
    this.#announceTimer = setTimeout(() => {
      this.#announceTimer = null;
      void this.#announce();
    }, delayMs);
  }

  #announce(): Promise<void> {
    this.#announcing ??= this.#look().finally(() => {
      this.#announcing = null;
    });
    return this.#announcing;
  }

  async #look(): Promise<void> {
    this.#lookedAt = this.#options.clock.monotonic();
    try {
      const report = await this.read();
      // Stamped after the answer: a source that hangs is not fresh, however often it is asked.
      this.#readAt = this.#options.clock.monotonic();
      this.#failing = false;
      this.#take(report);
    } catch (error) {
      if (!this.#failing) this.#options.log.error({ error }, 'status could not be read');
      this.#failing = true;
    }
  }

  #take(report: StatusReport): void {
    const before = this.#report;
    const members = before === null ? [] : changedMembers(before, report);
    this.#report = report;
    if (members.length === 0) return;
    this.#number += 1;
    this.#history.push({ number: this.#number, members });
    if (this.#history.length > historyMax) this.#history.shift();
    const announced = { id: this.#id(), report };
    const patch = pick(report, members);
    for (const follower of this.#followers) follower(announced, patch);
  }
}
