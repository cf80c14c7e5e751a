import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { GantryError } from '../base/errors.ts';
import {
  documentBytesMax,
  type FleetName,
  signedDocument,
  type SigningRole,
  signingRoles,
  type TrustDocument,
  trustDocument,
  wireVersion,
} from '../config/remote/documents.ts';
import { fleetRefusals } from '../config/remote/refusals.ts';
import { openSigned, readStrictJson } from '../config/remote/signed.ts';
import { firstTrust, isUsable, shortOf, type TrustState, verifyTrust } from '../config/remote/trust.ts';
import { addSignature, type GeneralJws, payloadOf, signPayload } from '../crypto/jws.ts';
import { fleetFiles, readIfThere, removeFile, replaceFile } from './files.ts';
import type { PublicKeyFile } from './key-file.ts';

export type Role = SigningRole | 'trust';
export const roles: readonly Role[] = ['trust', ...signingRoles];

export interface TrustChange {
  readonly add?: readonly { readonly file: PublicKeyFile; readonly roles: readonly Role[] }[];
  /** Ids of keys. */
  readonly remove?: readonly string[];
  readonly threshold?: Readonly<Partial<Record<Role, number>>>;
  /** Serial numbers of box certificates. */
  readonly revoke?: readonly string[];
  /** PEM of authorities that issue box certificates, in place of those before. */
  readonly deviceCa?: readonly string[];
}

/** The chain in the git folder, every link of it checked. Null where there is none yet. @throws GantryError FLEET_* */
export async function readTrust(
  directory: string,
): Promise<(TrustState & { readonly chain: unknown[] }) | null> {
  const bytes = await readIfThere(join(directory, fleetFiles.trust));
  if (bytes === null) return null;
  const chain = z.array(z.unknown()).min(1).safeParse(readStrictJson(bytes));
  const first = chain.success ? openSigned(chain.data[0], trustDocument) : null;
  if (!chain.success || first === null || !first.ok) throw refused('FLEET_UNREADABLE');
  const start = await firstTrust(chain.data[0], first.value.fleet);
  if (!start.ok) throw refused(start.refusal.code);
  const outcome = await verifyTrust(bytes, start.trust);
  if (!outcome.ok) throw refused(outcome.refusal.code);
  return { ...outcome.trust, chain: chain.data };
}

/** As {@link readTrust}, where there has to be one. @throws GantryError FLEET_NO_TRUST */
export async function requireTrust(directory: string) {
  const trust = await readTrust(directory);
  if (trust !== null) return trust;
  throw new GantryError({
    code: 'FLEET_NO_TRUST',
    kind: 'permanent',
    message: `There is no trust document ("${fleetFiles.trust}") in this folder yet.`,
    nextStep: 'Make one: "gantry fleet trust init", then "gantry fleet trust sign".',
  });
}

export async function draftFirstTrust(
  directory: string,
  fleet: FleetName,
  change: TrustChange,
  now: Date,
): Promise<TrustDocument> {
  if ((await readTrust(directory)) !== null) {
    throw new GantryError({
      code: 'FLEET_TRUST_EXISTS',
      kind: 'permanent',
      message: 'This fleet has a trust document already.',
      nextStep: 'Change it: "gantry fleet trust change" or "gantry fleet keys rotate".',
    });
  }
  const empty = { version: 0, keys: {}, deviceCa: [], revoked: [] };
  const threshold = { trust: 1, config: 1, redirect: 1, timestamp: 1, command: 1 };
  return writeDraft(directory, changed({ fleet, ...empty, threshold }, change, now));
}

/** Writes the next trust document for its keepers to sign. @throws GantryError FLEET_TRUST_UNUSABLE */
export async function draftNextTrust(
  directory: string,
  change: TrustChange,
  now: Date,
): Promise<TrustDocument> {
  const { document } = await requireTrust(directory);
  return writeDraft(directory, changed(document, change, now));
}

