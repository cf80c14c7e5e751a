import type { Reason } from '../base/errors.ts';
import type { LedgerDatabase, Row, SQLInputValue } from './ledger.ts';
import { brokenHere, derive, owed } from './ledger-state.ts';
import {
  type DeliveryKey,
  type DeliveryState,
  deliveryStates,
  type DestinationCounts,
  type ModalityCounts,
  type ObjectId,
  priorities,
  type ProofKind,
  type QueueEntry,
  type SettledStudy,
  type SpoolCounts,
  type UidKey,
} from './types.ts';

export interface QueueFilter {
  readonly states?: readonly DeliveryState[];
  readonly destination?: string;
  readonly objectIds?: readonly ObjectId[];
}

/**
 * Studies due for a receipt. What the archive refuses to have read back does not count as moving: its study gets
 * a receipt that says so, and another one if it is proven after all.
 */
export function settledStudies(db: LedgerDatabase, studiesMax: number, now: number): SettledStudy[] {
  const studies = db.all(
    `SELECT study_key, receipt_number, revision FROM study
     WHERE revision > receipt_revision AND last_received_at + quiet_ms <= ?
       AND (moving = 0 OR NOT EXISTS (
         SELECT 1 FROM instance i JOIN delivery d ON d.instance = i.seq
         WHERE i.study_key = study.study_key AND i.gone IS NULL AND (d.state = 'queued'
           OR d.state = 'delivered' AND coalesce(d.reason_code, '') NOT LIKE 'CANNOT_VERIFY%')))
     ORDER BY random() LIMIT ?`,
    now,
    studiesMax,
  );
  return studies.map((study) => ({
    studyKey: study['study_key'] as UidKey,
    receiptNumber: study['receipt_number'] as number,
    revision: study['revision'] as number,
    deliveries: db
      .all(
        `SELECT i.object_id, d.destination, d.state, d.proof, d.verified_at, d.form, i.prepared_id, d.reason_code, d.reason_words
       FROM instance i JOIN delivery d ON d.instance = i.seq
       WHERE i.study_key = ? AND (i.gone IS NULL OR i.gone = 'purged') ORDER BY i.seq, d.destination`,
        study['study_key'] ?? null,
      )
      .map((row) => ({
        objectId: row['object_id'] as ObjectId,
        destination: row['destination'] as string,
        state: row['state'] as DeliveryState,
        preparedId: row['form'] === 'prepared' ? (row['prepared_id'] as ObjectId | null) : null,
        by: row['proof'] as ProofKind | null,
        verifiedAt: row['verified_at'] as number | null,
        reason: reasonOf(row),
      })),
  }));
}

export function receiptWritten(
  db: LedgerDatabase,
  studyKey: UidKey,
  receiptNumber: number,
  revision: number,
): void {
  db.run(
    'UPDATE study SET receipt_number = ?, receipt_revision = ? WHERE study_key = ?',
    receiptNumber,
    revision,
    studyKey,
  );
}

export function counts(db: LedgerDatabase, now: number): SpoolCounts {
  const tally = db.all('SELECT scope, state, instances, bytes FROM tally');
  const of = (scope: string, state: string, member: 'instances' | 'bytes' = 'instances') =>
    (tally.find((row) => row['scope'] === scope && row['state'] === state)?.[member] as number | undefined) ??
    0;
  const scopes = new Set(tally.map((row) => row['scope'] as string).filter((scope) => scope !== ''));
  const received = tally
    .filter((row) => row['scope'] === '')
    .reduce((sum, row) => sum + (row['instances'] as number), 0);
  const oldest = db.get("SELECT min(received_at) AS at FROM instance WHERE state IN ('queued', 'delivered')");
  const oldestAt = (oldest?.['at'] as number | null | undefined) ?? now;
  const atRest = db.get('SELECT instances, received_bytes, stored_bytes FROM at_rest');
  const studies = db.get('SELECT count(*) AS n FROM study WHERE moving > 0')?.['n'] as number;
  const destinationCounts = (name: string): DestinationCounts => ({
    ...(Object.fromEntries(deliveryStates.map((state) => [state, of(name, state)])) as Record<
      DeliveryState,
      number
    >),
    queuedBytes: of(name, 'queued', 'bytes'),
  });
  return {
    queue: {
      studies,
      instances: of('', 'queued') + of('', 'delivered'),
      bytes: of('', 'queued', 'bytes') + of('', 'delivered', 'bytes'),
      oldestAgeSeconds: Math.max(0, Math.floor((now - oldestAt) / 1000)),
    },
    totals: {
      received,
      delivered: of('', 'delivered') + of('', 'accepted') + of('', 'verified'),
      verified: of('', 'verified'),
      quarantined: of('', 'quarantined'),
      conflicts: of('', 'conflict'),
      held: of('', 'held'),
    },
    atRest: {
      instances: atRest?.['instances'] as number,
      bytesReceived: atRest?.['received_bytes'] as number,
      bytesStored: atRest?.['stored_bytes'] as number,
    },
    destinations: Object.fromEntries([...scopes].map((name) => [name, destinationCounts(name)])),
    modalities: senders(db, true),
    unknownCallers: senders(db, false),
  };
}

