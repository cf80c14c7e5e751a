import type { DiskFile } from '../base/disk.ts';
import { systemErrorCode } from '../base/errors.ts';
import {
  chunkBytes,
  damaged,
  type EpochKeyFinder,
  type Footer,
  footerBytes,
  headerBytes,
  readFooter,
  tagBytes,
  Unsealer,
} from '../crypto/envelope.ts';
import { objectIdBytesOf } from './object-id.ts';
import { objectNotFound, type StoredObject } from './object-store.ts';
import type { Run, Segment } from './segment.ts';
import { blockBytes, frameBytes, readFrame } from './segment-format.ts';
import type { ObjectId } from './types.ts';

/** Chunks read at once. Each call of the disk costs more than the bytes it brings. */
const readChunks = 16;
/** Runs of at most so many sealed bytes are read as a whole: most of that work is the calls. */
const shortRunBytes = 16 * 1024;
/** Read from the end of an object at once: its footer, and with it nearly always its whole trailer. */
const tailBytes = 4096;
/** Read at once where one short object after the other is wanted. */
const stretchBytes = 1024 * 1024;

interface Stretch {
  readonly start: number;
  /** Null where not all of it can be read. */
  readonly bytes: Promise<Buffer | null>;
}

/** Segment files opened for reading, each once. */
export class SegmentFiles implements AsyncDisposable {
  readonly #files = new Map<Segment, Promise<DiskFile>>();
  /** What was read last of each, for those who read one object after the other. */
  readonly #stretches = new Map<Segment, Stretch>();

  /** Reads what follows too: the next short object is then here already. @throws the disk's error */
  async readShort(segment: Segment, position: number, length: number): Promise<Buffer> {
    let stretch = this.#stretches.get(segment);
    if (
      stretch === undefined ||
      position < stretch.start ||
      position + length > stretch.start + stretchBytes
    ) {
      stretch = { start: position, bytes: this.#stretchOf(segment, position) };
      this.#stretches.set(segment, stretch);
    }
    const within = position - stretch.start;
    const bytes = await stretch.bytes;
    return bytes === null
      ? readUpTo(await this.of(segment), position, length)
      : bytes.subarray(within, within + length);
  }

  async #stretchOf(segment: Segment, position: number): Promise<Buffer | null> {
    const file = await this.of(segment);
    return readUpTo(file, position, stretchBytes).catch(() => null);
  }

  of(segment: Segment): Promise<DiskFile> {
    let opened = this.#files.get(segment);
    if (opened === undefined) {
      opened = segment.openFile('read');
      this.#files.set(segment, opened);
    }
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const files = await Promise.allSettled(this.#files.values());
    this.#files.clear();
    this.#stretches.clear();
    for (const file of files) if (file.status === 'fulfilled') await file.value.close();
  }
}

async function readUpTo(file: DiskFile, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, await file.read(bytes, position));
}

/** The sealed bytes of one object, from wherever its runs lie. */
class SealedBytes {
  readonly length: number;
  readonly #id: ObjectId;
  readonly #runs: readonly Run[];
  readonly #own = new SegmentFiles();
  readonly #files: SegmentFiles;
  readonly #isShared: boolean;
  /** Runs whose frame was looked at, with the sealed bytes that came with it: all where they are few. */
  readonly #framed = new Map<Run, Buffer>();
  #isClosed = false;

