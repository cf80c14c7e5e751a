import { systemErrorCode } from '../base/errors.ts';
import type { RequestFault } from './port.ts';

/**
 * Whom a failure without an answer of the archive is put down to.
 * - `sign-in`: credentials or their files; the destination waits for a person or a fresh token.
 * - `setup`: certificates, proxy or address are wrong; the destination waits for a person.
 * - `line`: the network or the other side; trying again later may do.
 * - `ourselves`: we ended it.
 */
export type FaultSide = 'sign-in' | 'setup' | 'line' | 'ourselves';

export interface FaultText {
  readonly side: FaultSide;
  /** The cause in plain words: no patient data, no UID, no secret. */
  readonly words: string;
}

/** Faults the clients name themselves; `{file}` is where the path goes, where one file is at fault. */
const ownFaults = {
  ABORTED: { side: 'ourselves', words: 'Gantry ended the request' },
  SEND_STALLED: { side: 'line', words: 'the archive stopped taking bytes' },
  ANSWER_LATE: { side: 'line', words: 'the archive did not answer in time' },
  PASSWORD_FILE_UNREADABLE: { side: 'sign-in', words: 'the password file{file} cannot be read' },
  TOKEN_FILE_UNREADABLE: { side: 'sign-in', words: 'the token file{file} cannot be read' },
  CLIENT_SECRET_FILE_UNREADABLE: { side: 'sign-in', words: 'the client secret file{file} cannot be read' },
  SERVICE_ACCOUNT_KEY_FILE_UNREADABLE: {
    side: 'sign-in',
    words: 'the service account key file{file} cannot be read',
  },
  SERVICE_ACCOUNT_KEY_FILE_INVALID: {
    side: 'sign-in',
    words: 'the file{file} is not the JSON key of a service account',
  },
  AWS_CREDENTIALS_FILE_UNREADABLE: {
    side: 'sign-in',
    words: 'the AWS credentials file{file} cannot be read',
  },
  AWS_CREDENTIALS_FILE_INVALID: {
    side: 'sign-in',
    words: 'the AWS credentials file{file} holds no access key under the configured name',
  },
  OAUTH_REFUSED: { side: 'sign-in', words: 'the token service refused the client id, secret or key' },
  OAUTH_UNAVAILABLE: { side: 'line', words: 'the token service cannot be reached or is out of order' },
  OAUTH_ANSWER_INVALID: { side: 'setup', words: 'the token address does not answer like a token service' },
  CA_FILE_UNREADABLE: { side: 'setup', words: 'the certificate authority file{file} cannot be read' },
  CLIENT_CERTIFICATE_UNREADABLE: {
    side: 'setup',
    words: 'the client certificate or key{file} cannot be read',
  },
  TLS_FILES_INVALID: {
    side: 'setup',
    words: 'the certificate, key or authority file{file} is not valid PEM',
  },
  PROXY_PASSWORD_FILE_UNREADABLE: { side: 'setup', words: "the proxy's password file{file} cannot be read" },
  PROXY_SIGN_IN_REFUSED: { side: 'setup', words: 'the proxy refused the user name or password' },
  PROXY_REFUSED: { side: 'setup', words: 'the proxy refuses to connect to the archive' },
  FOLDER_NOT_MOUNTED: {
    side: 'line',
    words:
      'the folder{file} is not there or not mounted; if it is mounted and new, put an empty file ".gantry-folder" into it',
  },
  FOLDER_NOT_WRITABLE: { side: 'setup', words: 'this box may not write to the folder' },
  DIMSE_CALLED_AE: { side: 'setup', words: 'the archive does not know the AE title it was called by' },
  DIMSE_CALLING_AE: { side: 'setup', words: 'the archive does not know the AE title of this box' },
  DIMSE_REJECTED: { side: 'setup', words: 'the archive refused the association for good' },
  DIMSE_BUSY: { side: 'line', words: 'the archive takes no further association for now' },
  DIMSE_ABORTED: { side: 'line', words: 'the archive aborted the association' },
  DIMSE_CLOSED: { side: 'line', words: 'the archive closed the connection' },
  DIMSE_PROTOCOL: { side: 'line', words: 'what answers at this address does not speak DICOM as it should' },
  PROXY_UNAVAILABLE: { side: 'line', words: 'the proxy cannot be reached or cannot reach the archive' },
} as const satisfies Record<string, FaultText>;

export type OwnFaultCode = keyof typeof ownFaults;

