import { z } from 'zod';
import { parseDays, parseTimeOfDay } from '../base/weekly-windows.ts';

const windowsMax = 32;
const mbitMax = 100_000;

const mbitPerSecond = z.number().min(0).max(mbitMax).nullable();

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

const window = z
  .strictObject({
    days: days.default('*').describe('Days on which it begins: "mon-fri", "sat,sun" or "*".'),
    from: timeOfDay.describe('When it begins, "HH:MM" in the time zone of the site.'),
    to: timeOfDay.describe('When it ends; at or before "from" it is that time of the next day.'),
    mbitPerSecond: mbitPerSecond.describe('Limit while it is open; null: none, 0: nothing is sent.'),
  })
  .describe('A stretch of the day with a limit of its own.');

export const bandwidth = z
  .strictObject({
    mbitPerSecond: mbitPerSecond
      .default(null)
      .describe('Limit outside of the windows, in megabits (1,000,000 bits) a second; null: none.'),
    windows: z
      .array(window)
      .max(windowsMax)
      .default([])
      .describe('Limits by time of day; the first that is open counts.'),
  })
  .prefault({})
  .describe('How fast images are sent there at most.');
