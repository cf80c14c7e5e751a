import { describe, expect, test } from 'vitest';
import { Bandwidth } from '../../src/forward/bandwidth.ts';
import { Goodput } from '../../src/forward/goodput.ts';
import { Pace } from '../../src/forward/pace.ts';
import { Throttle } from '../../src/forward/throttle.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';

const never = new AbortController().signal;
const megabyte = 1e6;
const bounds = { parallel: 16, bytesMax: 64 * megabyte };

interface SimulatedLine {
  /** Bytes a second of the whole line, and of one connection at most. */
  readonly bytesPerSecond: number;
  readonly perConnection: number;
  readonly roundTripMs: number;
  /** Requests beyond so many only wait inside the archive. */
  readonly archiveTakes?: number;
}

/** Runs a pace over a line for so many requests, place by place; a fluid model, exact enough to climb on. */
function simulate(
  pace: Pace,
  line: SimulatedLine,
  requests: number,
  from = 0,
): { now: number; rate: number } {
  let now = from;
  let rate = 0;
  for (let sent = 0; sent < requests; ) {
    const { places } = pace;
    const shared = Math.min(line.perConnection, line.bytesPerSecond / places);
    rate = shared * places;
    const bytes = pace.requestBytes(rate);
    const ms = (bytes / shared) * 1000;
    const crowd = Math.max(0, places - (line.archiveTakes ?? Infinity));
    const answerMs = line.roundTripMs + crowd * 4000;
    const startedAt = now;
    for (let place = 0; place < places; place += 1) {
      const endedAt = startedAt + (ms * (place + 1)) / places;
      pace.answered({ bytes, answerMs, startedAt, endedAt }, true);
      sent += 1;
    }
    now = startedAt + ms;
  }
  return { now, rate };
}

