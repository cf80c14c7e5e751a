import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Dashboard } from '../../src/fleet/dashboard.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { chromiumFlags, chromiumPath, chromiumPresent } from '../web/chromium.ts';
import { reportOf, writeReports } from './desk-reports.ts';

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

describe.skipIf(!chromiumPresent())('the page on all boxes, in a browser', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumFlags });
  });
  afterAll(() => browser.close());

  test.for(['light', 'dark'] as const)(
    'axe finds nothing, at 320 px either; nothing is stopped by the policy of the page (%s)',
    async (colorScheme) => {
      using folder = temporaryDirectory();
      const many = Array.from({ length: 120 }, (_, index) => reportOf(`BOX-${index}`, { applied: 2 }));
      writeReports(folder.path, [
        ...many,
        reportOf('BOX-DOWN', { applied: 2, verdict: 'down', reason: 'The archive cannot be reached.' }),
        reportOf('BOX-SLOW', { applied: 2, verdict: 'degraded', reason: 'The disk is nearly full.' }),
        reportOf('BOX-BACK', { applied: 1, observed: 2, phase: 'RolledBack' }),
        reportOf('BOX-OWN', { applied: 2, overrides: { '/site/timeZone': 'UTC' } }),
      ]);
      const dashboard = new Dashboard({
        reports: [folder.path],
        known: () =>
          Promise.resolve(new Map([['BOX-NEVER', { labels: { region: 'north' }, generation: 1 }]])),
        host: '127.0.0.1',
        port: 0,
        offlineMs: 24 * 3_600_000,
        certificateDays: 30,
      });
      const { port } = await dashboard.start();
      onTestFinished(() => dashboard.stop());
      const viewport = { width: 320, height: 640 };
      const context = await browser.newContext({ colorScheme, viewport });
      onTestFinished(() => context.close());
      await context.addInitScript(`
        document.addEventListener('securitypolicyviolation', (event) =>
          console.error('content policy: ' + event.violatedDirective + ' ' + event.blockedURI));
      `);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => complaints.push(message.text()));
      for (const path of ['/', '/?q=down', '/?show=drift', '/?page=2', '/?q=nothing+is+called+so']) {
        await page.goto(`http://127.0.0.1:${port}${path}`);
        // A page that forbids scripts is tested from outside it, with its policy in force.
        const session = await context.newCDPSession(page);
        const run = async (expression: string) =>
          session.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
        await run(axeSource);
        const { result } = await run('axe.run()');
        const { violations } = result.value as { violations: readonly Violation[] };
        const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
        expect([path, found]).toEqual([path, []]);
        const wide = await run('document.documentElement.scrollWidth');
        expect([path, wide.result.value]).toEqual([path, 320]);
        await session.detach();
      }
      const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      expect(background).toBe(colorScheme === 'dark' ? 'rgb(22, 22, 22)' : 'rgb(255, 255, 255)');
      expect(complaints).toEqual([]);
    },
  );
});
