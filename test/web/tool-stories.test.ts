import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type Browser, chromium, type Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { nodeDisk } from '../../src/base/disk.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { Keyring } from '../../src/crypto/keyring.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import { openNote } from '../../src/gateway-store.ts';
import { addressNote } from '../../src/health/address-memory.ts';
import { gatewayWords, linkWords } from '../../src/health/line-words.ts';
import { readNetwork } from '../../src/health/network-facts.ts';
import type { AuditEntry } from '../../src/web/audit-log.ts';
import { bodyOf, httpServer } from '../archive/fault-server.ts';
import { gantry } from '../e2e/peers.ts';
import { storeAll } from '../e2e/store-all.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { startTableArchive } from '../fixtures/table-archive.ts';
import { chromiumFlags, chromiumPath, chromiumPresent } from './chromium.ts';
import { call, pair, password, SettableClock, type Story, startStory } from './story.ts';

const modalities = { ct1: { aeTitle: 'CT1' } };
const small = { rows: 16, columns: 16 };

async function tableArchive() {
  const table = await startTableArchive(new Map());
  onTestFinished(() => table.stop());
  return { cloud: { type: 'stow', url: table.url, verify: 'response' } };
}

async function sandbox(): Promise<string> {
  const directory = temporaryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  const options = { dataDir: directory.path, host: '127.0.0.1', port: 0, log: silentLog };
  const archive = new SandboxArchive(options);
  const { url } = await archive.start();
  onTestFinished(() => archive.stop());
  return url;
}

/** Presses "Test the line" and reads what became of each hop. */
async function walkLine({ page }: Story): Promise<{ hops: readonly string[]; failed: Locator }> {
  await page.getByRole('button', { name: 'Test the line' }).click();
  const hops = page.locator('.line-test > li');
  await hops.first().waitFor();
  const word = page.locator('.state-word').getByText('Failed', { exact: true });
  return { hops: await hops.allInnerTexts(), failed: hops.filter({ has: word }) };
}

/** The audit log, asked for by whoever is signed in in the browser. */
async function audited({ context, url }: Story, event: string): Promise<readonly AuditEntry[]> {
  const answer = await context.request.get(`${url}api/v1/audit`);
  expect(answer.status()).toBe(200);
  const { entries } = (await answer.json()) as { entries: readonly AuditEntry[] };
  return entries.filter((entry) => entry.event === event);
}

