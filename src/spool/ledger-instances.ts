import type { Reason } from '../base/errors.ts';
import type { LedgerDatabase } from './ledger.ts';
import { type PreparedForm, recoverTaken, settlePrepared, withCodec } from './ledger-forms.ts';
import { brokenHere, derive, owed, seqOf } from './ledger-state.ts';
import { conflictReason, damagedReason, interruptedReason } from './reasons.ts';
import type { DeliveryState, ObjectId, UidKey } from './types.ts';

/** A row to be entered for an object that is durable already. */
export interface NewInstance {
  readonly objectId: ObjectId;
  readonly uidKey: UidKey;
  readonly studyKey: UidKey;
  /** Keyed hash of the data set's SHA-256. */
  readonly digest: string;
  readonly transferSyntax: string;
  readonly bytes: number;
  readonly receivedAt: number;
  readonly modalityName: string | null;
  readonly callingAeTitle: string;
  readonly priority: number;
  readonly epochId: string;
  readonly destinations: readonly string[];
  readonly quietMs: number;
  /** Not sent before the codec has looked at it. */
  readonly waitsForCodec: boolean;
  /**
   * - `queued`: to be sent.
   * - `conflict`: parked, other bytes are here under the same UID.
   * - `assumed`: the ledger was lost; it may have been delivered, which is to be proven first.
   * - `unreadable`: what it is cannot be read; held.
   */
  readonly start: 'queued' | 'conflict' | 'assumed' | 'unreadable';
  /** The prepared form, where that is all that was found of the instance. */
  readonly onlyPrepared?: PreparedForm;
}

/** What is known of one UID: enough to tell a duplicate from a conflict. */
export interface KnownInstance {
  readonly objectId: ObjectId;
  readonly digest: string;
  readonly transferSyntax: string;
  /** Verified at the archive and deleted here. */
  readonly purged: boolean;
}

/** A purged, verified instance: its tombstone outlives it. */
export interface Tombstone {
  readonly objectId: ObjectId;
  readonly uidKey: UidKey;
  readonly digest: string;
  readonly transferSyntax: string;
  readonly verifiedAt: number;
  readonly bytes: number;
}

const starts: Readonly<Record<NewInstance['start'], { state: DeliveryState; reason: Reason | null }>> = {
  queued: { state: 'queued', reason: null },
  conflict: { state: 'conflict', reason: conflictReason },
  assumed: { state: 'delivered', reason: null },
  unreadable: { state: 'held', reason: damagedReason },
};

/**
 * Everything known of a UID that still counts: live and whole, or purged after it was verified. Not what was
 * discarded, and not what is damaged or lost here: that one is wanted again.
 */
export function find(db: LedgerDatabase, uidKey: UidKey): KnownInstance[] {
  return db
    .all(
      `SELECT object_id, digest, transfer_syntax, gone FROM instance i
     WHERE uid_key = ? AND (gone = 'purged' OR gone IS NULL AND NOT EXISTS (
       SELECT 1 FROM delivery d WHERE d.instance = i.seq AND d.reason_code IN ${brokenHere}))`,
      uidKey,
    )
    .map((row) => ({
      objectId: row['object_id'] as ObjectId,
      digest: row['digest'] as string,
      transferSyntax: row['transfer_syntax'] as string,
      purged: row['gone'] === 'purged',
    }));
}

/** Enters instances; one whose object is known already is left as it is. */
export function admit(db: LedgerDatabase, instances: readonly NewInstance[]): void {
  for (const instance of instances) admitOne(db, { ...instance, priority: studyPriority(db, instance) });
}

/** What comes late of a study that is stat is stat too. */
function studyPriority(db: LedgerDatabase, { studyKey, priority }: NewInstance): number {
  const latest = db.get(
    'SELECT priority FROM instance WHERE study_key = ? ORDER BY seq DESC LIMIT 1',
    studyKey,
  );
  return Math.max(priority, (latest?.['priority'] as number | undefined) ?? 0);
}

