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
 * Rate of the last minute, and an end where the last minute and the last three (or as long as nothing came in) agree
 * on one: a figure that jumps is worse than none.
 */
export function drain(samples: readonly DrainSample[]): DrainReport {
  const last = samples.at(-1);
  const short = window(samples, minuteMs);
  if (last === undefined || short === null) return { bytesPerSecond: null, etaSeconds: null };
  const bytesPerSecond = short.sentPerSecond > 0 ? Math.round(short.sentPerSecond) : null;
  if (last.waitingBytes === 0) return { bytesPerSecond, etaSeconds: null };
  // What came in before says nothing of when it ends; but where images trickle in, all of it has to be looked at.
  return { bytesPerSecond, etaSeconds: endOf(samples) ?? endOf(sinceLastRise(samples)) };
}

/** In seconds; null where two windows do not agree on it, or not yet a full minute was seen. */
function endOf(samples: readonly DrainSample[]): number | null {
  const [short, long] = [window(samples, minuteMs), window(samples, longMs)];
  if (short === null || long === null || long.spanMs < minuteMs) return null;
  if (short.lessPerSecond <= 0 || long.lessPerSecond <= 0) return null;
  const ratio = short.lessPerSecond / long.lessPerSecond;
  const etaSeconds = Math.round((samples.at(-1)?.waitingBytes ?? 0) / long.lessPerSecond);
  const agreed = ratio < agreement && ratio > 1 / agreement && etaSeconds <= etaSecondsMax;
  return agreed ? etaSeconds : null;
}

function sinceLastRise(samples: readonly DrainSample[]): readonly DrainSample[] {
  const rise = samples.findLastIndex(
    ({ waitingBytes }, index) => waitingBytes > (samples[index - 1]?.waitingBytes ?? waitingBytes),
  );
  return samples.slice(Math.max(0, rise));
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
