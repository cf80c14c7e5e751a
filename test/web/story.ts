import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import type { SOPClassUID, TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { Gateway } from '../../src/gateway.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { builtPage } from './harness.ts';

/** The clock of a box, which the test can set forward. */
export class SettableClock implements Clock {
  #aheadMs = 0;

  forward(ms: number): void {
    this.#aheadMs += ms;
  }

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#aheadMs;
  }
}

/** A real gateway and a real browser in front of it. */
export interface Story {
  readonly gateway: Gateway;
  readonly dataDirectory: string;
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the browser complained about: scripts, content policy. */
  readonly complaints: readonly string[];
  readonly url: string;
  readonly pairingCode: () => string;
}

/**
 * @param config sections beside a small gateway's
 * @param options.secure whether the page is that over HTTPS
 * @param options.prepare what lies in the data directory before the first start
 */
export async function startStory(
  browser: Browser,
  config: Readonly<Record<string, unknown>>,
  {
    secure = true,
    clock = systemClock,
    viewport = { width: 360, height: 740 },
    colorScheme = 'light',
    prepare = async () => {},
  }: {
    secure?: boolean;
    clock?: Clock;
    viewport?: { width: number; height: number };
    colorScheme?: 'light' | 'dark';
    prepare?: (dataDirectory: string) => Promise<void>;
  } = {},
): Promise<Story> {
  // The gateway serves the built page; a test process of its own may have to build it first.
  await builtPage();
  const directory = temporaryDirectory();
  onTestFinished(() => rm(directory.path, { recursive: true, force: true }));
  const dataDirectory = join(directory.path, 'data');
  const logLines: string[] = [];
  await prepare(dataDirectory);
  const gateway = await Gateway.start({
    dataDirectory,
    configText: JSON.stringify({
      compression: { mode: 'off' },
      intake: { host: '127.0.0.1', port: 0 },
      spool: { reserveBytes: 50_000_000, preparedBytes: 0 },
      ...config,
      web: { host: '127.0.0.1', port: 0, https: { port: 0 } },
    }),
    log: createLog('info', { write: (line) => logLines.push(line) }),
    clock,
  });
  onTestFinished(() => gateway.stop());
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport,
    locale: 'en-GB',
    colorScheme,
  });
  onTestFinished(() => context.close());
  // The browser's own report of what the content policy stopped, also where it prints nothing.
  await context.addInitScript(`
    document.addEventListener('securitypolicyviolation', (event) =>
      console.error('content policy: ' + event.violatedDirective + ' ' + event.blockedURI));
  `);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A refused call is an error to the browser, and part of the story.
    if (!message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
  const { web, webHttps } = gateway.ports;
  const url = secure ? `https://127.0.0.1:${webHttps}/` : `http://127.0.0.1:${web}/`;
  await page.goto(url);
  return {
    gateway,
    dataDirectory,
    page,
    context,
    complaints,
    url,
    pairingCode: () => /"pairingCode":"([^"]+)"/.exec(logLines.join('\n'))?.[1] ?? 'none',
  };
}

export const password = 'lantern-orchid-44-river';

/** Makes the first admin on the page. */
export async function pair({ page, pairingCode }: Story): Promise<void> {
  await page.getByLabel('Pairing code').fill(pairingCode());
  await page.getByLabel('Name', { exact: true }).fill('ada');
  await page.getByLabel(/^Password/).fill(password);
  await page.getByRole('button', { name: 'Make the first admin' }).click();
  await page.getByText('Signed in as ada (admin).').waitFor();
}

/** The form of signing in; another form of the page asks for a name and a password too. */
export function signInForm(page: Page): Locator {
  return page.getByRole('group', { name: 'Sign in' });
}

export async function signIn(page: Page, name: string, secret: string): Promise<void> {
  const form = signInForm(page);
  const fields = [form.getByLabel('Name'), form.getByLabel('Password')] as const;
  // The page may draw the form anew just then: what was typed into the one before is gone with it.
  await expect
    .poll(
      async () => {
        await fields[0].fill(name);
        await fields[1].fill(secret);
        return [await fields[0].inputValue(), await fields[1].inputValue()];
      },
      { timeout: 10_000 },
    )
    .toEqual([name, secret]);
  await form.getByRole('button', { name: 'Sign in' }).click();
}

/** Verification SOP Class, Implicit VR Little Endian. */
const verification = {
  SOPClassUID: '1.2.840.10008.1.1' as SOPClassUID,
  transferSyntaxes: ['1.2.840.10008.1.2' as TransferSyntaxUID],
};

/** A device tries to open an association. @returns whether it was let in */
export async function call(port: number, callingAeTitle: string, calledAeTitle: string): Promise<boolean> {
  try {
    const sender = await DimseSender.connect({
      host: '127.0.0.1',
      port,
      callingAeTitle,
      calledAeTitle,
      contexts: [verification],
    });
    await sender.echo();
    await sender.release();
    return true;
  } catch {
    return false;
  }
}