function senders(db: LedgerDatabase, configured: boolean): Record<string, ModalityCounts> {
  return Object.fromEntries(
    db
      .all('SELECT name, received, last_received_at FROM sender WHERE configured = ?', configured ? 1 : 0)
      .map((row) => [
        row['name'] as string,
        { received: row['received'] as number, lastReceivedAt: row['last_received_at'] as number },
      ]),
  );
}

/** Only the newest are looked through: the table may be long, and the figure is for a person. */
const receivedRowsMax = 50_000;

/** How many objects of each sender were received since then: by configured name, or by AE title. */
export function receivedSince(
  db: LedgerDatabase,
  since: number,
): { name: string; configured: boolean; received: number }[] {
  return db
    .all(
      `SELECT coalesce(modality, calling_ae) AS name, modality IS NOT NULL AS configured, count(*) AS received
       FROM instance WHERE seq > (SELECT coalesce(max(seq), 0) - ? FROM instance) AND received_at >= ?
       GROUP BY 1, 2`,
      receivedRowsMax,
      since,
    )
    .map((row) => ({
      name: row['name'] as string,
      configured: row['configured'] === 1,
      received: row['received'] as number,
    }));
}

/** Deliveries in order of admission, a page at a time. @param after the last delivery of the page before */
export function entries(
  db: LedgerDatabase,
  filter: QueueFilter,
  after: DeliveryKey | null,
  entriesMax: number,
): QueueEntry[] {
  const { where, values } = filterSql(filter);
  return db
    .all(
      `SELECT i.object_id, d.destination, d.state, i.modality, i.calling_ae, d.bytes, i.received_at, d.attempts,
       d.due_at, d.reason_code, d.reason_words
     FROM delivery d JOIN instance i ON i.seq = d.instance
     WHERE ${where} AND i.gone IS NULL
       AND (i.seq, d.destination) > (coalesce((SELECT seq FROM instance WHERE object_id = ?), 0), ?)
     ORDER BY i.seq, d.destination LIMIT ?`,
      ...values,
      after?.objectId ?? null,
      after?.destination ?? '',
      entriesMax,
    )
    .map((row) => ({
      objectId: row['object_id'] as ObjectId,
      destination: row['destination'] as string,
      state: row['state'] as DeliveryState,
      modalityName: row['modality'] as string | null,
      callingAeTitle: row['calling_ae'] as string,
      bytes: row['bytes'] as number,
      receivedAt: row['received_at'] as number,
      attempts: row['attempts'] as number,
      nextAttemptAt: row['state'] === 'queued' ? (row['due_at'] as number) : null,
      reason: reasonOf(row),
    }));
}

/**
 * Makes the chosen deliveries due now: delivered ones for the next look at the archive, all others in state `queued`
 * (parked ones start afresh). Returns how many. Not those of damaged and lost objects: queued again they would count as whole, and the image, sent anew, as a duplicate.
 */
export function requeue(db: LedgerDatabase, filter: QueueFilter, now: number): number {
  const matches = chosen(db, filter, `coalesce(d.reason_code, '') NOT IN ${brokenHere}`);
  for (const { seq, destination, state } of matches) {
    if (state === 'delivered') {
      db.run('UPDATE delivery SET due_at = ? WHERE instance = ? AND destination = ?', now, seq, destination);
      continue;
    }
    db.run(
      `UPDATE delivery SET state = 'queued', in_flight = 0, due_at = ?, attempts = 0, unknowns = 0,
         first_attempt_at = NULL, polls = 0, batch_max = NULL,
         needs_digest = CASE WHEN state = 'queued' THEN needs_digest ELSE max(needs_digest, ${owed.digest}) END,
         reason_code = NULL, reason_words = NULL WHERE instance = ? AND destination = ? AND in_flight <> 1`,
      now,
      seq,
      destination,
    );
    derive(db, seq, now);
  }
  return matches.length;
}

/**
 * Gives the chosen deliveries of destinations that are not configured any more to another one, where they begin
 * afresh; where that one has the instance already, or waits for it, nothing is added. The old ones stay on record as
 * given up, with where they went. Returns how many.
 */
