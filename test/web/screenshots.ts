import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { loadPage } from '../../src/web/page.ts';
import { chromiumFlags, chromiumPath } from './chromium.ts';
import { builtPage, createWebServer, SettableStatus } from './harness.ts';
import { degradedReport, downReport, workingReport } from './reports.ts';

/* `npm run screenshots`: the page as it stands, on a phone and on a desk, into web-ui/screenshots. */

const folder = fileURLToPath(new URL('../../web-ui/screenshots/', import.meta.url));
const reports = { working: workingReport, degraded: degradedReport, down: downReport };
const views = [
  { name: 'phone', width: 360, height: 780, colorScheme: 'light', locale: 'en-GB' },
  { name: 'desktop', width: 1200, height: 900, colorScheme: 'light', locale: 'en-GB' },
  { name: 'desktop-dark', width: 1200, height: 900, colorScheme: 'dark', locale: 'en-GB' },
  { name: 'phone-german', width: 320, height: 780, colorScheme: 'dark', locale: 'de-DE' },
] as const;

await mkdir(folder, { recursive: true });
const status = new SettableStatus(workingReport);
const server = createWebServer({
  status,
  page: await loadPage(await builtPage()),
  intakeHost: '10.4.1.20',
});
const { port } = await server.start();
const browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumFlags });
for (const [state, report] of Object.entries(reports)) {
  status.report = report;
  for (const { name, width, height, colorScheme, locale } of views) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale });
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${port}/`, { waitUntil: 'load' });
    await page.screenshot({
      path: `${folder}${state}-${name}.png`,
      fullPage: process.argv.includes('--whole'),
    });
    await context.close();
  }
}
await browser.close();
await server.stop();
