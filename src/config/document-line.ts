import { z } from 'zod';
import { filePath } from './values.ts';

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

export const clientCertificate = z
  .strictObject({
    certFile: filePath.describe('PEM file with the certificate and its chain.'),
    keyFile: filePath.describe('PEM file with the private key.'),
  })
  .describe('Client certificate for mutual TLS.');

export const batch = z
  .strictObject({
    instancesMax: z.int().min(1).max(1000).default(64).describe('Instances in one request, at most.'),
    bytesMax: z
      .int()
      .min(mebibyte)
      .max(2 * gibibyte)
      .default(64 * mebibyte)
      .describe(
        'Bytes in one request, at most; how many there are is measured. A larger instance travels alone. AWS takes 1 GB, Azure 2 GB.',
      ),
  })
  .prefault({})
  .describe('How much travels in one request.');

export const allowTestStudy = z
  .boolean()
  .default(false)
  .describe(
    'Whether a technician may send a labelled test image there (patient "GANTRY^TEST"). It stays among the images of patients until the archive deletes it.',
  );
