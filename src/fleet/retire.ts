import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { GantryError } from '../base/errors.ts';
import type { DeviceAuthority } from '../crypto/device-authority.ts';
import { CertificateRecord } from './certificate-record.ts';
import type { Device } from './documents.ts';
import type { Sourced } from './fleet-file.ts';
import { replaceFile } from './files.ts';
import { readFleetFolder } from './fleet-folder.ts';

export interface Revoked {
  readonly device: string;
  /** How many certificates were taken from it. */
  readonly certificates: number;
  /** The list of all revoked certificates, PEM. */
  readonly list: string;
}

/**
 * Takes a box out of the fleet: its Device document says so, its certificates are revoked, and the list of revoked
 * ones is signed anew. What it was given stays in the folder.
 * @throws GantryError FLEET_DEVICE_UNKNOWN
 */
export async function revokeBox(
  directory: string,
  id: string,
  authority: DeviceAuthority,
  { reason, now }: { readonly reason: string; readonly now: Date },
): Promise<Revoked> {
  const device = await deviceIn(directory, id);
  await markRetired(directory, device, `${reason} (${now.toISOString().slice(0, 10)})`);
  const record = new CertificateRecord(directory);
  const certificates = await record.revoke(id, reason, now);
  return { device: id, certificates, list: (await record.writeRevocations(authority, now)).pem };
}

/** @throws GantryError FLEET_DEVICE_UNKNOWN */
export async function deviceIn(directory: string, id: string): Promise<Sourced<Device>> {
  const found = (await readFleetFolder(directory)).devices.get(id);
  if (found !== undefined) return found;
  throw new GantryError({
    code: 'FLEET_DEVICE_UNKNOWN',
    kind: 'permanent',
    message: `There is no box "${id}" in the folder.`,
    nextStep: 'Give the id of a file under devices/, exactly as it is written there.',
  });
}

/** Writes into the document of a box that it is retired; what else stands in its file stays, comments too. */
export async function markRetired(
  directory: string,
  { value, source }: Sourced<Device>,
  why: string,
): Promise<void> {
  const path = join(directory, source.file);
  const text = await readFile(path, 'utf8');
  const json = jsonOf(text);
  if (json !== null) {
    const marked = { ...json, retired: true, retiredBecause: why };
    await replaceFile(path, `${JSON.stringify(marked, null, 2)}\n`);
    return;
  }
  const documents = [...parseAllDocuments(text)];
  const own = documents.find((one) => one.get('kind') === 'Device' && one.get('id') === value.id);
  own?.set('retired', true);
  own?.set('retiredBecause', why);
  await replaceFile(path, documents.map(String).join(''));
}

/** What is written in JSON stays JSON. */
function jsonOf(text: string): object | null {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' ? json : null;
  } catch {
    return null;
  }
}
