import { describe, expect, test } from 'vitest';
import { parseDays, parseTimeOfDay, WeeklyWindows } from '../../src/base/weekly-windows.ts';

const at = (text: string): number => Date.parse(text);
const iso = (time: number | null): string | null => (time === null ? null : new Date(time).toISOString());
const berlin = (days: string, from: string, to: string) =>
  new WeeklyWindows([{ days, from, to }], 'Europe/Berlin');

describe('days and times', () => {
  test.each<[text: string, days: number[] | null]>([
    ['mon-fri', [1, 2, 3, 4, 5]],
    ['sat,sun', [6, 0]],
    ['fri-mon', [5, 6, 0, 1]],
    ['Wed', [3]],
    ['*', [0, 1, 2, 3, 4, 5, 6]],
    ['mon-wed-fri', null],
    ['monday', null],
    ['', null],
    ['mon,', null],
    ['1-5', null],
  ])('%j', (text, days) => {
    expect(parseDays(text)).toEqual(days === null ? null : new Set(days));
  });

  test.each<[text: string, minutes: number | null]>([
    ['00:00', 0],
    ['08:30', 510],
    ['24:00', 1440],
    ['24:01', null],
    ['8:30', null],
    ['08:60', null],
    ['08:30:00', null],
  ])('%j', (text, minutes) => {
    expect(parseTimeOfDay(text)).toBe(minutes);
  });
});

describe('a window', () => {
  test.each<[time: string, open: boolean]>([
    // Winter: UTC+1. Friday, the 16th.
    ['2026-01-16T06:59:59Z', false],
    ['2026-01-16T07:00:00Z', true],
    ['2026-01-16T16:59:59Z', true],
    ['2026-01-16T17:00:00Z', false],
    ['2026-01-17T09:00:00Z', false],
    // Summer: UTC+2.
    ['2026-07-17T05:59:59Z', false],
    ['2026-07-17T06:00:00Z', true],
    ['2026-07-17T16:00:00Z', false],
  ])('on working days from 8 to 18 in Berlin, at %s: %s', (time, open) => {
    expect(berlin('mon-fri', '08:00', '18:00').openAt(at(time)) !== null).toBe(open);
  });

  test('over midnight belongs to the day on which it begins', () => {
    const nights = berlin('fri', '22:00', '06:00');
    expect(nights.openAt(at('2026-01-16T21:30:00Z'))).toBe(0);
    expect(nights.openAt(at('2026-01-17T04:59:00Z'))).toBe(0);
    expect(nights.openAt(at('2026-01-17T05:00:00Z'))).toBe(null);
    expect(nights.openAt(at('2026-01-16T04:00:00Z'))).toBe(null);
  });

  test('the first that is open counts', () => {
    const windows = new WeeklyWindows(
      [
        { days: 'mon', from: '12:00', to: '13:00' },
        { days: '*', from: '08:00', to: '24:00' },
      ],
      'UTC',
    );
    expect(windows.openAt(at('2026-01-12T12:30:00Z'))).toBe(0);
    expect(windows.openAt(at('2026-01-13T12:30:00Z'))).toBe(1);
    expect(windows.openAt(at('2026-01-13T23:59:00Z'))).toBe(1);
    expect(windows.openAt(at('2026-01-13T03:00:00Z'))).toBe(null);
  });

  test('the next change is found across days, and there is none without windows', () => {
    const work = berlin('mon-fri', '08:00', '18:00');
    expect(iso(work.nextChange(at('2026-01-16T07:00:30Z')))).toBe('2026-01-16T17:00:00.000Z');
    expect(iso(work.nextChange(at('2026-01-16T17:00:00Z')))).toBe('2026-01-19T07:00:00.000Z');
    expect(new WeeklyWindows([], 'UTC').nextChange(0)).toBe(null);
    expect(berlin('*', '00:00', '24:00').nextChange(0)).toBe(null);
  });
});

// Berlin, 2026: clocks go from 02:00 to 03:00 on 29 March (01:00 UTC), from 03:00 to 02:00 on 25 October (01:00 UTC).
describe('where the clock is switched', () => {
  test('a window over the switch is an hour shorter in spring and an hour longer in autumn', () => {
    const nights = berlin('*', '00:00', '06:00');
    expect(iso(nights.nextChange(at('2026-03-28T23:30:00Z')))).toBe('2026-03-29T04:00:00.000Z');
    expect(iso(nights.nextChange(at('2026-10-24T22:30:00Z')))).toBe('2026-10-25T05:00:00.000Z');
  });

  test('by day it begins at the same hour before and after', () => {
    const days = berlin('*', '08:00', '18:00');
    expect(iso(days.nextChange(at('2026-03-28T18:00:00Z')))).toBe('2026-03-29T06:00:00.000Z');
    expect(iso(days.nextChange(at('2026-10-24T17:00:00Z')))).toBe('2026-10-25T07:00:00.000Z');
  });

  test('what begins in the hour that is left out begins right after it', () => {
    expect(iso(berlin('*', '02:30', '05:00').nextChange(at('2026-03-29T00:10:00Z')))).toBe(
      '2026-03-29T01:00:00.000Z',
    );
  });

  test('what ends in the hour that comes twice is open in both', () => {
    const nights = berlin('*', '00:00', '02:30');
    expect(nights.openAt(at('2026-10-25T00:29:00Z'))).toBe(0);
    expect(nights.openAt(at('2026-10-25T00:31:00Z'))).toBe(null);
    expect(nights.openAt(at('2026-10-25T01:29:00Z'))).toBe(0);
    expect(nights.openAt(at('2026-10-25T01:31:00Z'))).toBe(null);
  });

  test('also where the offset is no whole hour, as on Lord Howe Island', () => {
    // 5 April 2026: 02:00 (UTC+11) becomes 01:30 (UTC+10:30), at 15:00 UTC the day before.
    const windows = new WeeklyWindows([{ days: '*', from: '01:45', to: '02:15' }], 'Australia/Lord_Howe');
    expect(iso(windows.nextChange(at('2026-04-04T14:50:00Z')))).toBe('2026-04-04T15:00:00.000Z');
    expect(windows.openAt(at('2026-04-04T15:20:00Z'))).toBe(0);
  });
});
