import { z } from 'zod';
import { parseDays, parseTimeOfDay } from '../base/weekly-windows.ts';

const timeOfDay = z.string().refine((text) => parseTimeOfDay(text) !== null, {
  error: 'is not a time of day',
  params: { suggestion: 'Write hours and minutes with two digits each, such as "08:00".' },
});

const days = z.string().refine((text) => parseDays(text) !== null, {
  error: 'names no days of the week',
  params: {
    suggestion: 'Use mon, tue, wed, thu, fri, sat, sun: "mon-fri", "sat,sun", or "*" for every day.',
  },
});

/** A stretch of the day on some days of the week, by the clock of the site. */
export const weeklyWindow = z.strictObject({
  days: days.default('*').describe('Days on which it begins: "mon-fri", "sat,sun" or "*".'),
  from: timeOfDay.describe('When it begins, "HH:MM" in the time zone of the site.'),
  to: timeOfDay.describe('When it ends; at or before "from" it is that time of the next day.'),
});
