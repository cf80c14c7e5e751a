import { describe, expect, test } from 'vitest';
import { type LinePorts, type LineReport, testFolder, testLine } from '../../src/health/line-test.ts';
import type { NetworkFacts } from '../../src/health/network-facts.ts';
import { now } from './status-inputs.ts';

const network: NetworkFacts = {
  cards: [{ name: 'eth0', link: true, addresses: [{ address: '10.4.1.9', prefix: 24, assigned: 'dhcp' }] }],
  gateway: { address: '10.4.1.1', answers: true },
  dnsServers: ['10.4.1.2'],
  timeServers: [],
  clockSynchronised: null,
};

const certificate = {
  fault: null,
  issuer: 'Good CA, Good Ltd',
  notBefore: now - 86_400_000,
  notAfter: now + 30 * 86_400_000,
};

function fail(code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error(code), { code }));
}

function line(parts: Partial<LinePorts> = {}): Promise<LineReport> {
  return testLine({
    destination: 'cloud',
    kind: 'stow',
    host: 'archive.example',
    port: 443,
    proxy: null,
    network: async () => network,
    lookUp: async () => ['203.0.113.9'],
    openProxy: async () => {},
    connect: async () => certificate,
    ping: async () => ({ kind: 'answered', status: 200 }),
    clockOffsetMs: () => 400,
    knownIssuer: null,
    faultWords: (code) => `words for ${code}`,
    now: () => now,
    ...parts,
  });
}

const statesOf = ({ steps }: LineReport) => Object.fromEntries(steps.map(({ step, state }) => [step, state]));

/** What the first step that failed says. */
function failure({ failed, steps }: LineReport) {
  return steps.find(({ step }) => step === failed);
}

test('a line in order: every hop needed is ok, in order', async () => {
  const report = await line();
  expect(report).toMatchObject({ ok: true, failed: null, issuer: 'Good CA, Good Ltd' });
  expect(report.steps.map(({ step, state }) => `${step} ${state}`)).toEqual([
    'link ok',
    'gateway ok',
    'dns ok',
    'proxy skipped',
    'tls ok',
    'sign-in ok',
    'clock ok',
  ]);
});

const unlinked = { ...network, cards: [{ name: 'eth0', link: false, addresses: [] }] };
const unaddressed = { ...network, cards: [{ name: 'eth0', link: true, addresses: [] }] };
const proxy = { host: 'proxy.example', port: 3128 };
const expired = { ...certificate, fault: 'CERT_HAS_EXPIRED', notAfter: now - 2 * 86_400_000 };

describe('the first hop that fails is named, with whom to call, and nothing behind it is tried', () => {
  test.each<{
    name: string;
    parts: Partial<LinePorts>;
    step: string;
    code: string;
    call: string;
    words: RegExp;
  }>([
    {
      name: 'no cable',
      parts: { network: async () => unlinked },
      step: 'link',
      code: 'NO_LINK',
      call: 'on-site',
      words: /No network card/,
    },
    {
      name: 'no address',
      parts: { network: async () => unaddressed },
      step: 'link',
      code: 'NO_ADDRESS',
      call: 'site-it',
      words: /no IP address/,
    },
    {
      name: 'no gateway',
      parts: { network: async () => ({ ...network, gateway: null }) },
      step: 'gateway',
      code: 'NO_GATEWAY',
      call: 'site-it',
      words: /no way out/,
    },
    {
      name: 'silent gateway',
      parts: { network: async () => ({ ...network, gateway: { address: '10.4.1.1', answers: false } }) },
      step: 'gateway',
      code: 'GATEWAY_SILENT',
      call: 'site-it',
      words: /10\.4\.1\.1 does not answer/,
    },
    {
      name: 'unknown name',
      parts: { lookUp: fail('ENOTFOUND') },
      step: 'dns',
      code: 'ENOTFOUND',
      call: 'site-it',
      words: /archive\.example is not known.*10\.4\.1\.2/,
    },
    {
      name: 'silent name server',
      parts: { lookUp: fail('EAI_AGAIN') },
      step: 'dns',
      code: 'EAI_AGAIN',
      call: 'site-it',
      words: /does not answer/,
    },
    {
      name: 'proxy',
      parts: { proxy, openProxy: fail('PROXY_SIGN_IN_REFUSED') },
      step: 'proxy',
      code: 'PROXY_SIGN_IN_REFUSED',
      call: 'site-it',
      words: /proxy\.example, port 3128 fails: words for PROXY_SIGN_IN_REFUSED/,
    },
    {
      name: 'firewall',
      parts: { connect: fail('UND_ERR_CONNECT_TIMEOUT') },
      step: 'tls',
      code: 'UND_ERR_CONNECT_TIMEOUT',
      call: 'site-it',
      words: /No connection/,
    },
    {
      name: 'archive away',
      parts: { connect: fail('ECONNREFUSED') },
      step: 'tls',
      code: 'ECONNREFUSED',
      call: 'archive',
      words: /No connection/,
    },
    {
      name: 'own file',
      parts: { connect: fail('CA_FILE_UNREADABLE') },
      step: 'tls',
      code: 'CA_FILE_UNREADABLE',
      call: 'site-it',
      words: /words for CA_FILE/,
    },
    {
      name: 'expired',
      parts: { connect: async () => expired },
      step: 'tls',
      code: 'CERT_HAS_EXPIRED',
      call: 'archive',
      words: /expired on 2026-01-13.*it is 2026-01-15/,
    },
    {
      name: 'too early',
      parts: { connect: async () => ({ ...certificate, fault: 'CERT_NOT_YET_VALID' }) },
      step: 'tls',
      code: 'CERT_NOT_YET_VALID',
      call: 'site-it',
      words: /valid from 2026-01-14/,
    },
    {
      name: 'interception',
      parts: {
        connect: async () => ({ ...certificate, fault: 'SELF_SIGNED_CERT_IN_CHAIN', issuer: 'FirewallCA' }),
        knownIssuer: 'Good CA, Good Ltd',
      },
      step: 'tls',
      code: 'SELF_SIGNED_CERT_IN_CHAIN',
      call: 'site-it',
      words: /signed by "FirewallCA".*used to be signed by "Good CA, Good Ltd".*firewall/,
    },
    {
      name: 'sign-in',
      parts: { ping: async () => ({ kind: 'answered', status: 401 }) },
      step: 'sign-in',
      code: 'HTTP_401',
      call: 'archive',
      words: /refuses the sign-in/,
    },
    {
      name: 'wrong path',
      parts: { ping: async () => ({ kind: 'answered', status: 404 }) },
      step: 'sign-in',
      code: 'HTTP_404',
      call: 'archive',
      words: /no such service/,
    },
    {
      name: 'archive ill',
      parts: { ping: async () => ({ kind: 'answered', status: 503 }) },
      step: 'sign-in',
      code: 'HTTP_503',
      call: 'archive',
      words: /out of order/,
    },
    {
      name: 'token file',
      parts: { ping: async () => ({ kind: 'failed', code: 'TOKEN_FILE_UNREADABLE' }) },
      step: 'sign-in',
      code: 'TOKEN_FILE_UNREADABLE',
      call: 'site-it',
      words: /TOKEN_FILE/,
    },
    {
      name: 'clock',
      parts: { clockOffsetMs: () => 3_600_000 },
      step: 'clock',
      code: 'CLOCK_WRONG',
      call: 'site-it',
      words: /3600 seconds behind/,
    },
  ])('$name', async ({ parts, step, code, call, words }) => {
    const report = await line(parts);
    expect(report).toMatchObject({ ok: false, failed: step });
    expect(failure(report)).toMatchObject({ state: 'failed', code, call });
    expect(failure(report)?.words).toMatch(words);
    expect(failure(report)?.nextStep).toMatch(/\w/);
    const at = report.steps.findIndex((one) => one.step === step);
    expect(report.steps.slice(at + 1).every(({ state }) => state === 'skipped')).toBe(true);
    expect(report.steps.slice(0, at).every(({ state }) => state !== 'failed')).toBe(true);
    expect(report).toMatchObject({ issuer: null });
  });
});

