import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, test } from 'vitest';
import { checkConfigText } from '../../src/config/check.ts';
import { candidateOf } from '../../src/config/remote/candidate.ts';
import { desiredConfig } from '../../src/config/remote/documents.ts';
import { okpJwk } from '../../src/crypto/jws.ts';
import { openSealed, sealTo } from '../../src/crypto/seal-to.ts';
import { Desk } from '../../src/fleet/desk.ts';
import { readFleetFolder } from '../../src/fleet/fleet-folder.ts';
import { planApproval } from '../../src/fleet/approve.ts';
import { renderFleet, writePayloads } from '../../src/fleet/render.ts';
import { Rollouts } from '../../src/fleet/rollouts.ts';
import { signRendered } from '../../src/fleet/sign.ts';
import { SecretVault } from '../../src/fleet/secrets.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { desired, signingKey } from '../fixtures/fleet-kit.ts';
import { runProgram } from '../e2e/peers.ts';
import { program } from '../fixtures/program.ts';
import { fleetFolder, writeFleetFiles } from './desk-folder.ts';

const now = new Date('2026-03-01T10:00:00Z');
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const seal = generateKeyPairSync('x25519');
const sign = generateKeyPairSync('ed25519');
const marker = 'swordfish-7f3a';

const layer = (secret: string): string => `kind: Layer
name: base
priority: 0
config:
  destinations:
    cloud:
      type: stow
      url: https://archive.example/studies
      auth: { type: bearer, tokenFile: "secret:${secret}" }
`;

function device(id: string, keys = true): string {
  const pair = { sign: okpJwk(sign.publicKey), seal: okpJwk(seal.publicKey) };
  return JSON.stringify({ kind: 'Device', id, ...(keys && { keys: pair }) });
}

