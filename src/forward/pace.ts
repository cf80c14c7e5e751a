/** Upper bounds, from the configuration. */
export interface PaceBounds {
  /** Requests in flight at most. */
  readonly parallel: number;
  /** Bytes in one request at most. */
  readonly bytesMax: number;
}

/** One request that was answered, while more waited to be sent. Times are monotonic milliseconds. */
export interface PaceSample {
  readonly bytes: number;
  /** From the last byte to the answer. */
  readonly answerMs: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** Enough to fill most lines at once; what more or fewer bring is tried out. */
const firstPlaces = 4;
/** Before anything is measured. */
const firstBytes = 4 * mebibyte;
const bytesMin = 256 * kibibyte;
/** The last requests of a backlog: as long as the whole line takes for so many seconds, or longer. */
const lastBytes = { min: mebibyte, unknown: 2 * mebibyte, seconds: 0.16 };
/** How long a request is on the line. Long enough that its round trip does not matter, short enough to lose little. */
const requestSeconds = { min: 4, max: 12, perAnswer: 8 };
/** One setting is kept for so long, and for so many answers a place, before it is judged. */
const epochMsMin = 3000;
const epochAnswersPerPlace = 2;
/** So much faster, or slower, is a difference. */
const difference = 0.05;
/** Answers that take so many times as long as the quickest epoch's say that the archive or the line is crowded. */
const crowded = { times: 3, ms: 500 };
/** Epochs without another try after one that brought nothing, and after an error. */
const restEpochs = { after: 8, afterError: 4 };

interface Epoch {
  readonly startedAt: number;
  answers: number;
  bytes: number;
  answerMs: number;
}

/**
 * How many requests are on the line to one destination at a time, and how large one is. Climbs: one place more is
 * kept where it brings more bytes a second, one less where the answers have become slow and it costs none. An error
 * halves. Pure: all it knows is what it is told.
 */
export class Pace {
  readonly #bounds: PaceBounds;
  #places: number;
  #epoch: Epoch | null = null;
  #trial: { readonly from: number; readonly rate: number } | null = null;
  #rest = 0;
  #quickestAnswerMs = Infinity;
  #answerMs = 0;
  #sendMs = 0;
  #cutAt = -Infinity;

  constructor(bounds: PaceBounds) {
    this.#bounds = bounds;
    this.#places = Math.min(firstPlaces, bounds.parallel);
  }

  /** Requests whose bytes are on the line at the same time. */
  get places(): number {
    return this.#places;
  }

  /**
   * Requests under way at the same time, those included that only wait for their answer: as many of them as it takes
   * to keep the places busy. More would be harm, not reserve: what was handed over may be in the kernel for a while
   * yet, and a connection opened beside full ones is slow to get its share.
   */
  get inFlight(): number {
    const awaited = this.#sendMs === 0 ? 1 : Math.ceil((this.#places * this.#answerMs) / this.#sendMs);
    return Math.min(this.#bounds.parallel, this.#places + Math.max(1, awaited));
  }

  /**
   * Bytes below which a request is not cut smaller so that all connections end together: its round trip and what it
   * costs the archive would be more than that brings.
   */
  shareBytesMin(goodput: number | null): number {
    const bytes = goodput === null ? lastBytes.unknown : goodput * lastBytes.seconds;
    return Math.max(lastBytes.min, Math.floor(bytes));
  }

  /** @param goodput bytes a second over all requests, null while it is not known */
  requestBytes(goodput: number | null): number {
    const { min, max, perAnswer } = requestSeconds;
    const seconds = Math.min(max, Math.max(min, (this.#answerMs / 1000) * perAnswer));
    const bytes = goodput === null ? firstBytes : (goodput / this.#places) * seconds;
    return Math.min(this.#bounds.bytesMax, Math.max(bytesMin, Math.floor(bytes)));
  }

  /** A request was answered in order. @param busy more waited meanwhile: only then the line was put to the test */
  answered(sample: PaceSample, busy: boolean): void {
    this.#answerMs += (sample.answerMs - this.#answerMs) / 8;
    this.#sendMs += (sample.endedAt - sample.startedAt - sample.answerMs - this.#sendMs) / 8;
    if (!busy) {
      this.#epoch = null;
      return;
    }
    this.#epoch ??= { startedAt: sample.endedAt, answers: -1, bytes: 0, answerMs: 0 };
    // The first one only sets the clock: how long it had been on the line belongs to no epoch.
    if (this.#epoch.answers >= 0) {
      this.#epoch.bytes += sample.bytes;
      this.#epoch.answerMs += sample.answerMs;
    }
    this.#epoch.answers += 1;
    const ms = sample.endedAt - this.#epoch.startedAt;
    if (ms >= epochMsMin && this.#epoch.answers >= this.#places * epochAnswersPerPlace) {
      this.#judge(this.#epoch, ms);
      this.#epoch = null;
    }
  }

  /** The archive asked for less, or the line broke. @param startedAt of the request: one burst of errors cuts once */
  slowDown(startedAt: number, now: number): void {
    if (startedAt < this.#cutAt) return;
    this.#cutAt = now;
    this.#places = Math.max(1, Math.floor(this.#places / 2));
    this.#trial = null;
    this.#epoch = null;
    this.#rest = restEpochs.afterError;
  }

  #judge(epoch: Epoch, ms: number): void {
    const rate = epoch.bytes / ms;
    const answerMs = epoch.answerMs / epoch.answers;
    this.#quickestAnswerMs = Math.min(this.#quickestAnswerMs, answerMs);
    if (this.#trial !== null && !this.#worthIt(this.#trial, rate)) {
      this.#places = this.#trial.from;
      this.#trial = null;
      this.#rest = restEpochs.after;
      return;
    }
    this.#trial = null;
    if (this.#rest > 0) {
      this.#rest -= 1;
      return;
    }
    const slow = answerMs > this.#quickestAnswerMs * crowded.times + crowded.ms;
    const to = slow ? this.#places - 1 : this.#places + 1;
    if (to < 1 || to > this.#bounds.parallel) return;
    this.#trial = { from: this.#places, rate };
    this.#places = to;
  }

  #worthIt({ from, rate: before }: { from: number; rate: number }, rate: number): boolean {
    return this.#places > from ? rate > before * (1 + difference) : rate > before * (1 - difference);
  }
}
