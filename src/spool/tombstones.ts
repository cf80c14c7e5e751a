import { join } from 'node:path';
import { type Disk, makeDirectoryDurably, readWholeFile, writeFileDurably } from '../base/disk.ts';
import type { Log } from '../base/log.ts';
import type { Keyring } from '../crypto/keyring.ts';
import type { Tombstone } from './ledger-instances.ts';
import { newObjectId } from './object-id.ts';

const purpose = 'tombstones';
const fileBytesMax = 256 * 1024 * 1024;
/** More files than this are merged at start. */
const filesMax = 200;
/** A file of so many tombstones is far below {@link fileBytesMax}, and is full: it is not merged again. */
const tombstonesPerFile = 100_000;

/**
 * What was purged after it was verified, so that a late duplicate is still recognised: a sealed file for each
 * purge, written durably before the objects are deleted.
 */
export class Tombstones {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #keyring: Keyring;

  /** @param directory `DATA/spool/tombstones` */
  constructor(disk: Disk, directory: string, keyring: Keyring) {
    this.#disk = disk;
    this.#directory = directory;
    this.#keyring = keyring;
  }

  /** Durable once it resolves. */
  async write(tombstones: readonly Tombstone[], now: number): Promise<void> {
    await makeDirectoryDurably(this.#disk, this.#directory);
    const sealed = this.#keyring.sealFile(purpose, Buffer.from(JSON.stringify(tombstones)));
    await writeFileDurably(this.#disk, join(this.#directory, newObjectId(now)), sealed);
  }

  /** All tombstones, a file at a time. A damaged file is reported and passed over: a late duplicate is then stored again. */
  async *read(log: Log): AsyncGenerator<Tombstone[], void, void> {
    for (const name of await this.#names()) {
      const one = await this.#readOne(name, log);
      if (one !== null) yield one;
    }
  }

  /** Keeps the number of files bounded: small ones are put together. */
  async merge(log: Log, now: number): Promise<void> {
    const names = await this.#names();
    if (names.length <= filesMax) return;
    let pending: Tombstone[] = [];
    let merged: string[] = [];
    const writeOut = async (): Promise<void> => {
      if (pending.length > 0) await this.write(pending, now);
      for (const name of merged) await this.#disk.remove(join(this.#directory, name));
      pending = [];
      merged = [];
    };
    for (const name of names) {
      const one = await this.#readOne(name, log);
      if (one === null || one.length >= tombstonesPerFile) continue;
      if (pending.length + one.length > tombstonesPerFile) await writeOut();
      pending.push(...one);
      merged.push(name);
    }
    await writeOut();
  }

  async #names(): Promise<string[]> {
    return (await this.#disk.list(this.#directory)).filter((name) => /^[0-9a-f]{32}$/.test(name));
  }

  async #readOne(name: string, log: Log): Promise<Tombstone[] | null> {
    try {
      const sealed = await readWholeFile(this.#disk, join(this.#directory, name), fileBytesMax);
      if (sealed === null) return null;
      return JSON.parse(this.#keyring.openFile(purpose, sealed).toString()) as Tombstone[];
    } catch (error) {
      log.error(
        { code: 'TOMBSTONES_DAMAGED', error },
        'a file of tombstones is damaged; late duplicates of its images would be stored again',
      );
      return null;
    }
  }
}
