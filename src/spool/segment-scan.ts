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

/** Read at once while hopping from frame to frame, where they are close together. */
const hopBytes = 64 * 1024;
/** Read at once while looking for a frame block by block. */
const searchBytes = 1024 * 1024;

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
  const frames: (RunFrame & { readonly block: number })[] = [];
  let ended = false;
  let nextBlock = 1;
  let provenBlock = 0;
  const gaps: Gap[] = [];
  let readBytes = hopBytes;
  for (let block = 1; block < segment.blocks && !ended; ) {
    const frame = readFrame(await window.at(block, readBytes), segment);
    if (frame !== null && block > nextBlock) gaps.push({ block: nextBlock, blocks: block - nextBlock });
    if (frame === null) {
      readBytes = searchBytes;
      block += 1;
    } else if (frame.kind === 'end') {
      ended = true;
      provenBlock = block;
    } else {
      frames.push({ ...frame, block });
      provenBlock = Math.max(provenBlock, frame.syncedBlock);
      const blocks = blocksOf(frame.payloadBytes);
      readBytes = blocks * blockBytes < hopBytes ? hopBytes : blockBytes;
      block += blocks;
      nextBlock = block;
    }
  }
  const runs = frames.map((frame) => ({
    ...frame,
    proven: frame.block + blocksOf(frame.payloadBytes) <= provenBlock,
  }));
  return { runs, ended, nextBlock, provenBlock, gaps };
}

/** Where the header is damaged: the newest generation that anything in the segment was written in. */
async function newestIn(window: Window, number: number, blocks: number): Promise<number | null> {
  let newest: number | null = null;
  for (let block = 1; block < blocks; block += 1) {
    const generation = generationOf(await window.at(block, searchBytes), number);
    if (generation !== null && (newest === null || generation > newest)) newest = generation;
  }
  return newest;
}

/** Whether a file is empty, or all zeroes: it was being made. */
async function isBlank(window: Window, blocks: number): Promise<boolean> {
  for (let block = 0; block < blocks; block += 1) {
    const bytes = await window.at(block, searchBytes);
    if (bytes.subarray(0, blockBytes).some((byte) => byte !== 0)) return false;
  }
  return !window.hasFailed;
}

/** The part of a file that was read last. */
class Window {
  readonly #file: DiskFile;
  /** Something could not be read. */
  hasFailed = false;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** From the block's first byte, at least a frame where the file goes on so far. */
  async at(block: number, readBytes: number): Promise<Buffer> {
    const position = block * blockBytes;
    const within = position - this.#start;
    if (within >= 0 && within + frameBytes <= this.#bytes.length) return this.#bytes.subarray(within);
    this.#bytes = await this.#read(position, readBytes);
    this.#start = position;
    return this.#bytes;
  }

  /** What cannot be read is passed over, block by block. */
  async #read(position: number, readBytes: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(readBytes);
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