describe.skipIf(!chromiumPresent())('the tools on the page', { timeout: 120_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumFlags });
  });
  afterAll(() => browser.close());

  test('the line to an archive whose name cannot be looked up: the first hop that fails is named', async () => {
    const destinations = { cloud: { type: 'stow', url: 'http://archive.invalid/dicom-web/studies' } };
    const story = await startStory(browser, { modalities, destinations });
    await pair(story);
    const { hops, failed } = await walkLine(story);
    // Where this machine has no network either, that is what comes first.
    const facts = await readNetwork();
    const before = [
      ['Cable', linkWords(facts)],
      ['Gateway of the network', gatewayWords(facts)],
    ] as const;
    const first = before.find(([, { state }]) => state === 'failed')?.[0] ?? 'Name service';
    expect(await failed.count()).toBe(1);
    const words = await failed.innerText();
    expect(words.startsWith(first)).toBe(true);
    expect(words).toMatch(/Call the IT of the site|Somebody on site/);
    // Nothing is claimed of what lies behind it.
    const behind = hops.slice(hops.findIndex((one) => one.startsWith(first)) + 1);
    expect(behind.length).toBeGreaterThan(2);
    expect(behind.every((one) => one.includes('Left out'))).toBe(true);
    expect(story.complaints).toEqual([]);
  });

  test('the line to an archive whose certificate has expired, and to one that refuses the sign-in', async () => {
    const authority = await makeAuthority();
    const { cert, key } = await authority.server({ fromDays: -30, toDays: -2 });
    const expired = await httpServer((_request, response) => response.end(), { cert, key });
    onTestFinished(() => expired.stop());
    const locked = await httpServer((request, response) => {
      request.resume();
      response.writeHead(401).end();
    });
    onTestFinished(() => locked.stop());
    const files = temporaryDirectory();
    onTestFinished(() => files[Symbol.dispose]());
    const caFile = join(files.path, 'ca.pem');
    await writeFile(caFile, authority.cert);
    const cases = [
      [{ url: expired.url, caFile }, 'Encryption and certificate', 'CERT_HAS_EXPIRED'],
      [{ url: locked.url }, 'Sign-in at the archive', 'HTTP_401'],
    ] as const;
    for (const [settings, hop, code] of cases) {
      const destinations = { cloud: { type: 'stow', ...settings } };
      const story = await startStory(browser, { modalities, destinations });
      await pair(story);
      const { failed } = await walkLine(story);
      expect(await failed.count()).toBe(1);
      const words = await failed.innerText();
      expect([words.startsWith(hop), words.includes(code)]).toEqual([true, true]);
      expect(words).toContain('Call whoever runs the archive.');
      expect(await audited(story, 'LINE_TESTED')).toMatchObject([{ actor: 'ada', subject: 'cloud' }]);
      expect(story.complaints).toEqual([]);
    }
  });

  test('the support bundle: what is in it is listed, then it is downloaded, and holds nothing of a patient', async () => {
    const config = { modalities, destinations: await tableArchive() };
    const story = await startStory(browser, config);
    const { page, gateway } = story;
    await pair(story);
    const slice = ctSlice({ ...small, seed: 1, patientName: 'MARKER^QUILL' });
    await storeAll(gateway.ports.dicom, [slice]);
    const actions = page.locator('#actions');
    await actions.getByRole('button', { name: 'Support bundle' }).click();
    const listed = actions.locator('li code');
    await listed.first().waitFor();
    const names = await listed.allInnerTexts();
    expect(names.length).toBeGreaterThan(5);
    const coming = page.waitForEvent('download');
    await actions.getByRole('button', { name: 'Download', exact: true }).click();
    const download = await coming;
    expect(download.suggestedFilename()).toBe('gantry-support.tar.gz');
    const tar = gunzipSync(await readFile(await download.path())).toString('latin1');
    // The page promises no more and no less than is in the file.
    for (const name of names) expect(tar).toContain(`gantry-support/${name}`);
    for (const needle of ['MARKER', 'QUILL', 'FIXTURE-1', String(slice.SOPInstanceUID), password])
      expect(tar).not.toContain(needle);
    expect(await audited(story, 'SUPPORT_BUNDLE')).toHaveLength(1);
    expect(story.complaints).toEqual([]);
  });

  test('whose study it is shows only when asked for, and who asked is written down', async () => {
    const config = { modalities, destinations: await tableArchive() };
    const story = await startStory(browser, config);
    const { page, gateway } = story;
    await pair(story);
    await storeAll(gateway.ports.dicom, [ctSlice({ ...small, seed: 2, patientName: 'MARKER^QUILL' })]);
    await expect.poll(async () => (await gateway.status()).totals.received).toBe(1);
    const actions = page.locator('#actions');
    await actions.getByRole('button', { name: 'Show recent studies' }).click();
    const reveal = actions.getByRole('button', { name: 'Show whose it is (this is written down)' });
    await reveal.waitFor();
    expect(await page.content()).not.toContain('MARKER');
    expect(await audited(story, 'STUDY_REVEALED')).toEqual([]);
    await reveal.click();
    await actions.getByText('MARKER^QUILL').waitFor();
    expect(await audited(story, 'STUDY_REVEALED')).toMatchObject([{ actor: 'ada', outcome: 'success' }]);
    await actions.getByRole('button', { name: 'Hide' }).click();
    await actions.getByText('MARKER^QUILL').waitFor({ state: 'detached' });
    expect(await page.content()).not.toContain('MARKER');
    expect(story.complaints).toEqual([]);
  });

  test('another device takes the place of a modality: it calls at once, and the history stays', async () => {
    const config = { modalities, destinations: await tableArchive() };
    const story = await startStory(browser, config);
    const { page, gateway } = story;
    await pair(story);
    await storeAll(gateway.ports.dicom, [ctSlice({ ...small, seed: 3 })]);
    expect(await call(gateway.ports.dicom, 'CTNEW', 'GANTRY')).toBe(false);
    await page.getByRole('button', { name: 'Replace …: ct1' }).click();
    const form = page.getByRole('group', { name: 'Another device takes the place of ct1' });
    await form.getByLabel('AE title').fill('CTNEW');
    await form.getByRole('button', { name: 'Replace', exact: true }).click();
    const row = page.locator('#modalities li', { has: page.locator('b', { hasText: /^ct1$/ }) });
    await row.locator('code', { hasText: 'CTNEW' }).first().waitFor();
    expect(await call(gateway.ports.dicom, 'CTNEW', 'GANTRY')).toBe(true);
    expect(await call(gateway.ports.dicom, 'CT1', 'GANTRY')).toBe(false);
    expect((await gateway.status()).modalities['ct1']).toMatchObject({ aeTitle: 'CTNEW', received: 1 });
    expect(await audited(story, 'MODALITY_REPLACED')).toMatchObject([{ actor: 'ada', outcome: 'success' }]);
    expect(story.complaints).toEqual([]);
  });

  test('a test study goes only to an archive that is set to take such, asked for twice, and says what stays', async () => {
    const url = await sandbox();
    const destinations = {
      open: { type: 'stow', url, allowTestStudy: true },
      clinical: { type: 'stow', url },
    };
    const story = await startStory(browser, { modalities, destinations });
    const { page } = story;
    await pair(story);
    const send = page.locator('#archives').getByRole('button', { name: 'Send a test study' });
    expect(await send.count()).toBe(1);
    await page.getByText('One labelled test image stays in this archive.').waitFor();
    await send.click();
    expect(await audited(story, 'TEST_STUDY_SENT')).toEqual([]);
    await send.click();
    await page.getByText('equal byte for byte').waitFor();
    await page.getByText('with the patient name GANTRY^TEST').waitFor();
    expect(await audited(story, 'TEST_STUDY_SENT')).toMatchObject([{ actor: 'ada', subject: 'open' }]);
    expect(story.complaints).toEqual([]);
  });

  test('a modality that sends to an address this box no longer has: the banner, with both addresses', async () => {
    const config = { modalities, destinations: await tableArchive() };
    const prepare = async (dataDirectory: string) => {
      const directory = join(dataDirectory, 'keys');
      const keyring = await Keyring.open({
        disk: nodeDisk,
        directory,
        clock: systemClock,
        log: silentLog,
        mayCreate: true,
      });
      const parts = { disk: nodeDisk, keyring, dataDirectory, log: silentLog };
      const note = await openNote(parts, 'called-addresses', addressNote);
      await note.change(() => ({ ct1: { address: '203.0.113.20', since: Date.now() } }));
    };
    const story = await startStory(browser, config, { prepare });
    const banner = story.page.locator('.moved');
    await banner.waitFor();
    expect(await banner.innerText()).toContain('ct1 sent to 203.0.113.20, now it is ');
    expect(story.complaints).toEqual([]);
  });

  test('the end of what waits shows once the pace is steady, and is gone when it no longer is', async () => {
    const url = await sandbox();
    let permits = 0;
    const waiting: (() => void)[] = [];
    const permit = async () => {
      if (permits === 0) await new Promise<void>((resolve) => waiting.push(resolve));
      else permits -= 1;
    };
    const allow = () => {
      const next = waiting.shift();
      if (next === undefined) permits += 1;
      else next();
    };
    // Each image waits at the gate of the archive until the test lets it in.
    const gate = await httpServer(async (request, response) => {
      const body = await bodyOf(request);
      if (request.method === 'POST') await permit();
      const { 'content-type': type = '', accept = '' } = request.headers;
      const answer = await fetch(new URL(request.url ?? '/', url), {
        method: request.method ?? 'GET',
        headers: { accept, ...(body.length > 0 && { 'content-type': type }) },
        ...(body.length > 0 && { body: new Uint8Array(body) }),
      });
      const content = Buffer.from(await answer.arrayBuffer());
      const answered = answer.headers.get('content-type');
      response.writeHead(answer.status, answered === null ? {} : { 'content-type': answered }).end(content);
    });
    onTestFinished(() => gate.stop());
    const clock = new SettableClock();
    const through = `${new URL(gate.url).origin}${new URL(url).pathname}`;
    const cloud = { type: 'stow', url: through, parallel: 1, batch: { instancesMax: 1 } };
    const story = await startStory(browser, { modalities, destinations: { cloud } }, { clock });
    const { page, gateway } = story;
    const slices = Array.from({ length: 16 }, (_, seed) => ctSlice({ ...small, seed }));
    await storeAll(gateway.ports.dicom, slices);
    await expect.poll(async () => (await gateway.status()).totals.received).toBe(slices.length);
    // While images still come in, no end is in sight: that time has to be over.
    clock.forward(200_000);
    const end = page.locator('#waiting').getByText('Done in');
    const verified = async () => (await gateway.status()).totals.verified;
    for (let sent = 1; sent <= 9; sent += 1) {
      allow();
      await expect.poll(verified, { timeout: 20_000 }).toBe(sent);
      if (sent === 3) expect(await end.count()).toBe(0);
      clock.forward(10_000);
    }
    await end.waitFor();
    // Nothing goes any more: after a minute the last one and the last three do not agree.
    for (let minute = 0; minute < 2; minute += 1) {
      clock.forward(45_000);
      await gateway.status();
    }
    await end.waitFor({ state: 'detached' });
    for (let left = 0; left < slices.length; left += 1) allow();
    expect(story.complaints).toEqual([]);
  });

  test('the admin is lost: a reset at the console, a new password on the page, and in by it', async () => {
    const config = { modalities, destinations: await tableArchive() };
    const story = await startStory(browser, config);
    const { page, dataDirectory } = story;
    await pair(story);
    const reset = await gantry('auth', 'reset', '--data', dataDirectory);
    const code = /\b[2-9A-Z]{4}-[2-9A-Z]{4}\b/.exec(reset.stdout)?.[0] ?? '';
    // Everybody is signed out by it.
    await page.reload();
    const fields = page.locator('#actions details', { hasText: 'Lost the password' });
    await fields.locator('summary').click();
    const next = 'anvil-meadow-71-quartz';
    await fields.getByLabel('Pairing code').fill(code);
    await fields.getByLabel('Name', { exact: true }).fill('ada');
    await fields.getByLabel(/^Password/).fill(next);
    await fields.getByRole('button', { name: 'Set the password' }).click();
    await page.getByText('Signed in as ada (admin).').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();

    const signIn = async (secret: string) => {
      const form = page.getByRole('group', { name: 'Sign in' });
      await form.getByLabel('Name', { exact: true }).fill('ada');
      await form.getByLabel('Password').fill(secret);
      await form.getByRole('button', { name: 'Sign in' }).click();
    };
    await signIn(password);
    await page.locator('#actions').getByText('AUTH_WRONG').waitFor();
    await signIn(next);
    await page.getByText('Signed in as ada (admin).').waitFor();
    expect(await audited(story, 'AUTH_RESET')).toHaveLength(1);
    expect(story.complaints).toEqual([]);
  });
});
