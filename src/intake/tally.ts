import type { Clock } from '../base/clock.ts';
import { storeStatusText } from '../dicom/statuses.ts';
import type { Caller } from './admission.ts';
import type { StoreAnswer } from './store.ts';

/** What is known of one sender since start. Times in milliseconds since the epoch. */
export interface SenderTally {
  readonly aeTitle: string;
  readonly modalityName: string | null;
  /** Last C-ECHO or C-STORE. */
  readonly lastHeardAt: number;
  readonly lastReceivedAt: number | null;
  /** Objects answered with 0000. */
  readonly received: number;
}

/** Unknown senders that are remembered; configured modalities are few, and all are. */
export const unknownSendersMax = 200;

/** Counts what comes in, by sender and by status. */
export class Tally {
  readonly #clock: Clock;
  /** By configured name. */
  readonly #modalities = new Map<string, SenderTally>();
  /** By AE title, least recently heard first: titles that somebody makes up do not push out a modality. */
  readonly #unknown = new Map<string, SenderTally>();
  readonly #byStatus = new Map<string, number>();
  echoes = 0;
  received = 0;
  bytesIn = 0;
  longPdus = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  heard(caller: Caller): void {
    this.#update(caller, {});
  }

  answered(caller: Caller, { status, outcome }: StoreAnswer): void {
    const hex = storeStatusText({ status });
    this.#byStatus.set(hex, (this.#byStatus.get(hex) ?? 0) + 1);
    if (outcome === null) return this.heard(caller);
    this.received += 1;
    const received = (this.#tallyOf(caller)?.received ?? 0) + 1;
    this.#update(caller, { received, lastReceivedAt: this.#clock.now() });
  }

  /** By configured name. */
  modalities(): ReadonlyMap<string, SenderTally> {
    return this.#modalities;
  }

  /** By AE title, least recently heard first: unknown callers that were accepted. */
  unknownSenders(): ReadonlyMap<string, SenderTally> {
    return this.#unknown;
  }

  /** Answers to C-STORE since start, by status in hex (`A700`). */
  statuses(): Record<string, number> {
    return Object.fromEntries(this.#byStatus);
  }

  #tallyOf({ aeTitle, modalityName }: Caller): SenderTally | undefined {
    return modalityName === null ? this.#unknown.get(aeTitle) : this.#modalities.get(modalityName);
  }

  #update(caller: Caller, change: Partial<SenderTally>): void {
    const { aeTitle, modalityName } = caller;
    const before = this.#tallyOf(caller) ?? { received: 0, lastReceivedAt: null };
    const tally = { ...before, aeTitle, modalityName, lastHeardAt: this.#clock.now(), ...change };
    if (modalityName !== null) {
      this.#modalities.set(modalityName, tally);
      return;
    }
    this.#unknown.delete(aeTitle);
    this.#unknown.set(aeTitle, tally);
    const [oldest] = this.#unknown.keys();
    if (this.#unknown.size > unknownSendersMax && oldest !== undefined) this.#unknown.delete(oldest);
  }
}
