import type { CodecName } from './frame-format.ts';

export const compressionModes = ['auto', 'off', 'always'] as const;
export type CompressionMode = (typeof compressionModes)[number];

/** What is decided for images of one modality on their way to one destination. */
export interface CompressionDecision {
  readonly destination: string;
  /** (0008,0060), or `other`. */
  readonly modality: string;
  readonly codec: CodecName;
  readonly compress: boolean;
  /** It could be otherwise, had the figures changed: the line is not faster than the codec. */
  readonly close: boolean;
  /** The decision and its figures in plain words. */
  readonly words: string;
}

/** One image that was compressed and proven. */
export interface CodecMeasurement {
  readonly modality: string;
  readonly codec: CodecName;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** From its first byte read to its proof, in milliseconds. */
  readonly elapsedMs: number;
  /** Images under way in that time, on average: it waited for its turn among them. */
  readonly abreast: number;
}

/** First guesses of the ratio, from a corpus of real images; replaced by what is measured. */
const ratioGuesses: Readonly<Record<string, number>> = {
  CT: 4.4,
  MR: 2.5,
  PT: 2.6,
  NM: 2.6,
  RTIMAGE: 2.4,
  US: 1.6,
};
const otherRatioGuess = 2;
/** Bytes a second that one thread compresses and proves. */
const throughputGuess = 20_000_000;

/** Weight of a new measurement against those before. */
const newWeight = 0.1;
/** What compression must win to be worth its heat. */
const gainMin = 1.1;
/** One image in so many that would go as received is compressed all the same, so that the figures stay true. */
const remeasureEvery = 200;
/** A modality is whatever a device writes: beyond so many they are `other`. */
const modalitiesMax = 50;
const decisionsMax = 200;

interface Learned {
  ratio: number;
  bytesPerSecond: number;
  measured: boolean;
}

export interface DeciderOptions {
  readonly mode: CompressionMode;
  /** Threads that compress at the same time. */
  readonly workers: number;
}

/**
 * Decides whether compressing gets images to a destination sooner. Compressing and sending go on at the same time,
 * so the slower of the two counts: what the codec takes in a second, or what the line carries times the ratio;
 * against what the line carries. Nothing here does anything: it is told and asked.
 */
export class CompressionDecider {
  readonly #options: DeciderOptions;
  readonly #learned = new Map<string, Learned>();
  readonly #modalities = new Set<string>(Object.keys(ratioGuesses));
  readonly #decisions = new Map<string, CompressionDecision>();
  #asReceived = 0;
  #owed = 0;

  constructor(options: DeciderOptions) {
    this.#options = options;
  }

  get mode(): CompressionMode {
    return this.#options.mode;
  }

  /** @returns the modality as it is counted here */
  nameOf(modality: string | null): string {
    if (modality === null) return 'other';
    if (!this.#modalities.has(modality) && this.#modalities.size < modalitiesMax)
      this.#modalities.add(modality);
    return this.#modalities.has(modality) ? modality : 'other';
  }

  /** @param goodput what the line to the destination carries, in bytes a second; null where not measured yet */
  decide(
    destination: string,
    modality: string | null,
    codec: CodecName,
    goodput: number | null,
  ): CompressionDecision {
    const name = this.nameOf(modality);
    const decision = {
      destination,
      modality: name,
      codec,
      ...this.#judge(this.#figures(name, codec), goodput),
    };
    const key = `${destination}\n${name}`;
    this.#decisions.delete(key);
    this.#decisions.set(key, decision);
    const [oldest] = this.#decisions.keys();
    if (this.#decisions.size > decisionsMax && oldest !== undefined) this.#decisions.delete(oldest);
    return decision;
  }

  /** At admission: whether this image is compressed although it would arrive sooner as it is, to measure anew. */
  oweMeasurement(): boolean {
    if (this.#options.mode !== 'auto') return false;
    this.#asReceived += 1;
    const due = this.#asReceived % remeasureEvery === 0;
    if (due) this.#owed += 1;
    return due;
  }

  /** Before compressing: whether a measurement is owed. */
  takeMeasurement(): boolean {
    if (this.#owed === 0) return false;
    this.#owed -= 1;
    return true;
  }

  learn({ modality, codec, bytesIn, bytesOut, elapsedMs, abreast }: CodecMeasurement): void {
    if (bytesIn <= 0 || bytesOut <= 0 || elapsedMs <= 0) return;
    const name = this.nameOf(modality);
    const before = this.#figures(name, codec);
    const ratio = bytesIn / bytesOut;
    const bytesPerSecond = (bytesIn / elapsedMs) * 1000 * Math.max(this.#options.workers, abreast);
    const weight = before.measured ? newWeight : 1;
    this.#learned.set(`${name}\n${codec}`, {
      ratio: before.ratio + weight * (ratio - before.ratio),
      bytesPerSecond: before.bytesPerSecond + weight * (bytesPerSecond - before.bytesPerSecond),
      measured: true,
    });
  }

  /** The latest decision for each destination and modality. */
  decisions(): readonly CompressionDecision[] {
    return [...this.#decisions.values()];
  }

  #figures(modality: string, codec: CodecName): Learned {
    const learned = this.#learned.get(`${modality}\n${codec}`);
    if (learned !== undefined) return learned;
    const ratio = ratioGuesses[modality] ?? otherRatioGuess;
    return { ratio, bytesPerSecond: throughputGuess * this.#options.workers, measured: false };
  }

  #judge(
    figures: Learned,
    goodput: number | null,
  ): Pick<CompressionDecision, 'compress' | 'close' | 'words'> {
    const { mode } = this.#options;
    const { ratio, bytesPerSecond, measured } = figures;
    if (mode === 'off')
      return { compress: false, close: false, words: 'As received: compression is switched off.' };
    const codec = `the codec ${rate(bytesPerSecond)} at ${ratio.toFixed(1)}:1${measured ? '' : ' (first guesses)'}`;
    if (mode === 'always')
      return { compress: true, close: true, words: `Compressed, as configured: ${codec}.` };
    if (goodput === null)
      return { compress: false, close: false, words: 'As received, until the line is measured.' };
    const gain = Math.min(bytesPerSecond, ratio * goodput) / goodput;
    const close = goodput < bytesPerSecond;
    const because = `the line carries ${rate(goodput)}, ${codec}`;
    if (gain < gainMin) return { compress: false, close, words: `As received, that is sooner: ${because}.` };
    const words = `Compressed, the archive has it some ${gain.toFixed(1)} times sooner: ${because}.`;
    return { compress: true, close, words };
  }
}

function rate(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1_000_000).toFixed(1)} MB/s`;
}
