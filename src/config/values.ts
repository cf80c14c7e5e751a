import { isIP } from 'node:net';
import { validate as isCronExpression } from 'node-cron';
import { z } from 'zod';
import { secretNameOf } from '../base/sealed-secrets.ts';
import { parseAeTitle } from '../dicom/ae-title.ts';
import { parseAddressRange } from './addresses.ts';

/** A check that fails with its cause and what to write instead. */
function rule(cause: string, suggestion: string) {
  return { error: cause, params: { suggestion } };
}

/** Names of modalities, destinations and labels: they appear in logs, metrics and on the page. */
export const entryName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, 'is not a usable name')
  .describe('1 to 63 letters, digits, "-", "_" or ".", starting with a letter or digit');

export const shortText = z.string().min(1).max(128);

/** Those asked about before: looking one up takes longer than checking all the rest of a document. */
const knownTimeZones = new Map<string, boolean>();

function isTimeZone(name: string): boolean {
  const known = knownTimeZones.get(name);
  if (known !== undefined) return known;
  let is: boolean;
  try {
    is = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    is = false;
  }
  if (knownTimeZones.size < timeZonesMax) knownTimeZones.set(name, is);
  return is;
}

/** There are about six hundred names. */
const timeZonesMax = 1000;

export const timeZone = z
  .string()
  .refine(
    isTimeZone,
    rule(
      'is not a time zone this system knows',
      'Use a name from the IANA list, such as "Europe/Berlin" or "UTC".',
    ),
  );

export const aeTitle = z.string().transform((text, context) => {
  const title = parseAeTitle(text);
  if (title !== null) return title;
  context.addIssue({
    code: 'custom',
    message: 'is not an AE title',
    params: {
      suggestion: 'Use 1 to 16 ASCII characters without a backslash, exactly as the device is set up.',
    },
  });
  return z.NEVER;
});

export const listenHost = z
  .string()
  .refine(
    (text) => isIP(text) !== 0,
    rule(
      'is not an IP address of this box',
      'Use "0.0.0.0" for every network card, "127.0.0.1" for this box only, or one card\'s IP address.',
    ),
  );

/** Port 0 lets the system choose; the ready line says which one it took. */
export const listenPort = z.int().min(0).max(65_535);

export const peerPort = z.int().min(1).max(65_535);

export const peerHost = z
  .string()
  .refine(
    (text) => isIP(text) !== 0 || /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text),
    rule('is neither an IP address nor a host name', 'Use an address such as "10.4.1.20".'),
  );

export const addressRange = z
  .string()
  .refine(
    (text) => parseAddressRange(text) !== null,
    rule(
      'is neither an IP address nor a range',
      'Use an address ("10.4.1.20") or a CIDR range ("10.4.1.0/24").',
    ),
  );

export const filePath = z
  .string()
  .max(4096)
  .refine(
    (text) => text.startsWith('/') && !text.includes('\0'),
    rule('is not an absolute path', 'Write the full path, starting with "/".'),
  );

/** What holds a secret: a file on this box, or one that central IT sends sealed, as "secret:NAME". */
export const secretPlace = z
  .string()
  .max(4096)
  .refine(
    (text) => {
      const name = secretNameOf(text);
      return name === null ? filePath.safeParse(text).success : entryName.safeParse(name).success;
    },
    rule(
      'is neither an absolute path nor the name of a secret',
      'Write the full path of the file, starting with "/"; in a fleet also "secret:NAME".',
    ),
  );

