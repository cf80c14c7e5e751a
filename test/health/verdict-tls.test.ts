import { describe, expect, test } from 'vitest';
import type { StatusReport, TlsReport } from '../../src/health/status.ts';
import { buildStatus } from '../../src/health/status-builder.ts';
import { cloudUp, now, statusInputs } from './status-inputs.ts';

const dayMs = 86_400_000;
const iso = (days: number) => new Date(now + days * dayMs).toISOString();

const certificate = {
  selfSigned: true,
  file: '/data/config/dicom-tls.pem',
  sha256: 'AB:CD',
  notBefore: iso(-10),
  notAfter: iso(80),
  daysLeft: 80,
  life: 'ok',
} as const;

const well: TlsReport = {
  open: true,
  port: 2762,
  profile: 'b13',
  clientCertificateRequired: false,
  certificate,
  problem: null,
};
const problem = {
  code: 'TLS_FILE_INVALID',
  words: 'The file holds no certificate.',
  nextStep: 'Convert it.',
};

function report(tls: TlsReport | null): StatusReport {
  const inputs = statusInputs({ destinations: { cloud: cloudUp } });
  return buildStatus({ ...inputs, intake: { ...inputs.intake, tls } });
}

describe('the verdict', () => {
  test('is not touched by TLS that is off or well', () => {
    for (const tls of [null, well]) {
      expect(report(tls).verdict).toBe('working');
      expect(report(tls).intake.tls).toEqual(tls);
    }
  });

  test('says that the TLS port is closed, and that the other one is not', () => {
    const { verdict, reason, nextStep } = report({ ...well, open: false, certificate: null, problem });
    expect(verdict).toBe('degraded');
    expect(reason).toBe(
      'Not receiving over TLS: The file holds no certificate. Images sent without TLS are received.',
    );
    expect(nextStep).toBe('Convert it.');
  });

  test('says that a changed file is not in use', () => {
    const { verdict, reason } = report({ ...well, problem });
    expect(verdict).toBe('degraded');
    expect(reason).toContain('not in use: The file holds no certificate. The one before it stays.');
  });

  test.each([
    ['renew', 'ends on 5 Apr 2026', /Remove config\/dicom-tls .* restart/],
    ['expired', 'expired on 5 Apr 2026', /Remove config\/dicom-tls/],
    ['early', 'valid only from 5 Jan 2026', /Check the date of this box/],
  ] as const)('says of a certificate of its own that is at "%s" what to do', (life, words, step) => {
    const { verdict, reason, nextStep } = report({ ...well, certificate: { ...certificate, life } });
    expect(verdict).toBe('degraded');
    expect(reason).toContain(words);
    expect(nextStep).toMatch(step);
  });

  test('asks for a new file where the certificate is one', () => {
    const own = { ...certificate, selfSigned: false, file: '/etc/gantry/tls.pem', life: 'renew' } as const;
    expect(report({ ...well, certificate: own }).nextStep).toContain('in the place of /etc/gantry/tls.pem');
  });

  test('a certificate that ends some day does not hide what is wrong now', () => {
    const inputs = statusInputs();
    const tls = { ...well, certificate: { ...certificate, life: 'renew' } } as const;
    const { reason } = buildStatus({
      ...inputs,
      intake: { ...inputs.intake, tls },
      disk: { ...inputs.disk, state: 'low' },
    });
    expect(reason).toMatch(/disk/);
  });
});
