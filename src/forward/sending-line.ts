import type { StoreAnswer, StoreItem } from '../archive/port.ts';
import type { Clock } from '../base/clock.ts';
import type { Bandwidth, RateInForce } from './bandwidth.ts';
import { Goodput } from './goodput.ts';
import { Pace, type PaceBounds } from './pace.ts';
import { Throttle } from './throttle.ts';

/** What may begin just now: anything, only what is stat, or nothing. */
export type Room = 'any' | 'stat' | 'none';

/** How a destination is sent to at present. */
export interface LineState {
  /** Bytes a second that leave while something is under way; null before enough was sent to tell. */
  readonly goodputBytesPerSecond: number | null;
  readonly limit: RateInForce;
  /** Requests that may be on the line at the same time, and how large one is. */
  readonly places: number;
  readonly requestBytes: number;
}

export interface SendingLineOptions {
  readonly bounds: PaceBounds;
  readonly bandwidth: Bandwidth;
  readonly clock: Clock;
  /** There may be room for another request. */
  readonly room: () => void;
}

/**
 * What the requests to one destination share: how many and how large they are, their rate limit, and what is measured
 * of them. A request leaves its place on the line to the next one once its last byte is handed over; it stays in
 * flight until its answer is here.
 */
export class SendingLine {
  readonly #options: SendingLineOptions;
  readonly #pace: Pace;
  readonly #goodput: Goodput;
  readonly #throttle: Throttle;
  readonly #passages = new Set<Passage>();

  constructor(options: SendingLineOptions) {
    this.#options = options;
    this.#pace = new Pace(options.bounds);
    this.#goodput = new Goodput(options.clock);
    this.#throttle = new Throttle({
      clock: options.clock,
      bytesPerSecond: () => options.bandwidth.bytesPerSecond(),
      stopped: () => this.#stopSending(),
    });
  }

  /** Stat work has a connection of its own beyond all bounds, one at a time. */
  room(): Room {
    const passages = [...this.#passages];
    const onTheLine = passages.filter(({ handedOver }) => !handedOver).length;
    if (passages.length < this.#pace.inFlight && onTheLine < this.#pace.places) return 'any';
    return passages.some(({ stat }) => stat) ? 'none' : 'stat';
  }

  /** Milliseconds until something may be sent at all: 0 where it may, Infinity where only an operator changes that. */
  stoppedMs(): number {
    const { mbitPerSecond, until } = this.#options.bandwidth.inForce();
    if (mbitPerSecond !== 0) return 0;
    return until === null ? Infinity : Math.max(1, until - this.#options.clock.now());
  }

  get places(): number {
    return this.#pace.places;
  }

  get requestBytes(): number {
    return this.#pace.requestBytes(this.#goodput.bytesPerSecond());
  }

  /** Below this a request is not cut smaller, so that all end together. */
  get shareBytesMin(): number {
    return this.#pace.shareBytesMin(this.#goodput.bytesPerSecond());
  }

  state(): LineState {
    return {
      goodputBytesPerSecond: this.#goodput.bytesPerSecond(),
      limit: this.#options.bandwidth.inForce(),
      places: this.places,
      requestBytes: this.requestBytes,
    };
  }

  /** The limit was changed: what is under way goes on by the new one. */
  limitChanged(): void {
    if (this.stoppedMs() > 0) this.#stopSending();
    this.#throttle.look();
    this.#options.room();
  }

  /** A request takes its place. @param stat it goes before all others */
  enter(stat: boolean): Passage {
    const passage = new Passage(stat, {
      throttle: this.#throttle,
      goodput: this.#goodput,
      clock: this.#options.clock,
      handedOver: () => this.#options.room(),
      left: (ended, answer) => {
        this.#passages.delete(ended);
        this.#learn(ended, answer);
      },
    });
    this.#passages.add(passage);
    return passage;
  }

  #learn(passage: Passage, answer: StoreAnswer | null): void {
    const now = this.#options.clock.monotonic();
    const { startedAt, handedOverAt } = passage;
    if (answer === null || startedAt === null || saysNothing(answer)) return;
    if (answer.kind === 'answered' && !asksForLess(answer.status)) {
      if (answer.status >= 300 || handedOverAt === null) return;
      const sample = { bytes: passage.bytes, answerMs: now - handedOverAt, startedAt, endedAt: now };
      this.#pace.answered(sample, this.#passages.size > 0);
    } else {
      this.#pace.slowDown(startedAt, now);
    }
  }

  #stopSending(): void {
    for (const passage of this.#passages) passage.stop();
  }
}

function asksForLess(status: number): boolean {
  return status === 429 || status === 503;
}

/** Ended by ourselves, or by an object of ours that cannot be read. */
function saysNothing(answer: StoreAnswer): boolean {
  return answer.kind === 'source-failed' || (answer.kind === 'failed' && answer.code === 'ABORTED');
}

interface PassageParts {
  readonly throttle: Throttle;
  readonly goodput: Goodput;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly handedOver: () => void;
  readonly left: (passage: Passage, answer: StoreAnswer | null) => void;
}

/** One request on its way over the line. */
export class Passage {
  readonly stat: boolean;
  /** Bytes handed over. */
  bytes = 0;
  /** Monotonic; null before. */
  startedAt: number | null = null;
  handedOverAt: number | null = null;
  readonly #parts: PassageParts;
  readonly #stopped = new AbortController();
  #statOver: (() => void) | null = null;
  #transfer: ReturnType<Goodput['begin']> | null = null;

  constructor(stat: boolean, parts: PassageParts) {
    this.stat = stat;
    this.#parts = parts;
  }

  get handedOver(): boolean {
    return this.handedOverAt !== null;
  }

  /** Fires where the rate limit has become 0 before the whole request was handed over. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  stop(): void {
    if (!this.handedOver) this.#stopped.abort();
  }

  /**
   * Sends the items, each piece when its turn has come.
   * @param signal what else ends the request
   */
  async send(
    items: readonly StoreItem[],
    signal: AbortSignal,
    store: (items: readonly StoreItem[], signal: AbortSignal) => Promise<StoreAnswer>,
  ): Promise<StoreAnswer> {
    const either = AbortSignal.any([signal, this.stopped]);
    this.startedAt = this.#parts.clock.monotonic();
    this.#transfer = this.#parts.goodput.begin();
    if (this.stat) this.#statOver = this.#parts.throttle.statBegins();
    let left = items.length;
    const paced = items.map((item) => ({
      ...item,
      content: () =>
        this.#paced(item, either, () => {
          left -= 1;
          if (left === 0) this.#allHandedOver();
        }),
    }));
    try {
      return await store(paced, either);
    } finally {
      this.#statOver?.();
    }
  }

  /** The place is free. @param answer null where nothing was sent */
  leave(answer: StoreAnswer | null): void {
    this.#transfer?.ended(answer?.kind === 'answered');
    this.#parts.left(this, answer);
  }

  async *#paced(item: StoreItem, signal: AbortSignal, done: () => void): AsyncGenerator<Buffer> {
    for await (const piece of item.content()) {
      await this.#parts.throttle.take(piece.length, this.stat, signal);
      yield piece;
      this.bytes += piece.length;
      this.#transfer?.handed(piece.length);
    }
    done();
  }

  #allHandedOver(): void {
    this.handedOverAt = this.#parts.clock.monotonic();
    this.#statOver?.();
    this.#parts.handedOver();
  }
}
