import { expect, test } from 'vitest';
import { type Config, parseConfig } from '../../src/config/schema.ts';

const destinations = { cloud: { type: 'stow', url: 'https://archive.example/dicom-web/studies' } };
const colons = 'AB:'.repeat(31).concat('AB');

function accepted(parts: object): Config {
  const result = parseConfig({ destinations, ...parts });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

test('TLS is off unless it is written, and {} is enough', () => {
  expect(accepted({}).intake.tls).toBeNull();
  expect(accepted({ intake: { tls: null } }).intake.tls).toBeNull();
  expect(accepted({ intake: { tls: {} } }).intake.tls).toEqual({
    host: null,
    port: 2762,
    profile: 'b13',
    certFile: null,
    keyFile: null,
    clientCaFile: null,
    requireClientCertificate: null,
  });
});

test('a fingerprint may be written as the usual tools show it', () => {
  const certificate = { sha256: [colons, 'ab'.repeat(32)] };
  const { modalities } = accepted({
    intake: { tls: {} },
    modalities: { ct1: { aeTitle: 'CT1', certificate } },
  });
  expect(modalities['ct1']?.certificate).toEqual({ sha256: ['ab'.repeat(32), 'ab'.repeat(32)], names: [] });
});

const bound = (certificate: object) => ({ modalities: { ct1: { aeTitle: 'CT1', certificate } } });

test.each<[name: string, parts: object, path: string, cause: RegExp, suggestion: RegExp]>([
  [
    'a misspelt setting',
    { intake: { tls: { certfile: '/a' } } },
    'intake.tls.certfile',
    /not a known/,
    /"certFile"/,
  ],
  ['a profile of old', { intake: { tls: { profile: 'b1' } } }, 'intake.tls.profile', /not one of/, /"b13"/],
  ['half a pair', { intake: { tls: { certFile: '/a' } } }, 'intake.tls', /only one of/, /both/],
  [
    'the port of plain DICOM',
    { intake: { port: 2762, tls: {} } },
    'intake.tls.port',
    /"intake.port"/,
    /own port/,
  ],
  [
    'the port of the page',
    { web: { port: 2762 }, intake: { tls: {} } },
    'intake.tls.port',
    /"web.port"/,
    /own/,
  ],
  [
    'a binding without TLS',
    bound({ sha256: [colons] }),
    'modalities.ct1.certificate',
    /TLS, which is off/,
    /"tls": \{\}/,
  ],
  [
    'a binding to nothing',
    { intake: { tls: {} }, ...bound({}) },
    'modalities.ct1.certificate',
    /names no certificate/,
    /"sha256"/,
  ],
  [
    'a fingerprint of another kind',
    { intake: { tls: {} }, ...bound({ sha256: ['AB:CD'] }) },
    'modalities.ct1.certificate.sha256[0]',
    /not a SHA-256/,
    /openssl x509/,
  ],
  [
    'names that nobody vouches for',
    { intake: { tls: {} }, ...bound({ names: ['ct1.example'] }) },
    'modalities.ct1.certificate.names',
    /authority/,
    /clientCaFile/,
  ],
  [
    'a certificate required, and none known',
    { intake: { tls: { requireClientCertificate: true } } },
    'intake.tls.requireClientCertificate',
    /nobody in/,
    /clientCaFile/,
  ],
])('%s is said with what to write instead', (_, parts, path, cause, suggestion) => {
  const result = parseConfig({ destinations, ...parts });
  if (result.ok) throw new Error('accepted');
  expect(result.problems).toHaveLength(1);
  expect(result.problems[0]?.path).toBe(path);
  expect(result.problems[0]?.cause).toMatch(cause);
  expect(result.problems[0]?.suggestion).toMatch(suggestion);
});
