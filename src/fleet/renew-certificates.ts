import {
  certificateRequest,
  type FleetName,
  type PublicJwk,
  type ReportedState,
} from '../config/remote/documents.ts';
import { openSigned } from '../config/remote/signed.ts';
import {
  type CertificateRequest,
  type DeviceAuthority,
  makeCertificateRequest,
  readCertificateRequest,
} from '../crypto/device-authority.ts';
import { GantryError } from '../base/errors.ts';
import { keyIdOf, verifySignatures } from '../crypto/jws.ts';
import { CertificateRecord } from './certificate-record.ts';
import { requireTrustedAuthority } from './device-ca.ts';
import { boxFile, readIfThere, replaceFile } from './files.ts';
import { readFleetFolder } from './fleet-folder.ts';
import { requireTrust } from './trust-chain.ts';

export interface RenewOptions {
  /** The git folder. */
  readonly directory: string;
  /** The folder of rendered documents, from which certificates are published. */
  readonly out: string;
  readonly authority: DeviceAuthority;
  readonly days: number;
  readonly now: Date;
}

export interface Renewed {
  /** Boxes that got a new certificate. */
  readonly issued: readonly string[];
  /** Boxes that ask for one that was issued before: it is published again. */
  readonly known: readonly string[];
  /** Boxes that ask, and get none. */
  readonly refused: readonly { readonly device: string; readonly why: string }[];
}

/**
 * Issues a certificate to every box that asks for one in its report, into the folder that is published. It may run
 * as often as one likes: a key gets one certificate.
 * @throws GantryError FLEET_NO_TRUST, FLEET_CA_UNTRUSTED, FLEET_CERTIFICATES_DAMAGED
 */
export async function renewCertificates(
  reports: ReadonlyMap<string, ReportedState>,
  { directory, out, authority, days, now }: RenewOptions,
): Promise<Renewed> {
  const { document } = await requireTrust(directory);
  requireTrustedAuthority(document, authority.cert);
  const { devices } = await readFleetFolder(directory);
  const record = new CertificateRecord(directory);
  const outcome = {
    issued: [] as string[],
    known: [] as string[],
    refused: [] as { device: string; why: string }[],
  };
  for (const [name, report] of reports) {
    if (report.certificateRequest === undefined) continue;
    const device = devices.get(name)?.value;
    const refuse = (why: string) => outcome.refused.push({ device: name, why });
    if (device === undefined || device.retired) {
      refuse('is not a box of this fleet');
      continue;
    }
    const request = await requestIn(report, document.fleet, device.keys?.sign);
    if (request === null) {
      refuse('has not signed what it asks with');
      continue;
    }
    try {
      const { certificate, isNew } = await record.issue(authority, request, { name, days, now });
      await writeIfNew(boxFile(out, name, '.certificate.pem'), certificate.cert);
      outcome[isNew ? 'issued' : 'known'].push(name);
    } catch (error) {
      if (!(error instanceof GantryError) || error.code !== 'FLEET_CERTIFICATE_REVOKED') throw error;
      refuse('asks for a key whose certificate has been revoked');
    }
  }
  return outcome;
}

/** What a box asks with, if the box itself has signed it for this fleet: a folder of reports is believed nothing. */
async function requestIn(
  { device, certificateRequest: signed }: ReportedState,
  fleet: FleetName,
  key: PublicJwk | undefined,
): Promise<CertificateRequest | null> {
  const read = openSigned(signed, certificateRequest);
  if (!read.ok || key === undefined) return null;
  const { value, jws } = read;
  if (value.device !== device || value.fleet !== fleet) return null;
  const kind = 'gantry-certificate-request';
  const signers = await verifySignatures(kind, jws, new Map([[keyIdOf(key), key]]));
  return signers.length === 0 ? null : readCertificateRequest(value.request);
}

/** The same bytes stay as they are: publishing looks at what has changed. */
async function writeIfNew(path: string, text: string): Promise<void> {
  if ((await readIfThere(path))?.toString() !== text) await replaceFile(path, text);
}

/**
 * A key and a certificate for a program of central IT itself, such as the one that publishes.
 * @throws GantryError FLEET_NAME_OF_BOX, FLEET_CERTIFICATE_REVOKED
 */
export async function issueToProgram(
  name: string,
  { directory, authority, days, now }: Omit<RenewOptions, 'out'>,
): Promise<{ readonly cert: string; readonly key: string; readonly notAfter: string }> {
  const { devices } = await readFleetFolder(directory);
  if (devices.has(name)) {
    throw new GantryError({
      code: 'FLEET_NAME_OF_BOX',
      kind: 'permanent',
      message: `"${name}" is a box: its key never leaves it.`,
      nextStep:
        'Give another name, such as "central-it". A box gets its certificate by "gantry fleet enroll".',
    });
  }
  const made = await makeCertificateRequest(name);
  const request = await readCertificateRequest(made.request);
  if (request === null) throw new TypeError('a request of our own is not readable');
  const issued = await new CertificateRecord(directory).issue(authority, request, { name, days, now });
  return { cert: issued.certificate.cert, key: made.key, notAfter: issued.certificate.notAfter };
}
