import { randomBytes, webcrypto } from 'node:crypto';

/** ECDSA on P-256: what every TLS server and client takes. */
export const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** X.520: the longest common name. */
export const commonNameCharsMax = 64;

/** The library that writes certificates; loaded only where one is made. */
export async function loadX509() {
  // The library's own dependencies expect this one to be there.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets, not to be guessed. Hex. */
export function newSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}

/** PKCS #8 of a key, PEM. */
export async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  return pem('PRIVATE KEY', Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)));
}

/** RFC 7468. */
export function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
