import { z } from 'zod';
import { weeklyWindow } from './document-window.ts';

const windowsMax = 32;
const mbitMax = 100_000;

const mbitPerSecond = z.number().min(0).max(mbitMax).nullable();

const window = z
  .strictObject({
    ...weeklyWindow.shape,
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
