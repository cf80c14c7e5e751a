import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { part10Header } from '../../src/dicom/part10.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { ctSlice, type MadeInstance } from '../fixtures/dicom-objects.ts';
import { eventually, intakeOptions } from './intake-harness.ts';
import { fingerprint, startTls, type TlsHarness } from './tls-harness.ts';

const present = ['storescu', 'echoscu', 'openssl'].every((tool) => spawnSync('which', [tool]).status === 0);
if (!present) process.stderr.write('SKIPPED: test/intake/tls-dcmtk.test.ts needs DCMTK and openssl\n');

interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program to its end. */
async function run(program: string, args: readonly string[]): Promise<Run> {
  const child = spawn(program, args, {
    env: { ...process.env, TCP_NODELAY: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, output };
}

/** A file beside those of the TLS port. */
function beside({ folder }: TlsHarness, name: string, content: string | Buffer): string {
  const path = join(dirname(folder.certFile), name);
  writeFileSync(path, content);
  return path;
}

function dicomFile(harness: TlsHarness, instance: MadeInstance): string {
  return beside(harness, 'image.dcm', Buffer.concat([part10Header(instance), instance.dataSet]));
}

/** Calls the TLS port with a DCMTK tool that trusts our authority. */
function call(
  harness: TlsHarness,
  tool: 'storescu' | 'echoscu',
  tls: readonly string[],
  { title = 'CT1', files = [] }: { title?: string; files?: readonly string[] } = {},
): Promise<Run> {
  const ca = beside(harness, 'authority.pem', harness.authority.cert);
  const names = ['-aet', title, '-aec', 'GANTRY'];
  const to = ['127.0.0.1', String(harness.tls.state().port), ...files];
  return run(tool, ['-v', ...tls, '+cf', ca, ...names, ...to]);
}

const rsa = { made: (by: TlsHarness['authority']) => by.server({ rsaBits: 2048 }) };

test.runIf(present).each(['--profile-bcp195', '--profile-bcp195-nd', '--profile-bcp195-ex'])(
  'storescu %s stores over TLS, byte for byte',
  async (profile) => {
    const harness = await startTls(rsa);
    const instance = ctSlice({ rows: 512, columns: 512, seed: 1 });
    const files = [dicomFile(harness, instance)];
    const { code, output } = await call(harness, 'storescu', ['+tla', profile, '-xe'], { files });
    expect(code, output).toBe(0);
    expect(harness.spool.objects.map(({ state }) => state)).toEqual(['committed']);
    expect(harness.spool.dataSet(0).equals(instance.dataSet)).toBe(true);
    await eventually(() => harness.listener.stats().idleConnections === 0);
    expect(harness.counts()).toEqual({});
  },
);

test.runIf(present).each(['--profile-aes', '--profile-null'])(
  '%s is of the past and refused',
  async (profile) => {
    const harness = await startTls(rsa);
    const { code, output } = await call(harness, 'echoscu', ['+tla', profile]);
    expect(code, output).not.toBe(0);
    await eventually(() => harness.listener.stats().idleConnections === 0);
    expect(harness.counts()).toEqual({ TLS_NOTHING_SHARED: 1 });
  },
);

test.runIf(present)('a device that knows only DHE needs B.12', async () => {
  const dhe = ['+tla', '--profile-bcp195', '+cs', 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256'];
  const old = ['-tls1_2', '-cipher', 'DHE-RSA-AES128-GCM-SHA256', '-brief'];
  const modern = await startTls(rsa);
  const to = ({ tls }: TlsHarness) => ['-connect', `127.0.0.1:${tls.state().port}`];
  expect((await run('openssl', ['s_client', ...to(modern), ...old])).output).toMatch(/handshake failure/);
  const lenient = await startTls({ ...rsa, tls: { profile: 'b12' } });
  expect((await run('openssl', ['s_client', ...to(lenient), ...old])).output).toMatch(
    /CONNECTION ESTABLISHED/,
  );
  expect((await call(lenient, 'echoscu', dhe)).code).toBe(0);
});

test.runIf(present)('openssl s_client is refused below TLS 1.2', async () => {
  const harness = await startTls();
  for (const version of ['-tls1', '-tls1_1']) {
    const args = ['s_client', '-connect', `127.0.0.1:${harness.tls.state().port}`, version];
    const { output } = await run('openssl', [...args, '-cipher', 'DEFAULT@SECLEVEL=0']);
    expect(output).toMatch(/alert protocol version/);
  }
  expect(harness.counts()).toEqual({ TLS_VERSION_TOO_OLD: 2 });
});

test.runIf(present)('a device that does not trust our certificate is told what to install', async () => {
  const harness = await startTls(rsa);
  const other = beside(harness, 'other.pem', (await makeAuthority('Other')).cert);
  const to = ['-aec', 'GANTRY', '127.0.0.1', String(harness.tls.state().port)];
  const { code, output } = await run('echoscu', ['+tla', '+cf', other, ...to]);
  expect(code, output).not.toBe(0);
  expect(output).toMatch(/certificate verify failed/);
  await eventually(() => harness.listener.stats().idleConnections === 0);
  // Its alert, unless the end of the connection overtakes it.
  const [refusal, ...others] = harness.listener.stats().refusals;
  expect(others).toEqual([]);
  expect(['TLS_SERVER_CERTIFICATE_REFUSED', 'TLS_HANDSHAKE_BROKEN_OFF']).toContain(refusal?.code);
  expect(refusal?.nextStep).toMatch(/this gateway's certificate/);
});

test.runIf(present)(
  'echoscu with the bound certificate is let in, with another one it reads why not',
  async () => {
    const devices = await makeAuthority('Device authority');
    const [right, wrong] = [await devices.client({ rsaBits: 2048 }), await devices.client({ rsaBits: 2048 })];
    const certificate = { sha256: [fingerprint(right)], names: [] };
    const modalities = { ct: { aeTitle: 'CT1', addresses: [], priority: 'routine', certificate } } as const;
    const harness = await startTls({
      ...rsa,
      intake: { ...intakeOptions, modalities },
      tls: { asksForCertificates: true },
    });
    const as = (name: string, { cert, key }: typeof right) => [
      '+tls',
      beside(harness, `${name}.key`, key),
      beside(harness, `${name}.pem`, cert),
    ];
    const good = await call(harness, 'echoscu', as('right', right));
    expect(good.code, good.output).toBe(0);
    for (const tls of [as('wrong', wrong), ['+tla']]) {
      const { code, output } = await call(harness, 'echoscu', tls);
      expect(code).not.toBe(0);
      expect(output).toContain('Calling AE Title Not Recognized');
    }
    const otherTitle = await call(harness, 'echoscu', as('right', right), { title: 'MR1' });
    expect(otherTitle.output).toContain('Calling AE Title Not Recognized');
    expect(harness.counts()).toEqual({
      TLS_CLIENT_CERTIFICATE_UNKNOWN: 1,
      TLS_CLIENT_CERTIFICATE_MISSING: 1,
      CALLING_AE_TITLE: 1,
    });
  },
);
