import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

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
  ec: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
} as const;
export type SelfSignedKeys = keyof typeof keyKinds;

/** X.520: the longest common name. */
const commonNameCharsMax = 64;

/**
 * Makes a key and a certificate signed by itself, for a TLS server. The library is loaded only here: a box makes
 * a certificate once in many years.
 */
export async function makeSelfSigned(options: SelfSignedOptions): Promise<CertificateAndKey> {
  // The library's own dependencies expect this one to be there.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  const algorithm = keyKinds[options.keys];
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const [subject = 'gantry'] = options.names;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
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
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { cert: `${certificate.toString('pem')}\n`, key: pem('PRIVATE KEY', pkcs8) };
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets, not to be guessed. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
