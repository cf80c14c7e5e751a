import type { X509Certificate } from 'node:crypto';

/** A key shorter than this is refused, ours and theirs (PS3.15 B.13, RFC 9325 §4.5). */
const rsaBitsMin = 2048;
const weakCurves = new Set([
  'prime192v1',
  'secp192r1',
  'secp192k1',
  'secp224r1',
  'secp224k1',
  'P-192',
  'P-224',
]);

export function isKeyTooShort({ publicKey }: X509Certificate): boolean {
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined) return modulusLength < rsaBitsMin;
  return namedCurve !== undefined && weakCurves.has(namedCurve);
}

/** SHA-256 over the certificate (DER), 64 small hex digits. */
export function fingerprintOf(certificate: X509Certificate): string {
  return plainFingerprint(certificate.fingerprint256);
}

/** A fingerprint as it is compared, however it was written. */
export function plainFingerprint(text: string): string {
  return text.replaceAll(':', '').toLowerCase();
}

/** A fingerprint as other programs show it: `AB:CD:…`. */
export function shownFingerprint(plain: string): string {
  return plain.toUpperCase().replaceAll(/(..)(?!$)/g, '$1:');
}

/** When a certificate is valid, milliseconds since the epoch. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export function validityOf({ validFromDate, validToDate }: X509Certificate): Validity {
  return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
}

/** Where a certificate stands in its life; `renew` from two thirds of it on. */
export type CertificateLife = 'early' | 'ok' | 'renew' | 'expired';

export function lifeOf({ notBefore, notAfter }: Validity, now: number): CertificateLife {
  // Written so that a date that is none (NaN) never counts as valid.
  if (!(now >= notBefore)) return 'early';
  if (!(now <= notAfter)) return 'expired';
  return now >= notBefore + ((notAfter - notBefore) * 2) / 3 ? 'renew' : 'ok';
}