describe('the pace', () => {
  test('a long line that one connection cannot fill gets as many as fill it, and no more', () => {
    const pace = new Pace(bounds);
    const line = { bytesPerSecond: 40 * megabyte, perConnection: 4 * megabyte, roundTripMs: 200 };
    const { rate } = simulate(pace, line, 2000);
    expect(rate).toBeGreaterThan(0.95 * line.bytesPerSecond);
    expect(pace.places).toBeLessThanOrEqual(11);
  });

  test('what waits for its answer takes the place of nothing else, and no more is under way than that needs', () => {
    const pace = new Pace(bounds);
    expect(pace.inFlight).toBe(pace.places + 1);
    // Quick answers after long requests: one more.
    const sample = { bytes: megabyte, answerMs: 200, startedAt: 0, endedAt: 4200 };
    pace.answered(sample, false);
    expect(pace.inFlight).toBe(pace.places + 1);
    // Answers that take three times as long as the bytes: three times the places, within bounds.
    for (let n = 0; n < 60; n += 1) pace.answered({ ...sample, answerMs: 300, endedAt: 400 }, false);
    expect(pace.inFlight).toBe(bounds.parallel);
    expect(new Pace({ ...bounds, parallel: 2 }).inFlight).toBe(2);
  });

  test('the last requests are worth their round trips, on a slow line and on a fast one', () => {
    const pace = new Pace(bounds);
    const [slow, lossy, fast] = [1e5, 6e6, 37e6].map((goodput) => pace.shareBytesMin(goodput));
    expect(slow).toBe(1024 * 1024);
    expect(lossy).toBe(1024 * 1024);
    expect(fast).toBeGreaterThan(5 * megabyte);
  });

  test('a line that is full already gets no more connections, but for a try now and then', () => {
    const pace = new Pace(bounds);
    simulate(pace, { bytesPerSecond: megabyte, perConnection: megabyte, roundTripMs: 60 }, 2000);
    expect(pace.places).toBeLessThanOrEqual(5);
  });

  test('answers that grow slow without a gain take places away', () => {
    const pace = new Pace(bounds);
    const fast = { bytesPerSecond: 8 * megabyte, perConnection: 2 * megabyte, roundTripMs: 50 };
    const { now } = simulate(pace, fast, 100);
    expect(pace.places).toBeGreaterThanOrEqual(4);
    const crowded = { ...fast, bytesPerSecond: 2 * megabyte, archiveTakes: 1 };
    simulate(pace, crowded, 2000, now);
    expect(pace.places).toBeLessThanOrEqual(2);
  });

  test('stays within the bounds of the configuration', () => {
    const pace = new Pace({ parallel: 2, bytesMax: 3 * megabyte });
    const line = { bytesPerSecond: 1000 * megabyte, perConnection: 10 * megabyte, roundTripMs: 20 };
    simulate(pace, line, 500);
    expect(pace.places).toBe(2);
    expect(pace.requestBytes(1000 * megabyte)).toBe(3 * megabyte);
    expect(new Pace({ parallel: 1, bytesMax: megabyte }).places).toBe(1);
  });

  test('one burst of errors halves once, and the next one again; it climbs back', () => {
    const pace = new Pace(bounds);
    expect(pace.places).toBe(4);
    for (let each = 0; each < 4; each += 1) pace.slowDown(900, 1000);
    expect(pace.places).toBe(2);
    pace.slowDown(1001, 2000);
    pace.slowDown(2001, 3000);
    expect(pace.places).toBe(1);
    const line = { bytesPerSecond: 8 * megabyte, perConnection: megabyte, roundTripMs: 20 };
    simulate(pace, line, 2000, 4000);
    expect(pace.places).toBeGreaterThanOrEqual(7);
  });

  test('a request is on the line for a few seconds: small on a slow one, large on a fast one', () => {
    const pace = new Pace(bounds);
    expect(pace.requestBytes(50_000)).toBe(256 * 1024);
    expect(pace.requestBytes(megabyte)).toBe(megabyte);
    expect(pace.requestBytes(40 * megabyte)).toBe(40 * megabyte);
    expect(pace.requestBytes(1000 * megabyte)).toBe(bounds.bytesMax);
  });

  test('where answers take long, requests are larger', () => {
    const pace = new Pace(bounds);
    const before = pace.requestBytes(megabyte);
    for (let each = 0; each < 30; each += 1) {
      pace.answered({ bytes: 1, answerMs: 1200, startedAt: 0, endedAt: each }, false);
    }
    expect(pace.requestBytes(megabyte)).toBeGreaterThan(before * 2);
  });

  test('work that comes in drops is no test of the line', () => {
    const pace = new Pace(bounds);
    for (let each = 0; each < 1000; each += 1) {
      pace.answered(
        { bytes: each, answerMs: each, startedAt: each * 5000, endedAt: each * 5000 + 10 },
        false,
      );
    }
    expect(pace.places).toBe(4);
  });
});

describe('goodput', () => {
  test('is what left while something was under way; rests do not count', () => {
    const clock = new ManualClock();
    const goodput = new Goodput(clock);
    expect(goodput.bytesPerSecond()).toBe(null);
    for (let each = 0; each < 5; each += 1) {
      const transfer = goodput.begin();
      clock.advance(2000);
      transfer.handed(2 * megabyte);
      transfer.ended(true);
      clock.advance(3_600_000);
    }
    expect(goodput.bytesPerSecond()).toBe(megabyte);
  });

  test('requests side by side share the time', () => {
    const clock = new ManualClock();
    const goodput = new Goodput(clock);
    const transfers = [goodput.begin(), goodput.begin(), goodput.begin()];
    clock.advance(3000);
    for (const each of transfers) {
      each.handed(megabyte);
      each.ended(true);
    }
    expect(goodput.bytesPerSecond()).toBe(megabyte);
  });

  test('what still lies in the buffers of the system is not believed before the answer', () => {
    const clock = new ManualClock();
    const goodput = new Goodput(clock);
    const transfer = goodput.begin();
    transfer.handed(400_000);
    clock.advance(1000);
    expect(goodput.bytesPerSecond()).toBe(null);
    transfer.ended(false);
    expect(goodput.bytesPerSecond()).toBe(null);
  });

  test('follows a line that has changed', () => {
    const clock = new ManualClock();
    const goodput = new Goodput(clock);
    const run = (bytesPerSecond: number, seconds: number): void => {
      for (let second = 0; second < seconds; second += 1) {
        const transfer = goodput.begin();
        clock.advance(1000);
        transfer.handed(bytesPerSecond);
        transfer.ended(true);
      }
    };
    run(10 * megabyte, 300);
    run(megabyte, 35);
    expect(goodput.bytesPerSecond()).toBeGreaterThan(0.95 * megabyte);
    expect(goodput.bytesPerSecond()).toBeLessThan(1.05 * megabyte);
  });
});

