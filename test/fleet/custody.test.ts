import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verifyFreshness } from '../../src/config/remote/freshness.ts';
import { sha256Hex } from '../../src/config/remote/signed.ts';
import { verifyTrust } from '../../src/config/remote/trust.ts';
import { verifyDesired } from '../../src/config/remote/verify.ts';
import { carryOutApproval, planApproval } from '../../src/fleet/approve.ts';
import { isEncrypted, makeKeyFile, openKeyFile, publicFileOf } from '../../src/fleet/key-file.ts';
import { publish } from '../../src/fleet/publish.ts';
import { signRendered } from '../../src/fleet/sign.ts';
import { writeTimestamp } from '../../src/fleet/timestamp.ts';
import { draftFirstTrust, draftNextTrust, readTrust, roles, signTrust } from '../../src/fleet/trust-chain.ts';
import { okpJwk } from '../../src/crypto/jws.ts';
import { bytesOf, desired, device, fleet, issuedAt, plainConfig, signingKey } from '../fixtures/fleet-kit.ts';

const now = new Date(issuedAt);
let directory = '';
let out = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-fleet-'));
  out = join(directory, 'out');
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const [first, second] = [signingKey(), signingKey()];
const publicFile = (key: typeof first) => publicFileOf(okpJwk(key));

async function render(more: object = {}): Promise<void> {
  const { mkdir } = await import('node:fs/promises');
  await mkdir(out, { recursive: true });
  await writeFile(join(out, `${device}.json`), bytesOf(desired(more)));
  await writeFile(join(out, 'index.json'), '{"kind":"Index"}');
}

async function signAll(key: typeof first): Promise<string[]> {
  const signed = [];
  for await (const { box, signatures } of signRendered(out, key, null)) signed.push(`${box} ${signatures}`);
  return signed;
}

async function setUpTrust(threshold: object = {}) {
  const add = [first, second].map((key) => ({ file: publicFile(key), roles }));
  await draftFirstTrust(directory, fleet, { add, threshold }, now);
  await signTrust(directory, first);
  if ((await readTrust(directory)) === null) await signTrust(directory, second);
  const trust = await readTrust(directory);
  if (trust === null) throw new Error('no trust document');
  return trust;
}

const facts = (trust: Awaited<ReturnType<typeof setUpTrust>>) => ({
  fleet,
  device,
  trust: trust.document,
  lastGeneration: 0,
  lastSha256: null,
  currentConfig: plainConfig,
  currentSealed: {},
});

describe('a key file', () => {
  test('is encrypted, and opens with its passphrase alone', async () => {
    const made = await makeKeyFile('correct horse battery');
    expect(isEncrypted(made.privateText)).toBe(true);
    expect(publicFile(await openKeyFile(made.privateText, 'correct horse battery'))).toEqual(made.public);
    await expect(openKeyFile(made.privateText, 'wrong horse')).rejects.toMatchObject({
      code: 'FLEET_PASSPHRASE',
    });
    await expect(openKeyFile(made.privateText, null)).rejects.toMatchObject({ code: 'FLEET_PASSPHRASE' });
  }, 60_000);

  test('can be left in clear; anything else is refused', async () => {
    const made = await makeKeyFile(null);
    expect(publicFile(await openKeyFile(made.privateText, null))).toEqual(made.public);
    const unreadable = { code: 'FLEET_KEY_UNREADABLE' };
    await expect(openKeyFile(JSON.stringify(made.public), null)).rejects.toMatchObject(unreadable);
  });
});

