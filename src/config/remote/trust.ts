import {
  keyIdOf,
  type OkpJwk,
  verifySignatures,
  type GeneralJws,
  type SignedKind,
} from '../../crypto/jws.ts';
import { documentBytesMax, type FleetName, type TrustDocument, trustDocument } from './documents.ts';
import { type FleetRefusalCode, type Refused, refusal } from './refusals.ts';
import { openSigned, readStrictJson, type Unverified } from './signed.ts';

export type TrustRole = keyof TrustDocument['threshold'];

/** The trust document in force, and the SHA-256 (hex) of its signed bytes. */
export interface TrustState {
  readonly document: TrustDocument;
  readonly sha256: string;
}

export type TrustOutcome =
  | {
      readonly ok: true;
      readonly trust: TrustState;
      /** True where the box had it already. */
      readonly unchanged: boolean;
    }
  | Refused;

/** Keys that are trusted in a role. */
export function keysFor(trust: TrustDocument, role: TrustRole): ReadonlyMap<string, OkpJwk> {
  return new Map(
    Object.entries(trust.keys)
      .filter(([, { roles }]) => roles.includes(role))
      .map(([id, { key }]) => [id, key]),
  );
}

/** Null where enough different keys with the role have signed; what is missing otherwise. */
export async function shortOf(
  kind: SignedKind,
  jws: GeneralJws,
  trust: TrustDocument,
  role: TrustRole,
): Promise<'FLEET_SIGNATURE' | 'FLEET_THRESHOLD' | null> {
  const signers = await verifySignatures(kind, jws, keysFor(trust, role));
  if (signers.length >= trust.threshold[role]) return null;
  return signers.length === 0 ? 'FLEET_SIGNATURE' : 'FLEET_THRESHOLD';
}

/** Whether the document names its keys rightly and could be followed by another one. */
export function isUsable(trust: TrustDocument): boolean {
  const named = Object.entries(trust.keys).every(
    ([id, { key }]) => key.crv === 'Ed25519' && keyIdOf(key) === id,
  );
  const roles = Object.keys(trust.threshold) as TrustRole[];
  return named && roles.every((role) => keysFor(trust, role).size >= trust.threshold[role]);
}

/** The trust document that comes with the enrolment: believed because the answer is bound to the claim code. */
export async function firstTrust(json: unknown, fleet: FleetName): Promise<TrustOutcome> {
  const read = openSigned(json, trustDocument);
  if (!read.ok) return read;
  if (read.value.fleet !== fleet) return refusal('FLEET_WRONG_FLEET');
  const fault = await ownFault(read);
  if (fault !== null) return refusal(fault);
  return { ok: true, trust: { document: read.value, sha256: read.sha256 }, unchanged: false };
}

/**
 * Follows the chain of trust documents: `trust.jws` holds a JSON list of signed ones, oldest first (a single one may
 * stand alone). Each has to be the next in number, and be signed as the one before it and as it itself demands.
 * All that are new are followed, or none.
 */
export async function verifyTrust(bytes: Uint8Array, current: TrustState): Promise<TrustOutcome> {
  if (bytes.length > documentBytesMax) return refusal('FLEET_TOO_LARGE');
  const json = readStrictJson(bytes);
  const links: readonly unknown[] = Array.isArray(json) ? json : [json];
  if (links.length === 0) return refusal('FLEET_UNREADABLE');
  let trust = current;
  let newest = 0;
  for (const link of links) {
    const read = openSigned(link, trustDocument);
    if (!read.ok) return read;
    const { fleet, version } = read.value;
    if (fleet !== current.document.fleet) return refusal('FLEET_WRONG_FLEET');
    if (version <= newest) return refusal('FLEET_UNREADABLE');
    newest = version;
    if (version < trust.document.version) continue;
    if (version === trust.document.version) {
      if (read.sha256 !== trust.sha256) return refusal('FLEET_SAME_GENERATION');
      continue;
    }
    if (version !== trust.document.version + 1) return refusal('FLEET_TRUST_GAP');
    const fault =
      (await shortOf('gantry-trust', read.jws, trust.document, 'trust')) ?? (await ownFault(read));
    if (fault !== null) return refusal(fault);
    trust = { document: read.value, sha256: read.sha256 };
  }
  if (newest < current.document.version) return refusal('FLEET_ROLLBACK');
  return { ok: true, trust, unchanged: trust === current };
}

async function ownFault(read: Unverified<TrustDocument>): Promise<FleetRefusalCode | null> {
  if (!isUsable(read.value)) return 'FLEET_TRUST_UNUSABLE';
  return shortOf('gantry-trust', read.jws, read.value, 'trust');
}