/** SHA-256 of a certificate, as small hex digits. */
export const fingerprint = z.string().transform((text, context) => {
  const plain = text.replaceAll(/[:\s]/g, '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(plain)) return plain;
  context.addIssue({
    code: 'custom',
    message: 'is not a SHA-256 fingerprint',
    params: {
      suggestion:
        'Write its 64 hex digits, with or without ":"; "openssl x509 -noout -fingerprint -sha256 -in FILE" shows them.',
    },
  });
  return z.NEVER;
});

/** What is kept of a password: scrypt in the form of password hashes (PHC). */
export const passwordHash = z
  .string()
  .refine(
    (text) => /^\$scrypt\$ln=1[4-7],r=8,p=[1-8]\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/.test(text),
    rule('is not a password hash', 'Write what "gantry auth hash" prints. Never write a password here.'),
  );

/** An Ed25519 public key: base64 of its SubjectPublicKeyInfo (RFC 8410), the middle line of its PEM form. */
export const publicKey = z
  .string()
  .refine(
    (text) => /^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$/.test(text),
    rule('is not an Ed25519 public key', 'Write the 60 characters that "gantry auth keygen" prints.'),
  );

export const certificateName = z
  .string()
  .max(253)
  .refine(
    (text) => /^[^\s\0][^\0]*$/.test(text),
    rule('is not a name in a certificate', 'Write its common name, or one of its DNS names.'),
  );

export const cronExpression = z
  .string()
  .refine(
    (text) => isCronExpression(text),
    rule('is not a schedule', 'Use a cron expression such as "*/10 * * * *" (every ten minutes).'),
  );

function parseHttpUrl(text: string): URL | null {
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') ? url : null;
}

/**
 * An http or https URL without a user, password or fragment. Its text is never repeated in a problem:
 * where a rule fails it may hold a password.
 */
const httpUrl = z
  .string()
  .max(2048)
  .superRefine((text, context) => {
    const fail = (message: string, suggestion: string) => {
      context.addIssue({ code: 'custom', message, params: { suggestion } });
    };
    const url = parseHttpUrl(text);
    if (/\s/.test(text)) fail('has a space in it', 'Take it out; where it belongs to a path write "%20".');
    else if (url === null)
      fail('is not an http or https address', 'Write it in full, such as "https://archive.example/…".');
    else if (url.username !== '' || url.password !== '')
      fail('holds a user or password', 'Take it out of the address and use "user" with "passwordFile".');
    else if (url.hash !== '') fail('has a "#" part', 'Leave out everything from "#" on.');
  });

/** The STOW-RS, QIDO-RS and WADO-RS base: `{service}/studies` (PS3.18 §10). */
export const studiesUrl = httpUrl.superRefine((text, context) => {
  const url = parseHttpUrl(text);
  if (url === null || url.username !== '' || url.password !== '') return;
  if (url.search === '' && url.pathname.endsWith('/studies')) return;
  const base = `${url.origin}${url.pathname}`.replace(/\/+$/, '').replace(/\/studies$/, '');
  const message = url.search === '' ? 'does not end in "/studies"' : 'has a "?" part';
  context.addIssue({ code: 'custom', message, params: { suggestion: `Did you mean "${base}/studies"?` } });
});

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** The client secret goes there: https, or this box itself. */
export const tokenUrl = httpUrl.refine(
  (text) => {
    const url = parseHttpUrl(text);
    return url === null || url.protocol === 'https:' || loopbackHosts.has(url.hostname);
  },
  rule('would send the client secret unencrypted', 'Use an https address.'),
);

export const proxyUrl = httpUrl.refine(
  (text) => {
    const url = parseHttpUrl(text);
    return url === null || (url.pathname === '/' && url.search === '');
  },
  rule(
    'is more than a proxy address',
    'Use scheme, host and port only, such as "http://proxy.example:3128".',
  ),
);

/** Where notices go: no patient data, but a token, and the state of the box. */
export const noticeUrl = httpUrl;

/** Where the published record lies: signed documents and the reports of boxes, which name a site's devices. */
export const recordUrl = httpUrl.superRefine((text, context) => {
  const url = parseHttpUrl(text);
  if (url === null) return;
  const fail = (message: string, suggestion: string) =>
    context.addIssue({ code: 'custom', message, params: { suggestion } });
  if (url.protocol === 'http:' && !loopbackHosts.has(url.hostname))
    fail('would be read and answered unencrypted', 'Use an https address.');
  else if (url.search !== '') fail('has a "?" part', 'Leave out everything from "?" on.');
});

const brokerPaths = new Set(['', '/']);

/** An MQTT broker over TLS: WebSocket (RFC 6455) with a path, or plain MQTT without one. Its text is never repeated. */
export const brokerUrl = z
  .string()
  .max(2048)
  .superRefine((text, context) => {
    const fail = (message: string, suggestion: string) =>
      context.addIssue({ code: 'custom', message, params: { suggestion } });
    const url = /\s/.test(text) ? null : URL.parse(text);
    const onThisBox = url !== null && loopbackHosts.has(url.hostname) && /^(?:mqtt|ws):$/.test(url.protocol);
    if (url === null || url.hostname === '' || !(onThisBox || /^(?:mqtts|wss):$/.test(url.protocol)))
      fail(
        'is not the address of a broker over TLS',
        'Write "wss://broker.example/mqtt", or "mqtts://broker.example:8883".',
      );
    else if (url.username !== '' || url.password !== '')
      fail('holds a user or password', 'Take it out of the address and use "user" with "passwordFile".');
    else if (url.hash !== '') fail('has a "#" part', 'Leave out everything from "#" on.');
    else if (/^mqtts?:$/.test(url.protocol) && !(brokerPaths.has(url.pathname) && url.search === ''))
      fail('has a path, which MQTT without WebSocket does not know', 'Leave it out, or use "wss://…".');
  });
