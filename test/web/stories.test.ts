import { statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { httpServer } from '../archive/fault-server.ts';
import { gantry } from '../e2e/peers.ts';
import { storeAll } from '../e2e/store-all.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, newUid } from '../fixtures/dicom-objects.ts';
import { startTableArchive } from '../fixtures/table-archive.ts';
import { chromiumFlags, chromiumPath, chromiumPresent } from './chromium.ts';
import { call, pair, password, SettableClock, signIn, signInForm, startStory } from './story.ts';

const modalities = { ct1: { aeTitle: 'CT1' } };

/** An archive that stores everything but what the table refuses. */
async function archive(refusals: ReadonlyMap<string, number> = new Map()) {
  const table = await startTableArchive(refusals);
  onTestFinished(() => table.stop());
  return { cloud: { type: 'stow', url: table.url, verify: 'response' } };
}

describe.skipIf(!chromiumPresent())('what a technician does with the page', { timeout: 120_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumFlags });
  });
  afterAll(() => browser.close());

  test('a CT that calls us by a wrong AE title is found and put right from the page alone', async () => {
    const story = await startStory(browser, { modalities, destinations: await archive() });
    const { page, gateway } = story;
    await pair(story);
    expect(await call(gateway.ports.dicom, 'CT1', 'DGW2')).toBe(false);
    const verdict = page.locator('#verdict');
    await verdict.getByText('Needs attention').waitFor();
    await verdict.getByText('"ct1" called and was refused').waitFor();
    await page.locator('#modalities').getByText('It called itself CT1 and us DGW2').waitFor();
    // What to type instead stands on the same page.
    expect(await page.locator('#type-this').innerText()).toContain('GANTRY');
    await page.getByRole('button', { name: 'Listen for a test' }).click();
    await page.getByText('Listening:').waitFor();
    // The technician corrects it at the CT, and tries again; the stream may only just be open.
    await expect
      .poll(async () => {
        expect(await call(gateway.ports.dicom, 'CT1', 'GANTRY')).toBe(true);
        return page.getByRole('log').getByText('Accepted').count();
      })
      .toBeGreaterThan(0);
    await verdict.getByText('Working', { exact: true }).waitFor();
    expect(story.complaints).toEqual([]);
  });

  test('a device with an AE title nobody knows is allowed from the page, and may then call', async () => {
    const story = await startStory(browser, { modalities, destinations: await archive() });
    const { page, gateway } = story;
    await pair(story);
    expect(await call(gateway.ports.dicom, 'CT9', 'GANTRY')).toBe(false);
    await page.getByRole('button', { name: 'Allow …: CT9' }).click();
    await page.getByLabel('Name here').fill('ct9');
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    await page.locator('#modalities b', { hasText: /^ct9$/ }).waitFor();
    expect(await call(gateway.ports.dicom, 'CT9', 'GANTRY')).toBe(true);
  });

  test('an archive whose certificate has expired: the broken hop, why, and that everything is safe here', async () => {
    const authority = await makeAuthority();
    const { cert, key } = await authority.server({ fromDays: -30, toDays: -2 });
    const server = await httpServer((_request, response) => response.end(), { cert, key });
    onTestFinished(() => server.stop());
    const files = temporaryDirectory();
    onTestFinished(() => files[Symbol.dispose]());
    const caFile = join(files.path, 'ca.pem');
    await writeFile(caFile, authority.cert);
    const destinations = { cloud: { type: 'stow', url: server.url, caFile } };
    const { page, gateway } = await startStory(browser, { modalities, destinations }, { secure: false });
    await storeAll(gateway.ports.dicom, [ctSlice({ rows: 16, columns: 16, seed: 1 })]);
    const path = page.locator('#path');
    await path
      .locator('.hop.tone-bad, .hop.tone-warn')
      .getByText(/Not reachable|Waiting to try again/)
      .waitFor();
    await page.locator('#archives').getByText('CERT_HAS_EXPIRED').waitFor();
    await page.locator('#verdict').getByText('the certificate of the archive has expired').waitFor();
    await page.locator('#verdict').getByText('1 image safe on this box, waiting to be sent').waitFor();
    expect(await page.locator('#verdict dd').nth(1).innerText()).toContain('No: 1 image is not proven');
  });

  test('a name that cannot be looked up is broken before the Internet, not behind it', async () => {
    const destinations = { cloud: { type: 'stow', url: 'http://archive.invalid/dicom-web/studies' } };
    const { page } = await startStory(browser, { modalities, destinations }, { secure: false });
    const hops = page.locator('#path .hop');
    await hops.nth(1).getByText('Broken here').waitFor();
    expect(await hops.nth(1).innerText()).toContain('(DNS)');
    expect(await hops.nth(2).innerText()).toContain('Not reached');
    await page.locator('#verdict').getByText('No connection to "cloud" yet').waitFor();
  });

  test('a disk that is nearly full is said in the verdict, on the way and at the box', async () => {
    const { bavail, bsize, blocks } = await statfs(tmpdir());
    const reserveBytes = Math.max(0, bavail * bsize - Math.floor((blocks * bsize) / 20));
    const spool = { reserveBytes, preparedBytes: 0 };
    const config = { modalities, destinations: await archive(), spool };
    const { page } = await startStory(browser, config, { secure: false });
    await page.locator('#verdict').getByText('The disk is nearly full').waitFor();
    expect(await page.locator('#path .stop-box').innerText()).toContain('Disk filling up');
    expect(await page.locator('#box').innerText()).toContain('Disk filling up');
  });

  test('an image the archive refused is released once the archive would take it', async () => {
    const refused = ctSlice({ rows: 16, columns: 16, seed: 2 });
    const refusals = new Map([[refused.SOPInstanceUID as string, 0xa900]]);
    const story = await startStory(browser, { modalities, destinations: await archive(refusals) });
    const { page, gateway } = story;
    await storeAll(gateway.ports.dicom, [refused]);
    await page.locator('#waiting').getByText('Refused by the archive').waitFor();
    await pair(story);
    const waiting = page.locator('#waiting');
    await waiting.getByRole('button', { name: 'Show them' }).click();
    await waiting.getByText('failure reason 43264').waitFor();
    refusals.clear();
    await waiting.getByRole('button', { name: 'Release', exact: true }).click();
    await waiting.getByText('Refused by the archive').waitFor({ state: 'detached' });
    await page.locator('#verdict').getByText('Working', { exact: true }).waitFor();
    await expect.poll(async () => (await gateway.status()).totals.quarantined).toBe(0);
    expect(story.complaints).toEqual([]);
  });

  test('a conflict is decided on the page: the second one is given up, asked for twice', async () => {
    const same = { rows: 16, columns: 16, instanceUID: newUid(), studyUID: newUid(), seriesUID: newUid() };
    const story = await startStory(browser, { modalities, destinations: await archive() });
    const { page, gateway } = story;
    await pair(story);
    await storeAll(gateway.ports.dicom, [ctSlice({ ...same, seed: 3 })]);
    await storeAll(gateway.ports.dicom, [ctSlice({ ...same, seed: 4 })]);
    const waiting = page.locator('#waiting');
    await waiting.getByText('Same identity, other content').waitFor();
    await waiting.getByRole('button', { name: 'Show them' }).click();
    await waiting.getByRole('button', { name: 'Discard' }).click();
    await waiting.getByText('Really? This cannot be undone.').waitFor();
    expect((await gateway.status()).totals.conflicts).toBe(1);
    await waiting.getByRole('button', { name: 'Discard' }).click();
    await waiting.getByText('Same identity, other content').waitFor({ state: 'detached' });
    await expect.poll(async () => (await gateway.status()).totals.conflicts).toBe(0);
  });

  test('pairing, signing out and in, a session that ends by itself, and a reset at the console', async () => {
    const clock = new SettableClock();
    const story = await startStory(browser, { modalities, destinations: await archive() }, { clock });
    const { page, dataDirectory } = story;
    const actions = page.locator('#actions');
    await page.getByLabel('Pairing code').fill('AAAA-AAAA');
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('ada');
    await page.getByLabel(/^Password/).fill(password);
    await page.getByRole('button', { name: 'Make the first admin' }).click();
    await actions.locator('.note.tone-bad').waitFor();
    await pair(story);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signInForm(page).waitFor();

    await signIn(page, 'ada', 'not the password');
    await actions.getByText('AUTH_WRONG').waitFor();
    await signIn(page, 'ada', password);
    await actions.getByText('Signed in as ada (admin).').waitFor();

    clock.forward(31 * 60_000);
    await page.getByRole('button', { name: 'Show recent studies' }).click();
    await actions.getByText('You are no longer signed in.').waitFor();
    // A page opened anew does not know the session either.
    await page.reload();
    await signInForm(page).waitFor();

    const reset = await gantry('auth', 'reset', '--data', dataDirectory);
    expect(reset.code).toBe(0);
    const code = /\b[2-9A-Z]{4}-[2-9A-Z]{4}\b/.exec(reset.stdout)?.[0] ?? '';
    expect(code).not.toBe('');
  });

  test('whoever guesses passwords is told to wait, and the right one does not get in meanwhile', async () => {
    const story = await startStory(browser, { modalities, destinations: await archive() });
    const { page } = story;
    await pair(story);
    await page.getByRole('button', { name: 'Sign out' }).click();
    const actions = page.locator('#actions');
    const submit = async (secret: string) => {
      // The page asks now and then who is signed in, at the same address.
      const answer = page.waitForResponse(
        (one) => one.url().endsWith('/api/v1/session') && one.request().method() === 'POST',
      );
      await signIn(page, 'ada', secret);
      return (await answer).status();
    };
    let status = 401;
    for (let guess = 0; guess < 60 && status === 401; guess += 1) status = await submit(`guess ${guess}`);
    expect(status).toBe(429);
    expect(await submit(password)).toBe(429);
    await actions.locator('.note.tone-bad').waitFor();
    expect(await actions.getByText('Signed in as').count()).toBe(0);
  });

  test('two tabs: what one does the other shows, and signing out in one ends it in the other', async () => {
    const story = await startStory(browser, { modalities, destinations: await archive() });
    const { page, context, url } = story;
    await pair(story);
    const other = await context.newPage();
    await other.goto(url);
    await other.getByText('Signed in as ada (admin).').waitFor();
    await other.getByRole('button', { name: 'Pause sending' }).click();
    await page.locator('#archives').getByText('PAUSED_BY_OPERATOR').waitFor();
    await page.getByRole('button', { name: 'Resume sending' }).click();
    await other.locator('#archives').getByText('PAUSED_BY_OPERATOR').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Sign out' }).click();
    await other.getByRole('button', { name: 'Pause sending' }).click();
    await other.getByText('You are no longer signed in.').waitFor();
  });
});
