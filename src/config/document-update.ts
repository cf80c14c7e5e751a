import { z } from 'zod';
import { remoteLine } from './document-remote.ts';
import { weeklyWindow } from './document-window.ts';
import { recordUrl } from './values.ts';

const windowsMax = 16;

/** The version an appliance is to run. Only a bundle signed for the box is ever installed, whatever stands here. */
export const update = z
  .strictObject({
    version: z
      .string()
      .regex(/^[0-9A-Za-z][0-9A-Za-z.+~-]{0,63}$/, 'must be a version of the appliance image')
      .describe('Version of the appliance image that is to run, e.g. "1.4.0".'),
    url: recordUrl.describe('Where its bundle (.raucb) is fetched from.'),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256: 64 digits and small letters a to f')
      .describe('SHA-256 of the bundle, as SHA256SUMS of the build names it.'),
    ...remoteLine,
    windows: z
      .array(weeklyWindow)
      .max(windowsMax)
      .default([{ days: '*', from: '20:00', to: '05:00' }])
      .describe(
        'When it may be installed and the box restarted, by the clock of the site; an empty list: at any time. It is fetched at once.',
      ),
  })
  .nullable()
  .default(null)
  .describe('Version of the appliance image that is to run; null: whatever runs.');
