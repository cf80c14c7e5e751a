import { createHash, randomInt } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { AccessStore, StoredPairing } from './access-store.ts';
import { sameText } from './browser-checks.ts';
import { ApiRefusal } from './problem.ts';

/** Wrong codes after which the code is no longer good. */
export const pairingTriesMax = 10;
/** How long a code of "gantry auth reset" is good: whoever asked for it stands at the box. */
export const resetLifeMs = 3_600_000;
/** No letters that look or sound like digits. */
const alphabet = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const codeChars = 8;

/**
 * The code that stands on the console and makes its reader an admin: on first start until there is one, and after
 * "gantry auth reset". Eight characters (39 bits), ten tries. That of the first start is good until the next start;
 * that of a reset outlives a restart, so it has an hour.
 */
export class Pairing {
  readonly #store: AccessStore;
  readonly #hasAdmin: () => boolean;
  readonly #clock: Clock;

  constructor(store: AccessStore, hasAdmin: () => boolean, clock: Clock) {
    this.#store = store;
    this.#hasAdmin = hasAdmin;
    this.#clock = clock;
  }

  /** Whether a code can be given. */
  get open(): boolean {
    const { pairing } = this.#store.state;
    if (pairing === null || pairing.triesLeft <= 0 || this.#isOver(pairing)) return false;
    return pairing.reset || !this.#hasAdmin();
  }

  /** Makes a code where one is needed: as long as there is no admin. One of a reset stays good over a restart. */
  async start(): Promise<string | null> {
    if (this.open && this.#store.state.pairing?.reset === true) return null;
    if (this.#hasAdmin()) return null;
    return this.make(false);
  }

  /** Makes a new code; the one before it is no longer good. */
  async make(reset: boolean): Promise<string> {
    const letters = Array.from({ length: codeChars }, () => alphabet[randomInt(alphabet.length)]);
    const code = letters.join('');
    const madeAt = this.#clock.now();
    const pairing: StoredPairing = { codeHash: hashOf(code), triesLeft: pairingTriesMax, reset, madeAt };
    await this.#store.change((state) => ({ ...state, pairing }));
    return `${code.slice(0, 4)}-${code.slice(4)}`;
  }

  /** Counts a try, durably, before it looks at the code. @throws ApiRefusal PAIRING_CLOSED, PAIRING_OVER, PAIRING_CODE */
  async check(code: string): Promise<void> {
    const given = this.#store.state.pairing;
    if (given !== null && this.#isOver(given)) throw over();
    if (!this.open) throw closed(this.#hasAdmin());
    let expected = '';
    await this.#store.change((state) => {
      const { pairing } = state;
      if (pairing === null || pairing.triesLeft <= 0) throw closed(this.#hasAdmin());
      expected = pairing.codeHash;
      return { ...state, pairing: { ...pairing, triesLeft: pairing.triesLeft - 1 } };
    });
    const plain = code.toUpperCase().replaceAll(/[\s-]/g, '');
    if (!sameText(hashOf(plain), expected)) throw wrong(this.#store.state.pairing?.triesLeft ?? 0);
  }

  /** By the wall clock, as it counts over a restart; one that is set far back makes no code good again. */
  #isOver({ reset, madeAt = -Infinity }: StoredPairing): boolean {
    return reset && Math.abs(this.#clock.now() - madeAt) >= resetLifeMs;
  }
}

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('hex');
}

function closed(paired: boolean): ApiRefusal {
  return new ApiRefusal(403, {
    code: 'PAIRING_CLOSED',
    kind: 'permanent',
    message: paired
      ? 'This box has an admin already, so it takes no pairing code.'
      : 'The pairing code was wrong too often; it is no longer good.',
    nextStep: paired
      ? 'Sign in. Who has lost the password uses "gantry auth reset" on the box.'
      : 'Restart the gateway, or use "gantry auth reset" on the box: both print a new code.',
  });
}

function over(): ApiRefusal {
  return new ApiRefusal(403, {
    code: 'PAIRING_OVER',
    kind: 'permanent',
    message: 'This box takes no pairing code any more: that of "gantry auth reset" is good for an hour.',
    nextStep: 'Use "gantry auth reset" on the box again, and enter the new code within an hour.',
  });
}

function wrong(left: number): ApiRefusal {
  return new ApiRefusal(403, {
    code: 'PAIRING_CODE',
    kind: 'permanent',
    message: `That is not the pairing code. ${left} ${left === 1 ? 'try is' : 'tries are'} left.`,
    nextStep: 'Read it from the console or the log of the box: a line that says "pairing code".',
  });
}
