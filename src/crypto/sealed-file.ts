import { dirname } from 'node:path';
import { type Disk, makeDirectoryDurably, readWholeFile, writeFileDurably } from '../base/disk.ts';
import type { Keyring } from './keyring.ts';

/** One small file, sealed under the box's own key and replaced durably. */
export class SealedFile {
  readonly #disk: Disk;
  readonly #keyring: Keyring;
  readonly #path: string;
  readonly #purpose: string;
  readonly #bytesMax: number;

  constructor(disk: Disk, keyring: Keyring, place: { path: string; purpose: string; bytesMax: number }) {
    this.#disk = disk;
    this.#keyring = keyring;
    this.#path = place.path;
    this.#purpose = place.purpose;
    this.#bytesMax = place.bytesMax;
  }

  /** @returns the plain content, or null where the file does not exist. @throws GantryError FILE_DAMAGED */
  async read(): Promise<Buffer | null> {
    const sealed = await readWholeFile(this.#disk, this.#path, this.#bytesMax);
    return sealed === null ? null : this.#keyring.openFile(this.#purpose, sealed);
  }

  /** Durable once it resolves; a crash leaves the old or the new content. */
  async write(plain: Buffer): Promise<void> {
    await makeDirectoryDurably(this.#disk, dirname(this.#path));
    await writeFileDurably(this.#disk, this.#path, this.#keyring.sealFile(this.#purpose, plain));
  }
}
