import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LedgerDatabase } from '../../src/spool/ledger.ts';
import { admit, markPurged, type NewInstance, presentObjectIds } from '../../src/spool/ledger-instances.ts';
import type { ObjectId, UidKey } from '../../src/spool/types.ts';

function instance(number: number): NewInstance {
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
  };
}

it('pages of the ids that should have an object make up all of them, once, without those that are gone', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const db = LedgerDatabase.open(join(directory, 'ledger.db'));
  onTestFinished(() => db.close());
  const all = [4, 1, 3, 0, 2, 5].map(instance);
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