/** A folder with one box that needs the secret "token". */
async function open(more: Record<string, string> = {}) {
  const folder = fleetFolder({
    'layers/base.yaml': layer('token'),
    'devices/b1.json': device('BOX-1'),
    ...more,
  });
  const { path } = folder;
  await SecretVault.create(path, { recipients: [recipient] });
  const vault = () => SecretVault.open(path, { identity });
  return {
    ...folder,
    path,
    vault,
    desk: async () => new Desk(await readFleetFolder(path)),
    render: async (openVault = vault) =>
      renderFleet(new Desk(await readFleetFolder(path)), { now, openVault }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

function documentOf(outcome: Awaited<ReturnType<typeof renderFleet>>, index = 0) {
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problems));
  const rendered = outcome.rendered[index];
  if (rendered === undefined) throw new Error('nothing rendered');
  return rendered;
}

describe('secrets.age', () => {
  test('keeps values from everybody who has only the folder, and names from nobody', async () => {
    using fleet = await open();
    expect(await (await fleet.vault()).set('token', marker)).toBe('new');
    const files = ['secrets.age', 'secrets.json'].map((name) => readFileSync(join(fleet.path, name), 'utf8'));
    expect(files.join()).not.toContain(marker);
    expect(files[1]).toContain('token');
    expect((await fleet.vault()).of('token')?.secret).toBe(marker);
    const stranger = await generateX25519Identity();
    await expect(SecretVault.open(fleet.path, { identity: stranger })).rejects.toMatchObject({
      code: 'FLEET_SECRETS_LOCKED',
    });
  });

  test('opens by a passphrase where it was made with one', async () => {
    using folder = fleetFolder({});
    await SecretVault.create(folder.path, { passphrase: 'four words put together' });
    expect((await SecretVault.open(folder.path, { passphrase: 'four words put together' })).names()).toEqual(
      [],
    );
  }, 60_000);

  test('is not made anew over one that is there', async () => {
    using fleet = await open();
    await expect(SecretVault.create(fleet.path, { recipients: [recipient] })).rejects.toMatchObject({
      code: 'FLEET_SECRETS_EXIST',
    });
  });

  test('takes no empty, overlong or unusable value, and no recipient that is none', async () => {
    using fleet = await open();
    const vault = await fleet.vault();
    for (const value of ['', 'x'.repeat(8193)])
      await expect(vault.set('token', value)).rejects.toMatchObject({ code: 'FLEET_SECRET_VALUE' });
    using other = fleetFolder({});
    const made = SecretVault.create(other.path, { recipients: ['age1nobody'] });
    await expect(made).rejects.toMatchObject({ code: 'FLEET_RECIPIENT' });
  });
});

describe('a reference to a secret', () => {
  test('that nobody has given is an error of the folder, with file, line and path', async () => {
    using fleet = await open();
    expect((await fleet.desk()).lint()).toMatchObject([
      { file: 'layers/base.yaml', line: 9, path: 'config.destinations.cloud.auth.tokenFile' },
    ]);
    expect(await fleet.render()).toMatchObject({ ok: false });
  });

  test('needs a box that was enrolled', async () => {
    using fleet = await open({ 'devices/b2.json': device('BOX-2', false) });
    await (await fleet.vault()).set('token', marker);
    expect((await fleet.desk()).lint()).toMatchObject([{ cause: expect.stringContaining('no key') }]);
  });
});

describe('a rendered document', () => {
  test('brings the secret sealed to its box, under its name, and no other secret', async () => {
    using fleet = await open();
    const vault = await fleet.vault();
    await vault.set('token', marker);
    await vault.set('other', 'unused');
    const { document } = documentOf(await fleet.render());
    expect(JSON.stringify(document)).not.toContain(marker);
    expect(Object.keys(document.sealed)).toEqual(['token']);
    const place = { device: 'BOX-1', name: 'token' };
    expect(await openSealed(seal.privateKey, place, document.sealed['token'] ?? '')).toBe(marker);
    const stranger = generateKeyPairSync('x25519').privateKey;
    await expect(openSealed(stranger, place, document.sealed['token'] ?? '')).rejects.toMatchObject({
      code: 'FLEET_SECRET_UNREADABLE',
    });
  });

  test('stays the same bytes while the secret does, and asks for nothing to open it', async () => {
    using fleet = await open();
    await (await fleet.vault()).set('token', marker);
    const first = documentOf(await fleet.render());
    expect(await (await fleet.vault()).set('token', marker)).toBe('unchanged');
    await (await fleet.vault()).set('other', 'of no box');
    const locked = () => Promise.reject(new Error('opened for nothing'));
    const second = documentOf(await fleet.render(locked));
    expect(second).toMatchObject({ change: 'kept', generation: 1 });
    expect(JSON.stringify(second.document)).toBe(JSON.stringify(first.document));
    writeFleetFiles(fleet.path, { 'layers/base.yaml': `${layer('token')}  site: { name: North }\n` });
    const third = documentOf(await fleet.render(locked));
    expect(third.generation).toBe(2);
    expect(third.document.sealed).toEqual(first.document.sealed);
  });

  test('is a new generation where the secret has another value, or the box another key', async () => {
    using fleet = await open();
    await (await fleet.vault()).set('token', 'before');
    const first = documentOf(await fleet.render());
    await (await fleet.vault()).set('token', marker);
    const second = documentOf(await fleet.render());
    expect(second).toMatchObject({ change: 'new', generation: 2 });
    expect(second.document.config).toEqual(first.document.config);
    expect(second.document.sealed).not.toEqual(first.document.sealed);
    const fresh = generateKeyPairSync('x25519');
    const keys = { sign: okpJwk(sign.publicKey), seal: okpJwk(fresh.publicKey) };
    writeFleetFiles(fleet.path, { 'devices/b1.json': JSON.stringify({ kind: 'Device', id: 'BOX-1', keys }) });
    const third = documentOf(await fleet.render());
    expect(third.generation).toBe(3);
    const place = { device: 'BOX-1', name: 'token' };
    expect(await openSealed(fresh.privateKey, place, third.document.sealed['token'] ?? '')).toBe(marker);
  });

  test('shows whoever approves that a secret is another one, and not which', async () => {
    using fleet = await open();
    using last = temporaryDirectory();
    const out = join(fleet.path, 'out');
    const key = signingKey();
    const publish = async () => {
      await writePayloads(out, [documentOf(await fleet.render())]);
      for await (const _ of signRendered(out, key, null));
    };
    await (await fleet.vault()).set('token', 'before');
    await publish();
    writeFileSync(join(last.path, 'BOX-1.jws'), readFileSync(join(out, 'BOX-1.jws')));
    const options = { directory: fleet.path, out, against: last.path, only: null, by: 'x', now };
    expect((await planApproval(options, key)).changes).toEqual([]);
    await (await fleet.vault()).set('token', marker);
    await publish();
    expect((await planApproval(options, key)).changes).toEqual([
      { path: '/sealed/token', before: '(sealed)', after: '(sealed anew)', boxes: ['BOX-1'] },
    ]);
  });

  test('that secrets make too large is refused before anything is written', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const destinations = Object.fromEntries(
      names.map((name) => [
        name,
        {
          type: 'stow',
          url: 'https://archive.example/studies',
          auth: { type: 'aws-sigv4', region: 'us-east-1', credentialsFile: `secret:${name}` },
        },
      ]),
    );
    const config = JSON.stringify({ kind: 'Layer', name: 'base', priority: 0, config: { destinations } });
    using fleet = await open({ 'layers/base.yaml': config });
    const vault = await fleet.vault();
    for (const name of names) await vault.set(name, name.repeat(8000));
    const outcome = await fleet.render();
    expect(outcome).toMatchObject({ ok: false, problems: [{ file: 'devices/b1.json' }] });
    expect((await fleet.desk()).folder.devices.size).toBe(1);
    expect(() => readFileSync(join(fleet.path, 'generations/BOX-1.json'))).toThrow(/ENOENT/);
  });

  test('waits for a rollout as any other change does; the rollout seals it', async () => {
    using fleet = await open({ 'fleet.yaml': 'kind: Fleet\nname: acme\nchanges: rollout\n' });
    await (await fleet.vault()).set('token', 'before');
    documentOf(await fleet.render());
    await (await fleet.vault()).set('token', marker);
    expect(documentOf(await fleet.render())).toMatchObject({ change: 'waiting', generation: 1 });
    writeFleetFiles(fleet.path, { 'rollouts/r.yaml': 'kind: Rollout\nid: r1\nwaves: ["100 %"]\n' });
    const rollouts = new Rollouts(await fleet.desk(), now, fleet.vault);
    await rollouts.start('r1', new Map());
    expect((await rollouts.step('r1', new Map())).changed).toEqual(['BOX-1']);
    const { document } = documentOf(await fleet.render());
    const place = { device: 'BOX-1', name: 'token' };
    expect(await openSealed(seal.privateKey, place, document.sealed['token'] ?? '')).toBe(marker);
  });
});

