import type { Clock } from '../base/clock.ts';
import type { FailureText } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ProposalNames } from './negotiation.ts';

/** A rejected or aborted association, a closed connection or a refused object. Holds no patient data, no UID. */
export interface Refusal {
  /** When it last happened, milliseconds since the epoch. */
  readonly at: number;
  readonly kind: 'rejected' | 'aborted' | 'closed' | 'refused object';
  readonly address: string;
  /** Printable ASCII; empty where none was given yet. */
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  readonly modalityName: string | null;
  readonly proposed: ProposalNames | null;
  readonly code: string;
  readonly reason: string;
  readonly nextStep: string;
  /** How often in a row. */
  readonly count: number;
}

export interface RefusalFacts extends Omit<Refusal, 'at' | 'code' | 'reason' | 'nextStep' | 'count'> {
  readonly why: Omit<FailureText, 'kind'>;
}

const kept = 100;
const modalitiesMax = 1000;
const logLinesPerMinuteMax = 60;

/**
 * The last refusals. A flood of the same one is a single entry with a count, and writes a bounded number of log
 * lines, so that it neither pushes the others out nor fills the disk.
 */
export class RefusalBook {
  readonly #clock: Clock;
  readonly #log: Log;
  /** Oldest first. */
  readonly #entries: Refusal[] = [];
  readonly #byCode = new Map<string, number>();
  readonly #lastByModality = new Map<string, Refusal>();
  #logMinute = -1;
  #logLines = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  add(facts: RefusalFacts): void {
    const { why, ...rest } = facts;
    const address = printable(facts.address, 45);
    const callingAeTitle = printable(facts.callingAeTitle, 16);
    const calledAeTitle = printable(facts.calledAeTitle, 16);
    const same = this.#entries.findIndex(
      (entry) =>
        entry.code === why.code &&
        entry.address === address &&
        entry.callingAeTitle === callingAeTitle &&
        entry.calledAeTitle === calledAeTitle,
    );
    const earlier = same >= 0 ? this.#entries.splice(same, 1)[0] : undefined;
    const entry: Refusal = {
      ...rest,
      at: this.#clock.now(),
      address,
      callingAeTitle,
      calledAeTitle,
      code: why.code,
      reason: why.message,
      nextStep: why.nextStep,
      count: (earlier?.count ?? 0) + 1,
    };
    this.#entries.push(entry);
    if (this.#entries.length > kept) this.#entries.shift();
    this.#byCode.set(why.code, (this.#byCode.get(why.code) ?? 0) + 1);
    this.#noteModality(entry);
    this.#writeLog(entry);
  }

  /** Newest first. */
  list(): Refusal[] {
    return this.#entries.toReversed();
  }

  /** How many since start, by code. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#byCode);
  }

  lastOf(modalityName: string): Refusal | null {
    return this.#lastByModality.get(modalityName) ?? null;
  }

  #noteModality(entry: Refusal): void {
    if (entry.modalityName === null) return;
    this.#lastByModality.delete(entry.modalityName);
    this.#lastByModality.set(entry.modalityName, entry);
    if (this.#lastByModality.size > modalitiesMax) {
      const [oldest] = this.#lastByModality.keys();
      if (oldest !== undefined) this.#lastByModality.delete(oldest);
    }
  }

  #writeLog(entry: Refusal): void {
    const minute = Math.floor(this.#clock.monotonic() / 60_000);
    if (minute !== this.#logMinute) [this.#logMinute, this.#logLines] = [minute, 0];
    this.#logLines += 1;
    if (this.#logLines > logLinesPerMinuteMax) return;
    const { kind, address, callingAeTitle, calledAeTitle, modalityName, proposed, code, count } = entry;
    const fields = { kind, address, callingAeTitle, calledAeTitle, modalityName, proposed, code, count };
    this.#log.warn(fields, entry.reason);
  }
}

/** Printable ASCII, everything else as `?`, clipped. */
function printable(text: string, charsMax: number): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, charsMax);
}
