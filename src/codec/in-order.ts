/** Runs a few things at the same time and gives their results in the order they were begun. */
export class InOrder<Result> {
  readonly #width: number;
  readonly #running: Promise<Result>[] = [];

  /** @param width how many run beside the one that is waited for; 0: one after the other */
  constructor(width: number) {
    this.#width = width;
  }

  /** @returns the oldest result, once so many run that it has to be waited for; else null */
  async add(begun: Promise<Result>): Promise<Result | null> {
    // Whoever awaits it sees the failure; until then nobody may be blamed for not looking.
    begun.catch(() => undefined);
    this.#running.push(begun);
    if (this.#running.length <= this.#width) return null;
    return (await this.#running.shift()) ?? null;
  }

  async *rest(): AsyncGenerator<Result> {
    while (this.#running.length > 0) {
      const next = this.#running.shift();
      if (next !== undefined) yield await next;
    }
  }
}
