import { join } from 'node:path';
import type { Disk } from '../base/disk.ts';
import type { Keyring } from '../crypto/keyring.ts';
import { SealedFile } from '../crypto/sealed-file.ts';
import type { ReceiptStore } from './receipt.ts';

const receiptBytesMax = 64 * 1024 * 1024;

/** Receipts as sealed files: `DATA/receipts/<study key>/<number>`. Every number is kept. */
export class FileReceiptStore implements ReceiptStore {
  readonly #disk: Disk;
  readonly #keyring: Keyring;
  readonly #directory: string;

  constructor(disk: Disk, keyring: Keyring, directory: string) {
    this.#disk = disk;
    this.#keyring = keyring;
    this.#directory = directory;
  }

  async write(studyKey: string, receiptNumber: number, jws: string): Promise<void> {
    await this.#file(studyKey, receiptNumber).write(Buffer.from(jws));
  }

  async list(): Promise<string[]> {
    return await this.#disk.list(this.#directory);
  }

  async read(studyKey: string): Promise<string | null> {
    const numbers = (await this.#disk.list(join(this.#directory, studyKey)))
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
    if (numbers.length === 0) return null;
    const jws = await this.#file(studyKey, Math.max(...numbers)).read();
    return jws?.toString() ?? null;
  }

  #file(studyKey: string, receiptNumber: number): SealedFile {
    return new SealedFile(this.#disk, this.#keyring, {
      path: join(this.#directory, studyKey, String(receiptNumber)),
      purpose: 'receipt',
      bytesMax: receiptBytesMax,
    });
  }
}
