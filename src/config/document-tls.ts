import { z } from 'zod';
import { certificateName, filePath, fingerprint, listenHost, listenPort } from './values.ts';

/** DICOM over TLS; `{}` is enough. */
export const intakeTls = z
  .strictObject({
    host: listenHost
      .nullable()
      .default(null)
      .describe('IP address to listen on; null: that of "intake.host".'),
    port: listenPort.default(2762).describe('TCP port for DICOM over TLS. 0 lets the system choose one.'),
    profile: z
      .enum(['b13', 'b12'])
      .default('b13')
      .describe(
        'Secure transport connection profile of DICOM PS3.15: "b13" is modified BCP 195 (RFC 8996, 9325); "b12" is BCP 195 (RFC 8996, 9325) and also takes DHE with AES-GCM, for older devices. Both: TLS 1.2 and 1.3 only.',
      ),
    certFile: filePath
      .nullable()
      .default(null)
      .describe(
        "PEM file with this box's certificate and those above it; null: one that the box makes and signs itself. Looked at again every few seconds.",
      ),
    keyFile: filePath.nullable().default(null).describe('PEM file with the private key of "certFile".'),
    clientCaFile: filePath
      .nullable()
      .default(null)
      .describe("PEM file with the authorities that sign the modalities' certificates."),
    requireClientCertificate: z
      .boolean()
      .nullable()
      .default(null)
      .describe(
        'Whether every caller over TLS must present a certificate. null: yes where "clientCaFile" is given. A modality with a "certificate" always must.',
      ),
  })
  .refine((entry) => (entry.certFile === null) === (entry.keyFile === null), {
    error: 'has only one of "certFile" and "keyFile"',
    params: { suggestion: 'Give both, or neither.' },
  })
  .nullable()
  .default(null)
  .describe('DICOM over TLS; null: off. {} opens port 2762 with a certificate that the box makes.');

/** Which certificates an AE title is bound to. */
export const modalityCertificate = z
  .strictObject({
    sha256: z
      .array(fingerprint)
      .max(8)
      .default([])
      .describe('SHA-256 fingerprints of its certificates, in hex digits with or without ":".'),
    names: z
      .array(certificateName)
      .max(8)
      .default([])
      .describe(
        'DNS names or common names in a certificate that an authority of "intake.tls.clientCaFile" signed.',
      ),
  })
  .refine((entry) => entry.sha256.length + entry.names.length > 0, {
    error: 'names no certificate',
    params: { suggestion: 'Give its fingerprint in "sha256", or a name in "names".' },
  })
  .nullable()
  .default(null)
  .describe(
    'With this, the AE title is let in only over TLS and with one of these certificates. null: not asked.',
  );
