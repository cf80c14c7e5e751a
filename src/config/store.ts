import { createHash } from 'node:crypto';
import { type Adapter, Low } from 'lowdb';
import { type Clock, systemClock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import { checkConfigText, type LocatedProblem } from './check.ts';
import { type Config, parseConfig } from './schema.ts';

/** One sealed file. `write` resolves once the new content is durable; a crash leaves the old or the new one. */
export interface SealedFile {
  /** @returns the plain content, or null where the file does not exist */
  read(): Promise<Buffer | null>;
  write(plain: Buffer): Promise<void>;
}

/** What the sealed file holds. */
interface StoredDocument {
  /** Counts imports; 0 before the first. */
  readonly generation: number;
  /** SHA-256 (hex) of the file last imported; null before the first. */
  readonly importedFileSha256: string | null;
  /** Milliseconds since the epoch. */
  readonly importedAt: number | null;
  /** The document as it was written: defaults are filled in when it is read, so that they follow the version. */
  readonly config: unknown;
}

export interface CurrentConfig {
  readonly config: Config;
  readonly generation: number;
  /** When the file it came from was taken over, milliseconds since the epoch. */
  readonly importedAt: number | null;
}

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
  #parsed: Config | null = null;

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
    const sha256 = createHash('sha256').update(text).digest('hex');
    if (this.#parsed !== null && sha256 === this.#database.data.importedFileSha256) return 'unchanged';
    const checked = checkConfigText(text);
    if (!checked.ok) throw new ConfigRejectedError(checked.problems, this.#parsed !== null);
    const before = this.#database.data;
    this.#database.data = {
      generation: before.generation + 1,
      importedFileSha256: sha256,
      importedAt: this.#clock.now(),
      config: checked.document,
    };
    try {
      await this.#database.write();
    } catch (error) {
      this.#database.data = before;
      throw error;
    }
    this.#parsed = checked.config;
    return 'imported';
  }

  /** @throws GantryError CONFIG_MISSING before the first import, CONFIG_OUTDATED after an upgrade that broke it */
  current(): CurrentConfig {
    const { generation, importedAt } = this.#database.data;
    if (this.#parsed !== null) return { config: this.#parsed, generation, importedAt };
    throw this.#database.data.config === null ? configMissing() : configOutdated();
  }
}

const howToBegin = 'Start with "--config FILE"; deploy/config.example.json is a place to begin.';

/** Nothing was ever imported. */
export function configMissing(): GantryError {
  return new GantryError({
    code: 'CONFIG_MISSING',
    kind: 'permanent',
    message: 'This data directory has no configuration yet.',
    nextStep: `If no gateway ran here before: ${howToBegin} If one did, check the path given with --data.`,
  });
}

function configOutdated(): GantryError {
  return new GantryError({
    code: 'CONFIG_OUTDATED',
    kind: 'permanent',
    message: 'The stored configuration is not valid for this version.',
    nextStep: howToBegin,
  });
}

function readDocument(plain: Buffer): StoredDocument | null {
  let value: unknown;
  try {
    value = JSON.parse(plain.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { generation, importedFileSha256, importedAt, config } = value as Partial<StoredDocument>;
  if (
    typeof generation !== 'number' ||
    typeof importedFileSha256 !== 'string' ||
    typeof importedAt !== 'number'
  )
    return null;
  return { generation, importedFileSha256, importedAt, config: config ?? null };
}

function damaged(): GantryError {
  return new GantryError({
    code: 'CONFIG_DAMAGED',
    kind: 'permanent',
    message: 'The stored configuration cannot be read.',
    nextStep: 'Move the "config" folder of the data directory aside and start with "--config FILE".',
  });
}
