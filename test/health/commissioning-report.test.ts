import { expect, test } from 'vitest';
import { commissioningReport } from '../../src/health/commissioning-report.ts';
import { buildStatus } from '../../src/health/status-builder.ts';
import { now, statusInputs } from './status-inputs.ts';

const network = {
  cards: [
    {
      name: 'eth0',
      link: true,
      addresses: [{ address: '10.4.1.9', prefix: 24, assigned: 'dhcp' as const }],
    },
  ],
  gateway: { address: '10.4.1.1', answers: true },
  dnsServers: ['10.4.1.2'],
  timeServers: [],
  clockSynchronised: true,
  proxies: {},
  staleAddresses: [],
  clock: { now, synchronised: true, offsetSeconds: {}, trusted: true },
};

test('says what works and what does not, and is safe against markup in names', () => {
  const status = buildStatus(statusInputs({ site: { name: '<script>alert(1)</script>', timeZone: 'UTC' } }));
  const html = commissioningReport({
    status,
    boxId: 'box-1',
    network,
    echoes: { ct1: { ok: true, code: 'ECHO_OK', words: '"ct1" answered.', nextStep: null, milliseconds: 3 } },
    lines: [
      {
        destination: 'cloud',
        ok: false,
        failed: 'dns',
        steps: [
          {
            step: 'dns',
            state: 'failed',
            code: 'ENOTFOUND',
            words: 'The name is not known.',
            detail: null,
            nextStep: 'Ask IT.',
            call: 'site-it',
            attention: false,
          },
        ],
      },
    ],
  });
  expect(html).not.toContain('<script');
  expect(html).toContain('10.4.1.9/24 (dhcp)');
  expect(html).toContain('Fails at dns (ENOTFOUND): The name is not known. Ask IT.');
  expect(html).toMatch(/25 images, last .*From here: &#34;ct1&#34; answered\./);
});
