import { readFile } from 'node:fs/promises';
import { GantryError } from '../base/errors.ts';
import { type SealedSecrets, secretNameOf } from '../base/sealed-secrets.ts';
import type { Config } from '../config/schema.ts';
import { noticeSubject, noticeText } from './notice-text.ts';
import type { NoticeChannel } from './notifier.ts';

type Notify = Config['notify'];

const connectMs = 10_000;
const secretCharsMax = 4096;

/** The ways that are configured. @param sealed where their secrets may be */
export function noticeChannels({ webhook, email }: Notify, sealed: SealedSecrets): NoticeChannel[] {
  return [
    ...(webhook === null ? [] : [webhookChannel(webhook, sealed)]),
    ...(email === null ? [] : [emailChannel(email, sealed)]),
  ];
}

/** The notice as JSON, by POST. */
function webhookChannel(
  { url, tokenFile }: NonNullable<Notify['webhook']>,
  sealed: SealedSecrets,
): NoticeChannel {
  return {
    name: 'webhook',
    send: async (notice, signal) => {
      // Loaded when the first notice is sent: most boxes send none for weeks.
      const { request } = await import('undici');
      const authorization =
        tokenFile === null ? {} : { authorization: `Bearer ${await secretOf(tokenFile, sealed)}` };
      const answer = await request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'Gantry', ...authorization },
        // Chat services show "text" and leave out the rest.
        body: JSON.stringify({ text: `${noticeSubject(notice)}. ${notice.reason}`, ...notice }),
        signal,
      });
      await answer.body.dump();
      if (answer.statusCode >= 300) throw notSent(`HTTP_${answer.statusCode}`);
    },
  };
}

function emailChannel(email: NonNullable<Notify['email']>, sealed: SealedSecrets): NoticeChannel {
  const { host, port, security, user, passwordFile, from, to } = email;
  return {
    name: 'email',
    send: async (notice) => {
      const { createTransport } = await import('nodemailer');
      const sign =
        user === null || passwordFile === null ? null : { user, pass: await secretOf(passwordFile, sealed) };
      const transport = createTransport({
        host,
        port,
        secure: security === 'tls',
        requireTLS: security === 'starttls',
        ignoreTLS: security === 'none',
        connectionTimeout: connectMs,
        greetingTimeout: connectMs,
        socketTimeout: connectMs,
        disableFileAccess: true,
        disableUrlAccess: true,
        ...(sign && { auth: sign }),
      });
      try {
        await transport.sendMail({
          from,
          to: [...to],
          subject: noticeSubject(notice),
          text: noticeText(notice),
          headers: { 'Auto-Submitted': 'auto-generated' },
        });
      } catch (error) {
        // Only its code: what a mail server says may hold anything.
        throw notSent(error instanceof Error && 'code' in error ? String(error.code) : 'SMTP');
      } finally {
        transport.close();
      }
    },
  };
}

async function secretOf(place: string, sealed: SealedSecrets): Promise<string> {
  const name = secretNameOf(place);
  const text = await (name === null ? readFile(place, 'utf8') : sealed.text(name)).catch(() => {
    throw notSent('SECRET_FILE_UNREADABLE');
  });
  return text.slice(0, secretCharsMax).trim();
}

function notSent(cause: string): GantryError {
  return new GantryError({
    code: 'NOTICE_NOT_SENT',
    kind: 'transient',
    message: `The notice did not get through (${cause}).`,
    nextStep: 'Check "notify" in the configuration, and that the mail server or the address can be reached.',
  });
}
