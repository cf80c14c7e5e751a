import { expect, test } from 'vitest';
import { type DiskSample, daysLeft, withSample } from '../../src/health/disk-forecast.ts';

const hourMs = 3_600_000;
const gigabyte = 1e9;

/** Hourly samples; `stored` says how many bytes lay here after so many hours. */
function hourly(hours: number, stored: (hour: number) => number): readonly DiskSample[] {
  const all = Array.from({ length: hours + 1 }, (_, hour) => ({
    at: hour * hourMs,
    storedBytes: stored(hour),
  }));
  return all.reduce<readonly DiskSample[]>(withSample, []);
}

test('steady growth is carried on', () => {
  expect(
    daysLeft(
      hourly(48, (hour) => (hour / 24) * gigabyte),
      20 * gigabyte,
    ),
  ).toBe(20);
});

test('an outage since yesterday counts more than a quiet week before', () => {
  const samples = hourly(168, (hour) => Math.max(0, hour - 144) * 0.5 * gigabyte);
  expect(daysLeft(samples, 24 * gigabyte)).toBe(2);
});

test('a quiet day after a busy week does not hide the week', () => {
  const samples = hourly(168, (hour) => Math.min(144, hour) * gigabyte);
  expect(daysLeft(samples, 144 * gigabyte)).toBe(7);
});

test('not known: too short a time, no growth, or shrinking', () => {
  expect(daysLeft([], gigabyte)).toBeNull();
  expect(
    daysLeft(
      hourly(5, (hour) => hour * gigabyte),
      gigabyte,
    ),
  ).toBeNull();
  expect(
    daysLeft(
      hourly(48, () => gigabyte),
      gigabyte,
    ),
  ).toBeNull();
  expect(
    daysLeft(
      hourly(48, (hour) => (48 - hour) * gigabyte),
      gigabyte,
    ),
  ).toBeNull();
});

test('no space left is no days left, whatever the samples', () => {
  expect(daysLeft([], 0)).toBe(0);
  expect(
    daysLeft(
      hourly(48, () => 0),
      -1,
    ),
  ).toBe(0);
});

test('samples stay one an hour and one week, and forget a future that a clock made up', () => {
  const dense = Array.from({ length: 100_000 }, (_, minute) => ({
    at: minute * 60_000,
    storedBytes: minute,
  }));
  const kept = dense.reduce<readonly DiskSample[]>(withSample, []);
  expect(kept.length).toBeLessThanOrEqual(169);
  expect(kept.at(-1)?.at).toBeGreaterThan(99_999 * 60_000 - hourMs);
  expect(withSample(kept, { at: 5, storedBytes: 1 })).toEqual([{ at: 5, storedBytes: 1 }]);
});
