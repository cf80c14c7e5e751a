import { dirname, join } from 'node:path';
import { type Disk, type DiskFile, makeDirectoryDurably, syncDirectoryAnew } from '../base/disk.ts';
import { GantryError } from '../base/errors.ts';
import {
  chunkBytes,
  damaged,
  type Epoch,
  type EpochKeyFinder,
  type Footer,
  footerBytes,
  headerBytes,
  readFooter,
  Sealer,
  tagBytes,
  Unsealer,
} from '../crypto/envelope.ts';
import { GroupSync } from './group-sync.ts';
import { objectIdBytesOf, parseObjectId, shardOf } from './object-id.ts';
import type { ObjectId } from './types.ts';

/** Sealed bytes gathered before they go to the disk: few large writes, and small objects in a single one. */
const writeBatchBytes = 512 * 1024;
/** Sealed bytes handed to the disk and not yet written, at most, before the sender has to wait. */
const unwrittenBytesMax = 1024 * 1024;
/** Chunks read at once. */
const readChunks = 4;
const openDirectoriesMax = 8;

/** Where sealed objects lie. This form: one file per object. */
export interface ObjectStore {
  /** Starts a new object; nothing of it is visible before `commit`. */
  create(id: ObjectId, epoch: Epoch): ObjectWriter;
  /** @throws GantryError OBJECT_NOT_FOUND, OBJECT_DAMAGED, OBJECT_KEY_MISSING, OBJECT_VERSION */
  open(id: ObjectId): Promise<StoredObject>;
  /** Every complete object's id, in order of creation. */
  list(): Promise<ObjectId[]>;
  /** Deletes objects; those not there are passed over. */
  remove(ids: readonly ObjectId[]): Promise<void>;
  /** Deletes what a crash left half-written; returns how many. */
  removeUnfinished(): Promise<number>;
  /** Makes objects durable that are complete, but whose `commit` may not have come to its end. */
  makeDurable(ids: readonly ObjectId[]): Promise<void>;
  close(): Promise<void>;
}

export interface ObjectWriter {
  /** @returns a promise while the disk is behind; it rejects with the disk's error */
  write(plain: Buffer): Promise<void> | undefined;
  /** Trailer, fdatasync, rename, directory fsync: durable once it resolves. */
  commit(trailer: Buffer): Promise<void>;
  /** Leaves nothing behind. Never throws. */
  abort(): Promise<void>;
}

export interface StoredObject {
  readonly epochId: string;
  readonly trailer: Buffer;
  readonly plainBytes: number;
  /** Plain chunks, each verified before it is yielded. @throws GantryError OBJECT_DAMAGED */
  chunks(): AsyncGenerator<Buffer, void, void>;
  close(): Promise<void>;
}

export class FileObjectStore implements ObjectStore {
  readonly #disk: Disk;
  readonly #incoming: string;
  readonly #objects: string;
  readonly #findKey: EpochKeyFinder;
  readonly #shards = new Map<string, Promise<GroupSync>>();
  /** Files of failed commits that the disk would not let go of: never acknowledged, and not to be found later. */
  readonly #leftovers = new Set<string>();

  /** @param directory `DATA/spool` */
  constructor(disk: Disk, directory: string, findKey: EpochKeyFinder) {
    this.#disk = disk;
    this.#incoming = join(directory, 'incoming');
    this.#objects = join(directory, 'objects');
    this.#findKey = findKey;
  }

