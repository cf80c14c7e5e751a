import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { nodeDisk } from './disk.ts';
import { GantryError, systemErrorCode } from './errors.ts';
import { fingerprintOf, isKeyTooShort, type Validity, validityOf } from './certificate.ts';

/** PEM texts. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}

export interface TlsFiles {
  /** The certificate, with those above it, and its key; null: the box's own, signed by itself. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** Authorities that sign certificates of devices. */
  readonly clientCaFile: string | null;
}

/** Which certificate is meant, for the texts of its problems. */
export interface TlsNaming {
  /** The settings that name its files. */
  readonly setting: 'intake.tls' | 'web.https';
  /** What it is for. */
  readonly purpose: string;
  /** What stays closed without it. */
  readonly port: string;
}

/** What a TLS port shows to those who connect. */
export interface TlsCredentials extends CertificateAndKey {
  readonly clientCa: string | null;
  /** Of the certificate. */
  readonly facts: CertificateFacts;
  /** Differs where anything of it does. */
  readonly stamp: string;
}

export interface CertificateFacts extends Validity {
  readonly selfSigned: boolean;
  /** 64 small hex digits. */
  readonly sha256: string;
}

/** A file of certificates is a few kilobytes long; what lies beyond is not looked at. */
const fileBytesMax = 1024 * 1024;

/**
 * Reads and checks what a TLS port needs. Whether a certificate is valid today is not asked: the clock may be
 * wrong, and a device that accepts it is better served than one that is not.
 * @throws GantryError TLS_FILE_UNREADABLE, TLS_FILE_INVALID, TLS_KEY_MISMATCH, TLS_KEY_TOO_SHORT, and what `own` throws
 */
export async function loadCredentials(
  naming: TlsNaming,
  files: TlsFiles,
  own: () => Promise<CertificateAndKey>,
): Promise<TlsCredentials> {
  const { certFile, keyFile, clientCaFile } = files;
  const { setting } = naming;
  const fromFiles = certFile !== null && keyFile !== null;
  const { cert, key } = fromFiles
    ? {
        cert: await readText(`${setting}.certFile`, certFile),
        key: await readText(`${setting}.keyFile`, keyFile),
      }
    : await own();
  const certificate = checkPair(naming, cert, key);
  const clientCa = clientCaFile === null ? null : await readText(`${setting}.clientCaFile`, clientCaFile);
  if (clientCa !== null) checkAuthorities(`${setting}.clientCaFile`, clientCa);
  return {
    cert,
    key,
    clientCa,
    facts: { ...validityOf(certificate), selfSigned: !fromFiles, sha256: fingerprintOf(certificate) },
    stamp: createHash('sha256')
      .update(JSON.stringify([cert, key, clientCa]))
      .digest('hex'),
  };
}

async function readText(setting: string, path: string): Promise<string> {
  try {
    const file = await nodeDisk.openFile(path, 'read');
    try {
      const bytes = Buffer.alloc(Math.min(await file.size(), fileBytesMax));
      return bytes.toString('latin1', 0, await file.read(bytes, 0));
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = systemErrorCode(error) ?? 'unknown cause';
    throw new GantryError(
      {
        code: 'TLS_FILE_UNREADABLE',
        kind: 'permanent',
        message: `The file of "${setting}" cannot be read (${code}).`,
        nextStep: `Put the file there and let this program's user read it: ${path}. It is looked at again by itself.`,
      },
      { cause: error },
    );
  }
}

function checkPair({ setting, purpose }: TlsNaming, cert: string, key: string): X509Certificate {
  const certificate = parsed(`${setting}.certFile`, 'certificate', () => new X509Certificate(cert));
  const privateKey = parsed<KeyObject>(`${setting}.keyFile`, 'private key without a password', () =>
    createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new GantryError({
      code: 'TLS_KEY_MISMATCH',
      kind: 'permanent',
      message: `The private key does not belong to the certificate for ${purpose}.`,
      nextStep: `Put the certificate and the key that belong together at "${setting}.certFile" and "keyFile".`,
    });
  }
  if (isKeyTooShort(certificate)) {
    throw new GantryError({
      code: 'TLS_KEY_TOO_SHORT',
      kind: 'permanent',
      message: `The key of the certificate for ${purpose} is too short to be safe.`,
      nextStep: 'Get a certificate with an RSA key of 2048 bits or more, or an EC key of 256 bits or more.',
    });
  }
  return certificate;
}

const certificateBlock = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]+?-----END [A-Z0-9 ]+-----/g;

function checkAuthorities(setting: string, text: string): void {
  const blocks = text.match(certificateBlock) ?? [];
  // OpenSSL takes a file without any certificate for an empty list; the person who named it would not.
  if (blocks.length === 0) throw invalid(setting, 'certificate', null);
  for (const block of blocks) parsed(setting, 'certificate', () => new X509Certificate(block));
}

function parsed<T>(setting: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw invalid(setting, what, error);
  }
}

function invalid(setting: string, what: string, cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'TLS_FILE_INVALID',
      kind: 'permanent',
      message: `The file of "${setting}" holds no ${what} in PEM form.`,
      nextStep: 'Convert it to PEM (it begins with "-----BEGIN"). It is looked at again by itself.',
    },
    { cause },
  );
}
