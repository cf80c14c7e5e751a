import type { Clock } from '../base/clock.ts';

/** Time in which something is under way is measured in slices of this length. */
const sliceMs = 1000;
/** So many slices make the figure: half a minute of sending. */
const slicesMax = 30;
/** Less sending than this says nothing yet. */
const busyMsMin = 500;
/** What was handed to the connection last may still lie in the system's buffers; certain only when answered. */
const bufferedBytes = 512 * 1024;

interface Slice {
  ms: number;
  bytes: number;
}

/** One request on its way, as the measurement sees it. */
export interface Transfer {
  /** Bytes were handed to the connection. */
  handed(bytes: number): void;
  /** The request is over. @param arrived an answer came: all that was handed over has left */
  ended(arrived: boolean): void;
}

/** How fast bytes leave, over all requests of a destination: only time in which one is under way counts. */
export class Goodput {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #slices: Slice[] = [{ ms: 0, bytes: 0 }];
  #underWay = 0;
  #countedAt = 0;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  begin(): Transfer {
    this.#count(0);
    this.#underWay += 1;
    let handed = 0;
    let counted = 0;
    let over = false;
    const countTo = (bytes: number): void => {
      if (bytes <= counted) return;
      this.#count(bytes - counted);
      counted = bytes;
    };
    return {
      handed: (bytes) => {
        handed += bytes;
        countTo(handed - bufferedBytes);
      },
      ended: (arrived) => {
        if (over) return;
        over = true;
        countTo(arrived ? handed : counted);
        this.#count(0);
        this.#underWay -= 1;
      },
    };
  }

  /** Null before enough was sent since start. */
  bytesPerSecond(): number | null {
    this.#count(0);
    const ms = this.#slices.reduce((sum, slice) => sum + slice.ms, 0);
    const bytes = this.#slices.reduce((sum, slice) => sum + slice.bytes, 0);
    return ms < busyMsMin || bytes === 0 ? null : (bytes / ms) * 1000;
  }

  #count(bytes: number): void {
    const now = this.#clock.monotonic();
    const passedMs = this.#underWay > 0 ? now - this.#countedAt : 0;
    this.#countedAt = now;
    const last = this.#slices.at(-1);
    if (last === undefined || last.ms >= sliceMs) {
      this.#slices.push({ ms: passedMs, bytes });
      if (this.#slices.length > slicesMax) this.#slices.shift();
      return;
    }
    last.ms += passedMs;
    last.bytes += bytes;
  }
}
