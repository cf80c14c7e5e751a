import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { ClientFault, type OwnFaultCode } from './client-fault.ts';

export interface TlsFiles {
  /** PEM file of authorities trusted in addition to the usual ones; null: only those. */
  readonly caFile: string | null;
  /** PEM files for mutual TLS. */
  readonly clientCertificate: { readonly certFile: string; readonly keyFile: string } | null;
}

/**
 * The TLS settings of connections to one host, made afresh when one of the files has changed (renewed
 * certificates count from the next connection on). TLS 1.2 or later.
 */
export class TlsContext {
  readonly #files: TlsFiles;
  #made: { stamp: string; context: SecureContext } | null = null;

  constructor(files: TlsFiles) {
    this.#files = files;
  }

  /** @throws ClientFault where a file cannot be read or is not PEM */
  current(): SecureContext {
    const { caFile, clientCertificate } = this.#files;
    const stamp = [
      stampOf(caFile, 'CA_FILE_UNREADABLE'),
      stampOf(clientCertificate?.certFile ?? null, 'CLIENT_CERTIFICATE_UNREADABLE'),
      stampOf(clientCertificate?.keyFile ?? null, 'CLIENT_CERTIFICATE_UNREADABLE'),
    ].join();
    if (this.#made?.stamp !== stamp) this.#made = { stamp, context: this.#make() };
    return this.#made.context;
  }

  #make(): SecureContext {
    const { caFile, clientCertificate } = this.#files;
    const ca = caFile === null ? null : readPem(caFile, 'CA_FILE_UNREADABLE');
    const client = clientCertificate && {
      cert: readPem(clientCertificate.certFile, 'CLIENT_CERTIFICATE_UNREADABLE'),
      key: readPem(clientCertificate.keyFile, 'CLIENT_CERTIFICATE_UNREADABLE'),
    };
    try {
      return createSecureContext({
        minVersion: 'TLSv1.2',
        ...(ca && { ca: [...getCACertificates('default'), ca] }),
        ...client,
      });
    } catch (cause) {
      throw new ClientFault('TLS_FILES_INVALID', { cause });
    }
  }
}

function stampOf(path: string | null, code: OwnFaultCode): string {
  if (path === null) return '';
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino}:${size}:${mtimeMs}`;
  } catch (cause) {
    throw new ClientFault(code, { file: path, cause });
  }
}

function readPem(path: string, code: OwnFaultCode): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ClientFault(code, { file: path, cause });
  }
  // OpenSSL takes an authority file without any certificate for an empty list; the person who named it would not.
  if (!text.includes('-----BEGIN ')) throw new ClientFault('TLS_FILES_INVALID', { file: path });
  return text;
}
