import { dirname, join, relative, sep } from 'node:path';
import type { Disk, DiskFile } from '../../src/base/disk.ts';

/**
 * - `volatile`: a power cut now may take it away.
 * - `forsaken`: the sync that should have kept it failed. A later one that succeeds says nothing about it, unless
 *   its directory was changed in between, so that there was something to write again.
 */
type Doubt = 'volatile' | 'forsaken';

/** Bytes of a file in doubt. */
interface DoubtfulBytes {
  readonly from: number;
  readonly to: number;
  doubt: Doubt;
}

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
  readonly #contents: Map<string, DoubtfulBytes[]>;

  constructor(disk: Disk, root: string, known?: DurabilityAudit) {
    this.#disk = disk;
    this.#root = root;
    this.#names = new Map(known === undefined ? [] : known.#names);
    this.#contents = new Map(
      [...(known === undefined ? [] : known.#contents)].map(([key, doubts]) => [
        key,
        doubts.map((one) => ({ ...one })),
      ]),
    );
  }

  /** The account goes on for a copy of the directory. */
  forCopy(disk: Disk, root: string): DurabilityAudit {
    return new DurabilityAudit(disk, root, this);
  }

  /** Why a file, or a piece of it, might not be there after a power cut; empty where nothing can take it away. */
  doubtsAbout(path: string, from = 0, to = Number.MAX_SAFE_INTEGER): string[] {
    const doubts: string[] = [];
    for (const bytes of this.#contents.get(this.#key(path)) ?? [])
      if (bytes.from < to && bytes.to > from)
        doubts.push(`bytes ${bytes.from} to ${bytes.to} are ${bytes.doubt}`);
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
      sync: () => this.#namesSynced(path, () => directory.sync()),
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
        const bytes = buffers.reduce((sum, { length }) => sum + length, 0);
        this.#written(path, position, position + bytes);
        return file.write(buffers, position);
      },
      read: (buffer, position) => file.read(buffer, position),
      size: () => file.size(),
      sync: () => this.#bytesSynced(path, () => file.sync()),
      close: () => file.close(),
    };
  }

  /** What is written anew is volatile, whatever it was. */
  #written(path: string, from: number, to: number): void {
    const rest = (this.#contents.get(this.#key(path)) ?? []).flatMap((one) => {
      if (one.to <= from || one.from >= to) return [one];
      const parts = [
        { ...one, to: Math.min(one.to, from) },
        { ...one, from: Math.max(one.from, to) },
      ];
      return parts.filter((part) => part.from < part.to);
    });
    this.#contents.set(this.#key(path), [...rest, { from, to, doubt: 'volatile' }]);
  }

  /** What was volatile when the sync began is durable once it succeeds, and given up when it fails. */
  async #bytesSynced(path: string, sync: () => Promise<void>): Promise<void> {
    const covered = (this.#contents.get(this.#key(path)) ?? []).filter(({ doubt }) => doubt === 'volatile');
    try {
      await sync();
    } catch (error) {
      for (const one of covered) one.doubt = 'forsaken';
      throw error;
    }
    const left = (this.#contents.get(this.#key(path)) ?? []).filter((one) => !covered.includes(one));
    this.#contents.set(this.#key(path), left);
  }

  async #namesSynced(directory: string, sync: () => Promise<void>): Promise<void> {
    const covered = this.#namesIn(directory).filter((name) => this.#names.get(name) === 'volatile');
    try {
      await sync();
      for (const name of covered) this.#names.delete(name);
    } catch (error) {
      for (const name of covered) this.#names.set(name, 'forsaken');
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