/** Codes of the system, of TLS and of undici that have better words than themselves. */
const knownFaults: Readonly<Record<string, FaultText>> = {
  UND_ERR_DESTROYED: { side: 'ourselves', words: 'Gantry closed the connection' },
  UND_ERR_CLOSED: { side: 'ourselves', words: 'Gantry closed the connection' },
  ECONNREFUSED: { side: 'line', words: 'nothing listens at the archive address (connection refused)' },
  ECONNRESET: { side: 'line', words: 'the archive broke the connection' },
  EPIPE: { side: 'line', words: 'the archive broke the connection' },
  UND_ERR_SOCKET: { side: 'line', words: 'the archive closed the connection' },
  ENOTFOUND: { side: 'line', words: 'the archive name cannot be looked up (DNS)' },
  EAI_AGAIN: { side: 'line', words: 'the name service does not answer (DNS)' },
  EHOSTUNREACH: { side: 'line', words: 'there is no network route to the archive' },
  ENETUNREACH: { side: 'line', words: 'there is no network route to the archive' },
  ETIMEDOUT: { side: 'line', words: 'the archive does not answer (time-out)' },
  UND_ERR_CONNECT_TIMEOUT: { side: 'line', words: 'the archive does not take the connection (time-out)' },
  UND_ERR_HEADERS_TIMEOUT: { side: 'line', words: 'the archive did not answer in time' },
  UND_ERR_BODY_TIMEOUT: { side: 'line', words: 'the answer of the archive stopped half-way' },
  CERT_HAS_EXPIRED: { side: 'line', words: 'the certificate of the archive has expired' },
  CERT_NOT_YET_VALID: {
    side: 'line',
    words: 'the certificate is not valid yet: check the clock of this box',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: { side: 'line', words: 'the archive shows a self-signed certificate' },
  SELF_SIGNED_CERT_IN_CHAIN: { side: 'line', words: 'the authority of the archive is not trusted here' },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    side: 'line',
    words: 'the authority of the archive is not trusted here',
  },
  UNABLE_TO_GET_ISSUER_CERT: { side: 'line', words: 'the authority of the archive is not trusted here' },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    side: 'line',
    words: 'the authority of the archive is not trusted here',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: { side: 'line', words: 'the certificate is for another host name' },
};

/**
 * @param file the file named in the configuration that is at fault, where it is one
 * @returns side and words for a code of a failed request or read
 */
export function faultText(code: string, file: string | null = null): FaultText {
  if (Object.hasOwn(ownFaults, code)) {
    const { side, words } = ownFaults[code as OwnFaultCode];
    return { side, words: withFile(words, file) };
  }
  if (Object.hasOwn(knownFaults, code)) return knownFaults[code] as FaultText;
  if (/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA/.test(code)) {
    return { side: 'line', words: 'the archive refused the TLS connection (client certificate?)' };
  }
  return { side: 'line', words: 'the connection to the archive failed' };
}

function withFile(words: string, file: string | null): string {
  return words.replace('{file}', () => (file === null ? '' : ` ${file}`));
}

/** A request that could not be made, for one of the causes the clients know by name. */
export class ClientFault extends Error {
  override readonly name = 'ClientFault';
  readonly code: OwnFaultCode;
  /** Path of the file at fault, as the configuration names it; null where it is no single file. */
  readonly file: string | null;

  constructor(code: OwnFaultCode, { file = null, cause }: { file?: string | null; cause?: unknown } = {}) {
    super(withFile(ownFaults[code].words, file), { cause });
    this.code = code;
    this.file = file;
  }
}

/** What a request was rejected with, in the terms of the port. */
export function requestFault(error: unknown): RequestFault {
  const file = error instanceof ClientFault ? error.file : null;
  return file === null ? { code: faultCode(error) } : { code: faultCode(error), file };
}

/** The code of whatever a request was rejected with: stable, upper-case, nothing of the peer's text. */
export function faultCode(error: unknown): string {
  const code = systemErrorCode(error);
  return code !== null && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : 'UNKNOWN';
}

/** REFUSED_STREAM of RFC 9113 §7. */
const refusedStream = 7;

/** The archive promises that it has done nothing with the request (RFC 9113 §8.7). */
export function isRefusedStream(error: unknown): boolean {
  return error instanceof Error && 'http2ErrorCode' in error && error.http2ErrorCode === refusedStream;
}

/** The archive leaves an HTTP/2 connection (RFC 9113 §6.8); what became of the request nobody says. */
export function isGoAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Of Node where it came with an error code; undici has no code for it.
  const known = systemErrorCode(error) === 'ERR_HTTP2_SESSION_ERROR' || error.message.includes('GOAWAY');
  return known || isGoAway(error.cause);
}
