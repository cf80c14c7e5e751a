/** The moment the page stands for and how it is written. */
export interface TimeFrame {
  /** The gateway's time, milliseconds since the epoch; never the reader's own clock. */
  readonly now: number;
  readonly timeZone: string;
  readonly locale: string;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(frame: TimeFrame, kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${frame.locale} ${frame.timeZone} ${kind}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = createFormat(frame, options);
    formats.set(key, format);
  }
  return format;
}

function createFormat(
  { locale, timeZone }: TimeFrame,
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
export function clockTime(at: number, frame: TimeFrame): string {
  const day: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' };
  const date = formatOf(frame, 'day', day);
  const time = formatOf(frame, 'clock', { hour: '2-digit', minute: '2-digit' }).format(at);
  return date.format(at) === date.format(frame.now) ? time : `${date.format(at)}, ${time}`;
}

/** `20 Nov 2036`. */
export function dateText(at: number, frame: TimeFrame): string {
  const options: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short', year: 'numeric' };
  return formatOf(frame, 'date', options).format(at);
}

/** `10:42:07`. */
export function clockSeconds(at: number, frame: TimeFrame): string {
  return formatOf(frame, 'seconds', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(at);
}

/** `Tue 24 Nov 2026, 10:42:07 CET`: for titles. */
export function fullTime(at: number, frame: TimeFrame): string {
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

/** `25 min`, `3 h`, `4 days`: one unit, rounded down; `under a minute` below that. */
export function duration(ms: number): string {
  if (ms < minuteMs) return 'under a minute';
  if (ms < hourMs) return `${Math.floor(ms / minuteMs)}\u00a0min`;
  if (ms < 2 * dayMs) return `${Math.floor(ms / hourMs)}\u00a0h`;
  return `${Math.floor(ms / dayMs)}\u00a0days`;
}

/** `just now`, `25 min ago`. A time a little ahead (two clocks, rounding) is `just now` too. */
export function ago(at: number, frame: TimeFrame): string {
  const ms = frame.now - at;
  return ms < minuteMs ? 'just now' : `${duration(ms)}\u00a0ago`;
}

const byteUnits = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** `525 kB`, `1.3 GB`: decimal units, three digits at most; figure and unit stay on one line. */
export function bytes(count: number, { locale }: TimeFrame): string {
  let value = count;
  let unit = 0;
  // 999.5 would be rounded up to 1000 of the smaller unit.
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  const figure = new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
  return `${figure}\u00a0${unit === 0 && count === 1 ? 'byte' : (byteUnits[unit] ?? 'PB')}`;
}

export function number(value: number, { locale }: TimeFrame): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }).format(value);
}

/** `1 image`, `412 images`. */
export function counted(value: number, [one, many]: readonly [string, string], frame: TimeFrame): string {
  return `${number(value, frame)} ${value === 1 ? one : many}`;
}

/** Words that are counted, one and many. */
export const nouns = {
  image: ['image', 'images'],
  modality: ['modality', 'modalities'],
  day: ['day', 'days'],
  context: ['presentation context', 'presentation contexts'],
} as const;
