import type { Disk, DiskFile } from '../base/disk.ts';
import { systemErrorCode } from '../base/errors.ts';
import { Segment } from './segment.ts';
import {
  blockBytes,
  blocksOf,
  crcOf,
  frameBytes,
  generationOf,
  readFrame,
  readSegmentHeader,
  type RunFrame,
} from './segment-format.ts';

/** Runs shorter than this are read together with what follows: that is less work for the disk than to hop. */
const shortRunBytes = 64 * 1024;
/** Read at once where everything is looked at: while runs are short, and while a frame is looked for. */
const stretchBytes = 1024 * 1024;

/** A run as it was found. */
export interface FoundRun extends RunFrame {
  readonly block: number;
  /** Certainly durable when it was written: what came after it says so. */
  readonly proven: boolean;
}

export interface ScannedSegment {
  readonly segment: Segment;
  readonly runs: readonly FoundRun[];
  /** It was closed in order: nothing was under way in it. */
  readonly ended: boolean;
  /** Behind everything found. */
  readonly nextBlock: number;
  /** Everything before it was durable once. */
  readonly provenBlock: number;
  /** Blocks between runs that belong to none: what an interrupted write left, or damage. */
  readonly gaps: readonly Gap[];
}

interface Gap {
  readonly block: number;
  readonly blocks: number;
}

/**
 * Finds the runs in a segment file. What an interrupted write left is passed over.
 * @returns the segment where it is spare; null where the file never became one
 */
export async function scanSegment(
  disk: Disk,
  path: string,
  number: number,
): Promise<ScannedSegment | Segment | null> {
  const file = await disk.openFile(path, 'read');
  try {
    const blocks = Math.ceil((await file.size()) / blockBytes);
    const window = new Window(file);
    const header = readSegmentHeader(await window.at(0, blockBytes));
    if (header?.number === number && header.spare) return new Segment(disk, path, header, blocks);
    const generation = header?.number === number ? header.generation : await newestIn(window, number, blocks);
    if (generation === null && (await isBlank(window, blocks))) return null;
    // What cannot be told apart from a damaged segment is kept.
    const segment = new Segment(disk, path, { number, generation: generation ?? 0 }, blocks);
    const found = await findRuns(window, segment);
    const isHoley = found.gaps.some(({ block }) => block < found.provenBlock);
    segment.isDamaged = isHoley || window.hasFailed || generation === null;
    return { segment, ...found };
  } finally {
    await file.close();
  }
}

/** Whether a found run has reached the disk as it was written; what cannot be read is damage, and nobody's to delete. */
export async function isRunWhole(
  segment: Segment,
  { block, payloadBytes, payloadCrc }: FoundRun,
): Promise<boolean> {
  const file = await segment.openFile('read');
  try {
    const bytes = Buffer.allocUnsafe(payloadBytes);
    const got = await file.read(bytes, block * blockBytes + frameBytes);
    return got === payloadBytes && crcOf([bytes]) === payloadCrc;
  } catch (error) {
    if (systemErrorCode(error) === 'EIO') return true;
    throw error;
  } finally {
    await file.close();
  }
}

async function findRuns(window: Window, segment: Segment): Promise<Omit<ScannedSegment, 'segment'>> {
  const runs: (FoundRun & { proven: boolean })[] = [];
  let ended = false;
  let nextBlock = 1;
  let provenBlock = 0;
  const gaps: Gap[] = [];
  let readBytes = stretchBytes;
  for (let block = 1; block < segment.blocks && !ended; ) {
    const frame = readFrame(window.held(block) ?? (await window.at(block, readBytes)), segment);
    if (frame !== null && block > nextBlock) gaps.push({ block: nextBlock, blocks: block - nextBlock });
    if (frame === null) {
      readBytes = stretchBytes;
      block += 1;
    } else if (frame.kind === 'end') {
      ended = true;
      provenBlock = block;
    } else {
      runs.push({ ...frame, block, proven: false });
      provenBlock = Math.max(provenBlock, frame.syncedBlock);
      const blocks = blocksOf(frame.payloadBytes);
      readBytes = blocks * blockBytes < shortRunBytes ? stretchBytes : blockBytes;
      block += blocks;
      nextBlock = block;
    }
  }
  for (const run of runs) run.proven = run.block + blocksOf(run.payloadBytes) <= provenBlock;
  return { runs, ended, nextBlock, provenBlock, gaps };
}

/** Where the header is damaged: the newest generation that anything in the segment was written in. */
async function newestIn(window: Window, number: number, blocks: number): Promise<number | null> {
  let newest: number | null = null;
  for (let block = 1; block < blocks; block += 1) {
    const generation = generationOf(await window.at(block, stretchBytes), number);
    if (generation !== null && (newest === null || generation > newest)) newest = generation;
  }
  return newest;
}

/** Whether a file is empty, or all zeroes: it was being made. */
async function isBlank(window: Window, blocks: number): Promise<boolean> {
  for (let block = 0; block < blocks; block += 1) {
    const bytes = await window.at(block, stretchBytes);
    if (bytes.subarray(0, blockBytes).some((byte) => byte !== 0)) return false;
  }
  return !window.hasFailed;
}

/** The part of a file that was read last. What it gives out holds until the next read. */
class Window {
  readonly #file: DiskFile;
  /** Something could not be read. */
  hasFailed = false;
  #space: Buffer = Buffer.alloc(0);
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** From the block's first byte; null where the block's first bytes were not read with the last ones. */
  held(block: number): Buffer | null {
    const within = block * blockBytes - this.#start;
    return within >= 0 && within + frameBytes <= this.#bytes.length ? this.#bytes.subarray(within) : null;
  }

  /** From the block's first byte, at least a frame where the file goes on so far. */
  async at(block: number, readBytes: number): Promise<Buffer> {
    const held = this.held(block);
    if (held !== null) return held;
    const position = block * blockBytes;
    this.#bytes = await this.#read(position, readBytes);
    this.#start = position;
    return this.#bytes;
  }

  /** What cannot be read is passed over, block by block. */
  async #read(position: number, readBytes: number): Promise<Buffer> {
    if (this.#space.length < readBytes) this.#space = Buffer.allocUnsafeSlow(readBytes);
    const bytes = this.#space.subarray(0, readBytes);
    try {
      return bytes.subarray(0, await this.#file.read(bytes, position));
    } catch (error) {
      if (systemErrorCode(error) !== 'EIO') throw error;
      if (readBytes > blockBytes) return this.#read(position, blockBytes);
      this.hasFailed = true;
      return Buffer.alloc(0);
    }
  }
}
