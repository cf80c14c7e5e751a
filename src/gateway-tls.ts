import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { readWholeFile, writeFileDurably } from './base/disk.ts';
import { GantryError } from './base/errors.ts';
import type { Config } from './config/schema.ts';
import { SealedFile } from './crypto/sealed-file.ts';
import { type CertificateAndKey, makeSelfSigned } from './crypto/self-signed.ts';
import type { Store } from './gateway-store.ts';
import type { TlsReport } from './health/status.ts';
import { shownFingerprint } from './intake/certificate.ts';
import type { IntakeListener } from './intake/listener.ts';
import { TlsPort } from './intake/tls-port.ts';

const dayMs = 24 * 60 * 60 * 1000;
/** Devices have to be told of a new one by hand, so it is to last as long as the box. */
const ownLifeMs = 10 * 365 * dayMs;
/** A clock that shows an earlier time than this has never been set. */
const clockFloor = Date.UTC(2026, 0, 1);
const bundleBytesMax = 64 * 1024;

/** The box's own certificate, in clear, for people to install in devices. */
export function ownCertificatePath(dataDirectory: string): string {
  return join(dataDirectory, 'config', 'dicom-tls.pem');
}

/** Certificate and key, sealed. */
function ownBundlePath(dataDirectory: string): string {
  return join(dataDirectory, 'config', 'dicom-tls');
}

/** The DICOM TLS port as configured, or null where it is off. */
export function createTlsPort(store: Store, listener: IntakeListener): TlsPort | null {
  const { clock, log, current } = store;
  const { intake, modalities } = current.config;
  if (intake.tls === null) return null;
  const bound = Object.values(modalities).some(({ certificate }) => certificate !== null);
  return new TlsPort(
    {
      ...intake.tls,
      host: intake.tls.host ?? intake.host,
      asksForCertificates: bound || clientCertificateRequired(intake),
    },
    { doorway: listener, clock, log, ownCertificate: () => ownCertificate(store) },
  );
}

export function clientCertificateRequired({ tls }: Config['intake']): boolean {
  return tls !== null && (tls.requireClientCertificate ?? tls.clientCaFile !== null);
}

/** Reads the box's own certificate, or makes one where there is none: on first start, or once it was removed. */
async function ownCertificate({ disk, keyring, dataDirectory, clock }: Store): Promise<CertificateAndKey> {
  const place = { path: ownBundlePath(dataDirectory), purpose: 'dicom-tls', bytesMax: bundleBytesMax };
  const sealed = new SealedFile(disk, keyring, place);
  const stored = await sealed.read().catch((error: unknown) => {
    throw ownDamaged(error);
  });
  const own =
    stored === null ? await makeOwn(clock.now()) : (JSON.parse(stored.toString()) as CertificateAndKey);
  if (stored === null) await sealed.write(Buffer.from(JSON.stringify(own)));
  const path = ownCertificatePath(dataDirectory);
  const shown = await readWholeFile(disk, path, bundleBytesMax).catch(() => null);
  if (shown?.toString() !== own.cert) await writeFileDurably(disk, path, Buffer.from(own.cert));
  return own;
}

function ownDamaged(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'TLS_OWN_CERTIFICATE_DAMAGED',
      kind: 'permanent',
      message: "This box's own certificate for DICOM over TLS (config/dicom-tls) cannot be read.",
      nextStep:
        'Restore the file from a copy, or remove it and restart the gateway: it then makes a new one.',
    },
    { cause },
  );
}

function makeOwn(now: number): Promise<CertificateAndKey> {
  const notBefore = Math.max(now, clockFloor) - dayMs;
  return makeSelfSigned({ names: ownNames(), notBefore, notAfter: notBefore + ownLifeMs });
}

/** The machine's name, and the addresses it has now. */
function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address);
  return [hostname(), ...new Set(addresses)];
}

/** What of it is shown. */
export function tlsReport(port: TlsPort, { current, dataDirectory, clock }: Store): TlsReport {
  const { intake } = current.config;
  const { certificate, problem, ...state } = port.state();
  return {
    ...state,
    profile: intake.tls?.profile ?? 'b13',
    clientCertificateRequired: clientCertificateRequired(intake),
    certificate: certificate && {
      selfSigned: certificate.selfSigned,
      file: certificate.selfSigned ? ownCertificatePath(dataDirectory) : (intake.tls?.certFile ?? ''),
      sha256: shownFingerprint(certificate.sha256),
      notBefore: new Date(certificate.notBefore).toISOString(),
      notAfter: new Date(certificate.notAfter).toISOString(),
      daysLeft: Math.floor((certificate.notAfter - clock.now()) / dayMs),
      life: certificate.life,
    },
    problem: problem && { code: problem.code, words: problem.message, nextStep: problem.nextStep },
  };
}
