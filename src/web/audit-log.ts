import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Role } from './api-route.ts';

/** Something somebody did, or tried to do. No patient data: a study is named by its key. */
export interface AuditedAction {
  /** Stable code, e.g. `SIGN_IN`. */
  readonly event: string;
  /** Name of the user or token; null where nobody had signed in. */
  readonly actor: string | null;
  readonly role: Role | null;
  /** IP address; `console` for commands on the box, `box` for what the box did by itself, `central` for central IT. */
  readonly address: string;
  readonly outcome: 'success' | 'failure';
  /** Code of the failure. */
  readonly code: string | null;
  /** What it was done to. */
  readonly subject: string | null;
}

export interface AuditEntry extends AuditedAction {
  /** Counts up by one. */
  readonly number: number;
  /** ISO 8601, by the clock of the box. */
  readonly at: string;
  /** SHA-256 of the entry before (hex); of the first of a chain, zeros. */
  readonly before: string;
  /** SHA-256 over all other members. */
  readonly hash: string;
}

/** Where the log is kept: numbered files, each replaced as a whole and durably, and one that says where the log ends. */
export interface AuditFiles {
  /** Numbers of the files there are, ascending. */
  list(): Promise<number[]>;
  read(file: number): Promise<Buffer | null>;
  write(file: number, content: Buffer): Promise<void>;
  remove(file: number): Promise<void>;
  readEnd(): Promise<Buffer | null>;
  writeEnd(content: Buffer): Promise<void>;
}

export interface AuditLimits {
  readonly entriesPerFileMax: number;
  /** Older files are removed. */
  readonly filesMax: number;
}

export const auditLimits: AuditLimits = { entriesPerFileMax: 256, filesMax: 128 };

/** Where the chain ends, and where what is kept of it begins. */
interface End {
  readonly number: number;
  readonly hash: string;
  /** The first entry that is kept, and the hash of the one before it. */
  readonly firstNumber: number;
  readonly firstBefore: string;
  /** A fault that was found at a start, remembered until the entry that says so is too old to be kept. */
  readonly broken: {
    readonly words: string;
    /** Entry and file with which the chain goes on from there. */
    readonly from: number;
    readonly file: number;
  } | null;
}

export interface AuditReading {
  /** Ascending. */
  readonly entries: readonly AuditEntry[];
  /** Null where the chain is whole; else in plain words where it is not. */
  readonly broken: string | null;
}

const noHash = '0'.repeat(64);
const newChain: End = { number: 0, hash: noHash, firstNumber: 1, firstBefore: noHash, broken: null };

/**
 * The record of who did what: each entry holds the hash of the one before it, so that nothing can be changed, taken
 * out or cut off without being noticed when it is read. Entries are durable once {@link AuditLog.add} resolves.
 */
export class AuditLog {
  readonly #files: AuditFiles;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limits: AuditLimits;
  readonly #listeners = new Set<(entry: AuditEntry) => void>();
  #end: End = newChain;
  #file = 0;
  #begun = false;
  #current: AuditEntry[] = [];
  #adding: Promise<unknown> = Promise.resolve();

  constructor(files: AuditFiles, clock: Clock, log: Log, limits: AuditLimits = auditLimits) {
    this.#files = files;
    this.#clock = clock;
    this.#log = log;
    this.#limits = limits;
  }

  /** A disk that cannot be read stops nothing here: it is tried again with the next entry. */
  async start(): Promise<void> {
    try {
      await this.#begin();
    } catch (error) {
      this.#log.error({ code: 'AUDIT_NOT_READ', error }, 'the audit log cannot be read');
    }
  }

