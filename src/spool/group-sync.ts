import type { DiskDirectory } from '../base/disk.ts';

/**
 * Group commit of one directory: everybody who asks while an fsync runs shares the next one, because names made
 * after an fsync began are not covered by it.
 */
export class GroupSync {
  readonly #directory: DiskDirectory;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(directory: DiskDirectory) {
    this.#directory = directory;
  }

  /** Resolves once every name made before the call is durable. Rejects for all who shared a failed fsync. */
  sync(): Promise<void> {
    if (this.#running === null) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  async close(): Promise<void> {
    await this.#running?.catch(() => undefined);
    await this.#directory.close();
  }

  #start(): Promise<void> {
    this.#next = null;
    const running = this.#directory.sync().finally(() => {
      if (this.#running === running) this.#running = null;
    });
    this.#running = running;
    return running;
  }
}
