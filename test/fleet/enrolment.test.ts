import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { okpJwk } from '../../src/crypto/jws.ts';
import { CertificateRecord } from '../../src/fleet/certificate-record.ts';
import { readFleetFolder } from '../../src/fleet/fleet-folder.ts';
import { publicFileOf } from '../../src/fleet/key-file.ts';
import { draftFirstTrust, draftNextTrust, readTrust, roles, signTrust } from '../../src/fleet/trust-chain.ts';
import { openBoxCertificate } from '../../src/gateway-enrol.ts';
import { openStore } from '../../src/gateway-store.ts';
import { command } from '../cli/command.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { fleet, signingKey } from '../fixtures/fleet-kit.ts';

const log = createLog('error', { write: () => undefined });
const config = {
  destinations: { cloud: { type: 'stow', url: 'https://archive.example/studies', auth: { type: 'none' } } },
};

async function setUp() {
  const place = temporaryDirectory();
  onTestFinished(() => place[Symbol.dispose]());
  const at = (name: string) => join(place.path, name);
  const data = at('data');
  const open = async <T>(use: (store: Awaited<ReturnType<typeof openStore>>) => T): Promise<T> => {
    await using stack = new AsyncDisposableStack();
    return use(await openStore({ dataDirectory: data, configText: JSON.stringify(config), log }, stack));
  };
  const device = await open((store) => store.keyring.boxId);
  const key = signingKey();
  await draftFirstTrust(at('git'), fleet, { add: [{ file: publicFileOf(okpJwk(key)), roles }] }, new Date());
  await signTrust(at('git'), key);
  await writeFile(at('git/fleet.yaml'), `kind: Fleet\nname: ${fleet}\n`);
  const enrolment = () => open((store) => store.remote.value.enrolment);
  const certificate = () => open(async (store) => (await openBoxCertificate(store)).credentials);
  /** Gives the fleet an authority for certificates. */
  const authority = async () => {
    expect(
      await command('fleet', 'ca', 'init', at('ca.key'), '--dir', at('git'), '--no-passphrase'),
    ).toMatchObject({
      code: 0,
    });
    const deviceCa = [await readFile(at('git/device-ca.pem'), 'utf8')];
    await draftNextTrust(at('git'), { deviceCa }, new Date());
  };
  const request = async (name: string) => {
    const made = await command('enroll', 'request', at(name), '--data', data);
    return /Claim code: (\S+)/.exec(made.stdout)?.[1] ?? made.stderr;
  };
  const enroll = (name: string, answer: string, code: string, ...more: string[]) =>
    command('fleet', 'enroll', at(name), at(answer), '--code', code, '--dir', at('git'), ...more);
  const sign = () => signTrust(at('git'), key);
  const accept = (answer: string) => command('enroll', 'accept', at(answer), '--data', data);
  return { at, data, device, enrolment, certificate, authority, sign, request, enroll, accept };
}

test('a box asks, central IT answers, the box believes it: files alone, once', async () => {
  const { at, data, device, enrolment, request, enroll, accept } = await setUp();
  const code = await request('request.json');
  expect(code).toMatch(/^(?:[2-9A-Z]{4}-){2}[2-9A-Z]{4}$/);
  expect(await readFile(at('request.json'), 'utf8')).not.toContain(code.replaceAll('-', ''));
  expect(await enroll('request.json', 'answer.json', code.toLowerCase())).toMatchObject({ code: 0 });
  const known = (await readFleetFolder(at('git'))).devices.get(device)?.value;
  expect(known).toMatchObject({ keys: { sign: { crv: 'Ed25519' }, seal: { crv: 'X25519' } } });
  expect(await accept('answer.json')).toMatchObject({ code: 0, stdout: `Fleet: ${fleet}\n` });
  const trust = await readTrust(at('git'));
  const { document, sha256 } = trust ?? {};
  expect(await enrolment()).toMatchObject({ fleet, device, trust: { document, sha256 } });
  // The code is used up, and the keys are nowhere in clear.
  expect((await accept('answer.json')).stderr).toContain('ENROL_NONE');
  expect(await readdir(join(data, 'config'))).toContain('identity');
  expect((await readFile(join(data, 'config', 'identity'))).includes('sealKey')).toBe(false);
}, 60_000);

test('another code, a changed file, an old answer: refused, and nothing has moved', async () => {
  const { at, enrolment, request, enroll, accept } = await setUp();
  const code = await request('one.json');
  expect((await enroll('one.json', 'answer.json', 'AAAA-BBBB-CCCC')).stderr).toContain('ENROL_CODE');
  const text = await readFile(at('one.json'), 'utf8');
  await writeFile(at('changed.json'), text.replace('GANTRY-', 'GANTRX-'));
  expect((await enroll('changed.json', 'answer.json', code)).stderr).toContain('ENROL_CODE');
  expect(await enroll('one.json', 'answer.json', code)).toMatchObject({ code: 0 });
  // A request is no answer, though the same code made it.
  expect((await accept('one.json')).stderr).toContain('ENROL_ANSWER');
  const answer = await readFile(at('answer.json'), 'utf8');
  await writeFile(at('forged.json'), answer.replace(fleet, 'evil'));
  expect((await accept('forged.json')).stderr).toContain('ENROL_ANSWER');
  await request('two.json');
  expect((await accept('answer.json')).stderr).toContain('ENROL_ANSWER');
  expect(await enrolment()).toBeNull();
}, 60_000);

