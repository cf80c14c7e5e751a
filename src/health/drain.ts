import type { DrainReport } from './status.ts';

/** What waited, and what had been sent since start, at a time. */
export interface DrainSample {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly waitingBytes: number;
  readonly sentBytes: number;
}

const minuteMs = 60_000;
const longMs = 3 * minuteMs;
const samplesApartMs = 4_000;
/** Of a shorter span nothing is said. */
const spanMinMs = 15_000;
/** Two windows that differ by more do not agree on when it ends. */
const agreement = 1.5;
const etaSecondsMax = 7 * 24 * 3600;

/** Adds a sample, at most one every few seconds; keeps as many as the longer window needs. */
export function withDrainSample(
  samples: readonly DrainSample[],
  sample: DrainSample,
): readonly DrainSample[] {
  const newest = samples.at(-1);
  if (newest !== undefined && sample.at - newest.at < samplesApartMs) return samples;
  return [...samples.filter(({ at }) => sample.at - at <= longMs), sample];
}

/**
 * Rate of the last minute, and an end where the last minute and the last three agree on one: a figure that jumps
 * is worse than none.
 */
export function drain(samples: readonly DrainSample[]): DrainReport {
  const last = samples.at(-1);
  const short = window(samples, minuteMs);
  if (last === undefined || short === null) return { bytesPerSecond: null, etaSeconds: null };
  const bytesPerSecond = short.sentPerSecond > 0 ? Math.round(short.sentPerSecond) : null;
  const long = window(samples, longMs);
  // Not before a full minute was seen.
  const settled =
    long !== null && long.spanMs >= minuteMs && short.lessPerSecond > 0 && long.lessPerSecond > 0;
  if (last.waitingBytes === 0 || !settled) return { bytesPerSecond, etaSeconds: null };
  const ratio = short.lessPerSecond / long.lessPerSecond;
  const etaSeconds = Math.round(last.waitingBytes / long.lessPerSecond);
  const agreed = ratio < agreement && ratio > 1 / agreement && etaSeconds <= etaSecondsMax;
  return { bytesPerSecond, etaSeconds: agreed ? etaSeconds : null };
}

function window(samples: readonly DrainSample[], windowMs: number) {
  const last = samples.at(-1);
  const first = last === undefined ? undefined : samples.find(({ at }) => last.at - at <= windowMs);
  if (last === undefined || first === undefined || last.at - first.at < spanMinMs) return null;
  const spanMs = last.at - first.at;
  return {
    spanMs,
    sentPerSecond: ((last.sentBytes - first.sentBytes) * 1000) / spanMs,
    lessPerSecond: ((first.waitingBytes - last.waitingBytes) * 1000) / spanMs,
  };
}
