import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  type BoxName,
  documentBytesMax,
  type FleetName,
  type FleetTimestamp,
  fleetTimestamp,
  type FreshnessProof,
  freshnessProof,
  type ReportedState,
  signedDocument,
  type TrustDocument,
} from './documents.ts';
import { type Refused, refusal } from './refusals.ts';
import { openSigned, readStrictJson } from './signed.ts';
import { shortOf } from './trust.ts';

/** What the newest document of one box is. */
export interface IndexEntry {
  readonly device: string;
  readonly generation: number;
  /** Of the signed bytes, hex. */
  readonly sha256: string;
}

export type Freshness = ReportedState['config']['freshness'];

/** A timestamp issued this much later than the box's clock shows proves that the clock is wrong. */
const clockSkewMs = 10 * 60 * 1000;

// Leaves and nodes are hashed apart (RFC 6962 2.1), so that a node never passes as a leaf.
function leafHash({ device, generation, sha256 }: IndexEntry): Buffer {
  return hash(0, Buffer.from(JSON.stringify([device, generation, sha256])));
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return hash(1, left, right);
}

function hash(domain: 0 | 1, ...parts: Buffer[]): Buffer {
  const sha256 = createHash('sha256').update(Buffer.from([domain]));
  for (const part of parts) sha256.update(part);
  return sha256.digest();
}

/** The index over all boxes of a fleet: a Merkle tree as in RFC 6962 2.1, sorted by device. */
export class FleetIndex {
  readonly entries: readonly IndexEntry[];
  /** Hashes of each level from the leaves up; the last one of an odd level goes up as it is. */
  readonly #levels: Buffer[][];

  constructor(entries: readonly IndexEntry[]) {
    this.entries = entries.toSorted((a, b) => (a.device < b.device ? -1 : 1));
    this.#levels = [this.entries.map(leafHash)];
    for (let level = this.#levels[0] ?? []; level.length > 1; ) {
      const above: Buffer[] = [];
      for (let at = 0; at < level.length; at += 2) {
        const [left, right] = [level[at], level[at + 1]];
        if (left !== undefined) above.push(right === undefined ? left : nodeHash(left, right));
      }
      this.#levels.push(above);
      level = above;
    }
  }

  /** Hex; of no boxes at all the hash of nothing. */
  get root(): string {
    return (this.#levels.at(-1)?.[0] ?? createHash('sha256').digest()).toString('hex');
  }

  /** @param index position in {@link entries} */
  proof(index: number): FreshnessProof {
    const entry = this.entries[index];
    if (entry === undefined) throw new RangeError('no such box in the index');
    const path: string[] = [];
    let at = index;
    for (const level of this.#levels.slice(0, -1)) {
      const beside = level[at ^ 1];
      if (beside !== undefined) path.push(beside.toString('hex'));
      at >>= 1;
    }
    return freshnessProof.parse({ ...entry, index, path });
  }
}

/** RFC 9162 2.1.3.2. */
export function proofHolds(proof: FreshnessProof, root: string, boxes: number): boolean {
  if (proof.index >= boxes) return false;
  let at = proof.index;
  let last = boxes - 1;
  let result = leafHash(proof);
  for (const text of proof.path) {
    if (last === 0) return false;
    const beside = Buffer.from(text, 'hex');
    if (at % 2 === 1 || at === last) {
      result = nodeHash(beside, result);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else {
      result = nodeHash(result, beside);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && result.toString('hex') === root;
}

/** What a box remembers of the newest timestamp it has believed. */
export interface TimestampState {
  readonly timestamp: FleetTimestamp;
  readonly sha256: string;
  readonly proof: FreshnessProof;
}

export interface FreshnessFacts {
  readonly fleet: FleetName;
  readonly device: BoxName;
  readonly trust: TrustDocument;
  /** The newest one believed, or null. */
  readonly last: TimestampState | null;
  /** Highest generation seen, 0 for none, and the SHA-256 of its signed bytes. */
  readonly lastGeneration: number;
  readonly lastSha256: string | null;
  /** Milliseconds since the epoch, or null where the clock of this box is not trusted. */
  readonly now: number | null;
}

export type FreshnessOutcome =
  | {
      readonly ok: true;
      readonly state: TimestampState;
      readonly freshness: Freshness;
      readonly unchanged: boolean;
    }
  | Refused;

const freshnessFile = z.strictObject({ timestamp: signedDocument, proof: freshnessProof });

/** Checks `freshness.json`. One that has expired is no reason to refuse it: then the state is `stale`. */
export async function verifyFreshness(bytes: Uint8Array, facts: FreshnessFacts): Promise<FreshnessOutcome> {
  if (bytes.length > documentBytesMax) return refusal('FLEET_TOO_LARGE');
  const file = freshnessFile.safeParse(readStrictJson(bytes));
  if (!file.success) return refusal('FLEET_UNREADABLE');
  const read = openSigned(file.data.timestamp, fleetTimestamp);
  if (!read.ok) return read;
  const { value: timestamp, sha256 } = read;
  const { proof } = file.data;
  const short = await shortOf('gantry-timestamp', read.jws, facts.trust, 'timestamp');
  if (short !== null) return refusal(short);
  if (timestamp.fleet !== facts.fleet) return refusal('FLEET_WRONG_FLEET');
  if (proof.device !== facts.device) return refusal('FLEET_WRONG_DEVICE');
  if (facts.last !== null) {
    const { version } = facts.last.timestamp;
    if (timestamp.version < version) return refusal('FLEET_ROLLBACK');
    if (timestamp.version === version && sha256 !== facts.last.sha256)
      return refusal('FLEET_SAME_GENERATION');
  }
  if (!proofHolds(proof, timestamp.index.root, timestamp.index.boxes)) return refusal('FLEET_PROOF');
  // What was once said to be newest does not become older again.
  if (facts.last !== null && proof.generation < facts.last.proof.generation) return refusal('FLEET_ROLLBACK');
  if (timestamp.trustVersion < (facts.last?.timestamp.trustVersion ?? 0)) return refusal('FLEET_TRUST_OLD');
  if (proof.generation === facts.lastGeneration && proof.sha256 !== facts.lastSha256)
    return refusal('FLEET_SAME_GENERATION');
  const state = { timestamp, sha256, proof };
  const unchanged = sha256 === facts.last?.sha256;
  return { ok: true, state, freshness: judgeFreshness(state, facts), unchanged };
}

/** How far what this box has seen can be the newest there is, at this time. */
export function judgeFreshness(
  state: TimestampState | null,
  facts: Pick<FreshnessFacts, 'trust' | 'lastGeneration' | 'now'>,
): Freshness {
  if (state === null) return 'unknown';
  const { timestamp, proof } = state;
  if (proof.generation > facts.lastGeneration || timestamp.trustVersion > facts.trust.version)
    return 'behind';
  if (facts.now === null || facts.now < Date.parse(timestamp.issuedAt) - clockSkewMs)
    return 'clock not trusted';
  return facts.now >= Date.parse(timestamp.expiresAt) ? 'stale' : 'fresh';
}
