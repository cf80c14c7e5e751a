import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { loadPage, type PageRenderer } from '../../src/web/page.ts';
import type { WebLimits, WebServer } from '../../src/web/server.ts';
import { chromiumFlags, chromiumPath, chromiumPresent } from './chromium.ts';
import { builtPage, createWebServer, SettableStatus } from './harness.ts';
import { degradedReport, downReport, freshReport, workingReport } from './reports.ts';

describe.skipIf(!chromiumPresent())('the page in Chromium', () => {
  let browser: Browser;
  let renderer: PageRenderer;
  let context: BrowserContext;
  let server: WebServer;
  let status: SettableStatus;
  let port: number;

  beforeAll(async () => {
    renderer = await loadPage(await builtPage());
    browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumFlags });
  });

  afterAll(async () => {
    await browser.close();
  });

  afterEach(async () => {
    await context.close();
    await server.stop();
  });

  async function serve(
    options: { limits?: Partial<WebLimits>; clock?: Clock; port?: number } = {},
  ): Promise<void> {
    const limits = { eventIntervalMs: 5, ...options.limits };
    server = createWebServer({ status, page: renderer, ...options, limits });
    ({ port } = await server.start());
  }

  /** Opens the page and gathers everything the browser complains about. */
  async function open(
    options: Parameters<Browser['newContext']>[0] = {},
  ): Promise<{ page: Page; complaints: string[] }> {
    context = await browser.newContext(options);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    // The browser's own report of what the content policy stopped, also where it prints nothing.
    await page.addInitScript(`
      window.violations = [];
      document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
    `);
    await page.goto(`http://127.0.0.1:${port}/`);
    return { page, complaints };
  }

  test('takes over the first view without a complaint and follows the status', async () => {
    status = new SettableStatus(workingReport);
    await serve();
    const { page, complaints } = await open();
    const verdict = page.getByRole('status');
    await verdict.getByText('Working', { exact: true }).waitFor();
    // A mark on an element of the first view: it must be taken over, not made anew.
    await page.evaluate(`document.querySelector('.verdict').dataset.first = 'yes'`);

    status.set({ ...degradedReport, time: workingReport.time });
    await verdict.getByText('Needs attention').waitFor();
    await page.getByText('1 modality refused').waitFor();
    expect(await page.title()).toBe('Needs attention · North Clinic · Gantry');
    expect(await page.locator('.verdict').getAttribute('data-first')).toBe('yes');
    expect(await page.evaluate('violations')).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test('says when it stopped, claims nothing meanwhile, and recovers by itself', async () => {
    status = new SettableStatus(workingReport);
    await serve();
    const { page } = await open();
    await page.getByRole('status').getByText('Working', { exact: true }).waitFor();
    const stream = page.waitForResponse(/\/api\/v1\/events$/);
    await page.reload();
    await stream;

    await server.stop();
    await page.getByRole('alert').getByText('This page stopped updating at 10:44:12').waitFor();
    await page.getByRole('status').getByText('Not known').waitFor();
    expect(await page.getByRole('status').getByText('Working', { exact: true }).count()).toBe(0);

    status.report = downReport;
    await serve({ port });
    await page.getByRole('status').getByText('Not working').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  test('notices a stream that has nothing to say any more, and a heartbeat keeps it live', async () => {
    status = new SettableStatus(workingReport);
    let minutes = 0;
    const clock = { ...systemClock, now: () => Date.parse(workingReport.time) + minutes * 60_000 };
    await serve({ clock, limits: { heartbeatMs: 30, refreshMs: 20 } });
    context = await browser.newContext();
    const page = await context.newPage();
    // The page's timers run only when told to; the network goes on by itself.
    await page.clock.install();
    await page.goto(`http://127.0.0.1:${port}/`);
    for (minutes = 1; minutes <= 3; minutes += 1) {
      await page
        .locator('header')
        .getByText(`10:${44 + minutes}`)
        .waitFor();
      await page.clock.runFor(20_000);
      expect(await page.getByRole('alert').count()).toBe(0);
    }
    // Comments still come, events do not: the gateway cannot read its own state.
    status.failing = true;
    await page.clock.runFor(40_000);
    await page.getByRole('alert').getByText('This page stopped updating at 10:4').waitFor();
  });

  test.for([true, false])(
    'fits 320 px without scrolling sideways (script: %s)',
    async (javaScriptEnabled) => {
      status = new SettableStatus(degradedReport);
      await serve();
      const { page } = await open({ viewport: { width: 320, height: 640 }, javaScriptEnabled });
      await page.getByText('Type this into the modality').waitFor();
      expect(await page.locator('html').evaluate((html) => html.scrollWidth)).toBe(320);
    },
  );

  test.for(['light', 'dark'] as const)(
    'has text that stands out from what is behind it (%s)',
    async (colorScheme) => {
      for (const report of [workingReport, degradedReport, downReport, freshReport]) {
        status = new SettableStatus(report);
        await serve();
        const { page } = await open({ colorScheme });
        // WCAG 2.2 SC 1.4.3.
        expect(await page.evaluate(faintTexts)).toEqual([]);
        await context.close();
        await server.stop();
      }
    },
  );
});

/** Texts whose contrast with the nearest painted background is under 4.5. */
const faintTexts = `
  (() => {
    const channels = (color) => color.match(/[\\d.]+/g).map(Number);
    const luminance = (color) => {
      const [r, g, b] = channels(color).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      const { backgroundColor } = getComputedStyle(element);
      return channels(backgroundColor)[3] === 0 ? behind(element.parentElement) : backgroundColor;
    };
    const texts = document.createTreeWalker(document.querySelector('#app'), NodeFilter.SHOW_TEXT);
    const faint = [];
    let seen = 0;
    while (texts.nextNode()) {
      const { parentElement, data } = texts.currentNode;
      seen += 1;
      const [low, high] = [getComputedStyle(parentElement).color, behind(parentElement)].map(luminance).sort((a, b) => a - b);
      const contrast = (high + 0.05) / (low + 0.05);
      if (contrast < 4.5) faint.push(data + ' ' + contrast.toFixed(2));
    }
    return seen > 50 ? faint : ['too few texts looked at'];
  })()
`;
