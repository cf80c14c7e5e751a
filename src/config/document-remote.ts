import { z } from 'zod';
import { weeklyWindow } from './document-window.ts';
import { proxy } from './document-destinations.ts';
import { clientCertificate } from './document-line.ts';
import { brokerUrl, cronExpression, filePath, recordUrl, secretPlace, shortText } from './values.ts';

/** What a technician may set on the page of a box that central IT configures. */
export const localSettings = ['modalities', 'site.name', 'site.timeZone'] as const;
export type LocalSetting = (typeof localSettings)[number];

/** How the way to central IT is made, whatever is spoken on it. */
export const remoteLine = {
  caFile: filePath
    .nullable()
    .default(null)
    .describe('PEM file of authorities to trust in addition to the usual ones; null: only those.'),
  clientCertificate: clientCertificate
    .nullable()
    .default(null)
    .describe('Client certificate to sign in with; null: the one that this box got at its enrolment.'),
  proxy: proxy.nullable().default(null).describe('HTTP proxy (CONNECT); null: direct.'),
};

const https = z
  .strictObject({
    url: recordUrl.describe(
      'Folder of the published record at a web server, such as "https://fleet.example/gantry"; "v1/FLEET/BOX/…" comes after it.',
    ),
    ...remoteLine,
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
    ...remoteLine,
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
    applyWindows: z
      .array(weeklyWindow)
      .max(32)
      .default([{ days: '*', from: '20:00', to: '05:00' }])
      .describe(
        'When configurations that central IT marks with "apply: window" are put in use, by the clock of the site. Empty: never by itself, only by "gantry config apply".',
      ),
    localSettings: z
      .array(z.enum(localSettings))
      .max(localSettings.length)
      .default([...localSettings])
      .describe(
        'What may be set on the page of a box that belongs to a fleet: "modalities" (which devices are let in, with their addresses), "site.name", "site.timeZone". Such a value counts over what central IT gives, and is reported. One that is no longer named here is given up with the next configuration.',
      ),
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
