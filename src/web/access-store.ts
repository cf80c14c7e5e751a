import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Role } from './api-route.ts';

/** A person who may sign in. */
export interface User {
  readonly role: Role;
  /** In PHC form. */
  readonly passwordHash: string;
}

export interface StoredUser extends User {
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** A token of a program. Only the hash of its secret is kept. */
export interface StoredToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly secretHash: string;
  readonly since: number;
  readonly madeBy: string;
  /** When it ends; null: never. */
  readonly until: number | null;
}

/** A way in for whoever stands at the console. */
export interface StoredPairing {
  readonly codeHash: string;
  readonly triesLeft: number;
  /** Made by "gantry auth reset": good although there are admins, and for a while only. */
  readonly reset: boolean;
  /** Milliseconds since the epoch; where it is not known, a code of a reset is over. */
  readonly madeAt?: number;
}

export interface AccessState {
  readonly users: Readonly<Record<string, StoredUser>>;
  readonly tokens: readonly StoredToken[];
  readonly pairing: StoredPairing | null;
}

/** One durable, sealed file. */
export interface AccessFile {
  read(): Promise<Buffer | null>;
  /** Durable once it resolves. */
  write(content: Buffer): Promise<void>;
}

const empty: AccessState = { users: {}, tokens: [], pairing: null };

/** Users, tokens and the pairing code, as they lie on the disk. */
export class AccessStore {
  readonly #file: AccessFile;
  #state: AccessState = empty;
  #changing: Promise<unknown> = Promise.resolve();
  #damaged = false;

  constructor(file: AccessFile) {
    this.#file = file;
  }

  /** A file that does not verify stops nothing: nobody of it can sign in until it is repaired. */
  async open(log: Log): Promise<void> {
    try {
      const bytes = await this.#file.read();
      if (bytes !== null) this.#state = JSON.parse(bytes.toString()) as AccessState;
    } catch (error) {
      this.#damaged = true;
      log.error({ code: 'ACCESS_DAMAGED', error }, damaged().message);
    }
  }

  /** Whether it could not be read who may sign in. */
  get damaged(): boolean {
    return this.#damaged;
  }

  /** Begins anew where the file is damaged: with nobody. */
  async repair(): Promise<void> {
    if (!this.#damaged) return;
    await this.#file.write(Buffer.from(JSON.stringify(empty)));
    this.#damaged = false;
  }

  get state(): AccessState {
    return this.#state;
  }

  /** One change after the other; each counts once it is durable. @throws what `made` throws: nothing is changed then */
  change(made: (state: AccessState) => AccessState): Promise<void> {
    const changed = this.#changing.then(async () => {
      if (this.#damaged) throw damaged();
      const changedState = made(this.#state);
      await this.#file.write(Buffer.from(JSON.stringify(changedState)));
      this.#state = changedState;
    });
    this.#changing = changed.catch(() => undefined);
    return changed;
  }
}

function damaged(): GantryError {
  return new GantryError({
    code: 'ACCESS_DAMAGED',
    kind: 'permanent',
    message:
      'The file of users and tokens (access/state) is damaged, so only users of the configuration can sign in.',
    nextStep:
      'Restore it from a copy of the data directory and restart the gateway, or use "gantry auth reset" on the box: it begins anew, with nobody.',
  });
}
