import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffMs, type RetryPolicy } from '../../src/spool/retry.ts';

const policy: RetryPolicy = { firstMs: 1000, capMs: 60_000, floorMs: 100, retryAfterMsMax: 3_600_000 };
const most = () => 1 - Number.EPSILON;
const least = () => 0;

describe('backoff', () => {
  test('doubles its upper bound with every failure until the cap', () => {
    const bounds = [1, 2, 3, 4, 6, 7, 8, 5000].map((failures) => backoffMs(policy, failures, most));
    expect(bounds).toEqual([1000, 2000, 4000, 8000, 32_000, 60_000, 60_000, 60_000]);
  });

  test('never falls below the floor', () => {
    expect(backoffMs(policy, 1, least)).toBe(100);
    expect(backoffMs(policy, 40, least)).toBe(100);
  });

  test('waits at least as long as Retry-After asks, jitter on top, within reason', () => {
    expect(backoffMs(policy, 1, least, 30_000)).toBe(30_100);
    expect(backoffMs(policy, 1, most, 30_000)).toBe(31_000);
    expect(backoffMs(policy, 1, least, 400 * 86_400_000)).toBe(3_600_100);
    expect(backoffMs(policy, 1, least, -5)).toBe(100);
  });

  test('spreads over the whole range: full jitter', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        (n, r) => {
          const ceiling = Math.min(60_000, 1000 * 2 ** (n - 1));
          const delay = backoffMs(policy, n, () => r);
          expect(delay).toBeGreaterThanOrEqual(100);
          expect(delay).toBeLessThanOrEqual(ceiling);
          expect(Math.abs(delay - (100 + r * (ceiling - 100)))).toBeLessThanOrEqual(1);
        },
      ),
      { seed: 7 },
    );
  });
});
