import { z } from 'zod';
import { compression } from './document-compression.ts';
import { destination } from './document-destinations.ts';
import { notify } from './document-notify.ts';
import { remote } from './document-remote.ts';
import { routes } from './document-routes.ts';
import { intakeTls, modalityCertificate } from './document-tls.ts';
import { update } from './document-update.ts';
import { access, audit, users, web } from './document-web.ts';
import { intakeLimits } from './limits.ts';
import {
  addressRange,
  aeTitle,
  cronExpression,
  entryName,
  listenHost,
  listenPort,
  peerHost,
  peerPort,
  shortText,
  timeZone,
} from './values.ts';

export const modalitiesMax = 500;
const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

const site = z
  .strictObject({
    name: shortText.default('Gantry').describe('Name of this place, as shown on the page.'),
    timeZone: timeZone
      .default('UTC')
      .describe('IANA time zone for times shown to people, e.g. "Europe/Berlin".'),
    labels: z
      .record(entryName, z.string().max(128))
      .default({})
      .describe('Free labels that name groups of boxes, e.g. {"region": "north"}.'),
  })
  .prefault({})
  .describe('Where this box stands.');

const intake = z
  .strictObject({
    aeTitle: aeTitle.prefault('GANTRY').describe('AE title that modalities call.'),
    aliases: z
      .array(aeTitle)
      .max(32)
      .default([])
      .describe('Further AE titles this box answers to, e.g. that of a gateway it replaces.'),
    host: listenHost.default('0.0.0.0').describe('IP address to listen on; "0.0.0.0" is every network card.'),
    port: listenPort.default(11_112).describe('TCP port for DICOM. 0 lets the system choose one.'),
    unknownCallers: z
      .enum(['refuse', 'accept'])
      .default('refuse')
      .describe('What happens to callers that are not among the modalities.'),
    unknownSopClasses: z
      .enum(['accept', 'refuse'])
      .default('accept')
      .describe('What happens to private storage SOP classes and those newer than this version.'),
    limits: intakeLimits,
    tls: intakeTls,
  })
  .prefault({})
  .describe('How modalities reach this box.');

export const modality = z
  .strictObject({
    aeTitle: aeTitle.describe('AE title the modality calls itself.'),
    addresses: z
      .array(addressRange)
      .max(64)
      .default([])
      .describe('IP addresses or CIDR ranges it calls from. Empty: any address.'),
    host: peerHost
      .nullable()
      .default(null)
      .describe("The modality's own address, where it can be tested from the page (C-ECHO)."),
    port: peerPort
      .nullable()
      .default(null)
      .describe("The modality's own DICOM port, where it takes a C-ECHO."),
    certificate: modalityCertificate,
    priority: z
      .enum(['routine', 'stat'])
      .default('routine')
      .describe('"stat" overtakes everything else that waits to be sent.'),
    settleSeconds: z
      .number()
      .min(1)
      .max(86_400)
      .default(30)
      .describe('Seconds without a new image after which a study counts as complete.'),
  })
  .refine((entry) => (entry.host === null) === (entry.port === null), {
    error: 'has only one of "host" and "port"',
    params: { suggestion: 'Give both, or neither.' },
  })
  .describe('One device that sends images.');

const spool = z
  .strictObject({
    reserveBytes: z
      .int()
      .min(1_000_000)
      .max(1024 * gibibyte)
      .default(2_000_000_000)
      .describe('Disk space that is never filled with images; below it new ones are refused, in bytes.'),
    preparedBytes: z
      .int()
      .min(0)
      .max(64 * gibibyte)
      .default(512 * mebibyte)
      .describe(
        'Space that is written in advance, in idle moments, so that a burst of images is stored faster, in bytes; never more than a 64th of the volume.',
      ),
    keepVerifiedHours: z
      .number()
      .min(0)
      .max(8760)
      .default(72)
      .describe('Hours an image stays on this box after the archive has proven to have it.'),
    purgeSchedule: cronExpression
      .default('*/10 * * * *')
      .describe('When verified images past their time are deleted: a cron expression.'),
  })
  .prefault({})
  .describe('The store on this box.');

/** Parts of the document that later versions fill: accepted empty, so that a document written now stays valid. */
function reserved(what: string) {
  return z.strictObject({}).prefault({}).describe(`${what} Nothing can be set in this version.`);
}

/** The shape of the document; rules that span several parts are in `whole-rules.ts`. */
export const documentShape = z
  .strictObject({
    $schema: z.string().max(2048).optional().describe('Address of this schema, for editors.'),
    site,
    intake,
    modalities: z
      .record(entryName, modality)
      .default({})
      .describe('Devices that send images, by a name of your choice.'),
    spool,
    compression,
    destinations: z
      .record(entryName, destination)
      .describe('Archives that receive the images, by a name of your choice. At least one.'),
    routes,
    web,
    users,
    access,
    audit,
    network: reserved('Network settings of the box.'),
    notify,
    remote,
    update,
  })
  .describe('Configuration of one Gantry box.');

export type Document = z.output<typeof documentShape>;
export type Modality = z.output<typeof modality>;
