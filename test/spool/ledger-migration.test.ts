import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { LedgerDatabase } from '../../src/spool/ledger.ts';
import { migrations } from '../../src/spool/ledger-schema.ts';
import { recentStudies } from '../../src/spool/ledger-studies.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';

test('a ledger from before modalities and unknown callers were told apart keeps its counts', () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'ledger.db');
  const before = new DatabaseSync(path);
  before.exec(`${migrations[0]} PRAGMA user_version = 1;`);
  before.exec(`
    INSERT INTO study (study_key, last_received_at, quiet_ms) VALUES ('s', 5, 1);
    INSERT INTO instance (object_id, uid_key, study_key, digest, transfer_syntax, bytes, received_at, modality,
      calling_ae, priority, epoch, state) VALUES ('o', 'u', 's', 'd', 't', 1, 5, 'ct1', 'CT1', 0, 'e', 'queued');
    INSERT INTO modality VALUES ('ct1', 7, 5), ('STRANGER', 2, 4);
  `);
  before.close();
  const ledger = LedgerDatabase.open(path);
  const rows = ledger.all(
    'SELECT configured, name, received, last_received_at AS at FROM sender ORDER BY name',
  );
  expect(rows.map((row) => ({ ...row }))).toEqual([
    { configured: 0, name: 'STRANGER', received: 2, at: 4 },
    { configured: 1, name: 'ct1', received: 7, at: 5 },
  ]);
  ledger.close();
});

test('a ledger from before studies had an index lists them, newest first', () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'ledger.db');
  const before = new DatabaseSync(path);
  before.exec(`${migrations.slice(0, 4).join(';')} PRAGMA user_version = 4;`);
  for (const [number, at] of [5, 9, 7].entries())
    before.exec(`
      INSERT INTO study (study_key, last_received_at, quiet_ms) VALUES ('s${number}', ${at}, 1);
      INSERT INTO instance (object_id, uid_key, study_key, digest, transfer_syntax, bytes, received_at, modality,
        calling_ae, priority, epoch, state)
        VALUES ('o${number}', 'u${number}', 's${number}', 'd', 't', 1, ${at}, 'ct1', 'CT1', 0, 'e', 'queued');
    `);
  before.close();
  const ledger = LedgerDatabase.open(path);
  expect(ledger.get("SELECT count(*) AS n FROM sqlite_master WHERE name = 'study_recent'")?.['n']).toBe(1);
  expect(recentStudies(ledger, 10, null).entries.map(({ studyKey }) => studyKey)).toEqual(['s1', 's2', 's0']);
  ledger.close();
});
