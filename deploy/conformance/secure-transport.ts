import { tlsFaults } from '../../src/intake/tls-faults.ts';
import { certificateProblems } from '../../src/intake/tls-peer.ts';
import { profileOptions, type TlsProfile } from '../../src/intake/tls-profile.ts';
import type { SecureTransport, TransportProfile } from './security.ts';

const profileNames: Readonly<Record<TlsProfile, string>> = {
  b13: 'Modified BCP 195 (RFC 8996, 9325), B.13',
  b12: 'BCP 195 (RFC 8996, 9325), B.12',
};

function profileOf(setting: TlsProfile): TransportProfile {
  const { minVersion, ciphers = '' } = profileOptions(setting);
  if (minVersion !== 'TLSv1.2') throw new Error('the lowest version of TLS is not the one this says');
  return { name: profileNames[setting], setting, versions: 'TLS 1.2, 1.3', cipherSuites: ciphers.split(':') };
}

export const secureTransport: SecureTransport = {
  profiles: (['b13', 'b12'] as const).map(profileOf),
  certificateRejections: Object.values(certificateProblems),
  handshakeFaults: Object.values(tlsFaults),
};
