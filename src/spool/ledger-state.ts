import type { LedgerDatabase } from './ledger.ts';
import type { Reason } from '../base/errors.ts';
import { brokenHereCodes } from './reasons.ts';
import type { DeliveryState, ObjectId } from './types.ts';

export function seqOf(db: LedgerDatabase, objectId: ObjectId): number | null {
  return (
    (db.get('SELECT seq FROM instance WHERE object_id = ?', objectId)?.['seq'] as number | undefined) ?? null
  );
}

/** {@link brokenHereCodes} as an SQL list. */
export const brokenHere = `(${brokenHereCodes.map((code) => `'${code}'`).join(', ')})`;

/**
 * `delivery.needs_digest`: what proof is owed before a purge. `digest`: the outcome was unknown, or the archive may
 * have had the instance; equal pixel data will do where the archive rewrites headers. `exact`: it said that it had
 * one already; only equal bytes show that it is this one.
 */
export const owed = { none: 0, digest: 1, exact: 2 } as const;

/** Parked first, then from behind. A discarded delivery counts only where there is no other. */
const progress: readonly DeliveryState[] = [
  'conflict',
  'quarantined',
  'held',
  'queued',
  'delivered',
  'accepted',
  'verified',
];

/** An instance is as far as its least advanced delivery; anything parked shows first. */
export function derive(db: LedgerDatabase, seq: number, now: number): void {
  const states = db.all('SELECT state FROM delivery WHERE instance = ?', seq).map((row) => row['state']);
  const state = progress.find((candidate) => states.includes(candidate)) ?? 'discarded';
  db.run(
    `UPDATE instance SET state = ?, verified_at = CASE WHEN ? = 'verified' THEN coalesce(verified_at, ?) END
     WHERE seq = ? AND gone IS NULL`,
    state,
    state,
    now,
    seq,
  );
}

/** Parks a delivery that is in flight. */
export function park(
  db: LedgerDatabase,
  key: readonly [number, string],
  state: DeliveryState,
  reason: Reason,
): void {
  db.run(
    `UPDATE delivery SET state = ?, in_flight = 0, reason_code = ?, reason_words = ?
     WHERE instance = ? AND destination = ? AND in_flight = 1`,
    state,
    reason.code,
    reason.words,
    ...key,
  );
}