test('the answer brings a certificate for the key of the box, by an authority that the trust document names', async () => {
  const { at, data, device, certificate, authority, sign, request, enroll, accept } = await setUp();
  await authority();
  const code = await request('request.json');
  const ca = ['--ca', at('ca.key')];
  // No box would believe it yet.
  expect((await enroll('request.json', 'answer.json', code, ...ca)).stderr).toContain('FLEET_CA_UNTRUSTED');
  expect(await sign()).toMatchObject({ inForce: true });
  expect((await enroll('request.json', 'none.json', code)).stdout).toContain('Certificate: none');
  expect(await enroll('request.json', 'answer.json', code, ...ca, '--days', '30')).toMatchObject({ code: 0 });
  // The same request again is the same certificate: nothing is issued twice.
  expect(await enroll('request.json', 'answer.json', code, ...ca)).toMatchObject({ code: 0 });
  const issued = await new CertificateRecord(at('git')).read(device);
  expect(issued).toHaveLength(1);
  expect(await accept('answer.json')).toMatchObject({ code: 0 });
  const own = await certificate();
  const made = new X509Certificate(own?.cert ?? '');
  expect(made.serialNumber.toLowerCase()).toBe(issued[0]?.serial);
  expect(made.subject).toBe(`CN=${device}`);
  expect(made.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  expect(made.ca).toBe(false);
  expect((made.validToDate.getTime() - made.validFromDate.getTime()) / 86_400_000).toBe(30);
  expect(made.checkPrivateKey(createPrivateKey(own?.key ?? ''))).toBe(true);
  // The key is nowhere but on the box, and sealed there.
  for (const file of ['request.json', 'answer.json', `git/certificates/${device}.json`])
    expect(await readFile(at(file), 'utf8')).not.toContain('PRIVATE KEY');
  expect((await readFile(join(data, 'config', 'box-certificate'))).includes('PRIVATE')).toBe(false);
  expect((await command('fleet', 'ca', 'show', '--dir', at('git'))).stdout).toMatch(
    /names it[^]*Issued: 1, of which 1 are good and 0 revoked/,
  );
}, 60_000);

test('a box may ask before its gateway was ever started, but not where there is nothing at all', async () => {
  const { at, enroll, accept } = await setUp();
  const fresh = at('fresh');
  const missing = await command('enroll', 'request', at('r.json'), '--data', fresh);
  expect(missing.stderr).toContain('DATA_NONE');
  expect(await readdir(at('.'))).not.toContain('fresh');
  await mkdir(fresh);
  const { stdout } = await command('enroll', 'request', at('r.json'), '--data', fresh);
  const [, box = '', code = ''] = /Box: (\S+)\nClaim code: (\S+)/.exec(stdout) ?? [];
  expect(await enroll('r.json', 'a.json', code)).toMatchObject({ code: 0 });
  // The answer is for that box alone.
  expect((await accept('a.json')).stderr).toContain('ENROL_NONE');
  expect(await command('enroll', 'accept', at('a.json'), '--data', fresh)).toMatchObject({ code: 0 });
  await using stack = new AsyncDisposableStack();
  const store = await openStore({ dataDirectory: fresh, configText: JSON.stringify(config), log }, stack);
  expect(store.configRejected).toBeNull();
  expect(store.remote.value.enrolment).toMatchObject({ fleet, device: box });
}, 60_000);

test('a box of a fleet takes a file until its configuration names a way to central IT', async () => {
  const { data, request, enroll, accept, enrolment } = await setUp();
  const code = await request('request.json');
  expect(await enroll('request.json', 'answer.json', code)).toMatchObject({ code: 0 });
  expect(await accept('answer.json')).toMatchObject({ code: 0 });
  const start = async (more: object) => {
    await using stack = new AsyncDisposableStack();
    const configText = JSON.stringify({ ...config, ...more });
    const store = await openStore({ dataDirectory: data, configText, log }, stack);
    return { rejected: store.configRejected?.code ?? null, site: store.current.config.site.name };
  };
  const remote = { usb: { folder: '/media/gantry' } };
  expect(await start({ site: { name: 'A' } })).toEqual({ rejected: null, site: 'A' });
  expect(await start({ site: { name: 'B' }, remote })).toEqual({ rejected: null, site: 'B' });
  expect(await start({ site: { name: 'C' }, remote })).toEqual({ rejected: 'CONFIG_CENTRAL', site: 'B' });
  expect(await enrolment()).toMatchObject({ fleet });
}, 60_000);
