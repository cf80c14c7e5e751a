import type { TransferSyntaxUID } from '../dicom/uid.ts';
import type { LedgerDatabase, Row } from './ledger.ts';
import { type Ability, learn, refusalsSince } from './ledger-abilities.ts';
import { chosenForm } from './ledger-forms.ts';
import { derive, owed, park, seqOf } from './ledger-state.ts';
import {
  type ForwardItem,
  type ForwardLimits,
  type ForwardSettlement,
  type ObjectId,
  type Priority,
  priorities,
  type ProofItem,
  type ProofSettlement,
  type Representation,
  type SentForm,
  type UidKey,
} from './types.ts';

/** No delay is set longer than an hour: what seems due later was set before the clock was put back, and is due now. */
const dueMsMax = 2 * 3_600_000;

/** The study of the oldest or newest delivery that is due, among those of the highest priority. */
function nextStudy(
  db: LedgerDatabase,
  destination: string,
  { order, statOnly = false }: ForwardLimits,
  now: number,
): { study: string; priority: Priority } | null {
  // One query a priority: the index then gives the order, and nothing is sorted.
  const lowest = priorities.indexOf(statOnly ? 'stat' : 'routine');
  for (let priority = priorities.length - 1; priority >= lowest; priority -= 1) {
    const row = db.get(
      `SELECT study_key FROM delivery INDEXED BY delivery_queued
       WHERE destination = ? AND priority = ? AND state = 'queued' AND in_flight = 0 AND (due_at <= ? OR due_at > ?)
       ORDER BY instance ${order === 'oldest' ? 'ASC' : 'DESC'} LIMIT 1`,
      destination,
      priority,
      now,
      now + dueMsMax,
    );
    if (row !== undefined)
      return { study: row['study_key'] as string, priority: priorities[priority] ?? 'routine' };
  }
  return null;
}

/** So many rows are looked at to learn how much of a study is due: more fills every request anyway. */
const spreadRowsMax = 1024;

/**
 * Over a long or lossy line one connection alone does not fill it: what is due of a study is shared out evenly among
 * the requests that may be under way.
 */
function spreadBytes(
  db: LedgerDatabase,
  destination: string,
  study: string,
  { bytesMax, spread = 1, spreadBytesMin = 0 }: ForwardLimits,
  now: number,
): number {
  if (spread === 1) return bytesMax;
  const row = db.get(
    `SELECT sum(bytes) AS bytes FROM (
       SELECT d.bytes FROM delivery d INDEXED BY delivery_queued_study
       WHERE d.destination = ? AND d.study_key = ? AND d.state = 'queued' AND d.in_flight = 0
         AND (d.due_at <= ? OR d.due_at > ?)
       LIMIT ?)`,
    destination,
    study,
    now,
    now + dueMsMax,
    spreadRowsMax,
  );
  const due = (row?.['bytes'] as number | null | undefined) ?? 0;
  return Math.min(bytesMax, Math.max(spreadBytesMin, Math.ceil(due / spread)));
}

/** Takes a batch of one study: the highest priority first, then the oldest or the newest. */
export function takeForward(
  db: LedgerDatabase,
  destination: string,
  limits: ForwardLimits,
  now: number,
): ForwardItem[] {
  const next = nextStudy(db, destination, limits, now);
  if (next === null) return [];
  const { study, priority } = next;
  const rows = db.all(
    `SELECT d.instance, i.object_id, i.prepared_id, i.prepared_bytes, i.prepared_syntax, i.prepared_digest, d.bytes, d.attempts, d.unknowns,
       d.first_attempt_at, d.batch_max, ${chosenForm} AS form
     FROM delivery d INDEXED BY delivery_queued_study JOIN instance i ON i.seq = d.instance
     WHERE d.destination = ? AND d.study_key = ? AND d.state = 'queued' AND d.in_flight = 0 AND (d.due_at <= ? OR d.due_at > ?)
     ORDER BY d.instance LIMIT ?`,
    refusalsSince(now),
    destination,
    study,
    now,
    now + dueMsMax,
    limits.instancesMax,
  );
  const had = db.get(
    'SELECT had FROM archive_study WHERE study_key = ? AND destination = ?',
    study,
    destination,
  );
  const archiveHad = had === undefined ? null : had['had'] === 1;
  const bytesMax = spreadBytes(db, destination, study, limits, now);
  const items: ForwardItem[] = [];
  let bytes = 0;
  let countMax = limits.instancesMax;
  for (const row of rows) {
    const form = row['form'] as Representation;
    const size = row[form === 'prepared' ? 'prepared_bytes' : 'bytes'] as number;
    const allowed = Math.min(countMax, (row['batch_max'] as number | null) ?? countMax);
    if (items.length > 0 && (items.length >= allowed || bytes + size > bytesMax)) break;
    countMax = allowed;
    bytes += size;
    const firstAttemptAt = (row['first_attempt_at'] as number | null) ?? now;
    db.run(
      'UPDATE delivery SET in_flight = 1, first_attempt_at = ?, form = ? WHERE instance = ? AND destination = ?',
      firstAttemptAt,
      form,
      row['instance'] ?? null,
      destination,
    );
    if (form === 'prepared') noteSent(db, row, destination);
    items.push({
      objectId: row['object_id'] as ObjectId,
      sentId: row[form === 'prepared' ? 'prepared_id' : 'object_id'] as ObjectId,
      form,
      destination,
      studyKey: study as UidKey,
      archiveHad,
      bytes: size,
      priority,
      attempts: row['attempts'] as number,
      unknowns: row['unknowns'] as number,
      firstAttemptAt,
    });
  }
  return items;
}

