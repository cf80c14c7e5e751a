import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumFlags, chromiumPath, chromiumPresent } from './chromium.ts';
import { call, pair, password, signInForm, type Story, startStory } from './story.ts';

const modalities = { ct1: { aeTitle: 'CT1' } };
const destinations = { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } };

/** Something happens, often enough that the page shows it: a device is refused, by another title each time. */
async function happen({ page, gateway }: Story, round: number): Promise<void> {
  expect(await call(gateway.ports.dicom, 'CT1', `WRONG${round}`)).toBe(false);
  expect(await call(gateway.ports.dicom, `NEW${round}`, 'GANTRY')).toBe(false);
  await page.locator('#modalities').getByText(`and us WRONG${round}`).waitFor();
}

/** What stands in every text field that shows, by its label. */
async function typedIn(page: Page): Promise<readonly string[]> {
  return page.evaluate(`
    [...document.querySelectorAll('input')].filter((one) => one.checkVisibility()).map((one) => one.value)
  `);
}

describe.skipIf(!chromiumPresent())('somebody types while things happen', { timeout: 120_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumFlags });
  });
  afterAll(() => browser.close());

  test('what was typed stays, and so does the place where it is typed', async () => {
    const story = await startStory(browser, { modalities, destinations });
    const { page, gateway } = story;
    await pair(story);
    await happen(story, 0);
    await page.getByRole('button', { name: 'Replace …: ct1' }).click();
    await page.getByRole('button', { name: 'Allow …: NEW0' }).click();
    await page.getByRole('button', { name: 'Change name and time zone …' }).click();
    await page.getByRole('button', { name: 'Show users' }).click();
    const devices = await page.locator('input[name=aeTitle]').all();
    expect(devices).toHaveLength(2);
    for (const [index, field] of devices.entries()) await field.fill(`TYPED${index}`);
    await page.getByLabel('Name of this place').fill('Typed Clinic');
    await page.getByLabel('Time zone').fill('Europe/M');
    const before = await typedIn(page);
    expect(before).toEqual(expect.arrayContaining(['TYPED0', 'TYPED1', 'Typed Clinic', 'Europe/M']));
    await happen(story, 1);
    await gateway.tools.site.change({ name: 'Elsewhere' });
    await page.getByRole('heading', { name: 'Elsewhere' }).waitFor();
    expect(await typedIn(page)).toEqual(before);
    expect(await page.getByLabel('Time zone').evaluate((one) => one.matches(':focus'))).toBe(true);
    await page.getByLabel('Time zone').fill('Europe/Madrid');
    await page.getByRole('button', { name: 'Change', exact: true }).click();
    await page.getByRole('heading', { name: 'Typed Clinic' }).waitFor();
    await page.getByText('Europe/Madrid').first().waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    const form = signInForm(page);
    await form.getByLabel('Name').fill('ada');
    await form.getByLabel('Password').fill(password);
    await happen(story, 2);
    expect(await typedIn(page)).toEqual(['ada', password]);
    await page.keyboard.press('Enter');
    await page.getByText('Signed in as ada (admin).').waitFor();
    expect(story.complaints).toEqual([]);
  });
});