describe('the throttle', () => {
  interface Rates {
    bytesPerSecond: number | null;
  }
  function setUp(bytesPerSecond: number | null) {
    const clock = new ManualClock();
    const rate: Rates = { bytesPerSecond };
    let stops = 0;
    const throttle = new Throttle({
      clock,
      bytesPerSecond: () => rate.bytesPerSecond,
      stopped: () => {
        stops += 1;
      },
    });
    const gone: string[] = [];
    const take = (name: string, bytes: number, stat = false, signal = never): void => {
      const waits = throttle.take(bytes, stat, signal);
      if (waits === undefined) gone.push(name);
      else void waits.then(() => gone.push(name));
    };
    /** Time passes in small steps, and whoever may go goes. */
    const pass = async (ms: number): Promise<void> => {
      for (let step = 0; step < ms; step += 10) {
        clock.advance(10);
        throttle.look();
        await Promise.resolve();
      }
      await new Promise(setImmediate);
    };
    return { clock, rate, throttle, gone, take, pass, stops: () => stops };
  }

  test('without a limit nothing waits', () => {
    const { gone, take } = setUp(null);
    for (let each = 0; each < 100; each += 1) take('piece', 64 * 1024);
    expect(gone).toHaveLength(100);
  });

  test('lets through what the rate allows, in order, in small bursts', async () => {
    const { gone, take, pass } = setUp(250_000);
    for (let each = 0; each < 50; each += 1) take(String(each), 25_000);
    await pass(1000);
    expect(gone.length).toBeGreaterThanOrEqual(10);
    expect(gone.length).toBeLessThanOrEqual(12);
    await pass(1000);
    expect(gone.length).toBeLessThanOrEqual(22);
    expect(gone).toEqual(gone.map((_, index) => String(index)));
    await pass(4000);
    expect(gone).toHaveLength(50);
  });

  test('a rest saves up no more than a burst', async () => {
    const { gone, take, pass } = setUp(250_000);
    await pass(60_000);
    for (let each = 0; each < 50; each += 1) take(String(each), 25_000);
    expect(gone.length).toBeLessThanOrEqual(2);
  });

  test('another rate counts for what waits already', async () => {
    const { rate, gone, take, pass, throttle } = setUp(1000);
    for (let each = 0; each < 20; each += 1) take(String(each), 25_000);
    await pass(1000);
    expect(gone).toHaveLength(1);
    rate.bytesPerSecond = 2_500_000;
    await pass(300);
    expect(gone).toHaveLength(20);
    rate.bytesPerSecond = 1000;
    for (let each = 0; each < 20; each += 1) take(String(each), 25_000);
    rate.bytesPerSecond = null;
    throttle.look();
    await pass(10);
    expect(gone).toHaveLength(40);
  });

  test('at 0 nothing goes, and it says so', async () => {
    const { rate, gone, take, pass, stops } = setUp(0);
    take('piece', 1);
    await pass(5000);
    expect(gone).toEqual([]);
    expect(stops()).toBeGreaterThan(0);
    rate.bytesPerSecond = 1000;
    await pass(100);
    expect(gone).toEqual(['piece']);
  });

  test('stat pieces go before all that wait', async () => {
    const { gone, take, pass } = setUp(100_000);
    for (let each = 0; each < 10; each += 1) take('routine', 50_000);
    take('stat', 50_000, true);
    await pass(1000);
    expect(gone.slice(0, 2)).toEqual(['routine', 'stat']);
  });

  test('while a stat request is on the line the others leave it to that one, for a while', async () => {
    const { gone, take, pass, throttle } = setUp(null);
    const over = throttle.statBegins();
    take('routine', 1);
    take('stat', 1, true);
    await pass(5000);
    expect(gone).toEqual(['stat']);
    await pass(6000);
    expect(gone).toEqual(['stat', 'routine']);
    take('later', 1);
    over();
    over();
    await pass(10);
    expect(gone).toEqual(['stat', 'routine', 'later']);
  });

  test('who gives up makes room for the next', async () => {
    const { gone, take, pass } = setUp(1000);
    const abort = new AbortController();
    take('first', 1000);
    take('huge', 1_000_000, false, abort.signal);
    take('next', 10);
    abort.abort();
    await pass(1500);
    expect(gone).toEqual(['first', 'huge', 'next']);
  });
});

