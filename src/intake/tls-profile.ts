import { constants } from 'node:crypto';
import type { SecureContextOptions, TlsOptions } from 'node:tls';

/**
 * The secure transport connection profiles of PS3.15 Annex B that are spoken:
 * - `b13`: B.13, modified BCP 195 (RFC 8996, RFC 9325): TLS 1.2 and 1.3, the suites listed there and no others
 * - `b12`: B.12, BCP 195 (RFC 8996, RFC 9325): also DHE with AES-GCM, for devices that know no ECDHE
 *
 * All older ones (TLS 1.0 and 1.1, CBC, 3DES, RC4, key transport by RSA, no encryption) are refused.
 */
export type TlsProfile = 'b12' | 'b13';

/**
 * The suites of B.13, in its order of preference. Of its list our TLS library leaves out those with an
 * authentication tag of 64 bits (CCM_8): they are below the security level it keeps.
 */
const b13Suites = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_128_CCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES256-CCM',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES128-CCM',
];

/** RFC 9325 §4.2 advises against DHE, but allows it. */
const dheSuites = ['DHE-RSA-AES256-GCM-SHA384', 'DHE-RSA-AES128-GCM-SHA256'];

const common: SecureContextOptions & TlsOptions = {
  minVersion: 'TLSv1.2',
  // Key agreement by elliptic curves of at least 256 bits (B.13).
  ecdhCurve: 'X25519:P-256:P-384:P-521',
  honorCipherOrder: true,
  // A connection that is negotiated anew has been the door to attacks, and costs us a signature each time.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
};

/** What Node's TLS is told for a profile. */
export function profileOptions(profile: TlsProfile): SecureContextOptions & TlsOptions {
  if (profile === 'b13') return { ...common, ciphers: b13Suites.join(':') };
  // `auto`: a group of at least 2048 bits, as strong as the certificate's key.
  return { ...common, ciphers: [...b13Suites, ...dheSuites].join(':'), dhparam: 'auto' };
}
