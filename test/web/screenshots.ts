import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { createLog } from '../../src/base/log.ts';
import { Gateway } from '../../src/gateway.ts';
import { loadPage } from '../../src/web/page.ts';
import { chromiumFlags, chromiumPath } from './chromium.ts';
import { builtPage, createWebServer, SettableStatus } from './harness.ts';
import { degradedReport, downReport, workingReport } from './reports.ts';
import { phrases as de } from '../../web-ui/src/words/de.ts';
import { phrases as en } from '../../web-ui/src/words/en.ts';

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
for (const state of ['working', 'degraded', 'down'] as const) {
  status.report = reports[state];
  for (const { name, width, height, colorScheme, locale } of views) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale });
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${port}/`, { waitUntil: 'load' });
    // The first answer may still be the one of the state before.
    const { [`verdict.${state}` as const]: word } = locale === 'de-DE' ? de : en;
    await page.locator('.verdict-word').getByText(word, { exact: true }).waitFor();
    await page.screenshot({
      path: `${folder}${state}-${name}.png`,
      fullPage: process.argv.includes('--whole'),
    });
    await context.close();
  }
}
await server.stop();
await signedIn();
await browser.close();

/** What an admin sees: who may do what, and the audit log, on a real box. */
async function signedIn(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-screenshots-'));
  const log: string[] = [];
  const gateway = await Gateway.start({
    dataDirectory: join(directory, 'data'),
    configText: JSON.stringify({
      site: { name: 'North Clinic' },
      intake: { host: '127.0.0.1', port: 0 },
      destinations: { nas: { type: 'folder', path: directory } },
      web: { host: '127.0.0.1', port: 0, https: { port: 0 } },
    }),
    log: createLog('info', { write: (line) => void log.push(line) }),
  });
  const url = `https://127.0.0.1:${gateway.ports.webHttps}/`;
  const code = /"pairingCode":"([^"]+)"/.exec(log.join('\n'))?.[1] ?? '';
  const first = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' });
  const page = await first.newPage();
  await page.goto(url);
  await page.getByLabel('Pairing code').fill(code);
  await page.getByLabel('Name', { exact: true }).fill('ada');
  await page.getByLabel(/^Password/).fill('lantern-orchid-44-river');
  await page.getByRole('button', { name: 'Make the first admin' }).click();
  await page.getByText('Signed in as ada').waitFor();
  const cookies = await first.storageState();
  for (const { name, width, height, colorScheme } of views.slice(0, 3)) {
    const context = await browser.newContext({
      ignoreHTTPSErrors: true,
      viewport: { width, height },
      colorScheme,
      locale: 'en-GB',
      storageState: cookies,
    });
    const admin = await context.newPage();
    await admin.goto(url);
    await openAll(admin);
    await admin.locator('#actions').screenshot({ path: `${folder}signed-in-${name}.png` });
    await context.close();
  }
  await first.close();
  await gateway.stop();
  await rm(directory, { recursive: true, force: true });
}

async function openAll(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Show open sessions' }).click();
  await page.getByText('this browser').waitFor();
  await page.getByRole('button', { name: 'Show users' }).click();
  await page.getByRole('group', { name: 'Add a user' }).waitFor();
  await page.getByRole('button', { name: 'Show access tokens' }).click();
  const form = page.getByLabel('Name of the program');
  await form.waitFor();
  // Each view is of the same box: one token is enough.
  if ((await page.getByRole('button', { name: 'Revoke' }).count()) === 0) {
    await form.fill('monitor');
    await page.getByRole('button', { name: 'Make a token' }).click();
    await page.getByRole('button', { name: 'I have kept it' }).first().waitFor();
  }
  await page.getByRole('button', { name: 'Show the audit log' }).click();
  await page
    .getByRole('cell', { name: /Access token made/ })
    .first()
    .waitFor();
}
