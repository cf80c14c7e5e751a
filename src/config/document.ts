import { z } from 'zod';
import { intakeTls, modalityCertificate } from './document-tls.ts';
import { intakeLimits } from './limits.ts';
import {
  addressRange,
  aeTitle,
  cronExpression,
  entryName,
  filePath,
  listenHost,
  listenPort,
  peerHost,
  peerPort,
  proxyUrl,
  shortText,
  studiesUrl,
  timeZone,
  tokenUrl,
} from './values.ts';

export const modalitiesMax = 500;
export const destinationsMax = 16;
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
      .describe("The modality's own address. Noted for people; this version does not call modalities."),
    port: peerPort
      .nullable()
      .default(null)
      .describe("The modality's own DICOM port. Noted for people; this version does not call modalities."),
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

export const clientCertificate = z
  .strictObject({
    certFile: filePath.describe('PEM file with the certificate and its chain.'),
    keyFile: filePath.describe('PEM file with the private key.'),
  })
  .describe('Client certificate for mutual TLS.');

export const auth = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('none') }).describe('No sign-in.'),
    z
      .strictObject({
        type: z.literal('basic'),
        user: shortText.describe('User name.'),
        passwordFile: filePath.describe('File that holds the password.'),
      })
      .describe('HTTP Basic (RFC 7617).'),
    z
      .strictObject({
        type: z.literal('bearer'),
        tokenFile: filePath.describe('File that holds the token; read again when the archive refuses it.'),
      })
      .describe('Bearer token from a file (RFC 6750).'),
    z
      .strictObject({
        type: z.literal('oauth2'),
        tokenUrl: tokenUrl.describe('Token endpoint; https.'),
        clientId: shortText.describe('Client id.'),
        clientSecretFile: filePath.describe('File that holds the client secret.'),
        scope: shortText.nullable().default(null).describe('Scope to ask for.'),
        audience: shortText.nullable().default(null).describe('Audience to ask for.'),
      })
      .describe('OAuth 2.0 client credentials (RFC 6749 §4.4).'),
    z
      .strictObject({ type: z.literal('mtls'), ...clientCertificate.shape })
      .describe('Mutual TLS alone (RFC 8446 §4.4.2).'),
  ])
  .default({ type: 'none' })
  .describe('How this box signs in.');

export const proxy = z
  .strictObject({
    url: proxyUrl.describe('Proxy address, e.g. "http://proxy.example:3128".'),
    user: shortText.nullable().default(null).describe('User name at the proxy.'),
    passwordFile: filePath.nullable().default(null).describe("File that holds the proxy user's password."),
  })
  .refine((entry) => (entry.user === null) === (entry.passwordFile === null), {
    error: 'has only one of "user" and "passwordFile"',
    params: { suggestion: 'Give both, or neither.' },
  })
  .describe('HTTP proxy (CONNECT).');

export const batch = z
  .strictObject({
    instancesMax: z.int().min(1).max(1000).default(64).describe('Instances in one request.'),
    bytesMax: z
      .int()
      .min(mebibyte)
      .max(2 * gibibyte)
      .default(64 * mebibyte)
      .describe('Bytes in one request; a larger instance travels alone. AWS takes 1 GB, Azure 2 GB.'),
  })
  .prefault({})
  .describe('How much travels in one request.');

const stowDestination = z
  .strictObject({
    type: z.literal('stow').describe('DICOMweb: STOW-RS, with QIDO-RS and WADO-RS for the proof.'),
    url: studiesUrl.describe(
      'Address of the studies service, ending in "/studies". Plain http sends images unencrypted: only inside a protected network.',
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
    parallel: z.int().min(1).max(16).default(4).describe('Requests at the same time.'),
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

export const destination = z.discriminatedUnion('type', [stowDestination]).describe('One archive.');

export const route = z
  .strictObject({
    to: z
      .array(z.string())
      .min(1)
      .max(destinationsMax)
      .describe('Names of destinations; each gets every image.'),
  })
  .describe('Where images go.');

const routes = z
  .strictObject({
    default: route.optional().describe('Where every image goes. Absent: to every destination.'),
  })
  .prefault({})
  .describe('Which images go where.');

const web = z
  .strictObject({
    host: listenHost.default('0.0.0.0').describe('IP address the status page listens on.'),
    port: listenPort.default(8080).describe('TCP port of the status page. 0 lets the system choose one.'),
    hostNames: z
      .array(peerHost)
      .max(16)
      .default([])
      .describe(
        'DNS names the page is opened by. IP addresses, "localhost" and the machine\'s own name always work.',
      ),
  })
  .prefault({})
  .describe('The status page and its API: read-only, without patient data.');

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
    destinations: z
      .record(entryName, destination)
      .describe('Archives that receive the images, by a name of your choice. At least one.'),
    routes,
    web,
    users: reserved('People who may sign in.'),
    network: reserved('Network settings of the box.'),
    notify: reserved('Who is told about trouble.'),
    remote: reserved('Remote configuration.'),
  })
  .describe('Configuration of one Gantry box.');

export type Document = z.output<typeof documentShape>;
export type Modality = z.output<typeof modality>;
