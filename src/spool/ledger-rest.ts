import type { LedgerDatabase } from './ledger.ts';
import { refusalsSince } from './ledger-abilities.ts';
import { chosenForm, forgetForm } from './ledger-forms.ts';
import { seqOf } from './ledger-state.ts';
import type { ObjectId } from './types.ts';

/*
 * The prepared form of an instance at rest: it replaces the received object, which it gives back. The ledger says so
 * before that object is deleted, never after.
 */

/** An instance by its two objects. */
export interface FormPair {
  readonly objectId: ObjectId;
  readonly preparedId: ObjectId;
}

/** As {@link FormPair}, and what is left to be done for it. */
export interface UnsettledPair extends FormPair {
  readonly seq: number;
  /** Not, where only the prepared object is here. */
  readonly receivedHere: boolean;
  /** On record as giving back what was received. */
  readonly proven: boolean;
  /** See {@link replaceReceived}. */
  readonly replaceable: boolean;
}

/** A prepared object takes the place of the received one where it is no larger than this share of it. */
const sizeShareMax = 0.9;

/**
 * Whether the received object has no more use of its own: the prepared one is proven and clearly smaller, and no
 * delivery is on its way in the received form, so that nothing is restored only to be sent or compared soon.
 */
const isReplaceable = `(i.codec = 'ready' AND i.prepared_bytes <= i.bytes * ${sizeShareMax} AND NOT EXISTS (
  SELECT 1 FROM delivery d WHERE d.instance = i.seq
    AND (d.state = 'delivered' AND coalesce(d.form, 'received') = 'received'
      OR d.state = 'queued' AND ${chosenForm} = 'received')))` satisfies string;

/** @returns those of the instances whose prepared object is on record as all that is stored, from now on */
export function replaceReceived(db: LedgerDatabase, pairs: readonly FormPair[], now: number): ObjectId[] {
  return pairs
    .filter(({ objectId, preparedId }) => {
      const { changes } = db
        .statement(
          `UPDATE instance AS i SET received_here = 0 WHERE i.object_id = ? AND i.prepared_id = ? AND i.gone IS NULL
             AND i.received_here = 1 AND ${isReplaceable}`,
        )
        .run(objectId, preparedId, refusalsSince(now));
      return Number(changes) > 0;
    })
    .map(({ objectId }) => objectId);
}

/** The received object is damaged or lost, and the prepared one gives it back. */
export function standIn(db: LedgerDatabase, { objectId, preparedId }: FormPair): void {
  db.run(
    `UPDATE instance SET received_here = 0, codec = 'ready'
     WHERE object_id = ? AND prepared_id = ? AND gone IS NULL`,
    objectId,
    preparedId,
  );
}

/** What was proven does not give back what was received any more, and is to be proven anew. */
export function distrust(db: LedgerDatabase, preparedId: ObjectId): void {
  db.run("UPDATE instance SET codec = 'unproven' WHERE prepared_id = ? AND codec = 'ready'", preparedId);
}

/** The received object is here, and the prepared one that was to replace it is not. */
export function takeBack(db: LedgerDatabase, objectIds: readonly ObjectId[]): void {
  for (const objectId of objectIds) {
    const seq = seqOf(db, objectId);
    if (seq !== null) forgetForm(db, seq);
  }
}

/** Instances with two objects, or with one that is not proven yet, in order. */
export function unsettledPairs(
  db: LedgerDatabase,
  afterSeq: number,
  pairsMax: number,
  now: number,
): UnsettledPair[] {
  return db
    .all(
      `SELECT i.seq, i.object_id, i.prepared_id, i.received_here, i.codec, ${isReplaceable} AS replaceable
       FROM instance i INDEXED BY instance_unsettled
       WHERE i.prepared_id IS NOT NULL AND i.gone IS NULL AND (i.received_here = 1 OR i.codec = 'unproven')
         AND i.seq > ? ORDER BY i.seq LIMIT ?`,
      refusalsSince(now),
      afterSeq,
      pairsMax,
    )
    .map((row) => ({
      seq: row['seq'] as number,
      objectId: row['object_id'] as ObjectId,
      preparedId: row['prepared_id'] as ObjectId,
      receivedHere: row['received_here'] === 1,
      proven: row['codec'] === 'ready',
      replaceable: row['replaceable'] === 1,
    }));
}

/** The prepared object of an instance that is here; null where it has none. */
export function preparedIdOf(db: LedgerDatabase, objectId: ObjectId): ObjectId | null {
  const row = db.get('SELECT prepared_id FROM instance WHERE object_id = ? AND gone IS NULL', objectId);
  return (row?.['prepared_id'] ?? null) as ObjectId | null;
}

/** As {@link preparedIdOf}, where the received object is to be here as well. */
export function standInOf(db: LedgerDatabase, objectId: ObjectId): ObjectId | null {
  const row = db.get(
    'SELECT prepared_id FROM instance WHERE object_id = ? AND gone IS NULL AND received_here = 1',
    objectId,
  );
  return (row?.['prepared_id'] ?? null) as ObjectId | null;
}

/** A page of the instances of which the prepared object is all that is stored, in order. */
export function replacedPairs(
  db: LedgerDatabase,
  afterSeq: number,
  pairsMax: number,
): (FormPair & { readonly seq: number })[] {
  return db
    .all(
      `SELECT seq, object_id, prepared_id FROM instance INDEXED BY instance_replaced
       WHERE received_here = 0 AND gone IS NULL AND seq > ? ORDER BY seq LIMIT ?`,
      afterSeq,
      pairsMax,
    )
    .map((row) => ({
      seq: row['seq'] as number,
      objectId: row['object_id'] as ObjectId,
      preparedId: row['prepared_id'] as ObjectId,
    }));
}

/** An object nobody needs any more: its instance is gone, or it was replaced. */
export interface UselessObject {
  readonly objectId: ObjectId;
  /** What stands in its place. */
  readonly replacedBy: ObjectId | null;
}

/** Objects of instances that are gone, and replaced ones, among the given. */
export function uselessAmong(db: LedgerDatabase, objectIds: readonly ObjectId[]): UselessObject[] {
  return objectIds.flatMap((objectId) => {
    const row = db.get(
      `SELECT gone, prepared_id FROM instance WHERE (object_id = ?1 AND (gone IS NOT NULL OR received_here = 0))
         OR (prepared_id = ?1 AND gone IS NOT NULL)`,
      objectId,
    );
    if (row === undefined) return [];
    const replacedBy = row['gone'] === null ? (row['prepared_id'] as ObjectId | null) : null;
    return [{ objectId, replacedBy }];
  });
}
