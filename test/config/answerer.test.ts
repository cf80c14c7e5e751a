import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/schema.ts';
import { settingsOf } from '../../src/gateway-store.ts';

const cloud = {
  type: 'stow',
  url: 'https://archive.example/studies',
  auth: { type: 'bearer', tokenFile: '/etc/gantry/token' },
};
const pacs = { type: 'dimse', host: 'pacs.example', port: 104, aeTitle: 'PACS' };
const nas = { type: 'folder', path: '/mnt/nas' };

function fingerprintOf(destination: object): string | undefined {
  const parsed = parseConfig({
    site: { name: 'Bench' },
    destinations: { one: destination },
    routes: { default: { to: ['one'] } },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed));
  return settingsOf(parsed.config)['one'];
}

test.each([
  ['address', cloud, { url: 'https://other.example/studies' }],
  ['profile', cloud, { profile: 'google' }],
  ['sign-in', cloud, { auth: { type: 'bearer', tokenFile: '/etc/gantry/other' } }],
  ['host', pacs, { host: 'other.example' }],
  ['port', pacs, { port: 11112 }],
  ['AE title', pacs, { aeTitle: 'OTHER' }],
  ['own AE title', pacs, { callingAeTitle: 'GANTRY2' }],
  ['folder', nas, { path: '/mnt/other' }],
])('another %s may be another archive', (_name, before, change) => {
  expect(fingerprintOf({ ...before, ...change })).not.toBe(fingerprintOf(before));
});

test.each([
  ['parallel', cloud, { parallel: 3 }],
  ['batch', cloud, { batch: { instancesMax: 7 } }],
  ['proof', cloud, { verify: 'wado-digest', digestSample: 1 }],
  ['authority', cloud, { caFile: '/etc/gantry/ca.pem' }],
  ['proxy', cloud, { proxy: { url: 'http://proxy.example:3128' } }],
  ['HTTP/2', cloud, { http2: true }],
  ['associations', pacs, { parallel: 5 }],
  ['test study', nas, { allowTestStudy: true }],
])('what an archive takes does not depend on: %s', (_name, before, change) => {
  expect(fingerprintOf({ ...before, ...change })).toBe(fingerprintOf(before));
});
