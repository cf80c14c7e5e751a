import type { LedgerDatabase } from './ledger.ts';
import type { Reason } from '../base/errors.ts';
import type { DeliveryState, ObjectId } from './types.ts';

export function seqOf(db: LedgerDatabase, objectId: ObjectId): number | null {
  return (
    (db.get('SELECT seq FROM instance WHERE object_id = ?', objectId)?.['seq'] as number | undefined) ?? null
  );
}

/** An instance is as far as its least advanced delivery; anything parked shows first. */
export function derive(db: LedgerDatabase, seq: number, now: number): void {
  const states = db.all('SELECT state FROM delivery WHERE instance = ?', seq).map((row) => row['state']);
  const order: DeliveryState[] = ['conflict', 'quarantined', 'held', 'queued', 'delivered', 'accepted'];
  const state = order.find((candidate) => states.includes(candidate)) ?? 'verified';
  db.run(
    "UPDATE instance SET state = ?, verified_at = CASE WHEN ? = 'verified' THEN coalesce(verified_at, ?) END WHERE seq = ?",
    state,
    state,
    now,
    seq,
  );
}

export function park(
  db: LedgerDatabase,
  key: readonly [number, string],
  state: DeliveryState,
  reason: Reason,
): void {
  db.run(
    `UPDATE delivery SET state = ?, in_flight = 0, reason_code = ?, reason_words = ?
     WHERE instance = ? AND destination = ?`,
    state,
    reason.code,
    reason.words,
    ...key,
  );
}
