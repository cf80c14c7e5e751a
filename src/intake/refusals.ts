import type { Clock } from '../base/clock.ts';
import type { FailureText } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ProposalNames } from './negotiation.ts';
import { printable } from './printable.ts';

/**
 * - `rejected`: an association that was not accepted
 * - `aborted`: an association that ended while something was under way, or by breaking the protocol
 * - `closed`: a connection that ended without a word, or an association at rest: nothing is lost by it
 * - `refused object`: an object that was not taken
 * - `refused service`: something the device asked for is not offered here
 */
export type RefusalKind = 'rejected' | 'aborted' | 'closed' | 'refused object' | 'refused service';

/** Something that was refused. Holds no patient data, no UID. */
export interface Refusal {
  /** When it last happened, milliseconds since the epoch. */
  readonly at: number;
  readonly kind: RefusalKind;
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

export const refusalsMax = 100;
/** Of one address, which may call itself by as many names as it likes. */
export const refusalsPerAddressMax = 20;
/** Configured ones only, and the configuration has an end too. */
const modalitiesMax = 1000;
const logLinesPerMinuteMax = 60;

/**
 * The last refusals. A flood of the same one is a single entry with a count, one address has a share only, and a
 * bounded number of log lines is written: a flood neither pushes the others out nor fills memory or disk.
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
  #unlogged = 0;

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
        entry.kind === facts.kind &&
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
    this.#makeRoom(address);
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

  /** What last went wrong with a configured modality; not that it merely left a connection open. */
  lastOf(modalityName: string): Refusal | null {
    return this.#lastByModality.get(modalityName) ?? null;
  }

  #makeRoom(address: string): void {
    const ofAddress = this.#entries.filter((entry) => entry.address === address).length;
    if (ofAddress > refusalsPerAddressMax) {
      this.#entries.splice(
        this.#entries.findIndex((entry) => entry.address === address),
        1,
      );
    }
    if (this.#entries.length > refusalsMax) this.#entries.shift();
  }

  #noteModality(entry: Refusal): void {
    if (entry.modalityName === null || entry.kind === 'closed') return;
    this.#lastByModality.delete(entry.modalityName);
    this.#lastByModality.set(entry.modalityName, entry);
    if (this.#lastByModality.size > modalitiesMax) {
      const [oldest] = this.#lastByModality.keys();
      if (oldest !== undefined) this.#lastByModality.delete(oldest);
    }
  }

  #writeLog(entry: Refusal): void {
    const minute = Math.floor(this.#clock.monotonic() / 60_000);
    if (minute !== this.#logMinute) {
      if (this.#unlogged > 0)
        this.#log.warn({ refusals: this.#unlogged }, 'more was refused than is written here one by one');
      [this.#logMinute, this.#logLines, this.#unlogged] = [minute, 0, 0];
    }
    this.#logLines += 1;
    if (this.#logLines > logLinesPerMinuteMax) {
      this.#unlogged += 1;
      return;
    }
    const { kind, address, callingAeTitle, calledAeTitle, modalityName, proposed, code, count } = entry;
    const fields = { kind, address, callingAeTitle, calledAeTitle, modalityName, proposed, code, count };
    this.#log.warn(fields, entry.reason);
  }
}
