import { join } from 'node:path';
import { type Disk, type DiskFile, syncDirectory } from '../base/disk.ts';
import { OpenSegment } from './open-segment.ts';
import { Segment } from './segment.ts';
import { blockBytes, blocksOf, readSegmentHeader, writeSegmentHeader } from './segment-format.ts';

const nameForm = /^(\d{8})\.seg$/;

export interface SegmentPoolOptions {
  readonly disk: Disk;
  /** `DATA/spool/segments` */
  readonly directory: string;
  readonly segmentBytes: number;
  /** Used segments that are kept to be used anew, at most; more are given back to the file system. */
  readonly sparesMax: () => number;
}

/** Segments that hold nothing: used anew, prepared in idle moments, or made when there is none. */
export class SegmentPool {
  readonly #options: SegmentPoolOptions;
  readonly #spares: Segment[] = [];
  #lastNumber = 0;

  constructor(options: SegmentPoolOptions) {
    this.#options = options;
  }

  /** Bytes of the disk that are taken, and free for new objects all the same. */
  get spareBytes(): number {
    return this.#spares.reduce((sum, { blocks }) => sum + blocks * blockBytes, 0);
  }

  /** Looks which segment files there are: their numbers, rising. Numbers given out from here on are higher. */
  async findNumbers(): Promise<number[]> {
    const names = await this.#options.disk.list(this.#options.directory);
    const numbers = names.flatMap((name) => Number(nameForm.exec(name)?.[1] ?? []));
    this.#lastNumber = Math.max(this.#lastNumber, ...numbers);
    return numbers;
  }

  pathOf(number: number): string {
    return join(this.#options.directory, `${String(number).padStart(8, '0')}.seg`);
  }

  /**
   * One to write to, with room for so many bytes in a run.
   * @throws the disk's error
   */
  async take(payloadBytes: number): Promise<OpenSegment> {
    const { disk, segmentBytes } = this.#options;
    const segment = (await this.#takeSpare()) ?? (await this.#make());
    // Header, the run, and the end behind it.
    const bytesMin = (blocksOf(payloadBytes) + 3) * blockBytes;
    return OpenSegment.open(disk, segment, Math.max(segmentBytes, bytesMin));
  }

  /** Found as a spare at start. */
  addSpare(segment: Segment): void {
    this.#spares.push(segment);
  }

  /**
   * Takes back what holds nothing any more, to be used anew or removed; what was in it is dead from then on.
   * @throws the disk's error; the segment is as before then
   */
  async give(segment: Segment): Promise<void> {
    segment.isOpen = true;
    try {
      if (segment.failed || this.#spares.length >= this.#options.sparesMax()) {
        await this.#remove(segment);
        return;
      }
      await writeHeader(segment, { generation: segment.generation + 1, spare: true });
      segment.generation += 1;
      this.#spares.push(segment);
    } catch (error) {
      segment.isOpen = false;
      throw error;
    }
  }

  get spares(): number {
    return this.#spares.length;
  }

  /** Makes a spare, written with zeroes for as long as nobody needs the disk. */
  async prepare(isIdle: () => boolean): Promise<void> {
    this.#spares.push(await this.#make(isIdle));
  }

  /** Gives the spares back to the file system. */
  async clear(): Promise<void> {
    for (const segment of this.#spares.splice(0)) await this.#remove(segment);
  }

  /** A spare that is where it was: the volume may have been exchanged. Its header says that it is in use, durably. */
  async #takeSpare(): Promise<Segment | null> {
    for (let segment = this.#spares.shift(); segment !== undefined; segment = this.#spares.shift()) {
      if (await isSpareStill(segment)) {
        await writeHeader(segment, { generation: segment.generation, spare: false });
        return segment;
      }
    }
    return null;
  }

  /** @param goOn asked while it is written with zeroes from end to end; without it, it grows as it is filled */
  async #make(goOn?: () => boolean): Promise<Segment> {
    const { disk, directory } = this.#options;
    this.#lastNumber += 1;
    const path = this.pathOf(this.#lastNumber);
    // The time as first generation: above that of an earlier file of the same name.
    const name = { number: this.#lastNumber, generation: Date.now() };
    const segment = new Segment(disk, path, name, 1);
    // Where there is such a file, it is not ours to remove; the next one gets another number.
    const file = await disk.createFile(path);
    try {
      try {
        if (goOn !== undefined) segment.blocks = await writeZeroes(file, this.#options.segmentBytes, goOn);
        await file.write([writeSegmentHeader({ ...name, spare: goOn !== undefined })], 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await syncDirectory(disk, directory);
    } catch (error) {
      await this.#remove(segment).catch(() => undefined);
      throw error;
    }
    return segment;
  }

  async #remove(segment: Segment): Promise<void> {
    const { disk, directory } = this.#options;
    await disk.remove(segment.path);
    await syncDirectory(disk, directory);
  }
}

/** @returns blocks written */
async function writeZeroes(file: DiskFile, bytes: number, goOn: () => boolean): Promise<number> {
  const zeroes = Buffer.alloc(1024 * 1024);
  let at = 0;
  for (; at < bytes && goOn(); at += zeroes.length) await file.write([zeroes.subarray(0, bytes - at)], at);
  return Math.max(1, Math.ceil(Math.min(at, bytes) / blockBytes));
}

async function writeHeader(
  segment: Segment,
  use: { readonly generation: number; readonly spare: boolean },
): Promise<void> {
  const file = await segment.openFile('read-write');
  try {
    await file.write([writeSegmentHeader({ number: segment.number, ...use })], 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function isSpareStill(segment: Segment): Promise<boolean> {
  try {
    const file = await segment.openFile('read');
    try {
      const block = Buffer.alloc(blockBytes);
      await file.read(block, 0);
      const header = readSegmentHeader(block);
      return header?.spare === true && header.generation === segment.generation;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}
