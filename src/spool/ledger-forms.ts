import type { LedgerDatabase } from './ledger.ts';
import { seqOf } from './ledger-state.ts';
import { type ObjectId, priorities, type PrepareItem } from './types.ts';

/*
 * The second form of an instance: compressed by the codec, proven to give back what was received. While the received
 * form is here as well, a prepared one can always be given up; `ledger-rest.ts` has what follows once it is not.
 */

/** `delivery.in_flight` of a delivery that is not due before the codec has looked at its instance. */
export const withCodec = 2;

/** A prepared object that was proven to give back what was received. */
export interface PreparedForm {
  readonly objectId: ObjectId;
  readonly preparedId: ObjectId;
  readonly bytes: number;
  readonly transferSyntax: string;
  readonly sopClass: string;
  readonly epochId: string;
  /** Keyed hash of the prepared data set's SHA-256. */
  readonly digest: string;
}

/** Instances that wait for the codec: the highest priority first, then the oldest. */
export function takePrepare(db: LedgerDatabase, instancesMax: number): PrepareItem[] {
  const rows = db.all(
    `SELECT seq, object_id, bytes, priority FROM instance INDEXED BY instance_codec
     WHERE codec = 'waiting' AND gone IS NULL ORDER BY priority DESC, seq LIMIT ?`,
    instancesMax,
  );
  return rows.map((row) => {
    db.run("UPDATE instance SET codec = 'taken' WHERE seq = ?", row['seq'] ?? null);
    return {
      objectId: row['object_id'] as ObjectId,
      bytes: row['bytes'] as number,
      priority: priorities[row['priority'] as number] ?? 'routine',
    };
  });
}

/**
 * The first form stands: it may have been sent.
 * @returns whether the prepared object has a use: its instance is still here, and has no other prepared form
 */
export function settlePrepared(db: LedgerDatabase, form: PreparedForm, proven: boolean): boolean {
  const seq = db.get(
    'SELECT seq FROM instance WHERE object_id = ? AND gone IS NULL AND (prepared_id IS NULL OR prepared_id = ?)',
    form.objectId,
    form.preparedId,
  )?.['seq'];
  if (typeof seq !== 'number') return false;
  db.run(
    `UPDATE instance SET codec = ?, prepared_id = ?, prepared_bytes = ?, prepared_syntax = ?, prepared_epoch = ?,
       prepared_digest = ?, sop_class = ? WHERE seq = ?`,
    proven ? 'ready' : 'unproven',
    form.preparedId,
    form.bytes,
    form.transferSyntax,
    form.epochId,
    form.digest,
    form.sopClass,
    seq,
  );
  release(db, seq);
  return true;
}

/** Instances that are sent as they were received. */
export function passPrepare(db: LedgerDatabase, objectIds: readonly ObjectId[]): void {
  for (const objectId of objectIds) {
    const seq = seqOf(db, objectId);
    if (seq === null) continue;
    db.run("UPDATE instance SET codec = 'passed' WHERE seq = ? AND prepared_id IS NULL", seq);
    release(db, seq);
  }
}

/** After a restart: what the codec had taken it has lost. */
export function recoverTaken(db: LedgerDatabase): void {
  db.run("UPDATE instance SET codec = 'waiting' WHERE codec = 'taken'");
}

function release(db: LedgerDatabase, seq: number): void {
  db.run(`UPDATE delivery SET in_flight = 0 WHERE instance = ? AND in_flight = ${withCodec}`, seq);
}

/** Ids of prepared objects that belong to an instance that is here. */
export function preparedIds(db: LedgerDatabase): ObjectId[] {
  return db
    .all('SELECT prepared_id FROM instance WHERE prepared_id IS NOT NULL AND gone IS NULL')
    .map((row) => row['prepared_id'] as ObjectId);
}

/** The prepared objects of instances. */
export function preparedIdsOf(db: LedgerDatabase, objectIds: readonly ObjectId[]): ObjectId[] {
  return objectIds.flatMap((id) => {
    const row = db.get('SELECT prepared_id FROM instance WHERE object_id = ?', id);
    const prepared = (row?.['prepared_id'] ?? null) as ObjectId | null;
    return prepared === null ? [] : [prepared];
  });
}

/**
 * Prepared objects that are damaged or missing: their instances are sent as they were received.
 * @returns those that were given up; not those that are all that is left of their instance
 */
export function dropPrepared(db: LedgerDatabase, ids: readonly ObjectId[]): ObjectId[] {
  return ids.filter((id) => {
    const row = db.get('SELECT seq FROM instance WHERE prepared_id = ? AND received_here = 1', id);
    if (row === undefined) return false;
    forgetForm(db, row['seq'] as number);
    return true;
  });
}

/** The instance has no prepared form any more, and gets no other. */
export function forgetForm(db: LedgerDatabase, seq: number): void {
  db.run(
    `UPDATE instance SET received_here = 1, codec = 'passed', prepared_id = NULL, prepared_bytes = NULL,
       prepared_syntax = NULL, prepared_epoch = NULL, prepared_digest = NULL WHERE seq = ?`,
    seq,
  );
}

/** Whether a prepared object was proven to give back what was received. */
export function isProven(db: LedgerDatabase, preparedId: ObjectId): boolean {
  return db.get('SELECT codec FROM instance WHERE prepared_id = ?', preparedId)?.['codec'] === 'ready';
}

export function markProven(db: LedgerDatabase, preparedId: ObjectId): void {
  db.run("UPDATE instance SET codec = 'ready' WHERE prepared_id = ? AND codec = 'unproven'", preparedId);
}

/**
 * The form a delivery goes in: what it went in before; the first time the prepared one, where it is proven and not
 * refused by this destination.
 */
export const chosenForm = `CASE
  WHEN d.form = 'received' OR i.codec <> 'ready' OR i.prepared_id IS NULL THEN 'received'
  WHEN d.form IS NULL AND EXISTS (
    SELECT 1 FROM ability a WHERE a.destination = d.destination AND a.sop_class = i.sop_class
      AND a.transfer_syntax = i.prepared_syntax AND a.accepted = 0 AND a.learned_at > ?) THEN 'received'
  ELSE 'prepared' END` satisfies string;

/** Whether an instance is, or was, entered under this id. */
export function isEntered(db: LedgerDatabase, objectId: ObjectId): boolean {
  return seqOf(db, objectId) !== null;
}
