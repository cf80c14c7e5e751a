import type { Speech } from './speech.ts';

/** The moment the page stands for, and how it is put into words. */
export interface Frame {
  /** The gateway's time, milliseconds since the epoch; never the reader's own clock. */
  readonly now: number;
  readonly timeZone: string;
  readonly speech: Speech;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(frame: Frame, kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${frame.speech.locale} ${frame.timeZone} ${kind}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = createFormat(frame, options);
    formats.set(key, format);
  }
  return format;
}

function createFormat(
  { speech: { locale }, timeZone }: Frame,
  options: Intl.DateTimeFormatOptions,
): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, hourCycle: 'h23', timeZone });
  } catch {
    // A time zone this browser does not know must not blank the page.
    return new Intl.DateTimeFormat(locale, {
      ...options,
      hourCycle: 'h23',
      timeZone: 'UTC',
      timeZoneName: 'short',
    });
  }
}

/** `10:42`, with the day where it is not today's. */
export function clockTime(at: number, frame: Frame): string {
  const day: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' };
  const date = formatOf(frame, 'day', day);
  const time = formatOf(frame, 'clock', { hour: '2-digit', minute: '2-digit' }).format(at);
  return date.format(at) === date.format(frame.now) ? time : `${date.format(at)}, ${time}`;
}

/** `20 Nov 2036`. */
export function dateText(at: number, frame: Frame): string {
  const options: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short', year: 'numeric' };
  return formatOf(frame, 'date', options).format(at);
}

/** `10:42:07`. */
export function clockSeconds(at: number, frame: Frame): string {
  return formatOf(frame, 'seconds', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(at);
}

/** `Tue 24 Nov 2026, 10:42:07 CET`: for titles. */
export function fullTime(at: number, frame: Frame): string {
  const options: Intl.DateTimeFormatOptions = {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  };
  return formatOf(frame, 'full', options).format(at);
}

type Unit = 'minute' | 'hour' | 'day';

/** The one unit a span is told in, rounded down. */
function unitOf(ms: number): [unit: Unit, count: number] {
  if (ms < hourMs) return ['minute', Math.floor(ms / minuteMs)];
  if (ms < 2 * dayMs) return ['hour', Math.floor(ms / hourMs)];
  return ['day', Math.floor(ms / dayMs)];
}

/** `25 min`, `3 hours`, `4 days`; `under a minute` below that. */
export function duration(ms: number, { speech }: Frame): string {
  if (ms < minuteMs) return speech.say('underMinute');
  const [unit, count] = unitOf(ms);
  return measure(count, unit, speech.locale, unit === 'minute' ? 'short' : 'long', 0);
}

/** `just now`, `25 min ago`. A time a little ahead (two clocks, rounding) is `just now` too. */
export function ago(at: number, { now, speech }: Frame): string {
  const ms = now - at;
  if (ms < minuteMs) return speech.say('justNow');
  const [unit, count] = unitOf(ms);
  const style = unit === 'minute' ? 'short' : 'long';
  return together(new Intl.RelativeTimeFormat(speech.locale, { style }).format(-count, unit));
}

const byteUnits = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

/** `525 kB`, `1.3 GB`: decimal units, three digits at most; figure and unit stay on one line. */
export function bytes(count: number, { speech: { locale } }: Frame): string {
  let value = count;
  let unit = 0;
  // 999.5 would be rounded up to 1000 of the smaller unit.
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return measure(value, byteUnits[unit] ?? 'petabyte', locale, unit === 0 ? 'long' : 'short', digits);
}

/** `51 °C`. */
export function celsius(value: number, { speech: { locale } }: Frame): string {
  return measure(value, 'celsius', locale, 'short', 0);
}

const measures = new Map<string, Intl.NumberFormat>();

function measure(
  value: number,
  unit: string,
  locale: string,
  unitDisplay: 'short' | 'long',
  digits: number,
): string {
  const key = `${locale} ${unit} ${unitDisplay} ${digits}`;
  let format = measures.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(locale, {
      style: 'unit',
      unit,
      unitDisplay,
      maximumFractionDigits: digits,
    });
    measures.set(key, format);
  }
  return together(format.format(value));
}

/** On one line. */
function together(text: string): string {
  return text.replaceAll(' ', '\u00a0');
}

/** With up to one digit behind the point, as rates need. */
export function rate(value: number, { speech: { locale } }: Frame): string {
  const digits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
}
