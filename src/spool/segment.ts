import type { Disk, DiskFile } from '../base/disk.ts';
import { blockBytes, blocksOf, type SegmentName, writeDeadFrame } from './segment-format.ts';
import type { ObjectId } from './types.ts';

/** Where a piece of an object lies. */
export interface Run {
  readonly segment: Segment;
  readonly block: number;
  readonly payloadBytes: number;
  /** Certainly durable: so that its bytes need no look after a crash. */
  readonly proven: boolean;
}

/** One segment file, and how much of it is held by whom. */
export class Segment implements SegmentName {
  readonly number: number;
  readonly path: string;
  readonly #disk: Disk;
  readonly #held = new Map<ObjectId, number>();
  generation: number;
  /** Blocks of the file; it may grow. */
  blocks: number;
  /** It is being written to, or its end still has to be: it is neither moved nor used anew. */
  isOpen = false;
  /** A sync of it failed: it is not used anew. */
  failed = false;
  /** Something in it cannot be read or written, and might be mended: it is neither moved nor used anew. */
  isDamaged = false;
  /** How many read from it now: what they read stays as it is. */
  readers = 0;
  heldBlocks = 0;

  constructor(disk: Disk, path: string, name: SegmentName, blocks: number) {
    this.#disk = disk;
    this.path = path;
    this.number = name.number;
    this.generation = name.generation;
    this.blocks = blocks;
  }

  /** Objects that have a run here. */
  get objects(): ObjectId[] {
    return [...this.#held.keys()];
  }

  /** Nothing of it is needed, and nobody is using it. */
  get isFree(): boolean {
    return this.#held.size === 0 && !this.isOpen && !this.isDamaged && this.readers === 0;
  }

  /** The run counts as in use until {@link letGo}: its segment is not used anew. */
  hold(id: ObjectId, run: Run): void {
    const blocks = blocksOf(run.payloadBytes);
    this.#held.set(id, (this.#held.get(id) ?? 0) + blocks);
    this.heldBlocks += blocks;
  }

  letGo(id: ObjectId, run: Run): void {
    const blocks = blocksOf(run.payloadBytes);
    const left = (this.#held.get(id) ?? 0) - blocks;
    if (left > 0) this.#held.set(id, left);
    else this.#held.delete(id);
    this.heldBlocks -= blocks;
  }

  openFile(access: 'read' | 'read-write'): Promise<DiskFile> {
    return this.#disk.openFile(this.path, access);
  }

  /** Marks runs as dead, durably, where they lie: a whole block, so that the object's key slots go too. */
  async kill(runs: readonly Run[]): Promise<void> {
    const file = await this.openFile('read-write');
    try {
      for (const { block, payloadBytes } of runs)
        await file.write([writeDeadFrame(this, payloadBytes)], block * blockBytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}