  /** @param shared files that stay open for others */
  constructor(id: ObjectId, runs: readonly Run[], shared: SegmentFiles | null) {
    this.#id = id;
    this.#files = shared ?? this.#own;
    this.#isShared = shared !== null;
    this.#runs = runs;
    this.length = runs.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0);
    for (const { segment } of runs) segment.readers += 1;
  }

  /** Fills the buffer. @throws GantryError OBJECT_DAMAGED, OBJECT_NOT_FOUND, or the disk's error */
  async read(into: Buffer, position: number): Promise<void> {
    let start = 0;
    for (const run of this.#runs) {
      const end = start + run.payloadBytes;
      const from = Math.max(position, start);
      const to = Math.min(position + into.length, end);
      if (from < to) await this.#readRun(run, into.subarray(from - position, to - position), from - start);
      start = end;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { segment } of this.#runs) segment.readers -= 1;
    await this.#own[Symbol.asyncDispose]();
  }

  async #readRun(run: Run, into: Buffer, offset: number): Promise<void> {
    const { segment, block } = run;
    const file = await this.#fileOf(segment);
    const held = this.#framed.get(run) ?? (await this.#readFrame(run, file));
    this.#framed.set(run, held);
    const got =
      offset + into.length <= held.length
        ? held.copy(into, 0, offset, offset + into.length)
        : await file.read(into, block * blockBytes + frameBytes + offset);
    if (got !== into.length) throw damaged('it ends early');
  }

  /**
   * What can be read now and would not be found after a restart is not whole.
   * @returns the first sealed bytes of the run: its header at least, or all of a short one
   */
  async #readFrame(run: Run, file: DiskFile): Promise<Buffer> {
    const isShort = run.payloadBytes <= shortRunBytes;
    const position = run.block * blockBytes;
    const length = frameBytes + (isShort ? run.payloadBytes : headerBytes);
    const bytes = await (isShort && this.#isShared
      ? this.#files.readShort(run.segment, position, length)
      : readUpTo(file, position, length));
    const frame = readFrame(bytes, run.segment);
    if (frame?.kind !== 'run' || frame.dead || frame.objectId !== this.#id)
      throw damaged('its place is not marked as its own');
    return bytes.subarray(frameBytes);
  }

  #fileOf(segment: Segment): Promise<DiskFile> {
    return this.#files.of(segment).catch((error: unknown) => {
      throw systemErrorCode(error) === 'ENOENT' ? objectNotFound() : error;
    });
  }
}

/**
 * @param runs the object's, in order
 * @param files open for others too, who close them; without, the object has its own
 * @throws GantryError OBJECT_NOT_FOUND, OBJECT_DAMAGED, OBJECT_KEY_MISSING, OBJECT_VERSION, or the disk's error
 */
export async function openStored(
  id: ObjectId,
  runs: readonly Run[],
  findKey: EpochKeyFinder,
  files: SegmentFiles | null = null,
): Promise<StoredObject> {
  const sealed = new SealedBytes(id, runs, files);
  try {
    return await unseal(id, sealed, findKey);
  } catch (error) {
    await sealed.close();
    throw error;
  }
}

async function unseal(id: ObjectId, sealed: SealedBytes, findKey: EpochKeyFinder): Promise<StoredObject> {
  const size = sealed.length;
  if (size < headerBytes + tagBytes + footerBytes) throw damaged('it is too short');
  const header = Buffer.alloc(headerBytes);
  await sealed.read(header, 0);
  const unsealer = new Unsealer(header, findKey);
  if (!unsealer.objectId.equals(objectIdBytesOf(id))) throw damaged('it carries another id than its place');
  const tail = Buffer.alloc(Math.min(tailBytes, size));
  const tailOffset = size - tail.length;
  await sealed.read(tail, tailOffset);
  const footer = readFooter(tail.subarray(tail.length - footerBytes), size);
  const within = footer.trailerOffset - tailOffset;
  let sealedTrailer = tail.subarray(Math.max(0, within), Math.max(0, within) + footer.trailerBytes);
  if (within < 0) {
    sealedTrailer = Buffer.alloc(footer.trailerBytes);
    await sealed.read(sealedTrailer, footer.trailerOffset);
  }
  return {
    epochId: unsealer.epochId.toString('hex'),
    trailer: unsealer.trailer(sealedTrailer, footer),
    plainBytes: footer.plainBytes,
    chunks: () => chunksOf(sealed, unsealer, footer),
    close: () => sealed.close(),
  };
}

async function* chunksOf(
  sealed: SealedBytes,
  unsealer: Unsealer,
  footer: Footer,
): AsyncGenerator<Buffer, void, void> {
  const sealedChunk = chunkBytes + tagBytes;
  const end = footer.trailerOffset;
  let index = 0;
  for (let at = headerBytes; at < end; ) {
    const several = Buffer.allocUnsafe(Math.min(readChunks * sealedChunk, end - at));
    await sealed.read(several, at);
    for (let offset = 0; offset < several.length; offset += sealedChunk) {
      const part = several.subarray(offset, offset + sealedChunk);
      const plain = unsealer.chunk(part, index, at + offset + part.length === end);
      index += 1;
      if (plain.length > 0) yield plain;
    }
    at += several.length;
  }
}
