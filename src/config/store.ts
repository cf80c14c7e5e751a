import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Adapter, Low } from 'lowdb';
import { type Clock, systemClock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import { checkConfigText, type LocatedProblem } from './check.ts';
import { type Config, parseConfig } from './schema.ts';
import type { SealedByName } from './secrets.ts';
import { changeInvalid, configMissing, configOutdated, damaged, unusableName } from './store-failures.ts';
import { entryName } from './values.ts';

/** One sealed file. `write` resolves once the new content is durable; a crash leaves the old or the new one. */
export interface SealedFile {
  /** @returns the plain content, or null where the file does not exist */
  read(): Promise<Buffer | null>;
  write(plain: Buffer): Promise<void>;
}

/** What the sealed file holds. */
interface StoredDocument {
  /** Counts imports and changes; 0 before the first. */
  readonly generation: number;
  /** SHA-256 (hex) of the `--config` file last imported; null before the first. */
  readonly importedFileSha256: string | null;
  /** Milliseconds since the epoch. */
  readonly importedAt: number | null;
  /** The document as it was written: defaults are filled in when it is read, so that they follow the version. */
  readonly config: unknown;
  /** What was changed since the last import, as paths such as `modalities.ct1`; none in files of old versions. */
  readonly changes?: readonly ConfigPath[];
  /** When this generation came about, milliseconds since the epoch. */
  readonly changedAt?: number | null;
  /** Changes that the last import undid. */
  readonly undone?: readonly string[];
  /** Where the document came from; files of old versions have it from a file. */
  readonly source?: 'file' | 'central';
  /** The trial that was kept last. */
  readonly keptTrial?: string;
  /** Secrets that came with the document, as they came. */
  readonly sealed?: SealedByName;
}

export interface CurrentConfig {
  readonly config: Config;
  readonly generation: number;
  /** What made this generation: a file, a change made on the page, or central IT. */
  readonly origin: ConfigOrigin;
  /** Entries set on this box, as paths such as `['modalities', 'ct1']`. */
  readonly changes: readonly ConfigPath[];
  /** In use to be tried: gone when it is dropped, or the process ends, before it is kept. */
  readonly onTrial: boolean;
  /** Milliseconds since the epoch. */
  readonly changedAt: number | null;
  /** What was changed on the page and is not so any more, because the file imported last says otherwise. */
  readonly undone: readonly string[];
}

export type ConfigOrigin = 'file' | 'page' | 'central';

/** A whole document to be tried, checked already. */
export interface TrialDocument {
  /** Names it, so that after a crash it can be told whether it was kept. */
  readonly id: string;
  readonly document: RawDocument;
  readonly config: Config;
  readonly source: 'file' | 'central';
  /** Entries set on this box that the document holds. */
  readonly changes: readonly ConfigPath[];
  /** Secrets that it names, as they came; none with a document of this box. */
  readonly sealed: SealedByName;
}

/** A section of the document and the name of an entry in it. */
export type ConfigPath =
  | readonly [section: 'modalities', name: string]
  | readonly [section: 'site', name: 'name' | 'timeZone'];

/** The document as it was written, without defaults. */
export type RawDocument = Readonly<Record<string, unknown>>;

/** A configuration file that was not taken; the problems say why. */
export class ConfigRejectedError extends GantryError {
  readonly problems: readonly LocatedProblem[];

  constructor(problems: readonly LocatedProblem[], running: boolean) {
    super({
      code: 'CONFIG_INVALID',
      kind: 'permanent',
      message: running
        ? 'The changed configuration file is not valid; the configuration in use stays as it is.'
        : 'The configuration file is not valid.',
      nextStep: 'Correct the file; "gantry check-config" says where it is wrong.',
    });
    this.problems = problems;
  }
}

const empty: StoredDocument = { generation: 0, importedFileSha256: null, importedAt: null, config: null };

/** lowdb's view of the sealed file. */
class SealedAdapter implements Adapter<StoredDocument> {
  readonly #file: SealedFile;

  constructor(file: SealedFile) {
    this.#file = file;
  }

  async read(): Promise<StoredDocument | null> {
    const plain = await this.#file.read();
    if (plain === null) return null;
    const stored = readDocument(plain);
    if (stored === null) throw damaged();
    return stored;
  }

  async write(document: StoredDocument): Promise<void> {
    await this.#file.write(Buffer.from(JSON.stringify(document)));
  }
}

/** The configuration in use, kept in one sealed file. */
export class ConfigStore {
  readonly #database: Low<StoredDocument>;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  #parsed: Config | null = null;
  #trial: (TrialDocument & { readonly at: number }) | null = null;
  /** One change after the other: each sees what the one before it made. */
  #changing: Promise<unknown> = Promise.resolve();

  private constructor(database: Low<StoredDocument>, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Reads what is stored. A stored document that this version no longer takes counts as none: importing a file
   * mends it, and {@link current} says so until then.
   * @throws GantryError CONFIG_DAMAGED where the file is not a configuration; whatever the sealed file throws
   */
  static async open(file: SealedFile, clock: Clock = systemClock): Promise<ConfigStore> {
    const database = new Low(new SealedAdapter(file), empty);
    await database.read();
    const store = new ConfigStore(database, clock);
    const result = parseConfig(database.data.config);
    if (result.ok) store.#parsed = result.config;
    return store;
  }

  /**
   * Takes the text of a `--config` file if it is the first, or has changed since the last one taken.
   * @returns whether it was taken
   * @throws ConfigRejectedError where it is not valid; the configuration in use, if any, stays
   */
  async importFile(text: string): Promise<'imported' | 'unchanged'> {
    const sha256 = sha256Of(text);
    if (this.#parsed !== null && sha256 === this.#database.data.importedFileSha256) return 'unchanged';
    const checked = checkConfigText(text);
    if (!checked.ok) throw new ConfigRejectedError(checked.problems, this.#parsed !== null);
    const before = this.#database.data;
    const now = this.#clock.now();
    const document = checked.document as RawDocument;
    await this.#replace(
      {
        generation: before.generation + 1,
        importedFileSha256: sha256,
        importedAt: now,
        config: document,
        changes: [],
        changedAt: now,
        undone: undoneBy(document, before),
        source: 'file',
      },
      checked.config,
    );
    return 'imported';
  }

  /**
   * Changes one entry of the document in use; durable once it resolves, and then told to {@link onChange}. The
   * `--config` file does not undo it before that file itself is changed: then the file counts.
   * @param edit gives the new entry from the one there is
   * @throws GantryError CONFIG_CHANGE_INVALID where the whole would not be valid; whatever `edit` throws
   */
  change(path: ConfigPath, edit: (entry: unknown) => unknown): Promise<CurrentConfig> {
    const changed = this.#changing.then(() => this.#change(path, edit));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  async #change(path: ConfigPath, edit: (entry: unknown) => unknown): Promise<CurrentConfig> {
    // Asked here as well: zod leaves out a key such as "__proto__" in silence.
    if (!entryName.safeParse(path[1]).success) throw changeInvalid([unusableName]);
    const before = this.#database.data;
    const next = edited(before.config, path, edit);
    // What is being tried gets it as well: a device let in meanwhile stays let in, whatever becomes of the trial.
    const trial = this.#trial;
    const tried = trial && edited(trial.document, path, edit);
    await this.#replace(
      {
        ...before,
        generation: before.generation + 1,
        config: next.document,
        changes: withPath(before.changes ?? [], path),
        changedAt: this.#clock.now(),
      },
      next.config,
      trial && tried && { ...trial, ...tried, changes: withPath(trial.changes, path) },
    );
    return this.current();
  }

  /**
   * Puts a document in use without keeping it: the stored one is in use again when it is dropped, or this process
   * ends. Told to {@link onChange}.
   */
  tryOut(trial: TrialDocument): void {
    this.#trial = { ...trial, at: this.#clock.now() };
    this.#tell();
  }

  /** Back to the stored document; told to {@link onChange}. */
  dropTrial(): void {
    if (this.#trial === null) return;
    this.#trial = null;
    this.#tell();
  }

  /** Keeps what is being tried, durably; from then on it is the stored document. */
  keepTrial(): Promise<CurrentConfig> {
    const kept = this.#changing.then(() => this.#keepTrial());
    this.#changing = kept.catch(() => undefined);
    return kept;
  }

  async #keepTrial(): Promise<CurrentConfig> {
    const trial = this.#trial;
    if (trial === null) throw new Error('there is no trial to keep');
    const before = this.#database.data;
    const { id, document, config, source, changes, sealed, at } = trial;
    const generation = before.generation + 1;
    try {
      await this.#replace(
        {
          ...before,
          generation,
          config: document,
          source,
          changes,
          changedAt: at,
          undone: [],
          keptTrial: id,
          sealed,
        },
        config,
        null,
      );
    } catch (error) {
      // It may lie on the disk all the same; what is in use and what is stored are to be one and the same.
      await this.#database.write().catch(() => undefined);
      throw error;
    }
    return this.current();
  }

  /** @param trial what is being tried from then on */
  async #replace(next: StoredDocument, config: Config, trial = this.#trial): Promise<void> {
    const before = this.#database.data;
    this.#database.data = next;
    try {
      await this.#database.write();
    } catch (error) {
      this.#database.data = before;
      throw error;
    }
    this.#parsed = config;
    this.#trial = trial;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Whether a file was the last one imported. */
  isImported(text: string): boolean {
    return sha256Of(text) === this.#database.data.importedFileSha256;
  }

  /** Names the trial that was kept last; null where none ever was. */
  keptTrial(): string | null {
    return this.#database.data.keptTrial ?? null;
  }

  /** Calls back when another configuration is in use. @returns ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The document in use as it was written, without defaults. Null before the first import. */
  document(): RawDocument | null {
    return this.#trial?.document ?? (this.#database.data.config as RawDocument | null);
  }

  /** The sealed secrets that came with the document in use. */
  sealed(): SealedByName {
    return this.#trial?.sealed ?? this.#database.data.sealed ?? {};
  }

  /** @throws GantryError CONFIG_MISSING before the first import, CONFIG_OUTDATED after an upgrade that broke it */
  current(): CurrentConfig {
    const {
      generation,
      config,
      changes = [],
      changedAt,
      importedAt,
      undone = [],
      source,
    } = this.#database.data;
    const trial = this.#trial;
    if (trial !== null) {
      const origin = trial.source;
      const shown = { origin, changedAt: trial.at, undone: [], changes: trial.changes, onTrial: true };
      return { config: trial.config, generation: generation + 1, ...shown };
    }
    if (this.#parsed === null) throw config === null ? configMissing() : configOutdated();
    return {
      config: this.#parsed,
      generation,
      origin: source === 'central' ? source : changes.length > 0 ? 'page' : 'file',
      changes,
      onTrial: false,
      changedAt: changedAt ?? importedAt,
      undone,
    };
  }
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** @throws GantryError CONFIG_CHANGE_INVALID where the whole would not be valid */
function edited(from: unknown, [section, name]: ConfigPath, edit: (entry: unknown) => unknown) {
  const document = (from ?? {}) as RawDocument;
  const entries = (document[section] ?? {}) as RawDocument;
  const entry = edit(Object.hasOwn(entries, name) ? entries[name] : undefined);
  const next: RawDocument = { ...document, [section]: { ...entries, [name]: entry } };
  const parsed = parseConfig(next);
  if (!parsed.ok) throw changeInvalid(parsed.problems);
  return { document: next, config: parsed.config };
}

function withPath(paths: readonly ConfigPath[], path: ConfigPath): ConfigPath[] {
  return [...paths.filter(([section, name]) => section !== path[0] || name !== path[1]), path];
}

/** What was changed on the page and stands differently, or not at all, in a file that is imported. */
function undoneBy(document: RawDocument, { changes = [], config }: StoredDocument): string[] {
  const entryOf = (from: unknown, [section, name]: ConfigPath): unknown => {
    const entries = ((from as RawDocument | null)?.[section] ?? {}) as RawDocument;
    return Object.hasOwn(entries, name) ? entries[name] : undefined;
  };
  return changes
    .filter((path) => !isDeepStrictEqual(entryOf(document, path), entryOf(config, path)))
    .map((path) => path.join('.'));
}

function readDocument(plain: Buffer): StoredDocument | null {
  let value: unknown;
  try {
    value = JSON.parse(plain.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const stored = value as Partial<StoredDocument>;
  const { generation, importedFileSha256, importedAt, config } = stored;
  if (
    typeof generation !== 'number' ||
    (typeof importedFileSha256 !== 'string' && importedFileSha256 !== null) ||
    (typeof importedAt !== 'number' && importedAt !== null)
  )
    return null;
  return { ...stored, generation, importedFileSha256, importedAt, config: config ?? null };
}
