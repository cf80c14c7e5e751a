import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { GantryError } from '../base/errors.ts';

/** scrypt with 32 MiB and three passes: as costly as OWASP's Password Storage Cheat Sheet asks for. */
const parameters = { ln: 15, r: 8, p: 3 };
const saltBytes = 16;
const hashBytes = 32;
const form = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

export interface HashCost {
  /** Two to the power of it blocks of memory. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface PasswordLimits {
  /** Hashes made at once; each takes a thread and 32 MiB. */
  readonly atOnceMax: number;
  /** Those that wait for their turn. */
  readonly waitingMax: number;
}

const presetLimits: PasswordLimits = { atOnceMax: 2, waitingMax: 16 };

/** Hashes passwords (RFC 7914), a few at a time: the threads it takes are also those of the disk. */
export class Passwords {
  readonly #cost: HashCost;
  readonly #limits: PasswordLimits;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** How many hashes were made. */
  made = 0;

  constructor(cost: HashCost = parameters, limits: PasswordLimits = presetLimits) {
    this.#cost = cost;
    this.#limits = limits;
  }

  /** @returns the hash in PHC form. @throws GantryError PASSWORD_BUSY */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(saltBytes);
    const hash = await this.#derive(password, salt, this.#cost);
    const { ln, r, p } = this.#cost;
    return `$scrypt$ln=${ln},r=${r},p=${p}$${plain(salt)}$${plain(hash)}`;
  }

  /**
   * Whether the password is the one of the hash.
   * @param hash null takes as long as any other and is never right: who asks learns nothing about who there is
   * @throws GantryError PASSWORD_BUSY
   */
  async verify(password: string, hash: string | null): Promise<boolean> {
    const [, ln = '', r = '', p = '', salt = '', expected = ''] = form.exec(hash ?? '') ?? [];
    if (ln === '') {
      await this.#derive(password, Buffer.alloc(saltBytes), this.#cost);
      return false;
    }
    const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
    const found = await this.#derive(password, Buffer.from(salt, 'base64'), cost);
    return timingSafeEqual(found, Buffer.from(expected, 'base64'));
  }

  async #derive(password: string, salt: Buffer, { ln, r, p }: HashCost): Promise<Buffer> {
    await this.#turn();
    try {
      this.made += 1;
      const N = 2 ** ln;
      const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r };
      // One text, however the keyboard put it together (RFC 8265).
      const text = password.normalize('NFC');
      return await new Promise((resolve, reject) => {
        scrypt(text, salt, hashBytes, options, (error, key) => (error ? reject(error) : resolve(key)));
      });
    } finally {
      // Whoever waited longest takes over the turn.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  async #turn(): Promise<void> {
    if (this.#running >= this.#limits.atOnceMax) {
      if (this.#waiting.length >= this.#limits.waitingMax) throw busy();
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      return;
    }
    this.#running += 1;
  }
}

function plain(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

function busy(): GantryError {
  return new GantryError({
    code: 'PASSWORD_BUSY',
    kind: 'transient',
    message: 'Too many people sign in at this moment.',
    nextStep: 'Try again in a few seconds.',
  });
}