describe('bandwidth', () => {
  const plan = {
    mbitPerSecond: null,
    windows: [{ days: 'mon-fri', from: '08:00', to: '18:00', mbitPerSecond: 2 }],
  };

  test('2 Mbit/s by day, no limit at night, and when that changes', () => {
    // Friday, 10:00 in Berlin.
    const clock = new ManualClock(Date.parse('2026-01-16T09:00:00Z'));
    const bandwidth = new Bandwidth(plan, 'Europe/Berlin', clock);
    expect(bandwidth.inForce()).toEqual({
      mbitPerSecond: 2,
      because: 'window',
      until: Date.parse('2026-01-16T17:00:00Z'),
    });
    expect(bandwidth.bytesPerSecond()).toBe(250_000);
    clock.advance(8 * 3_600_000);
    expect(bandwidth.inForce()).toEqual({
      mbitPerSecond: null,
      because: 'setting',
      until: Date.parse('2026-01-19T07:00:00Z'),
    });
    expect(bandwidth.bytesPerSecond()).toBe(null);
  });

  test.each([
    ['spring', '2026-03-30T05:59:59Z', '2026-03-30T06:00:00Z'],
    ['autumn', '2026-10-26T06:59:59Z', '2026-10-26T07:00:00Z'],
  ])('on the Monday after the switch in %s it still begins at 8', (_, before, after) => {
    const clock = new ManualClock(Date.parse(before) - 3 * 24 * 3_600_000);
    const bandwidth = new Bandwidth(plan, 'Europe/Berlin', clock);
    bandwidth.inForce();
    clock.advance(Date.parse(before) - clock.now());
    expect(bandwidth.bytesPerSecond()).toBe(null);
    clock.advance(Date.parse(after) - clock.now());
    expect(bandwidth.bytesPerSecond()).toBe(250_000);
  });

  test("an operator's limit goes before the plan until it is cleared", () => {
    const clock = new ManualClock(Date.parse('2026-01-16T09:00:00Z'));
    const bandwidth = new Bandwidth(plan, 'Europe/Berlin', clock);
    bandwidth.set(0.5);
    expect(bandwidth.inForce()).toEqual({ mbitPerSecond: 0.5, because: 'operator', until: null });
    clock.advance(24 * 3_600_000);
    expect(bandwidth.bytesPerSecond()).toBe(62_500);
    bandwidth.set(null);
    expect(bandwidth.bytesPerSecond()).toBe(null);
    bandwidth.clear();
    expect(bandwidth.inForce().because).toBe('setting');
  });

  test('a wall clock that is set is noticed', () => {
    const clock = new ManualClock(Date.parse('2026-01-16T09:00:00Z'));
    const bandwidth = new Bandwidth(plan, 'Europe/Berlin', clock);
    expect(bandwidth.bytesPerSecond()).toBe(250_000);
    clock.setWall(Date.parse('2026-01-16T03:00:00Z'));
    expect(bandwidth.bytesPerSecond()).toBe(null);
  });
});
