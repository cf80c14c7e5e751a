import type { Disk, DiskFile } from '../base/disk.ts';
import { GroupSync } from './group-sync.ts';
import type { Run, Segment } from './segment.ts';
import {
  blockBytes,
  blocksOf,
  frameBytes,
  type RunFrame,
  writeEndFrame,
  writeRunFrame,
} from './segment-format.ts';

/** With more than this written and not synced the disk is set to work, so that a commit has less to wait for. */
const unsyncedBytesMax = 8 * 1024 * 1024;
const padding = Buffer.alloc(blockBytes);

/** A piece of an object before it has a place. */
export interface Piece extends Pick<RunFrame, 'objectId' | 'index' | 'last' | 'payloadBytes' | 'payloadCrc'> {
  readonly payload: readonly Buffer[];
}

/** A piece that has its place. */
export interface Placed {
  readonly run: Run;
  readonly open: OpenSegment;
  /** Resolves once it is written; durable it is after {@link OpenSegment.syncThrough}. */
  readonly written: Promise<void>;
}

/** A segment that is being written: gives out its blocks in order, and knows what of it is durable. */
export class OpenSegment {
  readonly segment: Segment;
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #identity: string | null;
  readonly #blocksMax: number;
  readonly #syncs = new GroupSync(() => this.#sync());
  /** What is being written now, by first block. */
  readonly #writing = new Map<number, Promise<void>>();
  #nextBlock = 1;
  /** Everything before it is durable. */
  #syncedBlock = 1;
  #unsyncedBytes = 0;
  /** The first block of a write that failed: nothing from there on is ever said to be durable, or put here. */
  #failedBlock = Number.MAX_SAFE_INTEGER;
  /** A sync failed: what was not durable by then never is. */
  #failure: { readonly error: unknown } | null = null;
  #retired: Promise<void> | null = null;

  private constructor(
    disk: Disk,
    segment: Segment,
    file: DiskFile,
    identity: string | null,
    blocksMax: number,
  ) {
    this.#disk = disk;
    this.segment = segment;
    this.#file = file;
    this.#identity = identity;
    this.#blocksMax = blocksMax;
  }

  /** @param segment an empty one whose header is durable */
  static async open(disk: Disk, segment: Segment, bytesMax: number): Promise<OpenSegment> {
    const file = await segment.openFile('read-write');
    const facts = await disk.facts(segment.path);
    const blocksMax = Math.max(segment.blocks, Math.floor(bytesMax / blockBytes));
    segment.isOpen = true;
    return new OpenSegment(disk, segment, file, facts?.identity ?? null, blocksMax);
  }

  hasRoom(payloadBytes: number): boolean {
    if (this.#failedBlock < this.#nextBlock || this.#failure !== null || this.#retired !== null) return false;
    // One block is kept for the end.
    return this.#nextBlock + blocksOf(payloadBytes) < this.#blocksMax;
  }

  /** Gives the piece its place, and begins to write it. To be called where there is room. */
  place(piece: Piece): Placed {
    const segment = this.segment;
    const block = this.#nextBlock;
    const blocks = blocksOf(piece.payloadBytes);
    this.#nextBlock += blocks;
    segment.blocks = Math.max(segment.blocks, this.#nextBlock);
    const run: Run = { segment, block, payloadBytes: piece.payloadBytes, proven: true };
    segment.hold(piece.objectId, run);
    const frame = writeRunFrame(segment, { ...piece, dead: false, syncedBlock: this.#syncedBlock });
    const rest = padding.subarray(0, blocks * blockBytes - frameBytes - piece.payloadBytes);
    const written = this.#write([frame, ...piece.payload, rest], block, blocks * blockBytes);
    this.#writing.set(block, written);
    return { run, open: this, written };
  }

  /**
   * Resolves once the run, written before, is durable.
   * @throws the disk's error, also where only an earlier sync failed: what that one left undone is never made good
   */
  async syncThrough(run: Run): Promise<void> {
    const end = run.block + blocksOf(run.payloadBytes);
    if (end <= this.#syncedBlock) return;
    if (this.#retired === null) return this.#syncs.sync();
    await this.#retired;
    if (this.#failure !== null && end > this.#syncedBlock) throw this.#failure.error;
  }

  /** Takes nothing more; makes durable what is here, says so at the end, and closes. Never throws. */
  retire(): Promise<void> {
    this.#retired ??= this.#retire();
    return this.#retired;
  }

  async #write(buffers: readonly Buffer[], block: number, bytes: number): Promise<void> {
    try {
      await this.#file.write(buffers, block * blockBytes);
    } catch (error) {
      this.#failedBlock = Math.min(this.#failedBlock, block);
      throw error;
    } finally {
      this.#writing.delete(block);
    }
    this.#unsyncedBytes += bytes;
    // A failure is remembered, and told to whoever commits.
    if (this.#unsyncedBytes > unsyncedBytesMax && !this.#syncs.isRunning)
      this.#syncs.sync().catch(() => undefined);
  }

  async #sync(): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error;
    const durable = Math.min(this.#nextBlock, this.#failedBlock, ...this.#writing.keys());
    this.#unsyncedBytes = 0;
    for (const each of await Promise.allSettled([this.#file.sync(), this.#look()])) {
      if (each.status === 'rejected') this.#failure ??= { error: each.reason as unknown };
    }
    if (this.#failure !== null) this.segment.failed = true;
    if (this.#failure !== null) throw this.#failure.error;
    this.#syncedBlock = Math.max(this.#syncedBlock, durable);
  }

  /** Bytes in a file that its name does not lead to any more are found by nobody. */
  async #look(): Promise<void> {
    const facts = await this.#disk.facts(this.segment.path);
    if (facts === null || facts.identity !== this.#identity) throw outOfReach();
  }

  async #retire(): Promise<void> {
    await Promise.allSettled(this.#writing.values());
    try {
      await this.#syncs.sync();
      if (this.#failedBlock > this.#nextBlock) {
        await this.#file.write([writeEndFrame(this.segment)], this.#nextBlock * blockBytes);
        await this.#syncs.sync();
      }
    } catch {
      // Without its end it is looked through at the next start.
    }
    await this.#syncs.idle();
    await this.#file.close().catch(() => undefined);
    this.segment.isOpen = false;
  }
}

function outOfReach(): Error {
  return Object.assign(new Error('the file is not where it was'), { code: 'ESTALE' });
}
