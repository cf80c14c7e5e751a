import { type FailureText, GantryError, systemErrorCode } from '../../../base/errors.ts';

/** Why central IT cannot be reached: what it is, and what to do. */
const texts = {
  REMOTE_FILE_UNREADABLE: [
    'A file that the way to central IT needs cannot be read, or is not what it should be.',
    'Put the file named in "remote" there and let this program\'s user read it.',
  ],
  REMOTE_PROXY_UNREACHABLE: [
    'The proxy on the way to central IT cannot be reached.',
    'Check "proxy" in "remote" and whether the proxy runs.',
  ],
  REMOTE_PROXY_REFUSED: [
    'The proxy refuses the way to central IT.',
    "Ask whoever runs the proxy to allow central IT's host and port.",
  ],
  REMOTE_PROXY_SIGN_IN: [
    'The proxy wants another user or password.',
    'Correct "user" and "passwordFile" of the proxy in "remote".',
  ],
  REMOTE_NAME_UNKNOWN: [
    "The name of central IT's server is not known here.",
    'Check the name in "remote" and the name servers of this box.',
  ],
  REMOTE_UNREACHABLE: [
    "Central IT's server cannot be reached.",
    'Check that the firewall lets this box out to it.',
  ],
  REMOTE_TIMEOUT: [
    "Central IT's server does not answer in time.",
    'Check the line; it is tried again by itself.',
  ],
  REMOTE_TLS_EXPIRED: [
    "The certificate of central IT's server is not valid at this time.",
    'Check the clock of this box, then the certificate of the server.',
  ],
  REMOTE_TLS_UNTRUSTED: [
    "The certificate of central IT's server is not one this box trusts.",
    'Where a firewall inspects TLS, exempt this host; else give the authority in "caFile".',
  ],
  REMOTE_TLS: [
    "TLS with central IT's server fails.",
    'Check that the server speaks TLS 1.2 or later on this port, and the client certificate of this box.',
  ],
  REMOTE_SIGN_IN_REFUSED: [
    "Central IT's server does not let this box in.",
    "Check at the server the box's certificate, which may have ended or been revoked, and its user where it has one. A new certificate also comes by stick.",
  ],
  REMOTE_BUSY: ["Central IT's server asks to be left alone for now.", 'Wait; it is tried again by itself.'],
  REMOTE_ANSWER: [
    "Central IT's server gives an answer that is of no use.",
    'Check the address in "remote" and what answers there.',
  ],
  REMOTE_TOO_LARGE: [
    "Central IT's server sends more than a document may have.",
    'Check the address in "remote" and what answers there.',
  ],
  REMOTE_STICK: [
    'The stick cannot be read, or the report cannot be written to it.',
    'Check that it is mounted, writable and not full.',
  ],
} as const satisfies Record<string, readonly [string, string]>;

export type RemoteFaultCode = keyof typeof texts;
export const remoteFaultCodes = Object.keys(texts);

/** Central IT is not reached. Intake goes on whatever it is. */
export function remoteFault(code: RemoteFaultCode, cause?: unknown): GantryError {
  const [message, nextStep] = texts[code];
  return new GantryError({ code, kind: 'transient', message, nextStep }, { cause });
}

const bySystemCode: Readonly<Record<string, RemoteFaultCode>> = {
  ENOTFOUND: 'REMOTE_NAME_UNKNOWN',
  EAI_AGAIN: 'REMOTE_NAME_UNKNOWN',
  CERT_HAS_EXPIRED: 'REMOTE_TLS_EXPIRED',
  CERT_NOT_YET_VALID: 'REMOTE_TLS_EXPIRED',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'REMOTE_TLS_UNTRUSTED',
  SELF_SIGNED_CERT_IN_CHAIN: 'REMOTE_TLS_UNTRUSTED',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'REMOTE_TLS_UNTRUSTED',
  UNABLE_TO_GET_ISSUER_CERT: 'REMOTE_TLS_UNTRUSTED',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'REMOTE_TLS_UNTRUSTED',
  CERT_REVOKED: 'REMOTE_TLS_UNTRUSTED',
  ERR_TLS_CERT_ALTNAME_INVALID: 'REMOTE_TLS_UNTRUSTED',
  ETIMEDOUT: 'REMOTE_TIMEOUT',
  UND_ERR_CONNECT_TIMEOUT: 'REMOTE_TIMEOUT',
  UND_ERR_HEADERS_TIMEOUT: 'REMOTE_TIMEOUT',
  UND_ERR_BODY_TIMEOUT: 'REMOTE_TIMEOUT',
};

/** Whatever broke on the way, in the words above. */
export function asRemoteFault(error: unknown): GantryError {
  if (error instanceof GantryError) return error;
  if (error instanceof Error && /^(?:Timeout|Abort)Error$/.test(error.name))
    return remoteFault('REMOTE_TIMEOUT', error);
  // A name with several addresses fails with all of their errors.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = systemErrorCode(first) ?? '';
  const known = bySystemCode[code];
  if (known !== undefined) return remoteFault(known, error);
  return remoteFault(/^(?:ERR_SSL|ERR_TLS|EPROTO)/.test(code) ? 'REMOTE_TLS' : 'REMOTE_UNREACHABLE', error);
}

/** As it is kept and shown: without its cause. */
export function textOf({ code, kind, message, nextStep }: GantryError): FailureText {
  return { code, kind, message, nextStep };
}

/** The system's word for what happened; texts may name hosts. */
export function causeOf({ cause }: GantryError): string | null {
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.name : null;
}
