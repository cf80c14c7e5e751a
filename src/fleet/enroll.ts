import { join } from 'node:path';
import { GantryError } from '../base/errors.ts';
import { signedDocument, type TrustDocument, wireVersion } from '../config/remote/documents.ts';
import { type EnrolmentRequest, makeAnswer, openRequest } from '../config/remote/enrolment.ts';
import { type DeviceAuthority, readCertificateRequest } from '../crypto/device-authority.ts';
import { keyIdOf } from '../crypto/jws.ts';
import { CertificateRecord, type IssuedRecord } from './certificate-record.ts';
import { requireTrustedAuthority } from './device-ca.ts';
import { replaceFile } from './files.ts';
import { readFleetFolder } from './fleet-folder.ts';
import { requireTrust } from './trust-chain.ts';

export interface Enrolled {
  readonly device: string;
  /** The answer, for the box. */
  readonly answer: string;
  /** What it was given, or null. */
  readonly certificate: IssuedRecord | null;
}

export interface EnrolTerms {
  /** How long its certificate is good for. */
  readonly days: number;
  readonly now: Date;
}

/**
 * Takes a box into the fleet: its Device file, with the keys it asked with, its certificate where there is an
 * authority, and an answer that only the box of this claim code believes.
 * @throws GantryError ENROL_CODE, FLEET_DEVICE_EXISTS, FLEET_DEVICE_RETIRED, FLEET_NO_TRUST, FLEET_CA_UNTRUSTED
 */
export async function enrollBox(
  directory: string,
  asked: { readonly request: Uint8Array; readonly code: string },
  authority: DeviceAuthority | null,
  terms: EnrolTerms,
): Promise<Enrolled> {
  const request = openRequest(asked.request, asked.code);
  const { device, keys, schemaVersion } = request;
  const trust = await requireTrust(directory);
  const certificate = await certify(directory, trust.document, request, authority, terms);
  const known = (await readFleetFolder(directory)).devices.get(device)?.value;
  if (known === undefined) {
    const file = { kind: 'Device', id: device, keys, schemaVersion };
    await replaceFile(join(directory, 'devices', `${device}.json`), `${JSON.stringify(file, null, 2)}\n`);
  } else if (known.retired) {
    throw retired(device);
  } else if (known.keys === undefined || keyIdOf(known.keys.sign) !== keyIdOf(keys.sign)) {
    throw new GantryError({
      code: 'FLEET_DEVICE_EXISTS',
      kind: 'permanent',
      message: `The folder has a Device file of ${device} already, without these keys.`,
      nextStep:
        'Take that file away (keep its labels and overrides), enrol the box, and put them into the new one.',
    });
  }
  return { device, certificate, answer: answerOf(trust, request, asked.code, certificate) };
}

/** A certificate for the key that a box asks with; null without an authority, or where the box asks for none. */
export async function certify(
  directory: string,
  trust: TrustDocument,
  { device, certificateRequest }: EnrolmentRequest,
  authority: DeviceAuthority | null,
  { days, now }: EnrolTerms,
): Promise<IssuedRecord | null> {
  if (authority === null || certificateRequest === undefined) return null;
  requireTrustedAuthority(trust, authority.cert);
  const read = await readCertificateRequest(certificateRequest);
  if (read === null) return null;
  const record = new CertificateRecord(directory);
  return (await record.issue(authority, read, { name: device, days, now })).certificate;
}

/** The answer for the box: whom to believe, and its certificate. */
export function answerOf(
  { document, chain }: { readonly document: TrustDocument; readonly chain: readonly unknown[] },
  { device }: EnrolmentRequest,
  code: string,
  certificate: IssuedRecord | null,
): string {
  const about = { apiVersion: wireVersion, kind: 'EnrolmentAnswer', fleet: document.fleet, device } as const;
  const trust = signedDocument.parse(chain.at(-1));
  return makeAnswer({ ...about, trust, ...(certificate && { certificate: certificate.cert }) }, code);
}

function retired(device: string): GantryError {
  return new GantryError({
    code: 'FLEET_DEVICE_RETIRED',
    kind: 'permanent',
    message: `${device} has left this fleet.`,
    nextStep: 'A box that is to come back asks anew with an empty data directory; it then has another id.',
  });
}
