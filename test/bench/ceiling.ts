import { createCipheriv, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GroupSync } from '../../src/spool/group-sync.ts';
import { listenMinimalScp, type StoreSink } from '../fixtures/minimal-scp.ts';

/**
 * The bare ceiling: TCP → AES-256-GCM in 64 KiB chunks → the disk, and nothing else. No negotiation worth the name,
 * no checks, no hashes, no header, no ledger. What a gateway can reach on this disk at best:
 * - `files`, one file per object: write, fdatasync, rename, directory fsync;
 * - `recycled`, all objects in one region that is written over and over: write, fdatasync shared by all who wait.
 *
 *     node test/bench/ceiling.ts DIRECTORY files|recycled      prints {"port":N} once it listens
 */

const chunkBytes = 64 * 1024;
/** Sealed bytes gathered for one write; more is let in only while less than this is waiting. */
const writeBytes = 1024 * 1024;
const regionBytes = 256 * writeBytes;
const blockBytes = 4096;

const openFile = promisify(fs.open);
const writev = promisify(fs.writev);
const fdatasync = promisify(fs.fdatasync);
const close = promisify(fs.close);
const rename = promisify(fs.rename);
const fsync = promisify(fs.fsync);

const [directory = '.', form = 'files'] = process.argv.slice(2);
const incoming = join(directory, 'incoming');
const objects = join(directory, 'objects');
await mkdir(incoming, { recursive: true });
await mkdir(objects, { recursive: true });
const objectsDirectory = await open(objects);
const key = randomBytes(32);
let count = 0;

/** Where the sealed bytes of one object go. */
interface Place {
  write(sealed: readonly Buffer[]): Promise<unknown>;
  /** All of it is written: makes it durable. */
  end(): Promise<unknown>;
}

class OwnFile implements Place {
  readonly #name = String(count++);
  readonly #file = openFile(join(incoming, this.#name), 'wx', 0o600);

  async write(sealed: readonly Buffer[]): Promise<unknown> {
    return writev(await this.#file, sealed);
  }

  async end(): Promise<unknown> {
    const file = await this.#file;
    await fdatasync(file);
    await rename(join(incoming, this.#name), join(objects, this.#name));
    return Promise.all([fsync(objectsDirectory.fd), close(file)]);
  }
}

/** Written once, then over and over: no sync has anything to enter but the bytes. */
class Region {
  readonly #file: number;
  readonly #syncs: GroupSync;
  #at = 0;

  private constructor(file: number) {
    this.#file = file;
    this.#syncs = new GroupSync(() => fdatasync(file));
  }

  static async make(path: string): Promise<Region> {
    const file = await openFile(path, 'w+', 0o600);
    const zeros = Buffer.alloc(writeBytes);
    for (let at = 0; at < regionBytes; at += writeBytes) await writev(file, [zeros], at);
    await fdatasync(file);
    return new Region(file);
  }

  place(): Place {
    return {
      write: (sealed) => {
        const bytes = sealed.reduce((sum, each) => sum + each.length, 0);
        if (this.#at + bytes > regionBytes) this.#at = 0;
        const at = this.#at;
        this.#at += Math.ceil(bytes / blockBytes) * blockBytes;
        return writev(this.#file, sealed, at);
      },
      end: () => this.#syncs.sync(),
    };
  }
}

class Sealed implements StoreSink {
  readonly #place: Place;
  #cipher = createCipheriv('aes-256-gcm', key, randomBytes(12));
  #inChunk = 0;
  #sealed: Buffer[] = [];
  #sealedBytes = 0;
  #written: Promise<unknown> = Promise.resolve();

  constructor(place: Place) {
    this.#place = place;
  }

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
    await this.#place.end();
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
    this.#written = this.#written.then(() => this.#place.write(sealed));
  }
}

const region = form === 'recycled' ? await Region.make(join(directory, 'region')) : null;
const scp = await listenMinimalScp({ onStore: () => new Sealed(region?.place() ?? new OwnFile()) });
process.stdout.write(`${JSON.stringify({ port: scp.port })}\n`);
process.once('SIGTERM', () => process.exit(0));
