import type { CodecName } from './frame-format.ts';

export interface Saving {
  readonly modality: string;
  readonly codec: CodecName;
  readonly instances: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface CodecTotals {
  readonly instances: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Compressed images that did not give back the bytes received; none of them was used. */
  readonly mismatches: number;
}

/** What the codec did since start. */
export class CodecTally {
  readonly #savings = new Map<string, Saving>();
  readonly #passedThrough = new Map<string, number>();
  #mismatches = 0;

  prepared(modality: string, codec: CodecName, bytesIn: number, bytesOut: number): void {
    const key = `${modality}\n${codec}`;
    const before = this.#savings.get(key) ?? { modality, codec, instances: 0, bytesIn: 0, bytesOut: 0 };
    this.#savings.set(key, {
      modality,
      codec,
      instances: before.instances + 1,
      bytesIn: before.bytesIn + bytesIn,
      bytesOut: before.bytesOut + bytesOut,
    });
  }

  /** @param code of one of our own reasons */
  passedThrough(code: string): void {
    this.#passedThrough.set(code, (this.#passedThrough.get(code) ?? 0) + 1);
  }

  mismatch(): void {
    this.#mismatches += 1;
  }

  savings(): readonly Saving[] {
    return [...this.#savings.values()];
  }

  /** Instances sent as received, by the reason's code. */
  passedThroughCounts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#passedThrough);
  }

  totals(): CodecTotals {
    const all = this.savings();
    const sum = (of: (saving: Saving) => number) => all.reduce((total, each) => total + of(each), 0);
    return {
      instances: sum(({ instances }) => instances),
      bytesIn: sum(({ bytesIn }) => bytesIn),
      bytesOut: sum(({ bytesOut }) => bytesOut),
      mismatches: this.#mismatches,
    };
  }
}