describe('the trust document', () => {
  test('is in force only once enough keys have signed it', async () => {
    const add = [first, second].map((key) => ({ file: publicFile(key), roles }));
    await draftFirstTrust(directory, fleet, { add, threshold: { trust: 2 } }, now);
    expect(await signTrust(directory, first)).toMatchObject({ inForce: false, signatures: 1 });
    expect(await signTrust(directory, first)).toMatchObject({ inForce: false, signatures: 1 });
    expect(await readTrust(directory)).toBeNull();
    expect(await signTrust(directory, second)).toMatchObject({ inForce: true, signatures: 2 });
    expect(await readTrust(directory)).toMatchObject({ document: { version: 1, fleet } });
    await expect(signTrust(directory, first)).rejects.toMatchObject({ code: 'FLEET_NO_DRAFT' });
  });

  test('rotates a key: a box that knows the old one follows', async () => {
    const before = await setUpTrust();
    const next = signingKey();
    const change = {
      add: [{ file: publicFile(next), roles }],
      remove: [publicFile(first).id],
      revoke: ['0a'],
    };
    await draftNextTrust(directory, change, now);
    expect(await signTrust(directory, next)).toMatchObject({ inForce: false });
    expect(await signTrust(directory, second)).toMatchObject({ inForce: true });
    const outcome = await verifyTrust(await readFile(join(directory, 'trust.jws')), before);
    expect(outcome).toMatchObject({ ok: true, trust: { document: { version: 2, revoked: ['0a'] } } });
    expect(Object.keys((await readTrust(directory))?.document.keys ?? {})).not.toContain(
      publicFile(first).id,
    );
  });

  test('that nobody could ever follow is not even drafted', async () => {
    await setUpTrust();
    const change = { threshold: { trust: 3 } };
    await expect(draftNextTrust(directory, change, now)).rejects.toMatchObject({
      code: 'FLEET_TRUST_UNUSABLE',
    });
    await expect(draftFirstTrust(directory, fleet, {}, now)).rejects.toMatchObject({
      code: 'FLEET_TRUST_EXISTS',
    });
  });
});

describe('signing', () => {
  test('covers the exact bytes that were rendered; a second key adds to the first', async () => {
    const trust = await setUpTrust({ config: 2 });
    await render();
    expect(await signAll(first)).toEqual([`${device} 1`]);
    const once = await readFile(join(out, `${device}.jws`));
    expect(await verifyDesired(once, facts(trust))).toMatchObject({ refusal: { code: 'FLEET_THRESHOLD' } });
    expect(await signAll(second)).toEqual([`${device} 2`]);
    const twice = await readFile(join(out, `${device}.jws`));
    const sha256 = sha256Hex(await readFile(join(out, `${device}.json`)));
    expect(await verifyDesired(twice, facts(trust))).toMatchObject({ ok: true, sha256 });
  });

  test('refuses other bytes of a number that was signed before, and lower ones', async () => {
    await render();
    await signAll(first);
    await render({ issuedAt: '2026-02-01T00:00:00.000Z' });
    await expect(signAll(first)).rejects.toMatchObject({ code: 'FLEET_SAME_GENERATION' });
    await render({ generation: 4 });
    await expect(signAll(first)).rejects.toMatchObject({ code: 'FLEET_ROLLBACK' });
    await render({ generation: 6 });
    expect(await signAll(first)).toEqual([`${device} 1`]);
  });

  test('refuses what no box would take', async () => {
    await render({ config: { site: { name: 'x'.repeat(60_000) } } });
    await expect(signAll(first)).rejects.toMatchObject({ code: 'FLEET_TOO_LARGE' });
    await render({ device: 'GANTRY-BBB222' });
    await expect(signAll(first)).rejects.toMatchObject({ code: 'FLEET_RENDERED_UNREADABLE' });
    await rm(out, { recursive: true });
    await expect(signAll(first)).rejects.toMatchObject({ code: 'FLEET_NOT_RENDERED' });
  });
});

test('the timestamp proves to each box what is newest', async () => {
  const trust = await setUpTrust();
  await render();
  await signAll(first);
  const options = { directory, out, key: second, validHours: 24, now };
  const made = await writeTimestamp(options);
  const again = await writeTimestamp(options);
  expect(again.version).toBe(made.version + 1);
  const bytes = await readFile(join(out, `${device}.freshness.json`));
  const seen = { ...facts(trust), last: null, now: now.getTime() };
  expect(await verifyFreshness(bytes, seen)).toMatchObject({ ok: true, freshness: 'behind' });
  const sha256 = sha256Hex(bytesOf(desired()));
  const upToDate = { ...seen, lastGeneration: 5, lastSha256: sha256 };
  expect(await verifyFreshness(bytes, upToDate)).toMatchObject({ ok: true, freshness: 'fresh' });
  expect(await verifyTrust(await readFile(join(out, 'trust.jws')), trust)).toMatchObject({ unchanged: true });
});

