import { existsSync } from 'node:fs';

const timesyncd = '/run/systemd/timesync';

/**
 * Whether systemd-timesyncd has set the clock since the machine was started (systemd-timesyncd.service(8): it makes
 * the file `synchronized`); null where something else, or nothing, keeps the time.
 */
export function clockSynchronized(): boolean | null {
  if (existsSync(`${timesyncd}/synchronized`)) return true;
  return existsSync(timesyncd) ? false : null;
}
