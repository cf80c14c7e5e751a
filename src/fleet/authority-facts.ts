import { X509Certificate } from 'node:crypto';
import { fingerprintOf, shownFingerprint, validityOf } from '../base/certificate.ts';
import { CertificateRecord } from './certificate-record.ts';
import { isTrusted, requireAuthorityCertificate } from './device-ca.ts';
import { readTrust } from './trust-chain.ts';

/** The authority of a fleet, for people. */
export interface AuthorityFacts {
  readonly subject: string;
  /** `AB:CD:…` */
  readonly sha256: string;
  readonly notAfter: string;
  /** Whether boxes take its certificates. */
  readonly inTrust: boolean;
  readonly issued: number;
  readonly valid: number;
  readonly revoked: number;
}

/** @throws GantryError FLEET_NO_CA, FLEET_CERTIFICATES_DAMAGED */
export async function authorityFacts(directory: string, now: Date): Promise<AuthorityFacts> {
  const cert = await requireAuthorityCertificate(directory);
  const certificate = new X509Certificate(cert);
  const issued = [...(await new CertificateRecord(directory).all()).values()].flat();
  const good = issued.filter(({ revoked, notAfter }) => revoked === null && Date.parse(notAfter) > +now);
  return {
    subject: certificate.subject,
    sha256: shownFingerprint(fingerprintOf(certificate)),
    notAfter: new Date(validityOf(certificate).notAfter).toISOString(),
    inTrust: isTrusted((await readTrust(directory))?.document.deviceCa ?? [], cert),
    issued: issued.length,
    valid: good.length,
    revoked: issued.filter(({ revoked }) => revoked !== null).length,
  };
}