/** What the archive may have from now on can be told from anything else, though the prepared object be lost. */
function noteSent(db: LedgerDatabase, row: Row, destination: string): void {
  db.run(
    `UPDATE delivery SET sent_syntax = ?, sent_bytes = ?, sent_digest = ? WHERE instance = ? AND destination = ?`,
    row['prepared_syntax'] ?? null,
    row['prepared_bytes'] ?? null,
    row['prepared_digest'] ?? null,
    row['instance'] ?? null,
    destination,
  );
}

/** The first answer stands: later ones would find what we sent ourselves. */
export function noteArchiveHad(
  db: LedgerDatabase,
  studyKey: UidKey,
  destination: string,
  had: boolean,
): boolean {
  db.run(
    'INSERT INTO archive_study VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    studyKey,
    destination,
    had ? 1 : 0,
  );
  const row = db.get(
    'SELECT had FROM archive_study WHERE study_key = ? AND destination = ?',
    studyKey,
    destination,
  );
  return row?.['had'] === 1;
}

/**
 * Only what is in flight is settled: an object that was held, discarded or freed meanwhile has an answer that
 * counts more than that of a late attempt.
 */
export function settleForward(
  db: LedgerDatabase,
  settlements: readonly ForwardSettlement[],
  now: number,
): Ability[] {
  const learned: Ability[] = [];
  for (const settlement of settlements) {
    const seq = seqOf(db, settlement.objectId);
    if (seq === null) continue;
    const key = [seq, settlement.destination] as const;
    learned.push(...learnFrom(db, key, settlement, now));
    if (settlement.to === 'delivered') {
      db.run(
        `UPDATE delivery SET state = 'delivered', in_flight = 0, due_at = ?, delivered_at = ?, polls = 0, assumed = 0,
           needs_digest = max(needs_digest, ?), reason_code = ?, reason_words = ?
         WHERE instance = ? AND destination = ? AND in_flight = 1`,
        now,
        now,
        settlement.existed ? owed.exact : settlement.needsDigest ? owed.digest : owed.none,
        settlement.warning?.code ?? null,
        settlement.warning?.words ?? null,
        ...key,
      );
    } else if (settlement.to === 'queued') {
      db.run(
        `UPDATE delivery SET in_flight = 0, due_at = ?, attempts = CASE WHEN ? THEN 0 ELSE attempts + ? END, unknowns = unknowns + ?,
           needs_digest = max(needs_digest, ?), batch_max = coalesce(?, batch_max), reason_code = ?, reason_words = ?,
           form = CASE WHEN ? THEN 'received' ELSE form END, form_refused = max(form_refused, ?)
         WHERE instance = ? AND destination = ? AND in_flight = 1`,
        settlement.retryAt,
        settlement.asReceived === undefined ? 0 : 1,
        settlement.countAttempt ? 1 : 0,
        settlement.outcomeUnknown ? 1 : 0,
        settlement.outcomeUnknown ? owed.digest : owed.none,
        settlement.batchInstancesMax,
        settlement.reason.code,
        settlement.reason.words,
        settlement.asReceived === undefined ? 0 : 1,
        settlement.asReceived === 'refused' ? 1 : 0,
        ...key,
      );
    } else {
      park(db, key, settlement.to, settlement.reason);
    }
    derive(db, seq, now);
  }
  return learned;
}

/**
 * A definite refusal of the transfer syntax is believed at once. A refusal of the object may mean the form or the
 * image: it was the form where the received one is taken.
 */
function learnFrom(
  db: LedgerDatabase,
  [seq, destination]: readonly [number, string],
  settlement: ForwardSettlement,
  now: number,
): Ability[] {
  const refused = settlement.to === 'queued' && settlement.asReceived === 'syntax-refused';
  if (refused) return learn(db, seq, destination, false, now);
  if (settlement.to !== 'delivered') return [];
  const row = db.get(
    'SELECT form, form_refused FROM delivery WHERE instance = ? AND destination = ? AND in_flight = 1',
    seq,
    destination,
  );
  if (row?.['form'] === 'prepared') {
    // What it may have had before says nothing of what it takes.
    return settlement.needsDigest || settlement.existed ? [] : learn(db, seq, destination, true, now);
  }
  return row?.['form_refused'] === 1 ? learn(db, seq, destination, false, now) : [];
}

