import type { TlsCertificateReport } from './status.ts';
import { degraded, type Judgement } from './judgement.ts';
import type { VerdictFacts } from './verdict.ts';

/** Devices that send over TLS are shut out; the others are not. */
export function tlsClosed({ intake: { tls } }: VerdictFacts): Judgement | null {
  if (tls === null || tls.open) return null;
  const because = tls.problem?.words ?? 'The DICOM TLS port is being opened.';
  return degraded(
    'TLS_CLOSED',
    `Not receiving over TLS: ${because} Images sent without TLS are received.`,
    tls.problem?.nextStep ?? 'Wait a minute; if this stays, call IT.',
    { cause: tls.problem },
  );
}

/** Devices may refuse to send to a box whose certificate is not valid. */
export function tlsCertificate(facts: VerdictFacts): Judgement | null {
  const certificate = facts.intake.tls?.certificate ?? null;
  if (certificate?.life === 'expired')
    return degraded(
      'TLS_EXPIRED',
      `The certificate for DICOM over TLS expired on ${dayText(certificate.notAfter, facts)}; devices may refuse to send.`,
      renewalStep(certificate),
      { at: Date.parse(certificate.notAfter) },
    );
  if (certificate?.life === 'early')
    return degraded(
      'TLS_EARLY',
      `The certificate for DICOM over TLS is valid only from ${dayText(certificate.notBefore, facts)} on; devices may refuse to send.`,
      `Check the date of this box. If it is right: ${renewalStep(certificate)}`,
      { at: Date.parse(certificate.notBefore) },
    );
  return null;
}

/** A changed file that cannot be used never replaces the certificate in use. */
export function tlsFilesRejected({ intake: { tls } }: VerdictFacts): Judgement | null {
  if (tls === null || tls.problem === null || !tls.open) return null;
  return degraded(
    'TLS_FILES_REJECTED',
    `A changed certificate for DICOM over TLS is not in use: ${tls.problem.words} The one before it stays.`,
    tls.problem.nextStep,
    { cause: tls.problem },
  );
}

export function tlsRenewal(facts: VerdictFacts): Judgement | null {
  const certificate = facts.intake.tls?.certificate ?? null;
  if (certificate?.life !== 'renew') return null;
  return degraded(
    'TLS_RENEW',
    `The certificate for DICOM over TLS ends on ${dayText(certificate.notAfter, facts)}; it works until then.`,
    renewalStep(certificate),
    { at: Date.parse(certificate.notAfter) },
  );
}

/** A certificate that devices were told to trust is not replaced behind their back: a person has to do both. */
function renewalStep({ selfSigned, file }: TlsCertificateReport): string {
  return selfSigned
    ? `Remove config/dicom-tls from the data directory and restart the gateway: it makes a new certificate (${file}). Then install that in the devices.`
    : `Get a new certificate and put it, with its key, in the place of ${file}. It is taken over by itself.`;
}

function dayText(iso: string, { timeZone }: VerdictFacts): string {
  const options: Intl.DateTimeFormatOptions = { timeZone, day: 'numeric', month: 'short', year: 'numeric' };
  return new Intl.DateTimeFormat('en-GB', options).format(Date.parse(iso));
}
