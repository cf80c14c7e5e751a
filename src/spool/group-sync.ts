/**
 * Group commit: everybody who asks while a sync runs shares the next one, because what was written after a sync
 * began is not covered by it.
 */
export class GroupSync {
  readonly #sync: () => Promise<void>;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Resolves once everything written before the call is durable. Rejects for all who shared a failed sync. */
  sync(): Promise<void> {
    if (this.#running === null) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  /** Resolves once no sync runs or waits. */
  async idle(): Promise<void> {
    while (this.#running !== null) await (this.#next ?? this.#running).catch(() => undefined);
  }

  #start(): Promise<void> {
    this.#next = null;
    const running = this.#sync().finally(() => {
      // The next one, where there is one, begins at once: nobody may begin another beside it.
      if (this.#next === null) this.#running = null;
    });
    this.#running = running;
    return running;
  }
}
