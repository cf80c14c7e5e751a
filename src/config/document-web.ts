import { z } from 'zod';
import {
  entryName,
  filePath,
  listenHost,
  listenPort,
  passwordHash,
  peerHost,
  peerPort,
  publicKey,
} from './values.ts';

const https = z
  .strictObject({
    port: listenPort
      .optional()
      .describe(
        'TCP port of the page over HTTPS; 8443 where none is given, a free one where "web.port" is 0.',
      ),
    certFile: filePath
      .nullable()
      .default(null)
      .describe(
        'PEM file with a certificate and those above it; null: one that the box makes and signs itself. Looked at again every few seconds.',
      ),
    keyFile: filePath.nullable().default(null).describe('PEM file with the private key of "certFile".'),
  })
  .refine((entry) => (entry.certFile === null) === (entry.keyFile === null), {
    error: 'has only one of "certFile" and "keyFile"',
    params: { suggestion: 'Give both, or neither.' },
  })
  .nullable()
  .prefault({})
  .describe('The page over HTTPS, where people sign in and do something; null: off.');

export const web = z
  .strictObject({
    host: listenHost.default('0.0.0.0').describe('IP address the status page listens on.'),
    port: listenPort
      .default(8080)
      .describe('TCP port of the open, read-only status page. 0 lets the system choose one.'),
    hostNames: z
      .array(peerHost)
      .max(16)
      .default([])
      .describe(
        'DNS names the page is opened by. IP addresses, "localhost" and the machine\'s own name always work.',
      ),
    https,
  })
  .prefault({})
  .describe('The status page and its API.');

export const users = z
  .record(
    entryName,
    z.strictObject({
      role: z
        .enum(['viewer', 'technician', 'admin'])
        .describe(
          'What this person may do: "viewer" looks, "technician" also acts, "admin" also decides who may.',
        ),
      passwordHash: passwordHash.describe('What "gantry auth hash" prints for the password.'),
    }),
  )
  .default({})
  .describe('People who may sign in, beside those added on the page.');

export const access = z
  .strictObject({
    technicianKeys: z
      .record(entryName, publicKey)
      .default({})
      .describe(
        'Public keys (Ed25519) whose owners may make technician codes, by a name of your choice; "gantry auth keygen" makes a pair.',
      ),
  })
  .prefault({})
  .describe('Further ways to sign in.');

export const audit = z
  .strictObject({
    syslog: z
      .strictObject({
        host: peerHost.describe('Address of the audit record repository.'),
        port: peerPort.default(6514).describe('Its TCP port.'),
        caFile: filePath
          .nullable()
          .default(null)
          .describe('PEM file with the authority of its certificate; null: those this system trusts.'),
      })
      .nullable()
      .default(null)
      .describe(
        'Where audit messages (DICOM PS3.15 A.5) are sent: syslog over TLS (RFC 5424, 5425); null: nowhere.',
      ),
  })
  .prefault({})
  .describe('The record of who did what.');

/** The page's own port over HTTPS. A box under test, whose ports the system chooses, gets that one chosen too. */
export function fillHttpsPort<T extends z.output<typeof web>>(config: T) {
  const { https: given, port } = config;
  return { ...config, https: given && { ...given, port: given.port ?? (port === 0 ? 0 : 8443) } };
}
