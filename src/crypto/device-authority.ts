import { createHash, type KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import { commonNameCharsMax, ecdsa, loadX509, newSerialNumber, pem, privatePem } from './x509.ts';

const dayMs = 24 * 60 * 60 * 1000;
/** A clock a little behind is no reason to take a new certificate for one of the future. */
const backMs = 10 * 60 * 1000;
/** The authority outlasts every box. */
const authorityYears = 20;

/** Key and certificate of the authority that issues the certificates of boxes. */
export interface DeviceAuthority {
  /** PEM. */
  readonly cert: string;
  /** Private, ECDSA on P-256. */
  readonly key: KeyObject;
}

/** A request for a certificate (PKCS #10, RFC 2986), checked: whoever made it has the private key. */
export interface CertificateRequest {
  /** SHA-256 (hex) of the public key (SubjectPublicKeyInfo, DER). */
  readonly keySha256: string;
  readonly pem: string;
}

export interface IssuedCertificate {
  /** PEM. */
  readonly cert: string;
  /** Hex. */
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Makes a key, and a request for a certificate for it. @returns PEM of both */
export async function makeCertificateRequest(name: string): Promise<{ key: string; request: string }> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name.slice(0, commonNameCharsMax)] }],
    keys,
    signingAlgorithm: ecdsa,
  });
  return { key: await privatePem(keys.privateKey), request: `${request.toString('pem')}\n` };
}

/** Null where it is no request, is damaged, is not signed by its own key, or is for a key of another kind. */
export async function readCertificateRequest(text: string): Promise<CertificateRequest | null> {
  const x509 = await loadX509();
  try {
    const request = new x509.Pkcs10CertificateRequest(text);
    const { algorithm } = request.publicKey;
    if (algorithm.name !== ecdsa.name || !('namedCurve' in algorithm)) return null;
    if (algorithm.namedCurve !== ecdsa.namedCurve || !(await request.verify())) return null;
    return { keySha256: sha256(Buffer.from(request.publicKey.rawData)), pem: text };
  } catch {
    return null;
  }
}

/** Makes the authority of a fleet. @returns PEM of its certificate and its private key */
export async function makeDeviceAuthority(
  fleet: string,
  now: Date,
): Promise<{ readonly cert: string; readonly key: string }> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: [{ CN: [`Gantry boxes of ${fleet}`.slice(0, commonNameCharsMax)] }],
    keys,
    signingAlgorithm: ecdsa,
    notBefore: new Date(now.getTime() - backMs),
    notAfter: new Date(now.getTime() + authorityYears * 365 * dayMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: await privatePem(keys.privateKey) };
}

/** Issues a certificate that its holder can sign in with as a client, and nothing else. @param name its subject */
export async function issueCertificate(
  authority: DeviceAuthority,
  request: CertificateRequest,
  { name, days, now }: { readonly name: string; readonly days: number; readonly now: Date },
): Promise<IssuedCertificate> {
  const x509 = await loadX509();
  const { publicKey } = new x509.Pkcs10CertificateRequest(request.pem);
  const issuer = new x509.X509Certificate(authority.cert);
  // Certificates count in whole seconds.
  const notBefore = new Date(Math.floor((now.getTime() - backMs) / 1000) * 1000);
  const ends = Math.min(notBefore.getTime() + days * dayMs, issuer.notAfter.getTime());
  const serialNumber = newSerialNumber();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber,
    subject: [{ CN: [name] }],
    issuer: issuer.subjectName.toJSON(),
    publicKey,
    signingKey: await signingKeyOf(authority),
    signingAlgorithm: ecdsa,
    notBefore,
    notAfter: new Date(ends),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  const cert = `${certificate.toString('pem')}\n`;
  return { cert, serial: serialNumber, notBefore, notAfter: new Date(ends) };
}

/**
 * Signs the list of certificates that are good no more (CRL, RFC 5280 §5). It is good until the authority ends: web
 * servers and brokers turn everybody away under a list that has ended, and a fleet is not to be lost by a forgotten
 * cron job. @returns PEM
 */
export async function makeRevocationList(
  authority: DeviceAuthority,
  revoked: readonly { readonly serial: string; readonly at: Date }[],
  { number, now }: { readonly number: number; readonly now: Date },
): Promise<string> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.cert);
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.subjectName.toJSON(),
    thisUpdate: new Date(now.getTime() - backMs),
    nextUpdate: issuer.notAfter,
    signingAlgorithm: ecdsa,
    signingKey: await signingKeyOf(authority),
    entries: revoked.map(({ serial, at }) => ({ serialNumber: serial, revocationDate: at })),
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      // CRL number (RFC 5280 §5.2.3): the DER of a positive INTEGER.
      new x509.Extension('2.5.29.20', false, derInteger(number)),
    ],
  });
  // The library's own label, "CRL", is not the one that OpenSSL reads.
  return pem('X509 CRL', Buffer.from(list.rawData));
}

/** SHA-256 (hex) of the public key of a certificate (SubjectPublicKeyInfo, DER). */
export function keySha256Of(certificate: X509Certificate): string {
  return sha256(certificate.publicKey.export({ format: 'der', type: 'spki' }));
}

function signingKeyOf({ key }: DeviceAuthority): Promise<webcrypto.CryptoKey> {
  const der = key.export({ format: 'der', type: 'pkcs8' });
  return webcrypto.subtle.importKey('pkcs8', der, ecdsa, false, ['sign']);
}

function derInteger(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  const padded = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
  return Buffer.concat([Buffer.of(2, padded.length), padded]);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
