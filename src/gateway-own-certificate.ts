import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Clock } from './base/clock.ts';
import { shownFingerprint } from './base/certificate.ts';
import type { WatchedCertificate } from './base/certificate-watch.ts';
import { readWholeFile, writeFileDurably } from './base/disk.ts';
import { type FailureText, GantryError } from './base/errors.ts';
import type { CertificateAndKey } from './base/tls-credentials.ts';
import { SealedFile } from './crypto/sealed-file.ts';
import { makeSelfSigned, type SelfSignedKeys } from './crypto/self-signed.ts';
import type { Store } from './gateway-store.ts';
import type { RejectionReport, TlsCertificateReport } from './health/status.ts';

const dayMs = 24 * 60 * 60 * 1000;
/** A clock that shows an earlier time than this has never been set. */
const clockFloor = Date.UTC(2026, 0, 1);
const bundleBytesMax = 64 * 1024;

interface OwnCertificateKind {
  /** Name of its sealed file in `config/`; `.pem` beside it is the certificate in clear. */
  readonly file: 'dicom-tls' | 'web-tls';
  readonly purpose: string;
  readonly keys: SelfSignedKeys;
  readonly lifeMs: number;
  /** Whether a new one is made once it has ended. */
  readonly renewed: boolean;
}

/** Devices have to be told of a new one by hand, so it is to last as long as the box. */
export const dicomCertificate: OwnCertificateKind = {
  file: 'dicom-tls',
  purpose: 'DICOM over TLS',
  keys: 'rsa',
  lifeMs: 10 * 365 * dayMs,
  renewed: false,
};

/** Browsers of Apple turn away, without asking, what is valid for more than 825 days. */
export const webCertificate: OwnCertificateKind = {
  file: 'web-tls',
  purpose: 'the page',
  keys: 'ec',
  lifeMs: 820 * dayMs,
  renewed: true,
};

/** The box's own certificate, in clear, for people to install in devices and browsers. */
export function ownCertificatePath(dataDirectory: string, { file }: OwnCertificateKind): string {
  return join(dataDirectory, 'config', `${file}.pem`);
}

/** Reads the box's own certificate, or makes one where there is none: on first start, or once it was removed. */
export async function ownCertificate(store: Store, kind: OwnCertificateKind): Promise<CertificateAndKey> {
  const { disk, keyring, dataDirectory, clock } = store;
  const place = {
    path: join(dataDirectory, 'config', kind.file),
    purpose: kind.file,
    bytesMax: bundleBytesMax,
  };
  const sealed = new SealedFile(disk, keyring, place);
  const bytes = await sealed.read().catch((error: unknown) => {
    throw ownDamaged(kind, error);
  });
  const stored = bytes === null ? null : (JSON.parse(bytes.toString()) as StoredCertificate);
  const usable = stored !== null && !(kind.renewed && (stored.notAfter ?? 0) < clock.now());
  const own = usable ? stored : await makeOwn(kind, clock);
  if (!usable) await sealed.write(Buffer.from(JSON.stringify(own)));
  const path = ownCertificatePath(dataDirectory, kind);
  const shown = await readWholeFile(disk, path, bundleBytesMax).catch(() => null);
  if (shown?.toString() !== own.cert) await writeFileDurably(disk, path, Buffer.from(own.cert));
  return own;
}

interface StoredCertificate extends CertificateAndKey {
  /** Milliseconds since the epoch. */
  readonly notAfter?: number;
}

function ownDamaged({ file, purpose }: OwnCertificateKind, cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'TLS_OWN_CERTIFICATE_DAMAGED',
      kind: 'permanent',
      message: `This box's own certificate for ${purpose} (config/${file}) cannot be read.`,
      nextStep:
        'Restore the file from a copy, or remove it and restart the gateway: it then makes a new one.',
    },
    { cause },
  );
}

async function makeOwn({ keys, lifeMs }: OwnCertificateKind, clock: Clock): Promise<StoredCertificate> {
  const notBefore = Math.max(clock.now(), clockFloor) - dayMs;
  const notAfter = notBefore + lifeMs;
  return { ...(await makeSelfSigned({ names: ownNames(), notBefore, notAfter, keys })), notAfter };
}

/** The machine's name, and the addresses it has now. */
function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address);
  return [hostname(), ...new Set(addresses)];
}

/** What of a certificate is shown. @param file where it lies, if it is not the box's own */
export function certificateReport(
  certificate: NonNullable<WatchedCertificate['certificate']>,
  kind: OwnCertificateKind,
  file: string | null,
  { dataDirectory, clock }: Store,
): TlsCertificateReport {
  const { selfSigned, sha256, notBefore, notAfter, life } = certificate;
  return {
    selfSigned,
    file: selfSigned ? ownCertificatePath(dataDirectory, kind) : (file ?? ''),
    sha256: shownFingerprint(sha256),
    notBefore: new Date(notBefore).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
    daysLeft: Math.floor((notAfter - clock.now()) / dayMs),
    life,
  };
}

export function problemReport(problem: FailureText | null): RejectionReport | null {
  return problem && { code: problem.code, words: problem.message, nextStep: problem.nextStep };
}
