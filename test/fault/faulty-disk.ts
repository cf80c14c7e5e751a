import { setTimeout as delay } from 'node:timers/promises';
import type { Disk, DiskFile } from '../../src/base/disk.ts';

/** What goes wrong, and when: the n-th call from now on. */
export interface DiskFault {
  readonly at: number;
  readonly code: 'EIO' | 'ENOSPC';
  /** Whether every call after it fails as well. */
  readonly lasting: boolean;
}

/** A disk whose every call is numbered, and fails before it takes effect when its number comes up. */
export class FaultyDisk implements Disk {
  readonly #disk: Disk;
  #fault: DiskFault | null = null;
  #watcher: ((call: number) => void) | null = null;
  /** Calls since the count was last started. */
  calls = 0;
  /** Calls that were made to fail. */
  failed = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Counts from 0 again, and fails as said. */
  failAt(fault: DiskFault | null): void {
    this.calls = 0;
    this.failed = 0;
    this.#fault = fault;
    this.#watcher = null;
  }

  /** Counts from 0 again, and tells the number of each call before it is made. */
  watch(watcher: (call: number) => void): void {
    this.failAt(null);
    this.#watcher = watcher;
  }

  createFile(path: string): Promise<DiskFile> {
    return this.#call(async () => this.#file(await this.#disk.createFile(path)));
  }

  openFile(path: string, access: 'read' | 'read-write'): Promise<DiskFile> {
    return this.#call(async () => this.#file(await this.#disk.openFile(path, access)));
  }

  openDirectory(path: string): ReturnType<Disk['openDirectory']> {
    return this.#call(async () => {
      const directory = await this.#disk.openDirectory(path);
      return {
        sync: () => this.#call(() => directory.sync()),
        close: () => directory.close(),
      };
    });
  }

  makeDirectory(path: string): Promise<void> {
    return this.#call(() => this.#disk.makeDirectory(path));
  }

  removeDirectory(path: string): Promise<void> {
    return this.#call(() => this.#disk.removeDirectory(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call(() => this.#disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#call(() => this.#disk.remove(path));
  }

  list(path: string): Promise<string[]> {
    return this.#call(() => this.#disk.list(path));
  }

  facts(path: string): ReturnType<Disk['facts']> {
    return this.#call(() => this.#disk.facts(path));
  }

  space(path: string): ReturnType<Disk['space']> {
    return this.#call(() => this.#disk.space(path));
  }

  #file(file: DiskFile): DiskFile {
    return {
      write: (buffers, position) => this.#call(() => file.write(buffers, position)),
      read: (buffer, position) => this.#call(() => file.read(buffer, position)),
      size: () => this.#call(() => file.size()),
      sync: () => this.#call(() => file.sync()),
      // A close that fails has closed all the same.
      close: async () => {
        try {
          await this.#call(() => Promise.resolve());
        } finally {
          await file.close();
        }
      },
    };
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.calls += 1;
    this.#watcher?.(this.calls);
    const fault = this.#fault;
    const hit = fault !== null && (fault.lasting ? this.calls >= fault.at : this.calls === fault.at);
    if (!hit) return work();
    this.failed += 1;
    throw Object.assign(new Error(`${fault.code}: made to fail`), { code: fault.code });
  }
}

/** Resolves once the check passes; rejects with what it says if it goes on failing. */
export async function eventually(check: () => void, msMax = 15_000): Promise<void> {
  const deadline = performance.now() + msMax;
  for (;;) {
    try {
      check();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(50);
    }
  }
}