  /** Finds the end of the log. One that does not verify is left as it is, said, and followed by a new file. */
  async #begin(): Promise<void> {
    const { entries, end, fault } = await this.#readFiles();
    const numbers = await this.#files.list();
    const [first, last] = [entries[0], entries.at(-1)];
    this.#end = {
      number: Math.max(last?.number ?? 0, end?.number ?? 0),
      hash: last?.hash ?? noHash,
      firstNumber: first?.number ?? 1,
      firstBefore: first?.before ?? noHash,
      broken: end?.broken ?? null,
    };
    if (fault === null) await this.#goOn(numbers.at(-1));
    this.#begun = true;
    if (fault === null) return;
    this.#log.error({ code: 'AUDIT_CHAIN_BROKEN' }, fault);
    this.#file = (numbers.at(-1) ?? 0) + 1;
    this.#end = { ...this.#end, broken: { words: fault, from: this.#end.number + 1, file: this.#file } };
    await this.#append({
      event: 'AUDIT_CHAIN_BROKEN',
      actor: null,
      role: null,
      address: 'box',
      outcome: 'failure',
      code: 'AUDIT_CHAIN_BROKEN',
      subject: null,
    });
  }

  /** Fills up the last file, so that a box that often restarts does not push out what is old. */
  async #goOn(file: number | undefined): Promise<void> {
    this.#file = file ?? 1;
    if (file === undefined) return;
    this.#current = parseFile(await this.#files.read(file));
  }

  /** Durable once it resolves. @throws GantryError AUDIT_NOT_WRITTEN */
  add(action: AuditedAction): Promise<void> {
    const added = this.#adding.then(() => this.#append(action));
    this.#adding = added.catch(() => undefined);
    return added;
  }

  /** What is kept, verified from the first entry to the last. */
  read(): Promise<AuditReading> {
    const reading = this.#adding.then(async () => {
      const { entries, end, fault } = await this.#readFiles();
      return { entries, broken: fault ?? end?.broken?.words ?? null };
    });
    this.#adding = reading.catch(() => undefined);
    return reading;
  }

  /** Calls back with every entry once it is durable. */
  onEntry(listener: (entry: AuditEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #append(action: AuditedAction): Promise<void> {
    if (!this.#begun) await this.#begin().catch((cause: unknown) => Promise.reject(notWritten(cause)));
    const entry = sealed({
      ...action,
      number: this.#end.number + 1,
      at: new Date(this.#clock.now()).toISOString(),
      before: this.#end.hash,
    });
    try {
      if (this.#current.length >= this.#limits.entriesPerFileMax) {
        this.#file += 1;
        this.#current = [];
      }
      const current = [...this.#current, entry];
      await this.#files.write(this.#file, Buffer.from(JSON.stringify(current)));
      // From here on the entry is there: the next one follows it, whatever becomes of the rest.
      this.#current = current;
      this.#end = { ...this.#end, number: entry.number, hash: entry.hash };
      await this.#files.writeEnd(Buffer.from(JSON.stringify(this.#end)));
      await this.#removeOld();
    } catch (cause) {
      throw notWritten(cause);
    }
    for (const listener of this.#listeners) listener(entry);
  }

  async #removeOld(): Promise<void> {
    const numbers = await this.#files.list();
    const tooMany = numbers.length - this.#limits.filesMax;
    if (tooMany <= 0) return;
    const first = await this.#firstOf(numbers.slice(tooMany));
    if (first === null) return;
    const { broken } = this.#end;
    this.#end = {
      ...this.#end,
      firstNumber: first.number,
      firstBefore: first.before,
      broken: broken !== null && broken.from >= first.number ? broken : null,
    };
    // What is to go is no longer missed before it goes.
    await this.#files.writeEnd(Buffer.from(JSON.stringify(this.#end)));
    for (const number of numbers.slice(0, tooMany)) await this.#files.remove(number);
  }

  async #firstOf(files: readonly number[]): Promise<AuditEntry | null> {
    for (const file of files) {
      const [first] = await this.#files
        .read(file)
        .then(parseFile)
        .catch(() => []);
      if (first !== undefined) return first;
    }
    return null;
  }

  async #readFiles(): Promise<{ entries: AuditEntry[]; end: End | null; fault: string | null }> {
    let end: End | null = null;
    let fault: string | null = null;
    try {
      const bytes = await this.#files.readEnd();
      end = bytes === null ? null : (JSON.parse(bytes.toString()) as End);
    } catch {
      fault = 'The end of the audit log cannot be read: it is damaged or was changed.';
    }
    const entries: AuditEntry[] = [];
    for (const file of await this.#files.list()) {
      try {
        entries.push(...parseFile(await this.#files.read(file)));
      } catch {
        if (file >= (end?.broken?.file ?? 0))
          fault ??= `File ${file} of the audit log cannot be read: it is damaged or was changed.`;
      }
    }
    fault ??= faultOf(entries, end);
    // A crash may have come before what is too old was removed.
    const first = end?.firstNumber ?? 1;
    return { entries: entries.filter(({ number }) => number >= first), end, fault };
  }
}

/** Where a log is not what was written; null where it is. What came before a fault found earlier is not judged again. */
function faultOf(all: readonly AuditEntry[], end: End | null): string | null {
  if (end === null) return all.length > 1 ? 'The end of the audit log is missing.' : null;
  let number = end.broken?.from ?? end.firstNumber;
  const entries = all.filter((entry) => entry.number >= number);
  let before = end.broken === null ? end.firstBefore : (entries[0]?.before ?? noHash);
  for (const entry of entries) {
    if (entry.number !== number) return `Entries ${number} and on are missing from the audit log.`;
    if (entry.before !== before || !isWhole(entry)) return changed(entry.number);
    before = entry.hash;
    number += 1;
  }
  // The end is written after the entry: a crash in between leaves one entry more than it says, never one less.
  const reached = number - 1;
  if (reached < end.number) return `The last entries of the audit log, from ${number} on, are missing.`;
  return reached <= end.number + 1 ? null : changed(end.number + 2);
}

function changed(number: number): string {
  return `Entry ${number} of the audit log is not the one that was written.`;
}

function isWhole(entry: AuditEntry): boolean {
  const { hash: _, ...rest } = entry;
  return sealed(rest).hash === entry.hash;
}

function sealed(entry: Omit<AuditEntry, 'hash'>): AuditEntry {
  const { number, at, event, actor, role, address, outcome, code, subject, before } = entry;
  const text = JSON.stringify([number, at, event, actor, role, address, outcome, code, subject, before]);
  return { ...entry, hash: createHash('sha256').update(text).digest('hex') };
}

function parseFile(bytes: Buffer | null): AuditEntry[] {
  return bytes === null ? [] : (JSON.parse(bytes.toString()) as AuditEntry[]);
}

function notWritten(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'AUDIT_NOT_WRITTEN',
      kind: 'transient',
      message: 'What was done could not be written into the audit log.',
      nextStep: 'Check the disk of the box. It may have been done all the same: look before you repeat it.',
    },
    { cause },
  );
}
