import { z } from 'zod';
import { bandwidth } from './document-bandwidth.ts';
import { dimseDestination } from './document-dimse.ts';
import { folderDestination } from './document-folder.ts';
import { allowTestStudy, batch, clientCertificate } from './document-line.ts';
import { auth } from './document-sign-in.ts';
import { profileNames } from './profiles.ts';
import { filePath, proxyUrl, secretPlace, shortText, studiesUrl } from './values.ts';

export const destinationsMax = 16;

export const proxy = z
  .strictObject({
    url: proxyUrl.describe('Proxy address, e.g. "http://proxy.example:3128".'),
    user: shortText.nullable().default(null).describe('User name at the proxy.'),
    passwordFile: secretPlace
      .nullable()
      .default(null)
      .describe('File that holds the proxy user\'s password, or "secret:NAME".'),
  })
  .refine((entry) => (entry.user === null) === (entry.passwordFile === null), {
    error: 'has only one of "user" and "passwordFile"',
    params: { suggestion: 'Give both, or neither.' },
  })
  .describe('HTTP proxy (CONNECT).');

const stowDestination = z
  .strictObject({
    type: z.literal('stow').describe('DICOMweb: STOW-RS, with QIDO-RS and WADO-RS for the proof.'),
    url: studiesUrl.describe(
      'Address of the studies service, ending in "/studies". Plain http sends images unencrypted: only inside a protected network.',
    ),
    profile: z
      .enum(profileNames)
      .nullable()
      .default(null)
      .describe(
        'Cloud service that this is: sets "verify", "batch", "parallel" and details of the sign-in to what suits it, wherever they are left out here. Built to the documentation of each service, not yet run against it.',
      ),
    auth,
    clientCertificate: clientCertificate
      .nullable()
      .default(null)
      .describe('Client certificate in addition to another sign-in.'),
    caFile: filePath
      .nullable()
      .default(null)
      .describe('PEM file with an authority to trust in addition to the usual ones.'),
    proxy: proxy.nullable().default(null).describe('HTTP proxy (CONNECT); null: direct.'),
    verify: z
      .enum(['response', 'qido', 'wado-metadata', 'wado-digest'])
      .default('wado-metadata')
      .describe(
        'Proof that the archive has an image. "response" believes its answer, and such images are never deleted here.',
      ),
    digestSample: z
      .number()
      .min(0)
      .max(1)
      .default(0.01)
      .describe('Share of images that are also compared byte for byte, 0 to 1.'),
    batch,
    parallel: z
      .int()
      .min(1)
      .max(16)
      .default(8)
      .describe('Requests at the same time, at most; how many there are is measured.'),
    bandwidth,
    allowTestStudy,
    http2: z.boolean().default(false).describe('Use HTTP/2 where the archive offers it.'),
  })
  .superRefine((entry, context) => {
    const bothCertificates = entry.auth.type === 'mtls' && entry.clientCertificate !== null;
    if (bothCertificates)
      context.addIssue({
        code: 'custom',
        path: ['clientCertificate'],
        message: 'repeats the certificate of "auth"',
        params: { suggestion: 'Keep one of the two.' },
      });
    if (entry.url.startsWith('http:') && entry.auth.type === 'aws-sigv4')
      context.addIssue({
        code: 'custom',
        path: ['auth'],
        message: 'leaves the images out of its signature, and plain http does not protect them',
        params: { suggestion: 'Use an https address in "url".' },
      });
    const certificate = entry.auth.type === 'mtls' ? 'auth' : 'clientCertificate';
    if (entry.url.startsWith('http:') && (entry.auth.type === 'mtls' || entry.clientCertificate !== null))
      context.addIssue({
        code: 'custom',
        path: [certificate],
        message: 'is a client certificate, which plain http cannot use',
        params: { suggestion: 'Use an https address in "url".' },
      });
  })
  .describe('One archive.');

export const destination = z
  .discriminatedUnion('type', [stowDestination, dimseDestination, folderDestination])
  .describe('One archive.');
