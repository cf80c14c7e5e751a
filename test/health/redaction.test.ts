import { expect, test } from 'vitest';
import { redactConfig } from '../../src/health/redaction.ts';

test('hides who signs in and with what, and what may stand in addresses; keeps what helps', () => {
  const document = {
    site: { name: 'North Clinic' },
    modalities: { ct1: { aeTitle: 'CT1', addresses: ['10.4.1.20'] } },
    destinations: {
      cloud: {
        url: 'https://archive.example/tenant/dicom-web/studies',
        auth: { type: 'basic', user: 'anna', passwordFile: '/etc/gantry/password' },
        proxy: { url: 'http://proxy.example:3128', user: 'box', passwordFile: '/etc/gantry/proxy' },
      },
    },
    users: { anna: { role: 'admin', passwordHash: '$scrypt$…' } },
    notify: {
      webhook: { url: 'https://hooks.example/services/T0/SECRET?key=1', token: 'abc' },
      email: { to: ['it@north.example'], password: 'x' },
    },
    remote: { token: null },
  };
  const before = JSON.stringify(document);
  expect(redactConfig(document)).toEqual({
    site: { name: 'North Clinic' },
    modalities: { ct1: { aeTitle: 'CT1', addresses: ['10.4.1.20'] } },
    destinations: {
      cloud: {
        url: 'https://archive.example/tenant/dicom-web/studies',
        auth: { type: 'basic', user: '(hidden)', passwordFile: '/etc/gantry/password' },
        proxy: { url: 'http://proxy.example:3128', user: '(hidden)', passwordFile: '/etc/gantry/proxy' },
      },
    },
    users: '(hidden): 1',
    notify: {
      webhook: { url: 'https://hooks.example/(hidden)', token: '(hidden)' },
      email: { to: ['it@north.example'], password: '(hidden)' },
    },
    remote: { token: null },
  });
  expect(JSON.stringify(document)).toBe(before);
});

test('takes whatever it is given', () => {
  expect([null, 'text', 7].map(redactConfig)).toEqual([null, 'text', 7]);
});
