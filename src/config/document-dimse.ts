import { z } from 'zod';
import { bandwidth } from './document-bandwidth.ts';
import { allowTestStudy, batch, clientCertificate } from './document-line.ts';
import { aeTitle, filePath, peerHost, peerPort } from './values.ts';

const tls = z
  .strictObject({
    caFile: filePath
      .nullable()
      .default(null)
      .describe('PEM file with an authority to trust in addition to the usual ones.'),
    clientCertificate: clientCertificate
      .nullable()
      .default(null)
      .describe('Client certificate, where the PACS asks for one.'),
  })
  .nullable()
  .default(null)
  .describe('DICOM over TLS 1.2 or 1.3; null: unencrypted, only inside a protected network. {} is enough.');

export const dimseDestination = z
  .strictObject({
    type: z.literal('dimse').describe('A PACS by DICOM C-STORE, with C-FIND and C-GET for the proof.'),
    host: peerHost.describe('Address of the PACS.'),
    port: peerPort.default(104).describe('DICOM port of the PACS.'),
    aeTitle: aeTitle.describe('AE title of the PACS.'),
    callingAeTitle: aeTitle
      .nullable()
      .default(null)
      .describe('AE title this box calls itself there; null: that of "intake.aeTitle".'),
    tls,
    verify: z
      .enum(['response', 'find', 'get'])
      .default('get')
      .describe(
        'Proof that the PACS has an image. "get" fetches it back (C-GET) and compares every byte. "find" asks whether it is listed (C-FIND): for a PACS without C-GET; images that it may have had before are then never deleted here. "response" believes its answer, and such images are never deleted here.',
      ),
    batch,
    bandwidth,
    allowTestStudy,
    parallel: z.int().min(1).max(16).default(2).describe('Associations at the same time.'),
  })
  .describe('One PACS.');
