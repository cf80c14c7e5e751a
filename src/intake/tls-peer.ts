import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { FailureText } from '../base/errors.ts';
import {
  fingerprintOf,
  isKeyTooShort,
  lifeOf,
  shownFingerprint,
  type Validity,
  validityOf,
} from '../base/certificate.ts';

/** Who is at the other end of a TLS connection. */
export interface TlsPeer {
  /** Null where none was presented. */
  readonly certificate: ClientCertificate | null;
}

/** A certificate whose key the peer has proven to hold. */
export interface ClientCertificate extends Validity {
  /** 64 small hex digits. */
  readonly sha256: string;
  readonly keyTooShort: boolean;
  /** Signed by an authority of `clientCaFile`. */
  readonly trusted: boolean;
  /** It would be, but one of the certificates above it has expired. */
  readonly chainExpired: boolean;
  /** Whether the name is one of its DNS names or its common name; upper and lower case are the same. */
  readonly isNamed: (name: string) => boolean;
}

/** The certificates a modality may present; either list is enough. */
export interface CertificateBinding {
  /** Fingerprints, 64 small hex digits each. */
  readonly sha256: readonly string[];
  /** Names in certificates of a trusted authority. */
  readonly names: readonly string[];
}

/** @param socket after its handshake */
export function peerOf(socket: TLSSocket): TlsPeer {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { certificate: null };
  return {
    certificate: {
      ...validityOf(certificate),
      sha256: fingerprintOf(certificate),
      keyTooShort: isKeyTooShort(certificate),
      trusted: socket.authorized,
      // Node gives the code of OpenSSL's verdict, typed as an error.
      chainExpired: String(socket.authorizationError) === 'CERT_HAS_EXPIRED',
      isNamed: (name) => isNamed(certificate, name),
    },
  };
}

function isNamed(certificate: X509Certificate, name: string): boolean {
  return certificate.checkHost(name, { subject: 'always', wildcards: false }) !== undefined;
}

type Words = Omit<FailureText, 'kind'>;

/**
 * Whether a caller may go by its AE title as far as certificates are concerned; null where it may. A bound AE
 * title needs one of its own certificates, and so never comes in clear; where every caller needs one, it has to be
 * signed by a trusted authority. One that has expired is refused even if the clock may be wrong: the device keeps
 * its images and sends again, and plain DICOM does not ask.
 * @param peer null on a connection in clear
 */
export function certificateProblem(
  binding: CertificateBinding | null,
  required: boolean,
  peer: TlsPeer | null,
  now: number,
): Words | null {
  if (peer === null) return binding === null ? null : certificateProblems.inClear;
  if (binding === null && !required) return null;
  const { certificate } = peer;
  if (certificate === null) return certificateProblems.missing;
  const life = lifeOf(certificate, now);
  if (life === 'early') return certificateProblems.early;
  if (life === 'expired') return certificateProblems.expired;
  if (certificate.keyTooShort) return certificateProblems.keyTooShort;
  if (binding?.sha256.includes(certificate.sha256) === true) return null;
  if (!certificate.trusted) {
    return certificate.chainExpired
      ? certificateProblems.expired
      : naming(certificateProblems.unknown, certificate);
  }
  if (binding === null || binding.names.some((name) => certificate.isNamed(name))) return null;
  return naming(certificateProblems.other, certificate);
}

/** The fingerprint is what has to be written into the configuration. */
function naming(words: Words, { sha256 }: ClientCertificate): Words {
  return { ...words, nextStep: `${words.nextStep} Its SHA-256 fingerprint is ${shownFingerprint(sha256)}.` };
}

export const certificateProblems = {
  inClear: {
    code: 'TLS_REQUIRED',
    message: 'This AE title is bound to a certificate, but the device called without TLS.',
    nextStep:
      'Switch TLS on in the device and use the DICOM TLS port. If another device called, find out which one.',
  },
  missing: {
    code: 'TLS_CLIENT_CERTIFICATE_MISSING',
    message: 'The device called with TLS, but presented no certificate of its own.',
    nextStep: "Install the device's own certificate and its key in the device.",
  },
  expired: {
    code: 'TLS_CLIENT_CERTIFICATE_EXPIRED',
    message: "The device's certificate has expired.",
    nextStep:
      'Install a new certificate in the device. If it is still valid, set the clock of this gateway right.',
  },
  early: {
    code: 'TLS_CLIENT_CERTIFICATE_EARLY',
    message: "The device's certificate is not valid yet.",
    nextStep:
      'Set the clock of this gateway right; if it is right, the certificate was made for a later date.',
  },
  keyTooShort: {
    code: 'TLS_CLIENT_CERTIFICATE_WEAK',
    message: "The key of the device's certificate is too short to be safe.",
    nextStep:
      'Give the device a certificate with an RSA key of 2048 bits or more, or an EC key of 256 or more.',
  },
  unknown: {
    code: 'TLS_CLIENT_CERTIFICATE_UNKNOWN',
    message:
      "The device's certificate is neither known here nor signed by an authority that is trusted here.",
    nextStep:
      'If it is the right one, add it under "certificate" of this modality, or its authority to "clientCaFile".',
  },
  other: {
    code: 'TLS_CLIENT_CERTIFICATE_OTHER',
    message: "The device's certificate is not one of those this AE title is bound to.",
    nextStep:
      'If it is the right one, add it under "certificate" of this modality; if not, find out who is calling.',
  },
} as const satisfies Record<string, Words>;