describe('on the box', () => {
  const config = {
    destinations: {
      cloud: {
        type: 'stow',
        url: 'https://archive.example/studies',
        auth: { type: 'bearer', tokenFile: 'secret:token' },
      },
    },
  };
  const candidate = (sealed: Record<string, string>) =>
    candidateOf(desiredConfig.parse(desired({ config, sealed })), {
      sha256: 'a'.repeat(64),
      via: 'https',
      schemaVersion: 1,
      current: null,
      changes: [],
      open: (name, text) => openSealed(seal.privateKey, { device: 'GANTRY-AAA222', name }, text),
    });

  test('a document without the secret it names, or with one for another box, is refused by code and path', async () => {
    const path = '/destinations/cloud/auth/tokenFile';
    await expect(candidate({})).rejects.toMatchObject({ code: 'FLEET_SECRET_MISSING', path });
    const other = await sealTo(
      okpJwk(seal.publicKey),
      { device: 'GANTRY-BBB333', name: 'token' },
      { secret: marker, revision: 'r' },
    );
    await expect(candidate({ token: other })).rejects.toMatchObject({
      code: 'FLEET_SECRET_UNREADABLE',
      path,
    });
  });

  test('only secrets that the document names are kept', async () => {
    const value = { secret: marker, revision: 'r' };
    const sealed = async (name: string) =>
      sealTo(okpJwk(seal.publicKey), { device: 'GANTRY-AAA222', name }, value);
    const taken = await candidate({ token: await sealed('token'), other: await sealed('other') });
    expect(Object.keys(taken.sealed)).toEqual(['token']);
  });

  test('a file that is given there cannot name one', () => {
    const checked = checkConfigText(JSON.stringify(config));
    expect(checked).toMatchObject({
      ok: false,
      problems: [{ path: 'destinations.cloud.auth.tokenFile', line: 1 }],
    });
  });
});

test('the commands take a value by a pipe alone, list names, and render with an identity', async () => {
  using folder = fleetFolder({ 'layers/base.yaml': layer('token'), 'devices/b1.json': device('BOX-1') });
  using elsewhere = temporaryDirectory();
  const key = join(elsewhere.path, 'age-key');
  writeFileSync(key, `# created for a test\n${identity}\n`);
  const run = (args: readonly string[], input = '') =>
    runProgram('sh', ['-c', 'printf %s "$INPUT" | "$@"', 'sh', ...program(), ...args], {
      INPUT: input,
    });
  const dir = ['--dir', folder.path];
  const init = await run(['fleet', 'secrets', 'init', ...dir, '--recipient', recipient]);
  expect(init).toMatchObject({ code: 0 });
  const unlock = [...dir, '--identity', key];
  expect(await run(['fleet', 'secrets', 'set', 'token', ...unlock], `${marker}\n`)).toMatchObject({
    code: 0,
  });
  expect(await run(['fleet', 'secrets', 'set', 'token', ...unlock], marker)).toMatchObject({
    stdout: expect.stringContaining('already'),
  });
  expect(await run(['fleet', 'secrets', 'list', ...dir])).toMatchObject({ code: 0, stdout: 'token\n' });
  const out = join(folder.path, 'out');
  mkdirSync(out);
  expect((await run(['fleet', 'render', folder.path, '--out', out])).code).not.toBe(0);
  const rendered = await run(['fleet', 'render', folder.path, '--out', out, '--identity', key]);
  expect(rendered).toMatchObject({ code: 0 });
  const text = readFileSync(join(out, 'BOX-1.json'), 'utf8');
  expect(text).toContain('"secret:token"');
  expect(text).not.toContain(marker);
  const diff = ['fleet', 'diff', folder.path, 'BOX-1'];
  expect((await run(diff)).stdout).toMatch(/: 0 changes\n$/);
  await run(['fleet', 'secrets', 'set', 'token', ...unlock], 'another one');
  expect((await run(diff)).stdout).toMatch(/: 1 changes\nsecret "token": sealed anew\n$/);
  expect(await run(['fleet', 'secrets', 'remove', 'token', ...unlock])).toMatchObject({ code: 0 });
  expect((await run(['fleet', 'lint', folder.path])).stderr).toContain('names the secret "token"');
}, 60_000);