describe('an approval', () => {
  const elsewhere = { destinations: { cloud: { type: 'stow', url: 'https://new.example/studies' } } };

  test('shows what goes elsewhere, signs it, and leaves a record', async () => {
    const trust = await setUpTrust({ redirect: 2 });
    await render();
    await signAll(first);
    const inUse = join(directory, 'in-use');
    await (await import('node:fs/promises')).cp(out, inUse, { recursive: true });
    await render({ generation: 6, config: elsewhere });
    await signAll(first);
    const jws = () => readFile(join(out, `${device}.jws`));
    expect(await verifyDesired(await jws(), facts(trust))).toMatchObject({
      refusal: { code: 'FLEET_REDIRECT_THRESHOLD' },
    });
    const options = { directory, out, against: inUse, only: null, by: 'Jo', now };
    const approval = await planApproval(options, second);
    const url = '/destinations/cloud/url';
    const change = {
      path: url,
      before: 'https://archive.example/studies',
      after: 'https://new.example/studies',
    };
    expect(approval).toMatchObject({ by: 'Jo', changes: [{ ...change, boxes: [device] }] });
    const path = await carryOutApproval(options, approval, second);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(approval);
    expect(await verifyDesired(await jws(), facts(trust))).toMatchObject({ ok: true, redirects: [url] });
  });

  test('signs nothing where nothing goes elsewhere', async () => {
    await render();
    await signAll(first);
    const options = { directory, out, against: out, only: null, by: 'Jo', now };
    expect(await planApproval(options, second)).toMatchObject({ documents: [], changes: [] });
    // The same, as it was published: to a web server's folder, and to a stick.
    await setUpTrust();
    const [folder, stick] = [join(directory, 'www'), join(directory, 'stick')];
    await publish(out, { kind: 'folder', folder });
    await publish(out, { kind: 'stick', folder: stick });
    for (const against of [folder, stick])
      expect(await planApproval({ ...options, against }, second)).toMatchObject({ changes: [] });
    const empty = { ...options, against: join(directory, 'nowhere') };
    expect((await planApproval(empty, second)).changes).not.toEqual([]);
  });
});

describe('the commands', () => {
  async function gantry(...argv: string[]): Promise<void> {
    const { runCommandLine } = await import('../../src/cli/command-line.ts');
    await runCommandLine(['node', 'gantry', 'fleet', ...argv]);
    const code = process.exitCode ?? 0;
    process.exitCode = 0;
    expect(`${argv.join(' ')}: ${code}`).toBe(`${argv.join(' ')}: 0`);
  }

  test('make keys, trust, signatures and a timestamp', async () => {
    const key = join(directory, 'it.key');
    await gantry('keys', 'new', key, '--no-passphrase');
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    await gantry('trust', 'init', '--dir', directory, '--fleet', fleet, '--key', `${key}.pub`);
    await gantry('trust', 'sign', '--dir', directory, '--key', key);
    await gantry('trust', 'show', '--dir', directory);
    await render();
    await gantry('sign', out, '--key', key);
    await gantry('approve', out, '--dir', directory, '--key', key, '--yes', '--by', 'Jo');
    await gantry('timestamp', out, '--dir', directory, '--key', key);
    const names = await readdir(out);
    const made = [`${device}.freshness.json`, `${device}.jws`, 'trust.jws'];
    expect(names).toEqual(expect.arrayContaining(made));
    expect(await readdir(join(directory, 'approvals'))).toHaveLength(1);
    const trust = await readTrust(directory);
    if (trust === null) throw new Error('no trust document');
    const bytes = await readFile(join(out, `${device}.jws`));
    expect(await verifyDesired(bytes, facts({ ...trust }))).toMatchObject({ ok: true });
  });
});
