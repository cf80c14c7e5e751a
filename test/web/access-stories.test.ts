import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { chromiumFlags, chromiumPath, chromiumPresent } from './chromium.ts';
import { pair, password, signIn, startStory } from './story.ts';

const config = { destinations: { nas: { type: 'folder', path: '/nonexistent' } } };
const nextPassword = 'a kettle under pines';

describe.skipIf(!chromiumPresent())('who may do what, seen to on the page', { timeout: 120_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumFlags });
  });
  afterAll(() => browser.close());

  /** A paired box; the admin is signed in. */
  async function paired() {
    const story = await startStory(browser, config);
    await pair(story);
    return story;
  }

  /** Another device of the same or another person. */
  async function otherBrowser(url: string, name: string, secret: string) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(url);
    await signIn(page, name, secret);
    await page.getByText(`Signed in as ${name}`).waitFor();
    return { context, page };
  }

  /** Whoever the box takes this browser for. */
  async function userOf(context: BrowserContext, url: string): Promise<unknown> {
    const answer = await context.request.get(`${url}api/v1/session`);
    return ((await answer.json()) as { user: unknown }).user;
  }

  async function addViewer(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Show users' }).click();
    const form = page.getByRole('group', { name: 'Add a user' });
    await form.getByLabel('Name', { exact: true }).fill('vera');
    await form.getByLabel(/^Password/).fill(password);
    await form.getByRole('button', { name: 'Add a user' }).click();
    await page.getByRole('button', { name: 'Remove: vera' }).waitFor();
    // Nothing typed stays.
    expect(await form.getByLabel(/^Password/).inputValue()).toBe('');
  }

  test('the own password: a wrong one signs nobody out, the new one ends the other sessions', async () => {
    const { page, context, url, complaints } = await paired();
    const other = await otherBrowser(url, 'ada', password);
    const actions = page.locator('#actions');
    await page.getByRole('button', { name: 'Change the password …' }).click();
    const change = async (present: string) => {
      await page.getByLabel('Password until now').fill(present);
      await page.getByLabel('New password, 10 characters or more').fill(nextPassword);
      await page.getByRole('button', { name: 'Change the password', exact: true }).click();
    };
    await change('not what it was');
    await actions.getByText('AUTH_PASSWORD').waitFor();
    await actions.getByText('Signed in as ada (admin).').waitFor();
    await change(password);
    await actions.getByText('Changed. You are still signed in here').waitFor();
    expect(await userOf(context, url)).toBe('ada');
    expect(await userOf(other.context, url)).toBeNull();
    // What this browser holds now is good for changes too.
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signIn(page, 'ada', nextPassword);
    await actions.getByText('Signed in as ada (admin).').waitFor();
    expect(complaints).toEqual([]);
  });

  test('open sessions: an admin ends one, then all others; a viewer sees own ones only', async () => {
    const { page, context, url, complaints } = await paired();
    await addViewer(page);
    const vera = await otherBrowser(url, 'vera', password);
    const second = await otherBrowser(url, 'vera', password);
    const ada = await otherBrowser(url, 'ada', password);

    expect(await vera.page.getByRole('button', { name: 'Show users' }).count()).toBe(0);
    expect(await vera.page.getByRole('button', { name: 'Show the audit log' }).count()).toBe(0);
    await vera.page.getByRole('button', { name: 'Show open sessions' }).click();
    await vera.page.getByText('this browser').waitFor();
    const sessions = (of: Page) => of.getByRole('button', { name: /^End: / });
    expect(await sessions(vera.page).count()).toBe(1);
    await vera.page.getByRole('button', { name: 'End my other sessions' }).click();
    await vera.page.getByText('There is no other.').waitFor();
    expect(await userOf(second.context, url)).toBeNull();
    expect(await userOf(vera.context, url)).toBe('vera');

    await page.getByRole('button', { name: 'Show open sessions' }).click();
    await sessions(page).first().waitFor();
    expect(await sessions(page).count()).toBe(2);
    await page.getByRole('button', { name: 'End: vera, 127.0.0.1' }).press('Enter');
    await expect.poll(() => sessions(page).count()).toBe(1);
    // The button with the focus is gone: it is kept near, for whoever works with the keyboard.
    await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('Open sessions');
    expect(await userOf(vera.context, url)).toBeNull();
    expect(await userOf(ada.context, url)).toBe('ada');
    await page.getByRole('button', { name: 'End everybody’s other sessions' }).click();
    await page.getByText('Really? This cannot be undone.').waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Cancel');
    await page.getByRole('button', { name: 'End everybody’s other sessions' }).click();
    await page.getByText('There is no other.').waitFor();
    expect(await userOf(ada.context, url)).toBeNull();
    expect(await userOf(context, url)).toBe('ada');
    expect(complaints).toEqual([]);
  });

  test('an access token is shown once, is good for its role, and worth nothing once revoked', async () => {
    const { page, context, url, complaints } = await paired();
    await page.getByRole('button', { name: 'Show access tokens' }).click();
    await page.getByText('There are none. A program').waitFor();
    await page.getByLabel('Name of the program').fill('monitor');
    await page.getByLabel('Good for').selectOption('30 days');
    await page.getByRole('button', { name: 'Make a token' }).click();
    const secret = page.locator('.secret code');
    const token = await secret.innerText();
    expect(token).toMatch(/^gantry_/);
    const use = async (path: string) =>
      (
        await context.request.get(`${url}api/v1/${path}`, { headers: { authorization: `Bearer ${token}` } })
      ).status();
    expect([await use('network'), await use('users')]).toEqual([200, 403]);
    await page.getByText(/good until/).waitFor();
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await secret.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Show access tokens' }).click();
    await page.getByText('last used just now').waitFor();
    expect(await page.content()).not.toContain(token);
    await page.getByRole('button', { name: 'Revoke: monitor' }).click();
    expect(await use('network')).toBe(200);
    await page.getByRole('button', { name: 'Revoke: monitor' }).click();
    await page.getByText('There are none. A program').waitFor();
    expect(await use('network')).toBe(401);
    expect(complaints).toEqual([]);
  });

  test('the audit log: filtered, page after page, downloaded, and said where it was changed', async () => {
    const { page, context, url, dataDirectory, complaints } = await paired();
    const stranger = await browser.newContext({ ignoreHTTPSErrors: true });
    onTestFinished(() => stranger.close());
    const guess = await stranger.request.post(`${url}api/v1/session`, {
      headers: { origin: url.slice(0, -1) },
      data: { name: 'ada', password: 'not the password' },
    });
    expect(guess.status()).toBe(401);
    await page.getByRole('button', { name: 'Show the audit log' }).click();
    await page.getByText('none was changed, taken out or cut off').waitFor();
    const rows = page.locator('table.audit tbody tr');
    expect(await rows.first().innerText()).toContain('Signed in');
    expect(await rows.first().innerText()).toContain('AUTH_WRONG');

    await page.getByLabel('Outcome').selectOption('failed only');
    await page.getByRole('button', { name: 'Filter' }).click();
    await expect.poll(() => rows.count()).toBe(1);
    await page.getByLabel('Outcome').selectOption('any');
    await page.getByLabel(/^What/).selectOption('Admin made with a pairing code');
    await page.getByLabel(/^Who/).fill('nobody');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.getByText('No entry fits.').waitFor();

    // Looking is an entry too: soon there is more than a page.
    for (let look = 0; look < 30; look += 1) await context.request.get(`${url}api/v1/audit?limit=1`);
    await page.getByLabel(/^What/).selectOption('Audit log read');
    await page.getByLabel(/^Who/).fill('ada');
    await page.getByRole('button', { name: 'Filter' }).click();
    await expect.poll(() => rows.count()).toBe(25);
    await page.getByRole('button', { name: 'Show older entries' }).click();
    await expect.poll(() => rows.count()).toBeGreaterThan(30);
    expect(await rows.last().innerText()).toContain('Audit log read');

    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download (PS3.15)' }).click(),
    ]);
    expect(file.suggestedFilename()).toMatch(/^audit-GANTRY-.*\.xml$/);
    const xml = await readFile(await file.path(), 'utf8');
    expect(xml).toContain('PAIRING');
    expect(complaints).toEqual([]);

    const [kept = ''] = (await readdir(join(dataDirectory, 'audit'))).filter((name) => /^\d+/.test(name));
    const place = join(dataDirectory, 'audit', kept);
    const bytes = await readFile(place);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(place, bytes);
    await page.getByRole('button', { name: 'Show the audit log' }).click();
    await page.getByText('Not whole').waitFor();
    await page.getByText('cannot be read: it is damaged or was changed').waitFor();
  });

  test('what would be in the support bundle is listed before it is made', async () => {
    const { page, complaints } = await paired();
    await page.getByRole('button', { name: 'Support bundle' }).click();
    await page.getByText('One file without patient data').waitFor();
    await page.locator('#actions code', { hasText: 'status.json' }).first().waitFor();
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download', exact: true }).click(),
    ]);
    expect(file.suggestedFilename()).toBe('gantry-support.tar.gz');
    expect(complaints).toEqual([]);
  });
});
