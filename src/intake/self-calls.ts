import { randomBytes } from 'node:crypto';

/** An AE title by which this gateway calls itself; no longer good once it is disposed of. */
export interface SelfCall extends Disposable {
  readonly aeTitle: string;
}

/**
 * The AE titles by which the gateway is calling itself just now, to see whether it answers. Each is made up for one
 * call and known to nobody else, so whoever comes with it is let in whatever the settings say, and is neither counted
 * nor listed among the callers.
 */
export class SelfCalls {
  readonly #titles = new Set<string>();

  expect(): SelfCall {
    const aeTitle = randomBytes(8).toString('hex').toUpperCase();
    this.#titles.add(aeTitle);
    return { aeTitle, [Symbol.dispose]: () => void this.#titles.delete(aeTitle) };
  }

  includes(callingAeTitle: string): boolean {
    return this.#titles.has(callingAeTitle);
  }
}
