import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { okpJwk } from '../../src/crypto/jws.ts';
import { readFleetFolder } from '../../src/fleet/fleet-folder.ts';
import { publicFileOf } from '../../src/fleet/key-file.ts';
import { draftFirstTrust, readTrust, roles, signTrust } from '../../src/fleet/trust-chain.ts';
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
  const enrolment = () => open((store) => store.remote.value.enrolment);
  const request = async (name: string) => {
    const made = await command('enroll', 'request', at(name), '--data', data);
    return /Claim code: (\S+)/.exec(made.stdout)?.[1] ?? made.stderr;
  };
  const enroll = (name: string, answer: string, code: string) =>
    command('fleet', 'enroll', at(name), at(answer), '--code', code, '--dir', at('git'));
  const accept = (answer: string) => command('enroll', 'accept', at(answer), '--data', data);
  return { at, data, device, enrolment, request, enroll, accept };
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
