import { z } from 'zod';
import { proxy } from './document-destinations.ts';
import { clientCertificate } from './document-line.ts';
import { brokerUrl, cronExpression, filePath, recordUrl, secretPlace, shortText } from './values.ts';

/** How the way to central IT is made, whatever is spoken on it. */
const line = {
  caFile: filePath
    .nullable()
    .default(null)
    .describe('PEM file of authorities to trust in addition to the usual ones; null: only those.'),
  clientCertificate: clientCertificate
    .nullable()
    .default(null)
    .describe('Client certificate to sign in with; null: none.'),
  proxy: proxy.nullable().default(null).describe('HTTP proxy (CONNECT); null: direct.'),
};

const https = z
  .strictObject({
    url: recordUrl.describe(
      'Folder of the published record at a web server, such as "https://fleet.example/gantry"; "v1/FLEET/BOX/…" comes after it.',
    ),
    ...line,
    poll: cronExpression
      .default('*/5 * * * *')
      .describe('When it is asked for something new: a cron expression, in UTC.'),
    jitterSeconds: z
      .int()
      .min(0)
      .max(3600)
      .default(240)
      .describe(
        'Each box asks up to so much later, by its name, so that a fleet does not ask all at once, in seconds.',
      ),
    report: z
      .boolean()
      .default(true)
      .describe('Whether the report of this box is put there too (HTTP PUT); false: only read.'),
  })
  .nullable()
  .default(null)
  .describe('Configuration from a web server, asked now and then; null: not asked.');

const mqtt = z
  .strictObject({
    url: brokerUrl.describe(
      'MQTT broker: "wss://broker.example/mqtt" (port 443, passes firewalls), or "mqtts://broker.example" (port 8883).',
    ),
    ...line,
    user: shortText
      .nullable()
      .default(null)
      .describe('User name at the broker; null: the certificate alone.'),
    passwordFile: secretPlace
      .nullable()
      .default(null)
      .describe('File that holds the user\'s password, or "secret:NAME".'),
    keepAliveSeconds: z
      .int()
      .min(10)
      .max(1200)
      .default(60)
      .describe('How often a silent line is tried, in seconds; shorter than the patience of middle boxes.'),
  })
  .refine((entry) => (entry.user === null) === (entry.passwordFile === null), {
    error: 'has only one of "user" and "passwordFile"',
    params: { suggestion: 'Give both, or neither.' },
  })
  .nullable()
  .default(null)
  .describe('Configuration at once, over a broker; null: none.');

const usb = z
  .strictObject({
    folder: filePath.describe(
      'Folder where sticks are mounted, such as "/media/gantry"; "gantry-fleet/v1/…" is looked for in it.',
    ),
    lookSeconds: z
      .int()
      .min(1)
      .max(60)
      .default(5)
      .describe('How often it is looked whether a stick is there, in seconds.'),
  })
  .nullable()
  .default(null)
  .describe('Configuration from a USB stick; null: sticks are not read.');

/** Ways to central IT. All three carry the same signed documents; none of them is believed. */
export const remote = z
  .strictObject({
    https,
    mqtt,
    usb,
    commands: z
      .array(z.enum(['echo', 'support-bundle', 'retry']))
      .max(3)
      .default([])
      .describe(
        'Signed commands of central IT that this box carries out: "echo" tests a modality, "support-bundle" makes one here, "retry" sends again what waits. Empty: none.',
      ),
  })
  .prefault({})
  .describe(
    'How central IT reaches this box once it is enrolled in a fleet. Nothing is ever asked from outside: each way is opened from here.',
  );
