import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { GantryError } from '../base/errors.ts';
import type { TrustDocument } from '../config/remote/documents.ts';
import { type DeviceAuthority, makeDeviceAuthority, makeRevocationList } from '../crypto/device-authority.ts';
import { fleetFiles, readIfThere, replaceFile } from './files.ts';
import { clearKeyText } from './key-file.ts';

/**
 * Makes the authority that issues the certificates of boxes: its certificate and an empty list of revoked ones go
 * into the git folder. @returns its private key, PEM
 * @throws GantryError FLEET_CA_EXISTS
 */
export async function initAuthority(directory: string, fleet: string, now: Date): Promise<string> {
  const place = join(directory, fleetFiles.authority);
  if ((await readIfThere(place)) !== null) throw exists();
  const { cert, key } = await makeDeviceAuthority(fleet, now);
  const number = Math.floor(now.getTime() / 1000);
  const list = await makeRevocationList({ cert, key: createPrivateKey(key) }, [], { number, now });
  await replaceFile(join(directory, fleetFiles.revocations), list);
  await replaceFile(place, cert);
  return key;
}

/** PEM of its certificate. @throws GantryError FLEET_NO_CA */
export async function requireAuthorityCertificate(directory: string): Promise<string> {
  const bytes = await readIfThere(join(directory, fleetFiles.authority));
  if (bytes !== null) return bytes.toString();
  throw new GantryError({
    code: 'FLEET_NO_CA',
    kind: 'permanent',
    message: `This fleet has no authority for certificates of boxes ("${fleetFiles.authority}") yet.`,
    nextStep: 'Make one: "gantry fleet ca init FILE".',
  });
}

/**
 * The authority of a fleet, with its private key.
 * @throws GantryError FLEET_NO_CA, FLEET_PASSPHRASE, FLEET_CA_KEY
 */
export async function openAuthority(
  directory: string,
  privateText: string,
  passphrase: string | null,
): Promise<DeviceAuthority> {
  const cert = await requireAuthorityCertificate(directory);
  const pem = await clearKeyText(privateText, passphrase);
  try {
    const key = createPrivateKey(pem);
    if (new X509Certificate(cert).checkPrivateKey(key)) return { cert, key };
  } catch {
    // Told below, without what was in the file.
  }
  throw new GantryError({
    code: 'FLEET_CA_KEY',
    kind: 'permanent',
    message: `The file does not hold the private key of "${fleetFiles.authority}".`,
    nextStep: 'Give the file that "gantry fleet ca init" made for this folder.',
  });
}

/** Boxes take certificates only of an authority that the trust document names. @throws GantryError FLEET_CA_UNTRUSTED */
export function requireTrustedAuthority({ deviceCa }: TrustDocument, cert: string): void {
  if (isTrusted(deviceCa, cert)) return;
  throw new GantryError({
    code: 'FLEET_CA_UNTRUSTED',
    kind: 'permanent',
    message: 'The trust document does not name this authority: no box would take its certificates.',
    nextStep: `Draft one that does, and sign it: "gantry fleet trust change --device-ca ${fleetFiles.authority}", "gantry fleet trust sign".`,
  });
}

/** Whether it is one certificate (PEM) that may issue others. */
export function isAuthority(text: string): boolean {
  try {
    return new X509Certificate(text).ca && !text.includes('PRIVATE KEY');
  } catch {
    return false;
  }
}

export function isTrusted(deviceCa: readonly string[], cert: string): boolean {
  const wanted = new X509Certificate(cert).fingerprint256;
  return deviceCa.some((one) => new X509Certificate(one).fingerprint256 === wanted);
}

function exists(): GantryError {
  return new GantryError({
    code: 'FLEET_CA_EXISTS',
    kind: 'permanent',
    message: `This fleet has an authority ("${fleetFiles.authority}") already; nothing was changed.`,
    nextStep:
      'Use it. To begin anew, take that file out of the folder first: every box then needs a new certificate.',
  });
}
