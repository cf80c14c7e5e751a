import { createCipheriv, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { listenMinimalScp, type StoreSink } from '../fixtures/minimal-scp.ts';

/**
 * The bare ceiling: TCP → AES-256-GCM in 64 KiB chunks → fdatasync → rename → directory fsync, and nothing
 * else. No negotiation worth the name, no checks, no hashes, no header, no ledger. What a gateway that keeps
 * one file per object can reach on this disk at best.
 *
 *     node test/bench/ceiling.ts DIRECTORY      prints {"port":N} once it listens
 */

const chunkBytes = 64 * 1024;
/** Sealed bytes gathered for one write; more is let in only while less than this is waiting. */
const writeBytes = 1024 * 1024;

const openFile = promisify(fs.open);
const writev = promisify(fs.writev);
const fdatasync = promisify(fs.fdatasync);
const close = promisify(fs.close);
const rename = promisify(fs.rename);
const fsync = promisify(fs.fsync);

const [directory = '.'] = process.argv.slice(2);
const incoming = join(directory, 'incoming');
const objects = join(directory, 'objects');
await mkdir(incoming, { recursive: true });
await mkdir(objects, { recursive: true });
const objectsDirectory = await open(objects);
const key = randomBytes(32);
let count = 0;

class SealedFile implements StoreSink {
  readonly #name = String(count++);
  readonly #file = openFile(join(incoming, this.#name), 'wx', 0o600);
  #cipher = createCipheriv('aes-256-gcm', key, randomBytes(12));
  #inChunk = 0;
  #sealed: Buffer[] = [];
  #sealedBytes = 0;
  #written: Promise<unknown> = Promise.resolve();

  write(bytes: Buffer): Promise<void> | undefined {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + chunkBytes - this.#inChunk);
      this.#add(this.#cipher.update(piece));
      this.#inChunk += piece.length;
      at += piece.length;
      if (this.#inChunk === chunkBytes) this.#endChunk();
    }
    if (this.#sealedBytes < writeBytes) return undefined;
    const before = this.#written;
    this.#flush();
    // One write may be under way while the next is gathered.
    return before.then(() => undefined);
  }

  async end(): Promise<number> {
    if (this.#inChunk > 0) this.#endChunk();
    this.#flush();
    await this.#written;
    const file = await this.#file;
    await fdatasync(file);
    await rename(join(incoming, this.#name), join(objects, this.#name));
    await Promise.all([fsync(objectsDirectory.fd), close(file)]);
    return 0;
  }

  #endChunk(): void {
    this.#cipher.final();
    this.#add(this.#cipher.getAuthTag());
    this.#cipher = createCipheriv('aes-256-gcm', key, randomBytes(12));
    this.#inChunk = 0;
  }

  #add(bytes: Buffer): void {
    this.#sealed.push(bytes);
    this.#sealedBytes += bytes.length;
  }

  #flush(): void {
    const sealed = this.#sealed;
    this.#sealed = [];
    this.#sealedBytes = 0;
    if (sealed.length === 0) return;
    const before = this.#written;
    this.#written = Promise.all([this.#file, before]).then(([file]) => writev(file, sealed));
  }
}

const scp = await listenMinimalScp({ onStore: () => new SealedFile() });
process.stdout.write(`${JSON.stringify({ port: scp.port })}\n`);
process.once('SIGTERM', () => process.exit(0));