function admitOne(db: LedgerDatabase, instance: NewInstance): void {
  const { onlyPrepared } = instance;
  if (db.get('SELECT 1 FROM instance WHERE object_id = ?', instance.objectId) !== undefined) {
    if (onlyPrepared !== undefined) settlePrepared(db, onlyPrepared, false);
    return;
  }
  db.run(
    `INSERT INTO study (study_key, last_received_at, quiet_ms) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET last_received_at = max(last_received_at, excluded.last_received_at),
       quiet_ms = excluded.quiet_ms, revision = revision + 1`,
    instance.studyKey,
    instance.receivedAt,
    instance.quietMs,
  );
  const { state, reason } = starts[instance.start];
  const waits = instance.waitsForCodec && instance.start === 'queued';
  const inserted = db
    .statement(
      `INSERT INTO instance (object_id, uid_key, study_key, digest, transfer_syntax, bytes, received_at, modality,
       calling_ae, priority, epoch, state, codec) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      instance.objectId,
      instance.uidKey,
      instance.studyKey,
      instance.digest,
      instance.transferSyntax,
      instance.bytes,
      instance.receivedAt,
      instance.modalityName,
      instance.callingAeTitle,
      instance.priority,
      instance.epochId,
      state,
      waits ? 'waiting' : 'none',
    );
  const assumed = instance.start === 'assumed' ? 1 : 0;
  for (const destination of instance.destinations) {
    db.run(
      `INSERT INTO delivery (instance, destination, study_key, bytes, priority, state, in_flight,
         needs_digest, assumed, delivered_at, reason_code, reason_words) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      inserted.lastInsertRowid,
      destination,
      instance.studyKey,
      instance.bytes,
      instance.priority,
      state,
      waits ? withCodec : 0,
      assumed === 1 ? owed.digest : owed.none,
      assumed,
      assumed === 1 ? instance.receivedAt : null,
      reason?.code ?? null,
      reason?.words ?? null,
    );
  }
  if (onlyPrepared !== undefined) {
    settlePrepared(db, onlyPrepared, false);
    db.run('UPDATE instance SET received_here = 0 WHERE object_id = ?', instance.objectId);
  }
  // Of an object that cannot be read the sender is not known.
  if (instance.start !== 'unreadable') countSender(db, instance);
}

/** Callers make up AE titles where unknown ones are accepted: the latest are remembered. */
const unknownCallersMax = 200;

/** A modality counts under its name, an unknown caller under its AE title; the two may be the same word. */
function countSender(db: LedgerDatabase, instance: NewInstance): void {
  const { modalityName, callingAeTitle, receivedAt } = instance;
  const name = modalityName ?? callingAeTitle;
  const configured = modalityName === null ? 0 : 1;
  const known = db.get('SELECT 1 FROM sender WHERE configured = ? AND name = ?', configured, name);
  db.run(
    `INSERT INTO sender (configured, name, received, last_received_at) VALUES (?, ?, 1, ?)
     ON CONFLICT DO UPDATE SET received = received + 1,
       last_received_at = max(last_received_at, excluded.last_received_at)`,
    configured,
    name,
    receivedAt,
  );
  if (known !== undefined || configured === 1) return;
  db.run(
    `DELETE FROM sender WHERE configured = 0 AND name NOT IN
       (SELECT name FROM sender WHERE configured = 0 ORDER BY last_received_at DESC, name LIMIT ?)`,
    unknownCallersMax,
  );
}

/** After a restart: what was being sent has an unknown outcome; what was being proven is looked at again. */
export function recoverInFlight(db: LedgerDatabase): void {
  db.run(
    `UPDATE delivery SET in_flight = 0, unknowns = unknowns + 1, needs_digest = max(needs_digest, ${owed.digest}), due_at = 0,
       reason_code = ?, reason_words = ? WHERE in_flight = 1 AND state = 'queued'`,
    interruptedReason.code,
    interruptedReason.words,
  );
  db.run('UPDATE delivery SET in_flight = 0 WHERE in_flight = 1');
  recoverTaken(db);
}

/** Verified long enough ago, still here, and described by its study's receipt: afterwards nothing could describe it. */
export function purgeable(db: LedgerDatabase, verifiedBefore: number, instancesMax: number): Tombstone[] {
  return db
    .all(
      `SELECT object_id, uid_key, digest, transfer_syntax, verified_at, bytes
     FROM instance JOIN study USING (study_key)
     WHERE state = 'verified' AND gone IS NULL AND verified_at < ? AND receipt_revision >= revision
     ORDER BY verified_at LIMIT ?`,
      verifiedBefore,
      instancesMax,
    )
    .map((row) => ({
      objectId: row['object_id'] as ObjectId,
      uidKey: row['uid_key'] as UidKey,
      digest: row['digest'] as string,
      transferSyntax: row['transfer_syntax'] as string,
      verifiedAt: row['verified_at'] as number,
      bytes: row['bytes'] as number,
    }));
}

/** Verified, its tombstone durable, its object deleted. */
export function markPurged(db: LedgerDatabase, objectIds: readonly ObjectId[]): void {
  for (const objectId of objectIds) {
    db.run("UPDATE instance SET gone = 'purged' WHERE object_id = ? AND gone IS NULL", objectId);
  }
}

