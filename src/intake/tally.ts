import type { Clock } from '../base/clock.ts';
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

/** Unknown senders that are remembered; configured modalities are few and all are. */
const sendersMax = 1000;

/** Counts what comes in, by sender and by status. */
export class Tally {
  readonly #clock: Clock;
  /** By modality name or AE title; least recently heard first. */
  readonly #senders = new Map<string, SenderTally>();
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
    const hex = status.toString(16).toUpperCase().padStart(4, '0');
    this.#byStatus.set(hex, (this.#byStatus.get(hex) ?? 0) + 1);
    if (outcome === null) return this.heard(caller);
    this.received += 1;
    const received = (this.#senders.get(keyOf(caller))?.received ?? 0) + 1;
    this.#update(caller, { received, lastReceivedAt: this.#clock.now() });
  }

  senders(): SenderTally[] {
    return [...this.#senders.values()];
  }

  /** Answers to C-STORE since start, by status in hex (`A700`). */
  statuses(): Record<string, number> {
    return Object.fromEntries(this.#byStatus);
  }

  #update(caller: Caller, change: Partial<SenderTally>): void {
    const key = keyOf(caller);
    const { aeTitle, modalityName } = caller;
    const before = this.#senders.get(key) ?? { received: 0, lastReceivedAt: null };
    this.#senders.delete(key);
    this.#senders.set(key, { ...before, aeTitle, modalityName, lastHeardAt: this.#clock.now(), ...change });
    if (this.#senders.size > sendersMax) {
      const [oldest] = this.#senders.keys();
      if (oldest !== undefined) this.#senders.delete(oldest);
    }
  }
}

function keyOf({ aeTitle, modalityName }: Caller): string {
  return modalityName === null ? `title ${aeTitle}` : `modality ${modalityName}`;
}
