import { describe, expect, test } from 'vitest';
import { Breaker, type Fault } from '../../src/spool/breaker.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';

type Kind = 'down' | 'sign-in';

const policy = { firstMs: 1000, capMs: 8000, floorMs: 100, retryAfterMsMax: 60_000 };
const fault = (values: Partial<Fault<Kind>> = {}): Fault<Kind> => ({
  kind: 'down',
  reason: { code: 'ECONNREFUSED', words: 'nothing listens' },
  policy,
  retryAfterMs: null,
  opensAfter: 1,
  ...values,
});

function setUp() {
  const clock = new ManualClock();
  return { clock, breaker: new Breaker<Kind>(clock, () => 0.999_999) };
}

describe('breaker', () => {
  test('one probe per growing step; the first success frees the way', () => {
    const { clock, breaker } = setUp();
    breaker.failed(fault(), false);
    const steps: number[] = [];
    for (let step = 0; step < 6; step += 1) {
      steps.push(breaker.waitMs());
      expect(breaker.permit()).toBe('wait');
      clock.advance(breaker.waitMs());
      expect(breaker.permit()).toBe('probe');
      breaker.probeBegins();
      expect(breaker.permit()).toBe('wait');
      expect(breaker.waitMs()).toBe(Infinity);
      breaker.failed(fault(), true);
    }
    expect(steps).toEqual([1000, 2000, 4000, 8000, 8000, 8000]);
    breaker.succeeded();
    expect(breaker.permit()).toBe('free');
    breaker.failed(fault(), false);
    expect(breaker.waitMs()).toBe(1000);
  });

  test('what was under way when it opened makes no further step, another kind of fault does', () => {
    const { breaker } = setUp();
    for (let request = 0; request < 4; request += 1) breaker.failed(fault(), false);
    expect(breaker.waitMs()).toBe(1000);
    breaker.failed(fault({ kind: 'sign-in', retryAfterMs: 30_000 }), false);
    expect(breaker.fault?.kind).toBe('sign-in');
    expect(breaker.waitMs()).toBe(31_000);
  });

  test('a doubtful fault opens only when it repeats without a success between', () => {
    const { breaker } = setUp();
    const doubtful = fault({ opensAfter: 3 });
    for (const succeeds of [false, false, true, false, false]) {
      if (succeeds) breaker.succeeded();
      else breaker.failed(doubtful, false);
      expect(breaker.permit()).toBe('free');
    }
    breaker.failed(doubtful, false);
    expect(breaker.permit()).toBe('wait');
  });

  test('a probe that learnt nothing makes room for another; an operator may ask for one at once', () => {
    const { clock, breaker } = setUp();
    breaker.failed(fault(), false);
    breaker.probeNow();
    expect(breaker.permit()).toBe('probe');
    breaker.probeBegins();
    breaker.probeEnded();
    expect(breaker.permit()).toBe('probe');
    expect(clock.monotonic()).toBe(0);
  });

  test('a jump of the wall clock neither hurries nor strands it', () => {
    const { clock, breaker } = setUp();
    breaker.failed(fault(), false);
    clock.setWall(0);
    expect(breaker.waitMs()).toBe(1000);
    clock.setWall(Date.UTC(2099, 0, 1));
    expect(breaker.permit()).toBe('wait');
    clock.advance(1000);
    expect(breaker.permit()).toBe('probe');
  });
});
