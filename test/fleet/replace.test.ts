import type { KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, onTestFinished, test } from 'vitest';
import { type BoxName, boxName, type ReportedState } from '../../src/config/remote/documents.ts';
import { BoxIdentity } from '../../src/config/remote/enrolment.ts';
import { makeCertificateRequest } from '../../src/crypto/device-authority.ts';
import { okpJwk, signPayload } from '../../src/crypto/jws.ts';
import { openSealed } from '../../src/crypto/seal-to.ts';
import { CertificateRecord } from '../../src/fleet/certificate-record.ts';
import { Desk } from '../../src/fleet/desk.ts';
import { initAuthority, openAuthority } from '../../src/fleet/device-ca.ts';
import { enrollBox } from '../../src/fleet/enroll.ts';
import { readFleetFolder } from '../../src/fleet/fleet-folder.ts';
import { publicFileOf } from '../../src/fleet/key-file.ts';
import { renderFleet } from '../../src/fleet/render.ts';
import { renewCertificates } from '../../src/fleet/renew-certificates.ts';
import { replaceBox } from '../../src/fleet/replace.ts';
import { revokeBox } from '../../src/fleet/retire.ts';
import { readRolloutState } from '../../src/fleet/rollout-store.ts';
import { Rollouts } from '../../src/fleet/rollouts.ts';
import { noVault } from '../../src/fleet/seal.ts';
import { SecretVault } from '../../src/fleet/secrets.ts';
import { draftFirstTrust, roles, signTrust } from '../../src/fleet/trust-chain.ts';
import { fleet, signingKey } from '../fixtures/fleet-kit.ts';
import { fleetFolder, writeFleetFiles } from './desk-folder.ts';
import { reportOf } from './desk-reports.ts';

const now = new Date('2026-03-01T10:00:00Z');
const layer = (site: string) => `kind: Layer
name: base
priority: 0
config:
  site: { name: ${site} }
  destinations:
    cloud:
      type: stow
      url: https://archive.example/studies
      auth: { type: bearer, tokenFile: "secret:token" }
`;

/** A box that asks: with keys of its own, and a code. */
async function newBox(name: string) {
  let bytes: Buffer | null = null;
  const file = {
    read: () => Promise.resolve(bytes),
    write: (plain: Buffer) => {
      bytes = plain;
      return Promise.resolve();
    },
  };
  const identity = await BoxIdentity.open(file);
  const key = signingKey();
  const device = boxName.parse(name);
  const certificateRequest = (await makeCertificateRequest(name)).request;
  const made = await identity.request({ device, signingKey: key, schemaVersion: 1, certificateRequest });
  return { device, key, identity, asked: { request: Buffer.from(made.file), code: made.code } };
}

/** A fleet in which changes come by rollouts, and every box needs a secret. */
async function setUp() {
  const folder = fleetFolder({
    'fleet.yaml': `kind: Fleet\nname: ${fleet}\nchanges: rollout\n`,
    'layers/base.yaml': layer('first'),
    'rollouts/r.yaml': 'kind: Rollout\nid: r\nwaves: [1]\n',
  });
  onTestFinished(() => folder[Symbol.dispose]());
  const { path } = folder;
  const key = signingKey();
  const privateText = await initAuthority(path, fleet, now);
  const authority = await openAuthority(path, privateText, null);
  const add = [{ file: publicFileOf(okpJwk(key)), roles }];
  await draftFirstTrust(path, fleet, { add, deviceCa: [authority.cert] }, now);
  await signTrust(path, key);
  const identity = await generateX25519Identity();
  await SecretVault.create(path, { recipients: [await identityToRecipient(identity)] });
  const openVault = () => SecretVault.open(path, { identity });
  await (await openVault()).set('token', 'swordfish');
  const terms = { days: 90, now, openVault };
  const desk = async () => new Desk(await readFleetFolder(path));
  const render = async () => renderFleet(await desk(), { now, openVault });
  return { path, authority, terms, desk, render };
}

test('a new box takes labels, part in rollouts and the last configuration, with secrets sealed anew; once', async () => {
  const { path, authority, terms, desk, render } = await setUp();
  const old = await newBox('BOX-OLD');
  await enrollBox(path, old.asked, authority, terms);
  const device = JSON.parse(readFileSync(join(path, 'devices/BOX-OLD.json'), 'utf8')) as object;
  const own = { labels: { region: 'north' }, overrides: { spool: { keepVerifiedHours: 5 } }, note: 'cellar' };
  writeFileSync(join(path, 'devices/BOX-OLD.json'), JSON.stringify({ ...device, ...own }));
  expect(await render()).toMatchObject({ ok: true, rendered: [{ device: 'BOX-OLD', generation: 1 }] });
  // A change that is under way: the box has not been given it.
  writeFleetFiles(path, { 'layers/base.yaml': layer('second') });
  await new Rollouts(await desk(), now).start('r', new Map());

  const fresh = await newBox('BOX-NEW');
  const replace = () => replaceBox(path, 'BOX-OLD', fresh.asked, authority, terms);
  const done = await replace();
  expect(done).toMatchObject({ device: 'BOX-NEW', generation: 2, certificate: { revoked: null } });
  // As after a power cut in the middle: nothing is done twice.
  expect(await replace()).toMatchObject({ generation: 2, certificate: done.certificate });
  const { devices } = await readFleetFolder(path);
  expect(devices.get('BOX-NEW')?.value).toMatchObject({ ...own, replaces: 'BOX-OLD', retired: false });
  expect(devices.get('BOX-OLD')?.value).toMatchObject({ retired: true, note: 'cellar' });
  expect(devices.get('BOX-OLD')?.value.retiredBecause).toContain('replaced by BOX-NEW');
  expect(Object.keys((await readRolloutState(path, 'r')).boxes)).toEqual(['BOX-NEW']);

  const outcome = await render();
  const [first] = outcome.ok ? outcome.rendered : [];
  // Not the change of the rollout: that comes with its wave.
  expect(first).toMatchObject({ device: 'BOX-NEW', change: 'waiting', generation: 2 });
  expect(first?.document.config).toMatchObject({ site: { name: 'first' }, spool: { keepVerifiedHours: 5 } });
  const sealed = first?.document.sealed['token'] ?? '';
  const place = { device: 'BOX-NEW', name: 'token' };
  expect(await openSealed(fresh.identity.sealKey, place, sealed)).toBe('swordfish');
  await expect(openSealed(old.identity.sealKey, place, sealed)).rejects.toMatchObject({
    code: 'FLEET_SECRET_UNREADABLE',
  });
  // Its wave opens: the rollout knows it, and gives it what was looked at when it was started.
  await new Rollouts(await desk(), now, terms.openVault).step(
    'r',
    new Map([['BOX-NEW', reportOf('BOX-NEW')]]),
  );
  const given = await render();
  const [next] = given.ok ? given.rendered : [];
  expect(next).toMatchObject({ device: 'BOX-NEW', change: 'kept', generation: 3 });
  expect(next?.document).toMatchObject({ config: { site: { name: 'second' } }, rollout: { id: 'r' } });
}, 60_000);