/** Forgets rows of objects that could not be read when they were found, so that they are entered afresh. */
export function forgetUnreadable(db: LedgerDatabase): ObjectId[] {
  const rows = db.all("SELECT seq, object_id FROM instance WHERE epoch = '' AND gone IS NULL");
  for (const row of rows) {
    db.run('DELETE FROM delivery WHERE instance = ?', row['seq'] ?? null);
    db.run('DELETE FROM instance WHERE seq = ?', row['seq'] ?? null);
  }
  return rows.map((row) => row['object_id'] as ObjectId);
}

/** Whether objects and ledger were ever brought together to the end. */
export function isRecovered(db: LedgerDatabase): boolean {
  return db.get('SELECT 1 FROM recovered') !== undefined;
}

export function markRecovered(db: LedgerDatabase, now: number): void {
  if (!isRecovered(db)) db.run('INSERT INTO recovered VALUES (?)', now);
}

/** Objects that were found damaged or missing, and are held for it. */
export function brokenObjectIds(db: LedgerDatabase): ObjectId[] {
  return db
    .all(
      `SELECT DISTINCT i.object_id FROM delivery d JOIN instance i ON i.seq = d.instance
       WHERE d.state = 'held' AND d.reason_code IN ${brokenHere} AND i.gone IS NULL`,
    )
    .map((row) => row['object_id'] as ObjectId);
}

/** Objects that turned out to be whole after all go on: queued, to be proven by digest. */
export function liftBroken(db: LedgerDatabase, objectIds: readonly ObjectId[], now: number): void {
  for (const objectId of objectIds) {
    const seq = seqOf(db, objectId);
    if (seq === null) continue;
    db.run(
      `UPDATE delivery SET state = 'queued', in_flight = 0, due_at = ?, needs_digest = max(needs_digest, ${owed.digest}),
         reason_code = NULL, reason_words = NULL
       WHERE instance = ? AND state = 'held' AND reason_code IN ${brokenHere}`,
      now,
      seq,
    );
    derive(db, seq, now);
  }
}

/** Parks every delivery of objects that cannot be sent: damaged, or lost. Verified ones are left. */
export function holdObjects(
  db: LedgerDatabase,
  objectIds: readonly ObjectId[],
  reason: Reason,
  now: number,
): void {
  for (const objectId of objectIds) {
    const seq = seqOf(db, objectId);
    if (seq === null) continue;
    db.run(
      `UPDATE delivery SET state = 'held', in_flight = 0, reason_code = ?, reason_words = ?
       WHERE instance = ? AND state NOT IN ('verified', 'accepted')`,
      reason.code,
      reason.words,
      seq,
    );
    derive(db, seq, now);
  }
}

/** Enters a purged instance from its tombstone (ledger rebuilt). */
export function adoptTombstones(db: LedgerDatabase, tombstones: readonly Tombstone[]): void {
  for (const tombstone of tombstones) {
    if (db.get('SELECT 1 FROM instance WHERE object_id = ?', tombstone.objectId) !== undefined) continue;
    db.run(
      `INSERT INTO instance (object_id, uid_key, study_key, digest, transfer_syntax, bytes, received_at, modality,
         calling_ae, priority, epoch, state, verified_at, gone)
       VALUES (?, ?, '', ?, ?, ?, ?, NULL, '', 0, '', 'verified', ?, 'purged')`,
      tombstone.objectId,
      tombstone.uidKey,
      tombstone.digest,
      tombstone.transferSyntax,
      tombstone.bytes,
      tombstone.verifiedAt,
      tombstone.verifiedAt,
    );
  }
}

/**
 * Ids of instances that should have a received object, in order.
 * @param after the last one of the page before, or null
 */
export function presentObjectIds(db: LedgerDatabase, after: ObjectId | null, idsMax: number): ObjectId[] {
  return db
    .all(
      `SELECT object_id FROM instance WHERE object_id > ? AND gone IS NULL AND received_here = 1
       ORDER BY object_id LIMIT ?`,
      after ?? '',
      idsMax,
    )
    .map((row) => row['object_id'] as ObjectId);
}

/** How many objects are still sealed under each epoch (hex id). */
export function epochsInUse(db: LedgerDatabase): string[] {
  return db
    .all(
      `SELECT epoch FROM instance WHERE gone IS NULL AND received_here = 1
       UNION SELECT prepared_epoch FROM instance WHERE gone IS NULL AND prepared_epoch IS NOT NULL`,
    )
    .map((row) => row['epoch'] as string);
}
