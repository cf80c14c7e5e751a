import { blocks, bullets, paragraph, table } from './markdown.ts';
import { tlsParameterTable } from './configuration.ts';

/** A secure transport connection profile that the Storage AE speaks (PS3.15 Annex B). */
export interface TransportProfile {
  readonly name: string;
  readonly setting: string;
  readonly versions: string;
  readonly cipherSuites: readonly string[];
}

/** @param profiles of DICOM over TLS; none where this version does not offer it */
export function security(profiles: readonly TransportProfile[]): string {
  return blocks(
    '## 8 Security',
    '### 8.1 Secure transport of DICOM',
    dicomTransport(profiles),
    '### 8.2 Secure transport of DICOMweb',
    bullets(
      'HTTPS with TLS 1.2 or later; the certificate of the archive is checked against the usual authorities of the system and one that may be configured, and cannot be left unchecked. Plain http is allowed, for archives in the same protected network.',
      'Sign-in: none, HTTP Basic, bearer token, OAuth 2 client credentials, client certificate (mutual TLS).',
      'HTTP proxy by CONNECT, with or without sign-in.',
      'HTTP/1.1; HTTP/2 where it is switched on and the archive offers it.',
    ),
    '### 8.3 Application level',
    bullets(
      'Access by calling AE title, called AE title and address (7.2.3). User identity is not used.',
      'Instances are encrypted on the disk (AES-256-GCM) from the first byte. No patient data and no UID is in logs, metrics, messages or on the page.',
      'Audit trail messages (PS3.15 A.5), digital signatures of our own and media security are not offered. The log of the gateway names each refusal with device and cause.',
      '`SECURITY.md` says what is protected against whom, and what is not.',
    ),
  );
}

/** @throws Error where the configuration knows TLS and nobody says which profiles are spoken */
function dicomTransport(profiles: readonly TransportProfile[]): string {
  const parameters = tlsParameterTable();
  if ((parameters !== '') !== profiles.length > 0) {
    throw new Error(
      '"intake.tls" of the configuration and the transport profiles of the statement do not agree',
    );
  }
  if (profiles.length === 0) {
    return paragraph(
      'None: DICOM is received in clear in this version. Keep modalities and gateway in a network of their own.',
    );
  }
  return blocks(
    'DICOM over TLS has a port of its own, beside the one in clear. These profiles of PS3.15 are spoken:',
    table(
      ['Profile', 'Setting', 'Versions', 'Cipher suites, the preferred ones first'],
      profiles.map(({ name, setting, versions, cipherSuites }) => [
        name,
        setting,
        versions,
        cipherSuites.join(', '),
      ]),
    ),
    parameters,
  );
}

export function characterSets(): string {
  return blocks(
    '## 9 Character sets',
    paragraph(
      'Every Specific Character Set (0008,0005), standard or not, is taken: text values are neither read nor changed. The',
      'values that are looked at (5.2.2) are of VRs limited to the default repertoire. Error Comments are in the default',
      'repertoire (ISO-IR 6).',
    ),
  );
}

export function media(): string {
  return blocks('## 10 Media', 'Media storage (PS3.10 file sets, PS3.11 profiles) is not offered.');
}