test('nothing is replaced by what is there already, and without the secrets nothing has moved', async () => {
  const { path, authority, terms, render } = await setUp();
  const [one, two, fresh] = await Promise.all(['BOX-1', 'BOX-2', 'BOX-3'].map((name) => newBox(name)));
  if (one === undefined || two === undefined || fresh === undefined) throw new Error('no boxes');
  for (const box of [one, two]) await enrollBox(path, box.asked, authority, terms);
  await render();
  const refusals: [string, () => Promise<unknown>][] = [
    ['FLEET_DEVICE_EXISTS', () => replaceBox(path, 'BOX-1', two.asked, authority, terms)],
    ['FLEET_DEVICE_EXISTS', () => replaceBox(path, 'BOX-1', one.asked, authority, terms)],
    ['FLEET_DEVICE_UNKNOWN', () => replaceBox(path, 'BOX-9', fresh.asked, authority, terms)],
    ['ENROL_CODE', () => replaceBox(path, 'BOX-1', { ...fresh.asked, code: 'AAAA' }, authority, terms)],
  ];
  for (const [code, attempt] of refusals) await expect(attempt()).rejects.toMatchObject({ code });
  const locked = replaceBox(path, 'BOX-1', fresh.asked, authority, { ...terms, openVault: noVault });
  await expect(locked).rejects.toMatchObject({ code: 'FLEET_SECRETS_LOCKED' });
  const { devices } = await readFleetFolder(path);
  expect([...devices.keys()]).toEqual(['BOX-1', 'BOX-2']);
  expect(devices.get('BOX-1')?.value.retired).toBe(false);
  // A box that has left does not come back under its old id.
  await revokeBox(path, 'BOX-2', authority, { reason: 'stolen', now });
  const back = enrollBox(path, two.asked, null, terms);
  await expect(back).rejects.toMatchObject({ code: 'FLEET_DEVICE_RETIRED' });
}, 60_000);

test('only what a box of the fleet has signed itself is certified, once for each key', async () => {
  const { path, authority, terms } = await setUp();
  const boxes = await Promise.all(['BOX-1', 'BOX-2', 'BOX-3'].map((name) => newBox(name)));
  for (const box of boxes) await enrollBox(path, box.asked, null, terms);
  await revokeBox(path, 'BOX-3', authority, { reason: 'stolen', now });
  const [one, two, three] = boxes;
  if (one === undefined || two === undefined || three === undefined) throw new Error('no boxes');
  const asks = async (device: BoxName, key: KeyObject, of: string = fleet): Promise<ReportedState> => {
    const { request } = await makeCertificateRequest(device);
    const body = { apiVersion: 'gantry/v1', kind: 'CertificateRequest', fleet: of, device, request };
    const bytes = Buffer.from(JSON.stringify(body));
    const certificateRequest = await signPayload('gantry-certificate-request', bytes, key);
    return { ...reportOf(device), certificateRequest };
  };
  const out = join(path, 'out');
  const renew = (...reports: ReportedState[]) =>
    renewCertificates(new Map(reports.map((report) => [report.device, report])), {
      directory: path,
      out,
      authority,
      ...terms,
    });
  const good = await asks(one.device, one.key);
  // One that is signed by another box, one that has left, one that nobody knows.
  const strangers = [
    await asks(two.device, one.key),
    await asks(three.device, three.key),
    await asks(boxName.parse('BOX-4'), one.key),
  ];
  const done = await renew(good, ...strangers);
  expect(done).toMatchObject({ issued: ['BOX-1'], known: [] });
  expect(done.refused.map(({ device }) => device)).toEqual(['BOX-2', 'BOX-3', 'BOX-4']);
  const published = readFileSync(join(out, 'BOX-1.certificate.pem'), 'utf8');
  expect(await renew(good)).toEqual({ issued: [], known: ['BOX-1'], refused: [] });
  expect(readFileSync(join(out, 'BOX-1.certificate.pem'), 'utf8')).toBe(published);
  expect(await new CertificateRecord(path).read('BOX-1')).toHaveLength(1);
  expect((await renew(await asks(one.device, one.key, 'other'))).refused).toHaveLength(1);
}, 60_000);
