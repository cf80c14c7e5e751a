import type { ArchiveClient } from '../archive/port.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../spool/retry.ts';
import { type DestinationVerdict, judgeContact } from './outcome.ts';

/** An archive that was silent for so long, give or take the jitter, is asked whether it is there. */
const quietMs = 300_000;
const jitter = 0.2;

/**
 * Whether one archive is there. Sending and reading show it while there is work; where there is none, a question
 * does: at start, and again after a while. One question at a time.
 */
export class Contact {
  readonly #client: Pick<ArchiveClient, 'ping' | 'line'>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #abort = new AbortController();
  /** Monotonic; null before the first. */
  #askedAt: number | null = null;
  #storedAt: number | null = null;
  #quietMs = quietMs;
  #reached = false;
  #asking: Promise<unknown> | null = null;

  constructor(client: Pick<ArchiveClient, 'ping' | 'line'>, clock: Clock, random: Random) {
    this.#client = client;
    this.#clock = clock;
    this.#random = random;
  }

  /** Whether it has ever been in order since start. */
  get reached(): boolean {
    return this.#reached;
  }

  /** A store request was answered by an archive in order. */
  stored(): void {
    this.#reached = true;
    this.#storedAt = this.#clock.monotonic();
  }

  /**
   * Milliseconds until a question is worth it: 0 at start, Infinity while one is under way.
   * @param needed something waits for the answer
   */
  dueMs(needed: boolean): number {
    if (this.#asking !== null) return Infinity;
    if (needed) return 0;
    // Before it was ever in order, an answer to something else says too little.
    const answeredAt = this.#reached ? this.#client.line().answeredAt : null;
    const lastAt = Math.max(this.#askedAt ?? -Infinity, this.#storedAt ?? -Infinity, answeredAt ?? -Infinity);
    return Math.max(0, lastAt + this.#quietMs - this.#clock.monotonic());
  }

  /**
   * Asks. A question under way must have ended before ({@link dueMs}).
   * @returns what the answer says of the destination; null where it says nothing: ended by us, or overtaken by a
   *   store request that went well
   */
  async ask(): Promise<DestinationVerdict | null> {
    const askedAt = this.#clock.monotonic();
    this.#askedAt = askedAt;
    this.#quietMs = quietMs * (1 + jitter * (2 * this.#random() - 1));
    const asking = this.#client.ping(this.#abort.signal);
    this.#asking = asking;
    try {
      const verdict = judgeContact(await asking, this.#storedAt !== null);
      const overtaken = this.#storedAt !== null && this.#storedAt >= askedAt;
      if (verdict?.kind === 'ok') this.#reached = true;
      return overtaken ? null : verdict;
    } finally {
      this.#asking = null;
    }
  }

  /** Ends a question under way. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#asking;
  }
}
