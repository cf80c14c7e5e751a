import { parameterTable } from './configuration.ts';
import { blocks, bullets, code, paragraph, table } from './markdown.ts';
import { isConfigurable, meaningOf, parameters } from './parameters.ts';

/** A secure transport connection profile that the Storage AE speaks (PS3.15 Annex B). */
export interface TransportProfile {
  readonly name: string;
  /** The value of `intake.tls.profile`. */
  readonly setting: string;
  readonly versions: string;
  readonly cipherSuites: readonly string[];
}

interface Words {
  readonly message: string;
  readonly nextStep: string;
}

/** DICOM over TLS, as far as this version offers it. */
export interface SecureTransport {
  readonly profiles: readonly TransportProfile[];
  /** Why an association is rejected with 1/1/3 for a certificate's sake. */
  readonly certificateRejections: readonly Words[];
  /** Why a connection is closed before it is secure. */
  readonly handshakeFaults: readonly Words[];
}

/** @param transport null where this version receives in clear only */
export function security(transport: SecureTransport | null): string {
  const certificate = transport === null ? '' : ', and certificate where one is bound to the title (8.1)';
  return blocks(
    '## 8 Security',
    '### 8.1 Secure transport of DICOM',
    dicomTransport(transport),
    '### 8.2 Secure transport of DICOMweb',
    bullets(
      'HTTPS with TLS 1.2 or later; the certificate of the archive is checked against the usual authorities of the system and one that may be configured, and cannot be left unchecked. Plain http is allowed, for archives in the same protected network.',
      'Sign-in: none, HTTP Basic, bearer token, OAuth 2 client credentials, client certificate (mutual TLS).',
      'HTTP proxy by CONNECT, with or without sign-in.',
      'HTTP/1.1; HTTP/2 where it is switched on and the archive offers it.',
    ),
    '### 8.3 Application level',
    bullets(
      `Access by calling AE title, called AE title and address (7.2.3)${certificate}. User identity is not used.`,
      'Instances are encrypted on the disk (AES-256-GCM) from the first byte. No patient data and no UID is in logs, metrics, messages or on the page.',
      'Audit trail messages (PS3.15 A.5.1) record what people do on the page, by the API and by commands: User Authentication, Security Alert, Application Activity, Audit Log Used, Export, DICOM Instances Accessed. They are exported as XML, or sent by syslog over TLS (A.6; RFC 5424, RFC 5425). The transfer of instances is not among them: the log of the gateway and the signed receipts name it.',
      'Digital signatures of our own and media security are not offered. The log of the gateway names each refusal with device and cause.',
      '`SECURITY.md` says what is protected against whom, and what is not.',
    ),
  );
}

/** @throws Error where the configuration knows TLS and the statement does not, or the other way round */
function dicomTransport(transport: SecureTransport | null): string {
  if (isConfigurable('intake', 'tls') !== (transport !== null)) {
    throw new Error(
      '"intake.tls" of the configuration and the secure transport of the statement do not agree',
    );
  }
  if (transport === null) {
    return 'None: DICOM is received in clear in this version. Keep modalities and gateway in a network of their own.';
  }
  const { profiles, certificateRejections, handshakeFaults } = transport;
  return blocks(
    'DICOM over TLS has a port of its own; receiving in clear goes on beside it.',
    meaningOf('intake', 'tls'),
    '**Table 8-1. Secure transport connection profiles** (PS3.15 Annex B). Older ones are refused.',
    table(
      ['Profile', 'Setting', 'Versions', 'Cipher suites, the preferred ones first'],
      profiles.map(({ name, setting, versions, cipherSuites }) => [
        name,
        code(setting),
        versions,
        cipherSuites.join(', '),
      ]),
    ),
    parameterTable('intake.tls', parameters('intake', 'tls')),
    '**Table 8-2. Rejected for the sake of a certificate** (A-ASSOCIATE-RJ 1/1/3)',
    wordsTable(certificateRejections),
    '**Table 8-3. Closed before it is secure**',
    wordsTable(handshakeFaults),
  );
}

function wordsTable(rows: readonly Words[]): string {
  return table(
    ['Why', 'What to do'],
    rows.map(({ message, nextStep }) => [message, nextStep]),
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
