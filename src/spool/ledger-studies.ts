import type { LedgerDatabase } from './ledger.ts';
import type { Reason } from '../base/errors.ts';
import { type DeliveryState, deliveryStates, type ObjectId, type UidKey } from './types.ts';

/** What became of one study, from the ledger. PHI-free; times in milliseconds since the epoch. */
export interface StudyEntry {
  readonly studyKey: UidKey;
  /** Received, those included that were purged since; without what was discarded. */
  readonly instances: number;
  /** Of these, still on this box. */
  readonly instancesHere: number;
  readonly bytes: number;
  readonly firstReceivedAt: number;
  readonly lastReceivedAt: number;
  readonly modalityNames: readonly string[];
  readonly callingAeTitles: readonly string[];
  /** Of the latest receipt; 0 where there is none yet. */
  readonly receiptNumber: number;
  /** Nothing has changed since that receipt. */
  readonly receiptIsCurrent: boolean;
  readonly destinations: readonly {
    readonly destination: string;
    readonly states: Readonly<Record<DeliveryState, number>>;
    readonly firstDeliveredAt: number | null;
    readonly lastDeliveredAt: number | null;
    readonly lastVerifiedAt: number | null;
    readonly reasons: readonly Reason[];
  }[];
}

/** Where a page of studies begins: behind this one. */
export interface StudyCursor {
  readonly lastReceivedAt: number;
  readonly studyKey: string;
}

export interface StudyEntries {
  readonly entries: readonly StudyEntry[];
  /** Where the page after this one begins; null on the last. */
  readonly next: StudyCursor | null;
}

/** The studies that received an image last, newest first. @param after the `next` of the page before */
export function recentStudies(
  db: LedgerDatabase,
  studiesMax: number,
  after: StudyCursor | null,
): StudyEntries {
  const entries: StudyEntry[] = [];
  let last = after;
  for (let seen = 0; entries.length < studiesMax && seen < rowsMax; ) {
    const cursors = cursorsAfter(db, last, studiesMax - entries.length);
    seen += cursors.length;
    // One that was discarded as a whole leaves its place to the next.
    entries.push(...cursors.flatMap(({ studyKey }) => studyEntry(db, studyKey as UidKey) ?? []));
    last = cursors.at(-1) ?? last;
    if (cursors.length === 0) break;
  }
  const [more] = cursorsAfter(db, last, 1);
  return { entries, next: more === undefined ? null : last };
}

function cursorsAfter(db: LedgerDatabase, after: StudyCursor | null, max: number): StudyCursor[] {
  const from = [after?.lastReceivedAt ?? Number.MAX_SAFE_INTEGER, after?.studyKey ?? ''];
  return db.all(recentRows, ...from, max).map((row) => ({
    lastReceivedAt: row['last_received_at'] as number,
    studyKey: row['study_key'] as string,
  }));
}

/** Studies looked at for one page: of many discarded ones, a page may be short. */
const rowsMax = 1_000;

/** By the index `study_recent`, so that a page costs the same however many studies there are. */
export const recentRows = `SELECT last_received_at, study_key FROM study WHERE (last_received_at, study_key) < (?, ?)
  ORDER BY last_received_at DESC, study_key DESC LIMIT ?`;

/** What is known of one study; null where nothing is, or all of it was discarded. */
export function studyEntry(db: LedgerDatabase, studyKey: UidKey): StudyEntry | null {
  const study = db.get('SELECT * FROM study WHERE study_key = ?', studyKey);
  const sums = db.get(
    `SELECT count(*) AS instances, sum(bytes) AS bytes, min(received_at) AS first_at, max(received_at) AS last_at,
       sum(gone IS NULL) AS here, json_group_array(DISTINCT modality) AS modalities,
       json_group_array(DISTINCT calling_ae) AS callers
     FROM instance WHERE study_key = ? AND (gone IS NULL OR gone = 'purged')`,
    studyKey,
  );
  const instances = (sums?.['instances'] as number | undefined) ?? 0;
  if (study === undefined || sums === undefined || instances === 0) return null;
  return {
    studyKey,
    instances,
    instancesHere: sums['here'] as number,
    bytes: sums['bytes'] as number,
    firstReceivedAt: sums['first_at'] as number,
    lastReceivedAt: sums['last_at'] as number,
    modalityNames: named(sums['modalities']),
    callingAeTitles: named(sums['callers']),
    receiptNumber: study['receipt_number'] as number,
    receiptIsCurrent: study['receipt_revision'] === study['revision'],
    destinations: destinationsOf(db, studyKey),
  };
}

/** One received object of the study that is still here, for what only its data set says; or null. */
export function objectOfStudy(db: LedgerDatabase, studyKey: UidKey): ObjectId | null {
  const row = db.get(
    `SELECT object_id FROM instance WHERE study_key = ? AND gone IS NULL AND transfer_syntax <> ''
     ORDER BY seq LIMIT 1`,
    studyKey,
  );
  return (row?.['object_id'] as ObjectId | undefined) ?? null;
}

function named(json: unknown): string[] {
  return (JSON.parse(String(json)) as (string | null)[]).filter((name) => name !== null);
}

function destinationsOf(db: LedgerDatabase, studyKey: UidKey): StudyEntry['destinations'] {
  const rows = db.all(
    `SELECT d.destination, d.state, count(*) AS n, min(d.delivered_at) AS delivered_first,
       max(d.delivered_at) AS delivered_last, max(d.verified_at) AS verified_last,
       max(d.reason_code) AS reason_code, max(d.reason_words) AS reason_words
     FROM delivery d JOIN instance i ON i.seq = d.instance
     WHERE i.study_key = ? AND (i.gone IS NULL OR i.gone = 'purged') AND d.state <> 'discarded'
     GROUP BY d.destination, d.state ORDER BY d.destination`,
    studyKey,
  );
  return [...Map.groupBy(rows, (row) => row['destination'] as string)].map(([destination, states]) => {
    const times = (column: string) =>
      states.map((row) => row[column] as number | null).filter((time) => time !== null);
    const firsts = times('delivered_first');
    const lasts = times('delivered_last');
    const verified = times('verified_last');
    const counts = Object.fromEntries(
      states.map((row) => [row['state'] as DeliveryState, row['n'] as number]),
    );
    return {
      destination,
      states: Object.fromEntries(deliveryStates.map((state) => [state, counts[state] ?? 0])) as Record<
        DeliveryState,
        number
      >,
      firstDeliveredAt: firsts.length === 0 ? null : Math.min(...firsts),
      lastDeliveredAt: lasts.length === 0 ? null : Math.max(...lasts),
      lastVerifiedAt: verified.length === 0 ? null : Math.max(...verified),
      reasons: states.flatMap((row) =>
        row['reason_code'] === null
          ? []
          : [{ code: row['reason_code'] as string, words: (row['reason_words'] as string | null) ?? '' }],
      ),
    };
  });
}
