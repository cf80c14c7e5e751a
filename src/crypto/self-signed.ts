import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { commonNameCharsMax, ecdsa, loadX509, newSerialNumber, privatePem } from './x509.ts';

/** A certificate and its private key, PEM. */
export interface CertificateAndKey {
  readonly cert: string;
  /** PKCS #8. */
  readonly key: string;
}

export interface SelfSignedOptions {
  /** Names and addresses the box is called by; the first one is the subject. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly keys: SelfSignedKeys;
}

const keyKinds = {
  /**
   * For devices: those that follow the older BCP 195 profiles offer RSA cipher suites alone; 3072 bits, because the
   * certificate is meant to last for years.
   */
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 3072,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: 'SHA-256',
  },
  /** For browsers. */
  ec: ecdsa,
} as const;
export type SelfSignedKeys = keyof typeof keyKinds;

/**
 * Makes a key and a certificate signed by itself, for a TLS server. The library is loaded only here: a box makes
 * a certificate once in many years.
 */
export async function makeSelfSigned(options: SelfSignedOptions): Promise<CertificateAndKey> {
  const x509 = await loadX509();
  const algorithm = keyKinds[options.keys];
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const [subject = 'gantry'] = options.names;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: [{ CN: [subject.slice(0, commonNameCharsMax)] }],
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(options.notBefore),
    notAfter: new Date(options.notAfter),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        options.names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: await privatePem(keys.privateKey) };
}
