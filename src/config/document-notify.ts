import { z } from 'zod';
import { cronExpression, noticeUrl, peerHost, peerPort, secretPlace, shortText } from './values.ts';

const mailAddress = z
  .string()
  .max(254)
  .regex(/^[^\s@<>"]+@[^\s@<>"]+$/, 'is not a mail address');

const webhook = z
  .strictObject({
    url: noticeUrl.describe(
      'Where the notice goes as JSON, by POST: https, or an address on this box or network.',
    ),
    tokenFile: secretPlace
      .nullable()
      .default(null)
      .describe('File with a bearer token to send along, or "secret:NAME"; null: none.'),
  })
  .nullable()
  .default(null)
  .describe('Notices to a web address; null: none.');

const email = z
  .strictObject({
    host: peerHost.describe('Mail server.'),
    port: peerPort.default(587).describe('Its port for submission: 587 with "starttls", 465 with "tls".'),
    security: z
      .enum(['starttls', 'tls', 'none'])
      .default('starttls')
      .describe(
        '"starttls" and "tls" never send in clear; "none" always does: only inside a protected network.',
      ),
    user: shortText.nullable().default(null).describe('User name at the mail server.'),
    passwordFile: secretPlace
      .nullable()
      .default(null)
      .describe('File that holds the user\'s password, or "secret:NAME".'),
    from: mailAddress.describe('Address the mail comes from.'),
    to: z.array(mailAddress).min(1).max(20).describe('Who gets it.'),
  })
  .refine((entry) => (entry.user === null) === (entry.passwordFile === null), {
    error: 'has only one of "user" and "passwordFile"',
    params: { suggestion: 'Give both, or neither.' },
  })
  .nullable()
  .default(null)
  .describe('Notices by e-mail (SMTP); null: none.');

export const notify = z
  .strictObject({
    webhook,
    email,
    holdSeconds: z
      .number()
      .min(0)
      .max(86_400)
      .default(300)
      .describe('How long something must be wrong, or well again, before it is told, in seconds.'),
    digest: cronExpression
      .nullable()
      .default(null)
      .describe(
        'When a summary is sent as well, in the time zone of the site: "0 7 * * *" is every day at 7; null: never.',
      ),
  })
  .prefault({})
  .describe(
    'Who is told when the verdict changes, and when all is well again: once each, never more than twelve starts a day.',
  );
