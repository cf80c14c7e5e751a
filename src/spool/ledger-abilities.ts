import type { LedgerDatabase } from './ledger.ts';

/* What destinations take: learned from their answers, by SOP class and transfer syntax. */

/** So long an archive's refusal of a transfer syntax is believed: archives learn too. */
const refusalMsMax = 30 * 86_400_000;

/** Whether a destination took, or refused for good, objects of a class in a transfer syntax. */
export interface Ability {
  readonly destination: string;
  readonly sopClass: string;
  readonly transferSyntax: string;
  readonly accepted: boolean;
}

/** What is known of the destinations' abilities; refusals only as long as they are believed. */
export function abilities(db: LedgerDatabase, now: number): Ability[] {
  return db
    .all('SELECT * FROM ability WHERE accepted = 1 OR learned_at > ?', now - refusalMsMax)
    .map((row) => ({
      destination: row['destination'] as string,
      sopClass: row['sop_class'] as string,
      transferSyntax: row['transfer_syntax'] as string,
      accepted: row['accepted'] === 1,
    }));
}

/** What an attempt says of the destination: it took, or refused, the prepared form of this instance. */
export function learn(
  db: LedgerDatabase,
  seq: number,
  destination: string,
  accepted: boolean,
  now: number,
): Ability[] {
  const row = db.get(
    `SELECT i.sop_class, coalesce(d.sent_syntax, i.prepared_syntax) AS syntax
     FROM delivery d JOIN instance i ON i.seq = d.instance WHERE d.instance = ? AND d.destination = ?`,
    seq,
    destination,
  );
  const sopClass = row?.['sop_class'];
  const transferSyntax = row?.['syntax'];
  if (typeof sopClass !== 'string' || typeof transferSyntax !== 'string') return [];
  db.run(
    `INSERT INTO ability VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET accepted = excluded.accepted, learned_at = excluded.learned_at`,
    destination,
    sopClass,
    transferSyntax,
    accepted ? 1 : 0,
    now,
  );
  return [{ destination, sopClass, transferSyntax, accepted }];
}

/** The parameter of `chosenForm`: refusals older than this count no more. */
export function refusalsSince(now: number): number {
  return now - refusalMsMax;
}

/**
 * Forgets what destinations took or refused, so that it is learned anew.
 * @param destination one of them, or null for all
 * @returns how much was forgotten
 */
export function forgetAbilities(db: LedgerDatabase, destination: string | null): number {
  const { changes } = db
    .statement('DELETE FROM ability WHERE destination = ? OR ? IS NULL')
    .run(destination, destination);
  return Number(changes);
}

/**
 * Whoever answers under changed settings may be another archive: what the one before took is forgotten.
 * @param fingerprints of the settings, by destination
 */
export function noteSettings(db: LedgerDatabase, fingerprints: Readonly<Record<string, string>>): void {
  for (const [destination, fingerprint] of Object.entries(fingerprints)) {
    const known = db.get('SELECT fingerprint FROM destination_settings WHERE destination = ?', destination);
    if (known?.['fingerprint'] === fingerprint) continue;
    // Of a destination seen for the first time nothing is known that could be wrong.
    if (known !== undefined) forgetAbilities(db, destination);
    db.run(
      `INSERT INTO destination_settings VALUES (?, ?)
       ON CONFLICT DO UPDATE SET fingerprint = excluded.fingerprint`,
      destination,
      fingerprint,
    );
  }
}
