import type { StatusReport } from '../../src/health/status.ts';
import type { TimeFrame } from './format.ts';

/** How often the page reloads itself where no script runs. */
export const refreshSeconds = 15;

export function frameOf({ site }: StatusReport, now: number): TimeFrame {
  return { now, timeZone: site.timeZone, locale: 'en-GB' };
}
