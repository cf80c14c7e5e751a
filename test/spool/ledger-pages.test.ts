import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LedgerDatabase } from '../../src/spool/ledger.ts';
import { recentRows, recentStudies } from '../../src/spool/ledger-studies.ts';
import { admit, markPurged, type NewInstance, presentObjectIds } from '../../src/spool/ledger-instances.ts';
import type { ObjectId, UidKey } from '../../src/spool/types.ts';

function instance(number: number, study: Partial<NewInstance> = {}): NewInstance {
  return {
    objectId: String(number).padStart(32, '0') as ObjectId,
    uidKey: `u${number}` as UidKey,
    studyKey: 's' as UidKey,
    digest: '',
    transferSyntax: '',
    bytes: 1,
    receivedAt: 1,
    modalityName: 'ct1',
    callingAeTitle: 'CT1',
    priority: 0,
    epochId: 'e',
    destinations: ['cloud'],
    quietMs: 0,
    waitsForCodec: false,
    start: 'queued',
    ...study,
  };
}

function openLedger(): LedgerDatabase {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const db = LedgerDatabase.open(join(directory, 'ledger.db'));
  onTestFinished(() => db.close());
  return db;
}

it('pages of studies make up all of them, newest first and once, without those that were discarded', () => {
  const db = openLedger();
  // Two at a time, each pair received at the same moment.
  const studies = Array.from({ length: 12 }, (_, number) =>
    instance(number, { studyKey: `s${String(number).padStart(2, '0')}` as UidKey, receivedAt: number >> 1 }),
  );
  admit(db, studies);
  // As the operator's discard leaves them: the four newest, so that the whole first page is of such, and the oldest.
  for (const { objectId } of [0, 8, 9, 10, 11].map((number) => studies[number] as NewInstance))
    db.run("UPDATE instance SET gone = 'discarded' WHERE object_id = ?", objectId);
  const seen: string[] = [];
  let page = recentStudies(db, 3, null);
  for (; page.next !== null; page = recentStudies(db, 3, page.next)) {
    expect(page.entries).toHaveLength(3);
    seen.push(...page.entries.map(({ studyKey }) => studyKey));
  }
  seen.push(...page.entries.map(({ studyKey }) => studyKey));
  expect(seen).toEqual(['s07', 's06', 's05', 's04', 's03', 's02', 's01']);
});

it('a page of studies is read from an index, not from all of them', () => {
  const db = openLedger();
  const plan = db.all(`EXPLAIN QUERY PLAN ${recentRows}`, 5, 's', 25).map((row) => row['detail']);
  expect(plan).toEqual([
    expect.stringMatching(/^SEARCH study USING COVERING INDEX study_recent \(.*last_received_at/) as string,
  ]);
});

it('pages of the ids that should have an object make up all of them, once, without those that are gone', () => {
  const db = openLedger();
  const all = [4, 1, 3, 0, 2, 5].map((number) => instance(number));
  admit(db, all);
  markPurged(db, [instance(2).objectId]);
  const seen: ObjectId[] = [];
  for (let page = presentObjectIds(db, null, 2); page.length > 0; ) {
    expect(page.length).toBeLessThanOrEqual(2);
    seen.push(...page);
    page = presentObjectIds(db, seen.at(-1) ?? null, 2);
  }
  expect(seen).toEqual([0, 1, 3, 4, 5].map((number) => instance(number).objectId));
});
