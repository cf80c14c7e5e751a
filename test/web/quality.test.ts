import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { loadPage } from '../../src/web/page.ts';
import { chromiumFlags, chromiumPath, chromiumPresent } from './chromium.ts';
import { builtPage, createWebServer, SettableStatus } from './harness.ts';
import { degradedReport, downReport, fleetReport, freshReport, tlsReport, workingReport } from './reports.ts';
import { pair, startStory } from './story.ts';

/** Real events the page is fed with; more by campaign. */
const eventCount = Number(process.env['GANTRY_PAGE_EVENTS'] ?? 2_000);
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeViolation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** What axe-core finds, all rules of WCAG and of good practice. */
async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const { violations } = (await page.evaluate('axe.run()')) as { violations: readonly AxeViolation[] };
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

describe.skipIf(!chromiumPresent())('the quality of the page', { timeout: 180_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: [...chromiumFlags, '--js-flags=--expose-gc', '--enable-precise-memory-info'],
    });
  });
  afterAll(() => browser.close());

  async function serve(limits = {}) {
    const status = new SettableStatus(workingReport);
    const server = createWebServer({
      status,
      page: await loadPage(await builtPage()),
      intakeHost: '10.4.1.20',
      limits: { eventIntervalMs: 0, ...limits },
    });
    const { port } = await server.start();
    onTestFinished(() => server.stop());
    return { status, url: `http://127.0.0.1:${port}/` };
  }

  test.for(['light', 'dark'] as const)('axe finds nothing (%s)', async (colorScheme) => {
    const { status, url } = await serve();
    // axe is put into the page from outside, which the page's own policy would not allow.
    const context = await browser.newContext({ colorScheme, bypassCSP: true });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    for (const report of [workingReport, degradedReport, downReport, freshReport, tlsReport, fleetReport]) {
      status.report = report;
      await page.goto(`${url}?lang=${report === downReport ? 'de' : 'en'}`);
      await page.locator('#events').waitFor();
      expect(await axeFindings(page)).toEqual([]);
    }
  });

  test.for(['light', 'dark'] as const)(
    'axe finds nothing before and after signing in, at 320 px either (%s)',
    async (colorScheme) => {
      const config = { modalities: { ct1: { aeTitle: 'CT1' } }, destinations: folder };
      const story = await startStory(browser, config, { viewport: { width: 320, height: 640 }, colorScheme });
      const { page } = story;
      await page.getByLabel('Pairing code').waitFor();
      const check = async () => {
        expect(await page.locator('html').evaluate((html) => html.scrollWidth)).toBe(320);
        // Through the protocol, not the page: the page's policy stays in force.
        const session = await page.context().newCDPSession(page);
        expect(await axeByProtocol(session)).toEqual([]);
        await session.detach();
      };
      await check();
      await pair(story);
      await page.getByRole('button', { name: 'Show users' }).click();
      await page.getByText('Add a user').first().waitFor();
      await page.getByRole('button', { name: 'Replace …: ct1' }).click();
      await page.getByText('Another device takes the place').waitFor();
      await page.getByRole('button', { name: 'Support bundle' }).click();
      await page.getByText('One file without patient data').waitFor();
      await page.getByRole('button', { name: 'Change the password …' }).click();
      await page.getByRole('button', { name: 'Show open sessions' }).click();
      await page.getByText('this browser').waitFor();
      await page.getByRole('button', { name: 'Show access tokens' }).click();
      await page.getByLabel('Name of the program').fill('monitor');
      await page.getByRole('button', { name: 'Make a token' }).click();
      await page.getByRole('button', { name: 'Revoke: monitor' }).click();
      await page.getByRole('button', { name: 'Show the audit log' }).click();
      await page.getByRole('cell', { name: 'Access token made' }).waitFor();
      await check();
      expect(story.complaints).toEqual([]);
    },
  );

  test('everything that can be pressed can be reached with the Tab key, in the order of the page', async () => {
    const config = { modalities: { ct1: { aeTitle: 'CT1' } }, destinations: folder };
    const story = await startStory(browser, config);
    const { page } = story;
    await pair(story);
    const shown = (await page.evaluate(`
      [...document.querySelectorAll('a, button, input, select, summary')]
        .filter((one) => one.checkVisibility()).map((one) => one.outerHTML)
    `)) as string[];
    expect(shown.length).toBeGreaterThan(8);
    await page.evaluate(`document.querySelector('a').focus()`);
    const reached = [shown[0]];
    for (let press = 1; press < shown.length; press += 1) {
      await page.keyboard.press('Tab');
      reached.push(await page.evaluate('document.activeElement.outerHTML'));
      // WCAG 2.2 SC 2.4.7: it is seen where the focus is.
      const outline: unknown = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
      expect([reached.at(-1), outline]).toEqual([reached.at(-1), 'solid']);
    }
    expect(reached).toEqual(shown);
    expect(story.complaints).toEqual([]);
  });

  test('with forced colours and reduced motion everything is still there', async () => {
    const { status, url } = await serve();
    status.report = downReport;
    const context = await browser.newContext({ forcedColors: 'active', reducedMotion: 'reduce' });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(url);
    await page.getByRole('status').getByText('Not working').waitFor();
    const moving = `[...document.querySelectorAll('*')].filter((one) => {
      const { transitionDuration, animationName } = getComputedStyle(one);
      return transitionDuration !== '0s' || animationName !== 'none';
    }).length`;
    expect(await page.evaluate(moving)).toBe(0);
  });

  test(`memory and nodes stay flat over ${eventCount} events; the first paint is printed`, async () => {
    const { status, url } = await serve();
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.addInitScript(countPatches);
    await page.goto(url);
    await page.getByRole('status').getByText('Working', { exact: true }).waitFor();
    const paint = `performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null`;
    process.stdout.write(`first paint: ${Math.round(Number(await page.evaluate(paint)))} ms\n`);
    const session = await context.newCDPSession(page);
    const measure = async () => {
      await session.send('HeapProfiler.collectGarbage');
      const { usedSize } = await session.send('Runtime.getHeapUsage');
      const { nodes } = await session.send('Memory.getDOMCounters');
      return { usedSize, nodes };
    };
    const patches = async () => Number(await page.evaluate('patches'));
    let sent = 0;
    /** Changes the status until the page has taken so many events: where it is busy, two changes are one event. */
    const feed = async (count: number) => {
      for (const end = (await patches()) + count; (await patches()) < end; ) {
        for (let change = 0; change < 50; change += 1) {
          sent += 1;
          const report = sent % 2 === 0 ? workingReport : degradedReport;
          status.set({ ...report, totals: { ...report.totals, received: sent } });
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
      status.set({ ...workingReport, totals: { ...workingReport.totals, received: sent } });
      await page.locator('.verdict.tone-ok').waitFor();
    };
    await feed(100);
    const before = await measure();
    await feed(eventCount);
    const after = await measure();
    process.stdout.write(
      `${eventCount} events: heap ${before.usedSize} -> ${after.usedSize} bytes, nodes ${before.nodes} -> ${after.nodes}\n`,
    );
    expect(after.usedSize).toBeLessThan(before.usedSize * 1.2 + 500_000);
    expect(after.nodes).toBeLessThan(before.nodes * 1.2 + 100);
  });
});

const folder = { nas: { type: 'folder', path: '/nonexistent' } };

/** Counts in the page what comes over the stream. */
const countPatches = `
  window.patches = 0;
  const listen = EventSource.prototype.addEventListener;
  EventSource.prototype.addEventListener = function (type, ...rest) {
    if (type === 'patch') listen.call(this, type, () => { patches += 1; });
    return listen.call(this, type, ...rest);
  };
`;

async function axeByProtocol(session: CDPSession): Promise<string[]> {
  const run = async (expression: string) =>
    session.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  await run(axeSource);
  const { result } = await run('axe.run()');
  const { violations } = result.value as { violations: readonly AxeViolation[] };
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}