  async start(): Promise<void> {
    await makeDirectoryDurably(this.#disk, this.#incoming);
    await makeDirectoryDurably(this.#disk, this.#objects);
    await syncDirectoryAnew(this.#disk, dirname(this.#objects));
  }

  create(id: ObjectId, epoch: Epoch): ObjectWriter {
    const path = join(this.#incoming, id);
    // Not waited for: the first bytes arrive and are sealed while the file is being made.
    const file = this.#removeLeftovers().then(() => this.#disk.createFile(path));
    return new FileObjectWriter(file, new Sealer(objectIdBytesOf(id), epoch), {
      publish: () => this.#publish(path, id),
      discard: () => {
        this.#leftovers.add(path).add(this.#pathOf(id));
        return this.#removeLeftovers();
      },
    });
  }

  async open(id: ObjectId): Promise<StoredObject> {
    let file: DiskFile;
    try {
      file = await this.#disk.openFile(this.#pathOf(id), 'read');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw notFound();
      throw error;
    }
    try {
      return await openStored(file, id, this.#findKey);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async list(): Promise<ObjectId[]> {
    const ids: ObjectId[] = [];
    for (const shard of await this.#disk.list(this.#objects)) {
      for (const name of await this.#disk.list(join(this.#objects, shard))) {
        const id = parseObjectId(name);
        if (id !== null) ids.push(id);
      }
    }
    return ids;
  }

  async remove(ids: readonly ObjectId[]): Promise<void> {
    const shards = new Set<string>();
    for (const id of ids) {
      await this.#disk.remove(this.#pathOf(id));
      shards.add(shardOf(id));
    }
    for (const shard of shards) {
      if (this.#shards.has(shard)) continue;
      const path = join(this.#objects, shard);
      if ((await this.#disk.list(path)).length === 0)
        await this.#disk.removeDirectory(path).catch(() => undefined);
    }
  }

  async removeUnfinished(): Promise<number> {
    const names = await this.#disk.list(this.#incoming);
    for (const name of names) await this.#disk.remove(join(this.#incoming, name));
    return names.length;
  }

  async makeDurable(ids: readonly ObjectId[]): Promise<void> {
    const shards = new Set(ids.map(shardOf));
    if (shards.size > 0) await syncDirectoryAnew(this.#disk, this.#objects);
    for (const shard of shards) await syncDirectoryAnew(this.#disk, join(this.#objects, shard));
  }

  async close(): Promise<void> {
    const shards = [...this.#shards.values()];
    this.#shards.clear();
    for (const shard of shards) await shard.then((sync) => sync.close()).catch(() => undefined);
  }

  #pathOf(id: ObjectId): string {
    return join(this.#objects, shardOf(id), id);
  }

  async #removeLeftovers(): Promise<void> {
    for (const path of this.#leftovers) {
      await this.#disk.remove(path);
      this.#leftovers.delete(path);
    }
  }

  async #publish(path: string, id: ObjectId): Promise<void> {
    const shard = await this.#shard(shardOf(id));
    await this.#disk.rename(path, this.#pathOf(id));
    await shard.sync();
  }

  /** The hour's directory, itself durable before any object relies on it. */
  #shard(name: string): Promise<GroupSync> {
    const known = this.#shards.get(name);
    if (known !== undefined) return known;
    const made = (async () => {
      const path = join(this.#objects, name);
      await this.#disk.makeDirectory(path);
      await syncDirectoryAnew(this.#disk, this.#objects);
      return new GroupSync(await this.#disk.openDirectory(path));
    })();
    this.#shards.set(name, made);
    made.catch(() => this.#shards.delete(name));
    this.#closeOldShards();
    return made;
  }

  #closeOldShards(): void {
    for (const [name, shard] of this.#shards) {
      if (this.#shards.size <= openDirectoriesMax) break;
      this.#shards.delete(name);
      shard.then((sync) => sync.close()).catch(() => undefined);
    }
  }
}

interface Place {
  publish(): Promise<void>;
  discard(): Promise<void>;
}

class FileObjectWriter implements ObjectWriter {
  readonly #file: Promise<DiskFile>;
  readonly #sealer: Sealer;
  readonly #place: Place;
  #batch: Buffer[];
  #batchBytes: number;
  #position = 0;
  #unwritten = 0;
  #writing: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;
  #closed: Promise<void> | null = null;

  constructor(file: Promise<DiskFile>, sealer: Sealer, place: Place) {
    this.#file = file;
    this.#sealer = sealer;
    this.#place = place;
    this.#batch = [sealer.header];
    this.#batchBytes = sealer.header.length;
    file.catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }

  write(plain: Buffer): Promise<void> | undefined {
    if (this.#failure !== null) return Promise.reject(this.#failure.error);
    this.#gather(this.#sealer.update(plain));
    if (this.#batchBytes >= writeBatchBytes) this.#flush();
    return this.#unwritten > unwrittenBytesMax ? this.#settled() : undefined;
  }

  async commit(trailer: Buffer): Promise<void> {
    this.#gather(this.#sealer.finish(trailer));
    this.#flush();
    await this.#settled();
    const file = await this.#file;
    await file.sync();
    // The bytes are durable: closing says nothing more about them and need not be waited for first.
    await Promise.all([this.#place.publish(), this.#close()]);
  }

  async abort(): Promise<void> {
    await this.#writing;
    this.#batch = [];
    await this.#close().catch(() => undefined);
    // What cannot be removed now is removed before the next object is begun, or at the next start.
    await this.#place.discard().catch(() => undefined);
  }

  #gather(sealed: readonly Buffer[]): void {
    for (const bytes of sealed) {
      this.#batch.push(bytes);
      this.#batchBytes += bytes.length;
    }
  }

  #flush(): void {
    const batch = this.#batch;
    const bytes = this.#batchBytes;
    const position = this.#position;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#position += bytes;
    this.#unwritten += bytes;
    this.#writing = this.#write(this.#writing, batch, position).then(() => {
      this.#unwritten -= bytes;
    });
  }

  async #write(before: Promise<void>, batch: readonly Buffer[], position: number): Promise<void> {
    await before;
    if (this.#failure !== null) return;
    try {
      const file = await this.#file;
      await file.write(batch, position);
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  async #settled(): Promise<void> {
    await this.#writing;
    if (this.#failure !== null) throw this.#failure.error;
  }

  #close(): Promise<void> {
    this.#closed ??= this.#file.then(
      (file) => file.close(),
      () => undefined,
    );
    return this.#closed;
  }
}

async function openStored(file: DiskFile, id: ObjectId, findKey: EpochKeyFinder): Promise<StoredObject> {
  const size = await file.size();
  if (size < headerBytes + tagBytes + footerBytes) throw damaged('it is too short');
  const header = Buffer.alloc(headerBytes);
  await readExactly(file, header, 0);
  const unsealer = new Unsealer(header, findKey);
  if (!unsealer.objectId.equals(objectIdBytesOf(id))) throw damaged('it carries another id than its name');
  const footerRead = Buffer.alloc(footerBytes);
  await readExactly(file, footerRead, size - footerBytes);
  const footer = readFooter(footerRead, size);
  const sealedTrailer = Buffer.alloc(footer.trailerBytes);
  await readExactly(file, sealedTrailer, footer.trailerOffset);
  return {
    epochId: unsealer.epochId.toString('hex'),
    trailer: unsealer.trailer(sealedTrailer, footer),
    plainBytes: footer.plainBytes,
    chunks: () => readChunksOf(file, unsealer, footer),
    close: () => file.close(),
  };
}

async function* readChunksOf(
  file: DiskFile,
  unsealer: Unsealer,
  footer: Footer,
): AsyncGenerator<Buffer, void, void> {
  const sealedChunk = chunkBytes + tagBytes;
  const end = footer.trailerOffset;
  let index = 0;
  for (let at = headerBytes; at < end; ) {
    const sealed = Buffer.allocUnsafe(Math.min(readChunks * sealedChunk, end - at));
    await readExactly(file, sealed, at);
    for (let offset = 0; offset < sealed.length; offset += sealedChunk) {
      const part = sealed.subarray(offset, offset + sealedChunk);
      const last = at + offset + part.length === end;
      const plain = unsealer.chunk(part, index, last);
      index += 1;
      if (plain.length > 0) yield plain;
    }
    at += sealed.length;
  }
}

async function readExactly(file: DiskFile, into: Buffer, position: number): Promise<void> {
  if ((await file.read(into, position)) !== into.length) throw damaged('it ends early');
}

function notFound(): GantryError {
  return new GantryError({
    code: 'OBJECT_NOT_FOUND',
    kind: 'permanent',
    message:
      'A stored object is not on the disk: it was purged after it was verified, discarded, or it is lost.',
    nextStep: 'If it was neither purged nor discarded, send this image again from its modality.',
  });
}