export function sendElsewhere(
  db: LedgerDatabase,
  filter: QueueFilter,
  to: string,
  configured: readonly string[],
  now: number,
): number {
  const matches = chosen(db, filter, `coalesce(d.reason_code, '') NOT IN ${brokenHere}`).filter(
    ({ destination }) => !configured.includes(destination),
  );
  for (const { seq, destination } of matches) {
    db.run(
      `INSERT INTO delivery (instance, destination, study_key, bytes, priority, state, in_flight)
         SELECT instance, ?, study_key, bytes, priority, 'queued', in_flight FROM delivery
         WHERE instance = ? AND destination = ?
       ON CONFLICT DO UPDATE SET state = 'queued', in_flight = excluded.in_flight, due_at = 0, attempts = 0,
         unknowns = 0, first_attempt_at = NULL, needs_digest = max(needs_digest, ${owed.digest}),
         reason_code = NULL, reason_words = NULL WHERE delivery.state = 'discarded'`,
      to,
      seq,
      destination,
    );
    db.run(
      `UPDATE delivery SET state = 'discarded', in_flight = 0, reason_code = 'SENT_ELSEWHERE', reason_words = ?
       WHERE instance = ? AND destination = ?`,
      `An operator had it sent to "${to}" instead.`,
      seq,
      destination,
    );
    derive(db, seq, now);
  }
  return matches.length;
}

/** Makes what is queued of the objects' studies stat; what still comes of them is it too. Returns how many were not. */
export function hurry(db: LedgerDatabase, objectIds: readonly ObjectId[]): number {
  const stat = priorities.indexOf('stat');
  const studies = `(SELECT study_key FROM instance
    WHERE object_id IN (SELECT value FROM json_each(?)) AND gone IS NULL)`;
  const ids = JSON.stringify(objectIds);
  db.run(`UPDATE instance SET priority = ? WHERE study_key IN ${studies}`, stat, ids);
  const { changes } = db
    .statement(
      `UPDATE delivery SET priority = ? WHERE state = 'queued' AND priority < ? AND instance IN
         (SELECT seq FROM instance WHERE study_key IN ${studies})`,
    )
    .run(stat, stat, ids);
  return Number(changes);
}

/**
 * Gives up the chosen deliveries. An object none of whose deliveries is left, or was ever verified, is no longer
 * needed by anybody.
 * @returns the deliveries given up, and the objects that may now be deleted
 */
export function discard(
  db: LedgerDatabase,
  filter: QueueFilter,
  now: number,
): { deliveries: number; objectIds: ObjectId[] } {
  const matches = chosen(db, filter);
  for (const { seq, destination } of matches) {
    db.run(
      "UPDATE delivery SET state = 'discarded' WHERE instance = ? AND destination = ?",
      seq,
      destination,
    );
  }
  const objectIds: ObjectId[] = [];
  for (const seq of new Set(matches.map((one) => one.seq))) {
    derive(db, seq, now);
    const row = db.get(
      "SELECT object_id FROM instance WHERE seq = ? AND state = 'discarded' AND gone IS NULL",
      seq,
    );
    if (row === undefined) continue;
    db.run("UPDATE instance SET gone = 'discarded' WHERE seq = ?", seq);
    objectIds.push(row['object_id'] as ObjectId);
  }
  return { deliveries: matches.length, objectIds };
}

function chosen(
  db: LedgerDatabase,
  filter: QueueFilter,
  condition = 'TRUE',
): { seq: number; destination: string; state: DeliveryState }[] {
  const { where, values } = filterSql(filter);
  return db
    .all(
      `SELECT i.seq, d.destination, d.state FROM delivery d JOIN instance i ON i.seq = d.instance
     WHERE ${where} AND i.gone IS NULL AND d.in_flight <> 1 AND ${condition}`,
      ...values,
    )
    .map((row) => ({
      seq: row['seq'] as number,
      destination: row['destination'] as string,
      state: row['state'] as DeliveryState,
    }));
}

function reasonOf(row: Row): Reason | null {
  return row['reason_code'] === null
    ? null
    : { code: row['reason_code'] as string, words: (row['reason_words'] as string | null) ?? '' };
}

function filterSql(filter: QueueFilter): { where: string; values: SQLInputValue[] } {
  const clauses = ['1 = 1'];
  const values: SQLInputValue[] = [];
  const among = (column: string, list: readonly string[]) => {
    clauses.push(`${column} IN (SELECT value FROM json_each(?))`);
    values.push(JSON.stringify(list));
  };
  if (filter.states !== undefined) among('d.state', filter.states);
  if (filter.objectIds !== undefined) among('i.object_id', filter.objectIds);
  if (filter.destination !== undefined) {
    clauses.push('d.destination = ?');
    values.push(filter.destination);
  }
  return { where: clauses.join(' AND '), values };
}
