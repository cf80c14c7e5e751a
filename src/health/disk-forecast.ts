/** How many bytes of images lay on this box at a time. */
export interface DiskSample {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Bytes waiting to be sent and bytes kept after they were verified. */
  readonly storedBytes: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A clinic's week has five busy days and two quiet ones; an outage shows within a day. */
const windowsMs = [dayMs, 7 * dayMs] as const;
const windowMaxMs = 7 * dayMs;
/** A shorter span says more about the hour of the day than about the disk. */
const spanMinMs = 6 * hourMs;
const daysLeftMax = 3650;

/**
 * Adds a sample: at most one an hour is kept, and none older than a week. A clock that jumped back drops what
 * now lies in the future.
 */
export function withSample(samples: readonly DiskSample[], sample: DiskSample): readonly DiskSample[] {
  const kept = samples.filter(({ at }) => at <= sample.at && sample.at - at <= windowMaxMs);
  const newest = kept.at(-1);
  return newest !== undefined && sample.at - newest.at < hourMs ? kept : [...kept, sample];
}

/**
 * Days until new images are refused, if the store goes on growing as it did over the last day or over the last
 * week, whichever fills it sooner.
 * @param availableBytes free space above the reserve
 * @returns null where it is not known, or the store does not grow
 */
export function daysLeft(samples: readonly DiskSample[], availableBytes: number): number | null {
  if (availableBytes <= 0) return 0;
  const forecasts = windowsMs.flatMap((windowMs) => {
    const bytesPerDay = growthPerDay(samples, windowMs);
    return bytesPerDay === null || bytesPerDay <= 0 ? [] : [availableBytes / bytesPerDay];
  });
  const soonest = Math.min(...forecasts);
  return soonest <= daysLeftMax ? Math.round(soonest * 10) / 10 : null;
}

function growthPerDay(samples: readonly DiskSample[], windowMs: number): number | null {
  const last = samples.at(-1);
  if (last === undefined) return null;
  const first = samples.find(({ at }) => last.at - at <= windowMs);
  if (first === undefined || last.at - first.at < spanMinMs) return null;
  return ((last.storedBytes - first.storedBytes) / (last.at - first.at)) * dayMs;
}
