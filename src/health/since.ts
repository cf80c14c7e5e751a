/** Remembers since when each of a few named things has been in its present state. */
export class Since {
  readonly #states = new Map<string, { readonly state: string; readonly since: number }>();

  /**
   * @param now milliseconds since the epoch
   * @returns when this state was first seen without another in between
   */
  of(name: string, state: string, now: number): number {
    const before = this.#states.get(name);
    // A clock that was set back must not make a state begin in the future.
    if (before?.state === state && before.since <= now) return before.since;
    this.#states.set(name, { state, since: now });
    return now;
  }
}