export function takeProof(
  db: LedgerDatabase,
  destination: string,
  instancesMax: number,
  now: number,
): ProofItem[] {
  const rows = db.all(
    `SELECT d.instance, i.object_id, i.prepared_id, d.form, d.bytes, d.needs_digest, d.polls, d.delivered_at,
       d.assumed, d.sent_syntax, d.sent_bytes, d.sent_digest
     FROM delivery d JOIN instance i ON i.seq = d.instance
     WHERE d.destination = ? AND d.state = 'delivered' AND d.in_flight = 0 AND (d.due_at <= ? OR d.due_at > ?)
     ORDER BY d.due_at LIMIT ?`,
    destination,
    now,
    now + dueMsMax,
    instancesMax,
  );
  return rows.map((row) => {
    db.run(
      'UPDATE delivery SET in_flight = 1 WHERE instance = ? AND destination = ?',
      row['instance'] ?? null,
      destination,
    );
    const received = row['object_id'] as ObjectId;
    const prepared = row['prepared_id'] as ObjectId | null;
    const wasPrepared = row['form'] === 'prepared' && prepared !== null;
    return {
      objectId: received,
      sentId: wasPrepared ? prepared : received,
      otherId: wasPrepared ? received : prepared,
      lostForm: prepared === null ? sentAs(row) : null,
      destination,
      bytes: row['bytes'] as number,
      needsDigest: row['needs_digest'] !== owed.none,
      existed: row['needs_digest'] === owed.exact,
      polls: row['polls'] as number,
      deliveredAt: row['delivered_at'] as number,
      assumed: row['assumed'] === 1,
    };
  });
}

function sentAs(row: Row): SentForm | null {
  const [TransferSyntaxUID, dataSetBytes, digest] = [
    row['sent_syntax'],
    row['sent_bytes'],
    row['sent_digest'],
  ];
  if (typeof TransferSyntaxUID !== 'string' || typeof dataSetBytes !== 'number') return null;
  if (typeof digest !== 'string') return null;
  return { TransferSyntaxUID: TransferSyntaxUID as TransferSyntaxUID, dataSetBytes, digest };
}

export function settleProof(db: LedgerDatabase, settlements: readonly ProofSettlement[], now: number): void {
  for (const settlement of settlements) {
    const seq = seqOf(db, settlement.objectId);
    if (seq === null) continue;
    settleProofOf(db, [seq, settlement.destination], settlement, now);
    derive(db, seq, now);
  }
}

function settleProofOf(
  db: LedgerDatabase,
  key: readonly [number, string],
  settlement: ProofSettlement,
  now: number,
): void {
  switch (settlement.to) {
    case 'verified':
      db.run(
        `UPDATE delivery SET state = 'verified', in_flight = 0, verified_at = ?, proof = ?, assumed = 0,
           form = coalesce(?, form), reason_code = NULL, reason_words = NULL WHERE instance = ? AND destination = ? AND in_flight = 1`,
        now,
        settlement.by,
        settlement.form ?? null,
        ...key,
      );
      return;
    case 'accepted':
      db.run(
        `UPDATE delivery SET state = 'accepted', in_flight = 0, assumed = 0, reason_code = NULL, reason_words = NULL
         WHERE instance = ? AND destination = ? AND in_flight = 1`,
        ...key,
      );
      return;
    case 'delivered':
      db.run(
        `UPDATE delivery SET in_flight = 0, due_at = ?, polls = polls + 1, needs_digest = max(needs_digest, ?),
           reason_code = ?, reason_words = ? WHERE instance = ? AND destination = ? AND in_flight = 1`,
        settlement.pollAt,
        settlement.needsDigest === true ? owed.digest : owed.none,
        settlement.reason.code,
        settlement.reason.words,
        ...key,
      );
      return;
    case 'queued':
      db.run(
        `UPDATE delivery SET state = 'queued', in_flight = 0, due_at = ?, attempts = attempts + (1 - assumed),
           assumed = 0, polls = 0, reason_code = ?, reason_words = ?
         WHERE instance = ? AND destination = ? AND in_flight = 1`,
        settlement.retryAt,
        settlement.reason.code,
        settlement.reason.words,
        ...key,
      );
      return;
    case 'held':
    case 'conflict':
      park(db, key, settlement.to, settlement.reason);
  }
}

/** When the next one is due (ms since the epoch), or null where none waits. */
export function nextDue(
  db: LedgerDatabase,
  destination: string,
  state: 'queued' | 'delivered',
  now: number,
): number | null {
  const row = db.get(
    `SELECT min(due_at) AS due FROM delivery WHERE destination = ? AND state = '${state}' AND in_flight = 0`,
    destination,
  );
  const due = (row?.['due'] as number | null | undefined) ?? null;
  return due !== null && due > now + dueMsMax ? now : due;
}
