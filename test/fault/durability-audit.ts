import { dirname, join, relative, sep } from 'node:path';
import type { Disk, DiskFile } from '../../src/base/disk.ts';

/**
 * - `volatile`: a power cut now may take it away.
 * - `forsaken`: the sync that should have kept it failed. A later one that succeeds says nothing about it, unless
 *   its directory was changed in between, so that there was something to write again.
 */
type Doubt = 'volatile' | 'forsaken';

/**
 * A disk that keeps account of what a power cut would take away, by the strictest reading of POSIX: bytes count
 * once their file was synced after they were written, a name once its directory was synced after it was made.
 * A failed sync is never made good by another. The account outlives the spool: what one run left unsynced is
 * unsynced for the next.
 */
export class DurabilityAudit implements Disk {
  readonly #disk: Disk;
  readonly #root: string;
  /** By path relative to the root. */
  readonly #names: Map<string, Doubt>;
  readonly #contents: Map<string, Doubt>;

  constructor(disk: Disk, root: string, known?: DurabilityAudit) {
    this.#disk = disk;
    this.#root = root;
    this.#names = new Map(known === undefined ? [] : known.#names);
    this.#contents = new Map(known === undefined ? [] : known.#contents);
  }

  /** The account goes on for a copy of the directory. */
  forCopy(disk: Disk, root: string): DurabilityAudit {
    return new DurabilityAudit(disk, root, this);
  }

  /** Why a file might not be there after a power cut; empty where nothing can take it away. */
  doubtsAbout(path: string): string[] {
    const doubts: string[] = [];
    const content = this.#contents.get(this.#key(path));
    if (content !== undefined) doubts.push(`its bytes are ${content}`);
    for (let at = path; at.startsWith(this.#root + sep); at = dirname(at)) {
      const doubt = this.#names.get(this.#key(at));
      if (doubt !== undefined) doubts.push(`the name ${this.#key(at)} is ${doubt}`);
    }
    return doubts;
  }

  async createFile(path: string): Promise<DiskFile> {
    const file = await this.#disk.createFile(path);
    this.#named(path);
    this.#contents.delete(this.#key(path));
    return this.#file(file, path);
  }

  async openFile(path: string, access: 'read' | 'read-write'): Promise<DiskFile> {
    return this.#file(await this.#disk.openFile(path, access), path);
  }

  async openDirectory(path: string): ReturnType<Disk['openDirectory']> {
    const directory = await this.#disk.openDirectory(path);
    return {
      sync: () => this.#synced(this.#names, this.#namesIn(path), () => directory.sync()),
      close: () => directory.close(),
    };
  }

  async makeDirectory(path: string): Promise<void> {
    const made: string[] = [];
    for (let at = path; (await this.#disk.facts(at)) === null; at = dirname(at)) made.push(at);
    await this.#disk.makeDirectory(path);
    for (const each of made) this.#named(each);
  }

  async removeDirectory(path: string): Promise<void> {
    await this.#disk.removeDirectory(path);
    this.#forget(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#disk.rename(from, to);
    const content = this.#contents.get(this.#key(from));
    this.#forget(from);
    this.#named(to);
    this.#contents.delete(this.#key(to));
    if (content !== undefined) this.#contents.set(this.#key(to), content);
  }

  async remove(path: string): Promise<void> {
    await this.#disk.remove(path);
    this.#forget(path);
  }

  list(path: string): Promise<string[]> {
    return this.#disk.list(path);
  }

  facts(path: string): ReturnType<Disk['facts']> {
    return this.#disk.facts(path);
  }

  space(path: string): ReturnType<Disk['space']> {
    return this.#disk.space(path);
  }

  #file(file: DiskFile, path: string): DiskFile {
    return {
      write: (buffers, position) => {
        if (this.#contents.get(this.#key(path)) === undefined)
          this.#contents.set(this.#key(path), 'volatile');
        return file.write(buffers, position);
      },
      read: (buffer, position) => file.read(buffer, position),
      size: () => file.size(),
      sync: () => this.#synced(this.#contents, [this.#key(path)], () => file.sync()),
      close: () => file.close(),
    };
  }

  /** What was volatile when the sync began is durable once it succeeds, and given up when it fails. */
  async #synced(account: Map<string, Doubt>, keys: readonly string[], sync: () => Promise<void>) {
    const covered = keys.filter((key) => account.get(key) === 'volatile');
    try {
      await sync();
      for (const key of covered) account.delete(key);
    } catch (error) {
      for (const key of covered) account.set(key, 'forsaken');
      throw error;
    }
  }

  #named(path: string): void {
    this.#changed(dirname(path));
    this.#names.set(this.#key(path), 'volatile');
  }

  #forget(path: string): void {
    this.#changed(dirname(path));
    this.#names.delete(this.#key(path));
    this.#contents.delete(this.#key(path));
  }

  #changed(directory: string): void {
    for (const name of this.#namesIn(directory)) this.#names.set(name, 'volatile');
  }

  /** Names in a directory that are in doubt. */
  #namesIn(directory: string): string[] {
    return [...this.#names.keys()].filter((name) => dirname(join(this.#root, name)) === directory);
  }

  #key(path: string): string {
    return relative(this.#root, path);
  }
}
