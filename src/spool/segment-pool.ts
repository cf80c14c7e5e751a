import { join } from 'node:path';
import { type Disk, syncDirectory } from '../base/disk.ts';
import { OpenSegment } from './open-segment.ts';
import { Segment } from './segment.ts';
import { blockBytes, writeSegmentHeader } from './segment-format.ts';

const nameForm = /^(\d{8})\.seg$/;

export interface SegmentPoolOptions {
  readonly disk: Disk;
  /** `DATA/spool/segments` */
  readonly directory: string;
  readonly segmentBytes: number;
  /** Used segments that are kept to be used anew, at most; more are given back to the file system. */
  readonly sparesMax: () => number;
}

/** Segments that hold nothing: made when there is none, used anew where possible. */
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

  /** Every segment file's number, rising. Numbers given out from here on are higher. */
  async numbers(): Promise<number[]> {
    const names = await this.#options.disk.list(this.#options.directory);
    const numbers = names.flatMap((name) => Number(nameForm.exec(name)?.[1] ?? []));
    this.#lastNumber = Math.max(this.#lastNumber, ...numbers);
    return numbers;
  }

  pathOf(number: number): string {
    return join(this.#options.directory, `${String(number).padStart(8, '0')}.seg`);
  }

  /** One to write to. @throws the disk's error */
  async take(): Promise<OpenSegment> {
    const { disk, segmentBytes } = this.#options;
    const segment = this.#spares.shift() ?? (await this.#make());
    try {
      return await OpenSegment.open(disk, segment, segmentBytes);
    } catch (error) {
      await this.#drop(segment);
      throw error;
    }
  }

  /** Takes back what holds nothing any more, to be used anew; what was in it is dead from then on. */
  async give(segment: Segment): Promise<void> {
    if (segment.failed || this.#spares.length >= this.#options.sparesMax()) return this.#drop(segment);
    segment.generation += 1;
    segment.isOpen = true;
    try {
      const file = await segment.openFile('read-write');
      try {
        await file.write([writeSegmentHeader(segment)], 0);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch {
      return this.#drop(segment);
    }
    this.#spares.push(segment);
  }

  /** Gives the spares back to the file system. */
  async clear(): Promise<void> {
    for (const segment of this.#spares.splice(0)) await this.#drop(segment);
  }

  /** The volume was exchanged: what was spare may lie on another one. */
  forget(): void {
    this.#spares.length = 0;
  }

  async #make(): Promise<Segment> {
    const { disk, directory } = this.#options;
    this.#lastNumber += 1;
    const path = this.pathOf(this.#lastNumber);
    const segment = new Segment(disk, path, { number: this.#lastNumber, generation: 1 }, 1);
    try {
      const file = await disk.createFile(path);
      try {
        await file.write([writeSegmentHeader(segment)], 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await syncDirectory(disk, directory);
    } catch (error) {
      await this.#drop(segment);
      throw error;
    }
    return segment;
  }

  async #drop(segment: Segment): Promise<void> {
    await this.#options.disk.remove(segment.path).catch(() => undefined);
  }
}