function changed(
  before: Pick<TrustDocument, 'fleet' | 'version' | 'keys' | 'threshold' | 'deviceCa' | 'revoked'>,
  change: TrustChange,
  now: Date,
): TrustDocument {
  const kept = Object.entries(before.keys).filter(([id]) => !(change.remove ?? []).includes(id));
  const added = (change.add ?? []).map(({ file, roles: its }) => [
    file.id,
    { key: file.key, roles: [...its] },
  ]);
  return trustDocument.parse({
    apiVersion: wireVersion,
    kind: 'Trust',
    fleet: before.fleet,
    version: before.version + 1,
    issuedAt: now.toISOString(),
    keys: Object.fromEntries([...kept, ...added]),
    threshold: { ...before.threshold, ...change.threshold },
    deviceCa: change.deviceCa ?? before.deviceCa,
    revoked: [...new Set([...before.revoked, ...(change.revoke ?? [])])],
  });
}

async function writeDraft(directory: string, document: TrustDocument): Promise<TrustDocument> {
  if (!isUsable(document)) throw refused('FLEET_TRUST_UNUSABLE');
  await replaceFile(join(directory, fleetFiles.nextTrust), `${JSON.stringify(document, null, 2)}\n`);
  await removeFile(join(directory, fleetFiles.nextTrustSigned));
  return document;
}

/**
 * Signs the drafted trust document. Once enough keys of the one before and of its own have signed, it is in force:
 * the last link of the chain.
 * @throws GantryError FLEET_NO_DRAFT
 */
export async function signTrust(
  directory: string,
  key: KeyObject,
): Promise<{ readonly document: TrustDocument; readonly inForce: boolean; readonly signatures: number }> {
  const draft = await readIfThere(join(directory, fleetFiles.nextTrust));
  if (draft === null) throw noDraft();
  const signedBefore = await readIfThere(join(directory, fleetFiles.nextTrustSigned));
  const begun = signedDocument.safeParse(signedBefore === null ? null : readStrictJson(signedBefore));
  const jws =
    begun.success && payloadOf(begun.data).equals(draft)
      ? await addSignature('gantry-trust', begun.data, key)
      : await signPayload('gantry-trust', draft, key);
  const read = openSigned(jws, trustDocument);
  if (!read.ok) throw refused(read.refusal.code);
  const before = await readTrust(directory);
  const inForce = await isComplete(jws, read.value, before?.document ?? null);
  if (inForce) {
    await replaceFile(join(directory, fleetFiles.trust), chainText([...(before?.chain ?? []), jws]));
    await removeFile(join(directory, fleetFiles.nextTrustSigned));
    await removeFile(join(directory, fleetFiles.nextTrust));
  } else {
    await replaceFile(join(directory, fleetFiles.nextTrustSigned), `${JSON.stringify(jws)}\n`);
  }
  return { document: read.value, inForce, signatures: jws.signatures.length };
}

async function isComplete(
  jws: GeneralJws,
  own: TrustDocument,
  before: TrustDocument | null,
): Promise<boolean> {
  for (const trust of before === null ? [own] : [before, own]) {
    if ((await shortOf('gantry-trust', jws, trust, 'trust')) !== null) return false;
  }
  return true;
}

/** As many of the newest links as a box takes at once. One that is further behind is enrolled anew. */
function chainText(chain: readonly unknown[]): string {
  const text = `${JSON.stringify(chain)}\n`;
  return Buffer.byteLength(text) <= documentBytesMax || chain.length === 1 ? text : chainText(chain.slice(1));
}

/** A refusal that a box would give, met at the desk already. */
export function refused(code: keyof typeof fleetRefusals): GantryError {
  return new GantryError({ code, kind: 'permanent', ...fleetRefusals[code] });
}

function noDraft(): GantryError {
  return new GantryError({
    code: 'FLEET_NO_DRAFT',
    kind: 'permanent',
    message: `There is no trust document to sign ("${fleetFiles.nextTrust}").`,
    nextStep: 'Draft one: "gantry fleet trust init", "trust change" or "keys rotate".',
  });
}