describe('what a way does not need is skipped', () => {
  test('to this machine: neither card nor gateway nor name service', async () => {
    const report = await line({ host: '127.0.0.1', network: async () => ({ ...unlinked, gateway: null }) });
    expect(statesOf(report)).toMatchObject({
      link: 'skipped',
      gateway: 'skipped',
      dns: 'skipped',
      tls: 'ok',
    });
  });

  test('within the own network no gateway', async () => {
    const report = await line({
      lookUp: async () => ['10.4.1.77'],
      network: async () => ({ ...network, gateway: null }),
    });
    expect(statesOf(report)).toMatchObject({ link: 'ok', gateway: 'skipped', dns: 'ok' });
    const far = await line({
      lookUp: async () => ['10.4.2.77'],
      network: async () => ({ ...network, gateway: null }),
    });
    expect(far.failed).toBe('gateway');
  });

  test('through a proxy it is the name of the proxy that is looked up', async () => {
    const asked: string[] = [];
    await line({
      proxy,
      lookUp: async (host) => {
        asked.push(host);
        return ['203.0.113.1'];
      },
    });
    expect(asked).toEqual(['proxy.example']);
  });
});

test('an authority that changed is told, and is no failure', async () => {
  const report = await line({ knownIssuer: 'Other CA' });
  expect(report.ok).toBe(true);
  expect(report.steps.find(({ step }) => step === 'tls')).toMatchObject({
    state: 'ok',
    code: 'ISSUER_CHANGED',
    attention: true,
    words: expect.stringMatching(/signed by "Good CA, Good Ltd".*used to be signed by "Other CA"/) as string,
  });
});

test('a folder: what could not be done there, and that nothing behind it is said', async () => {
  const faultWords = (code: string) => `words for ${code}`;
  const probe = (failed: 'mount' | 'write' | 'read' | 'delete', code: string) =>
    testFolder({ destination: 'nas', probe: async () => ({ ok: false, failed, code }), faultWords });
  expect(
    await testFolder({ destination: 'nas', probe: async () => ({ ok: true }), faultWords }),
  ).toMatchObject({
    ok: true,
    steps: [
      { step: 'mount', state: 'ok' },
      { step: 'write', state: 'ok' },
    ],
  });
  expect(statesOf(await probe('mount', 'FOLDER_NOT_MOUNTED'))).toEqual({ mount: 'failed', write: 'skipped' });
  expect(failure(await probe('write', 'ENOSPC'))?.words).toContain('no room left');
  expect(failure(await probe('delete', 'EACCES'))?.words).toContain('could not be deleted');
});
