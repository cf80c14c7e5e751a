import { existsSync } from 'node:fs';

export const chromiumPath = '/usr/bin/chromium';

export const chromiumFlags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Whether there is a browser; says so where there is none. */
export function chromiumPresent(): boolean {
  const present = existsSync(chromiumPath);
  if (!present)
    process.stderr.write(`NOTICE: the page in a browser is not tested: ${chromiumPath} is absent\n`);
  return present;
}
