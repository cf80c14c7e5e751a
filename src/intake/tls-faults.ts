import { type Fault, faults } from './faults.ts';

/** Why a connection on the TLS port came to nothing before it was secure. There is no association to abort yet. */
export const tlsFaults = {
  plainDicom: {
    code: 'PLAIN_ON_TLS_PORT',
    message: 'A device spoke plain DICOM to the DICOM TLS port.',
    nextStep: 'Switch TLS on in the device, or enter the port for plain DICOM there.',
    abort: null,
  },
  notTls: {
    code: 'NOT_TLS',
    message: 'The first bytes on the connection are neither TLS nor DICOM.',
    nextStep: 'Check which program calls this port: it is not a DICOM device.',
    abort: null,
  },
  tooOld: {
    code: 'TLS_VERSION_TOO_OLD',
    message: 'The device speaks only versions of TLS that are no longer safe.',
    nextStep: 'Switch TLS 1.2 or 1.3 on in the device, or have the vendor update it.',
    abort: null,
  },
  nothingShared: {
    code: 'TLS_NOTHING_SHARED',
    message: 'The device and this gateway have no TLS cipher suite, curve or signature in common.',
    nextStep:
      'Allow ECDHE with AES-GCM in the device. If it knows only DHE, set the "profile" to "b12"; if only RSA certificates, give this gateway one.',
    abort: null,
  },
  certificateRefused: {
    code: 'TLS_SERVER_CERTIFICATE_REFUSED',
    message: "The device does not accept this gateway's certificate.",
    nextStep:
      "Install this gateway's certificate, or the authority that signed it, in the device, and check the device's clock.",
    abort: null,
  },
  brokenOff: {
    code: 'TLS_HANDSHAKE_BROKEN_OFF',
    message: 'The device broke the connection off during the TLS handshake.',
    nextStep:
      "Usually it does not accept this gateway's certificate: install that in the device, and look for the reason there.",
    abort: null,
  },
  tooSlow: {
    code: 'TLS_HANDSHAKE_TIMEOUT',
    message: 'A connection to the DICOM TLS port was opened, but the handshake was not finished in time.',
    nextStep: 'Usually a port scan or a monitoring check. If it is a device, check its network connection.',
    abort: null,
  },
  tooMany: {
    code: 'TLS_HANDSHAKES_FULL',
    message: 'Too many TLS handshakes are under way; this connection was closed at once.',
    nextStep: 'The device will try again. If this repeats, look for a device that connects and says nothing.',
    abort: null,
  },
  failed: {
    code: 'TLS_HANDSHAKE_FAILED',
    message: 'The TLS handshake failed: what the device sent is not valid TLS.',
    nextStep: 'Ask the vendor of the device, and name this code.',
    abort: null,
  },
} as const satisfies Record<string, Fault>;

const handshakeRecord = 0x16;
const alertRecord = 0x15;

/** What a first byte other than that of a TLS handshake stands for; null for a handshake. */
export function firstByteFault(first: number): Fault | null {
  if (first === handshakeRecord) return null;
  if (first === alertRecord) return tlsFaults.brokenOff;
  // PS3.8 §9.3.1: PDU types.
  if (first >= 1 && first <= 7) return tlsFaults.plainDicom;
  if (first >= 0x41 && first <= 0x5a) return faults.http;
  // The first bit set and a length: a ClientHello of SSL 2.
  return first >= 0x80 ? tlsFaults.tooOld : tlsFaults.notTls;
}

/** By the code of OpenSSL's reason, as Node names it. */
const byReason: readonly (readonly [pattern: RegExp, fault: Fault])[] = [
  [/UNSUPPORTED_PROTOCOL|WRONG_VERSION|WRONG_SSL_VERSION|VERSION_TOO_LOW|UNKNOWN_PROTOCOL/, tlsFaults.tooOld],
  [/ALERT_PROTOCOL_VERSION|INAPPROPRIATE_FALLBACK/, tlsFaults.tooOld],
  [
    /NO_SHARED|NO_SUITABLE|NO_CIPHERS|ALERT_HANDSHAKE_FAILURE|ALERT_INSUFFICIENT_SECURITY/,
    tlsFaults.nothingShared,
  ],
  [/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_|UNSUPPORTED_CERTIFICATE)/, tlsFaults.certificateRefused],
  [
    /^(?:ECONNRESET|EPIPE|ETIMEDOUT|ECONNABORTED)$|ALERT_(?:CLOSE_NOTIFY|USER_CANCELL?ED)/,
    tlsFaults.brokenOff,
  ],
  [/^ERR_TLS_HANDSHAKE_TIMEOUT$/, tlsFaults.tooSlow],
];

/** Why a handshake failed. */
export function handshakeFault(code: string | null): Fault {
  return byReason.find(([pattern]) => pattern.test(code ?? ''))?.[1] ?? tlsFaults.failed;
}
