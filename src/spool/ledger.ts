import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { GantryError } from '../base/errors.ts';
import { migrations } from './ledger-schema.ts';

/** Of pages in memory, for the one writer. What a queue of 200,000 instances needs of them at once is less. */
const cacheKib = 4096;

export type Row = Record<string, SQLInputValue>;
export type { SQLInputValue };

/**
 * The ledger's database: the only place that knows SQLite. WAL with `synchronous=FULL`. Synchronous; the one
 * writer lives in the ledger worker, a read-only view beside intake. What it holds and means is in the
 * `ledger-*` files: functions on this class, each one unit of work.
 */
export class LedgerDatabase {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /**
   * Opens or makes the database, in WAL mode with `synchronous=FULL` (NORMAL loses commits on power loss).
   * @throws GantryError LEDGER_DAMAGED (rebuild it), LEDGER_UNAVAILABLE (it may be whole), LEDGER_NEWER
   */
  static open(path: string): LedgerDatabase {
    let db: DatabaseSync;
    try {
      db = connect(path);
      const check = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
      if (check.quick_check !== 'ok') throw ledgerDamaged(new Error('quick_check failed'));
    } catch (error) {
      if (error instanceof GantryError) throw error;
      throw isCorruption(error) ? ledgerDamaged(error) : ledgerUnavailable(error);
    }
    const version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
    if (version > migrations.length) {
      db.close();
      throw new GantryError({
        code: 'LEDGER_NEWER',
        kind: 'permanent',
        message: 'The ledger was written by a newer version of this software.',
        nextStep: 'Run the newer software, or rebuild the ledger from the objects (gantry rebuild-ledger).',
      });
    }
    for (let next = version; next < migrations.length; next += 1) {
      db.exec(`BEGIN IMMEDIATE; ${migrations[next]} PRAGMA user_version = ${next + 1}; COMMIT;`);
    }
    return new LedgerDatabase(db);
  }

  /** Opens a database that {@link open} has checked, and brought up to date, in this process. @throws SQLite's error */
  static reopen(path: string): LedgerDatabase {
    return new LedgerDatabase(connect(path));
  }

  /** A second, read-only view of the same database. */
  static openReader(path: string): LedgerDatabase {
    return new LedgerDatabase(new DatabaseSync(path, { readOnly: true, timeout: 1000 }));
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  /** Runs the work as one durable transaction. */
  transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.statement(sql).run(...values);
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.statement(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.statement(sql).all(...values);
  }
}

function connect(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -${cacheKib};`,
  );
  return db;
}

/** SQLITE_CORRUPT and SQLITE_NOTADB; anything else (locked, no space, no descriptors) says nothing about the content. */
function isCorruption(error: unknown): boolean {
  return [11, 26].includes(resultCode(error));
}

/** The primary result code of SQLite (https://sqlite.org/rescode.html), 0 for any other error. */
function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
}

function ledgerUnavailable(cause: unknown): GantryError {
  // SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN
  if ([3, 8, 14].includes(resultCode(cause))) {
    return new GantryError(
      {
        code: 'LEDGER_UNAVAILABLE',
        kind: 'permanent',
        message: 'The ledger database cannot be opened for writing: this user may not, or it is not a file.',
        nextStep:
          'Give "ledger.db" and the files beside it (-wal, -shm) to the user the gateway runs as. Nothing is lost.',
      },
      { cause },
    );
  }
  return new GantryError(
    {
      code: 'LEDGER_UNAVAILABLE',
      kind: 'transient',
      message:
        'The ledger database cannot be opened at present: it is in use, or the disk has no room for it.',
      nextStep: 'Close other programs that use it, make room on the disk, and start again. Nothing is lost.',
    },
    { cause },
  );
}

function ledgerDamaged(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'LEDGER_DAMAGED',
      kind: 'permanent',
      message: 'The ledger database is damaged.',
      nextStep:
        'Nothing is lost: it is rebuilt from the stored objects at the next start (gantry rebuild-ledger).',
    },
    { cause },
  );
}

/** Held while this process owns the data directory; the kernel lets go of it when the process ends, however it ends. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Takes the data directory for this process, by SQLite's own file lock on `DATA/lock`.
 * @returns null where another process holds it
 * @throws SQLite's own error where the file cannot be opened or locked at all
 */
export function lockDirectory(path: string): DirectoryLock | null {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec(
      'PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS lock (x); COMMIT; BEGIN EXCLUSIVE;',
    );
    return { release: () => db.close() };
  } catch (error) {
    db.close();
    // SQLITE_BUSY
    if (resultCode(error) === 5) return null;
    throw error;
  }
}
