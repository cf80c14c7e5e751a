const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const minuteMs = 60_000;
const minutesPerDay = 24 * 60;
/** Rules repeat every week: a change that is not found within eight days never comes. */
const lookAheadMs = 8 * minutesPerDay * minuteMs;
/** Every time zone in use is a whole number of quarters of an hour away from UTC, before and after a switch. */
const quarterMs = 15 * minuteMs;

/** A stretch of the day, on some days of the week, by the clock on the wall. */
export interface WeeklyWindow {
  /** Days on which it begins: `mon-fri`, `sat,sun`, `fri-mon` or `*`. */
  readonly days: string;
  /** `HH:MM`, included. */
  readonly from: string;
  /** `HH:MM`, not included; at or before `from` it is that of the next day. `24:00` is the end of the day. */
  readonly to: string;
}

/** @returns the days, Sunday being 0; null where the text names none */
export function parseDays(text: string): ReadonlySet<number> | null {
  if (text === '*') return new Set(dayNames.keys());
  const days = new Set<number>();
  for (const part of text.toLowerCase().split(',')) {
    const [first = '', last = first, ...more] = part.trim().split('-');
    const from = dayNames.indexOf(first as (typeof dayNames)[number]);
    const to = dayNames.indexOf(last as (typeof dayNames)[number]);
    if (from < 0 || to < 0 || more.length > 0) return null;
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === to) break;
    }
  }
  return days;
}

/** @returns minutes after midnight, 0 to 1440; null where the text is no `HH:MM` */
export function parseTimeOfDay(text: string): number | null {
  const match = /^(\d\d):([0-5]\d)$/.exec(text);
  const minutes = Number(match?.[1]) * 60 + Number(match?.[2]);
  return match === null || minutes > minutesPerDay ? null : minutes;
}

interface LocalMinute {
  readonly day: number;
  readonly minute: number;
}

interface Stretch {
  readonly days: ReadonlySet<number>;
  readonly from: number;
  readonly to: number;
}

/**
 * Which of a list of windows is open. Goes by local time alone: where the clock is put forward, what falls into the
 * hour that is left out begins with the next one; where it is put back, the repeated hour counts twice.
 */
export class WeeklyWindows {
  readonly #stretches: readonly Stretch[];
  readonly #format: Intl.DateTimeFormat;

  /** @throws RangeError where a window or the time zone (IANA name) is not valid */
  constructor(windows: readonly WeeklyWindow[], timeZone: string) {
    this.#stretches = windows.map(({ days, from, to }) => {
      const stretch = { days: parseDays(days), from: parseTimeOfDay(from), to: parseTimeOfDay(to) };
      if (stretch.days === null || stretch.from === null || stretch.to === null) {
        throw new RangeError('a window is not valid');
      }
      return stretch as Stretch;
    });
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
  }

  /** @returns the index of the first window that is open at a time (ms since the epoch), or null */
  openAt(time: number): number | null {
    return this.#openIn(this.#local(time));
  }

  /** @returns when after a time another window, or none, is the first that is open; null where that never changes */
  nextChange(time: number): number | null {
    if (this.#stretches.length === 0) return null;
    const now = this.openAt(time);
    const firstMinute = (Math.floor(time / minuteMs) + 1) * minuteMs;
    let quarter = Number.NaN;
    let local: LocalMinute = { day: 0, minute: 0 };
    for (let at = firstMinute; at <= time + lookAheadMs; at += minuteMs) {
      const start = Math.floor(at / quarterMs) * quarterMs;
      if (start !== quarter) {
        quarter = start;
        local = this.#local(quarter);
      }
      const minute = local.minute + (at - quarter) / minuteMs;
      if (this.#openIn({ day: local.day, minute }) !== now) return at;
    }
    return null;
  }

  #openIn({ day, minute }: LocalMinute): number | null {
    const before = (day + 6) % 7;
    const index = this.#stretches.findIndex(({ days, from, to }) =>
      from < to
        ? days.has(day) && minute >= from && minute < to
        : (days.has(day) && minute >= from) || (days.has(before) && minute < to),
    );
    return index < 0 ? null : index;
  }

  #local(time: number): LocalMinute {
    const parts = Object.fromEntries(
      this.#format.formatToParts(time).map(({ type, value }) => [type, value]),
    );
    const weekday = (parts['weekday'] ?? '').toLowerCase();
    return {
      day: dayNames.indexOf(weekday as (typeof dayNames)[number]),
      minute: Number(parts['hour']) * 60 + Number(parts['minute']),
    };
  }
}
