import { type Disk, type DiskFile } from '../base/disk.ts';
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

/** Read at once while hopping from frame to frame. */
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
  /** The first block that should begin a run and does not. */
  readonly firstGap: number;
}

/**
 * Finds the runs in a segment file. What an interrupted write left is passed over.
 * @returns null where the file never became a segment
 */
export async function scanSegment(disk: Disk, path: string, number: number): Promise<ScannedSegment | null> {
  const file = await disk.openFile(path, 'read');
  try {
    const blocks = Math.ceil((await file.size()) / blockBytes);
    const window = new Window(file);
    const generation = await generationIn(window, number, blocks);
    if (generation === null) return null;
    const segment = new Segment(disk, path, { number, generation }, blocks);
    const found = await findRuns(window, segment);
    segment.isDamaged = found.firstGap < found.provenBlock;
    return { segment, ...found };
  } finally {
    await file.close();
  }
}

/** Whether a found run has reached the disk as it was written. */
export async function isRunWhole(segment: Segment, run: FoundRun): Promise<boolean> {
  const bytes = await readRun(segment, run);
  return bytes !== null && crcOf([bytes]) === run.payloadCrc;
}

/** A run's sealed bytes; null where the file is too short. */
export async function readRun(
  segment: Segment,
  { block, payloadBytes }: { readonly block: number; readonly payloadBytes: number },
): Promise<Buffer | null> {
  const file = await segment.openFile('read');
  try {
    const bytes = Buffer.allocUnsafe(payloadBytes);
    const got = await file.read(bytes, block * blockBytes + frameBytes);
    return got === payloadBytes ? bytes : null;
  } finally {
    await file.close();
  }
}

async function findRuns(window: Window, segment: Segment): Promise<Omit<ScannedSegment, 'segment'>> {
  const frames: (RunFrame & { readonly block: number })[] = [];
  let ended = false;
  let nextBlock = 1;
  let provenBlock = 0;
  let firstGap = segment.blocks;
  let hopping = true;
  for (let block = 1; block < segment.blocks && !ended; ) {
    const frame = readFrame(await window.at(block, hopping ? hopBytes : searchBytes), segment);
    hopping = frame !== null;
    if (frame === null) {
      firstGap = Math.min(firstGap, block);
      block += 1;
    } else if (frame.kind === 'end') {
      ended = true;
      provenBlock = block;
    } else {
      frames.push({ ...frame, block });
      provenBlock = Math.max(provenBlock, frame.syncedBlock);
      block += blocksOf(frame.payloadBytes);
      nextBlock = block;
    }
  }
  const runs = frames.map((frame) => ({
    ...frame,
    proven: frame.block + blocksOf(frame.payloadBytes) <= provenBlock,
  }));
  return { runs, ended, nextBlock, provenBlock, firstGap };
}

/** The segment's generation; where its header is damaged, the newest that anything in it was written in. */
async function generationIn(window: Window, number: number, blocks: number): Promise<number | null> {
  const header = readSegmentHeader(await window.at(0, hopBytes));
  if (header?.number === number) return header.generation;
  let newest: number | null = null;
  for (let block = 1; block < blocks; block += 1) {
    const generation = generationOf(await window.at(block, searchBytes), number);
    if (generation !== null && (newest === null || generation > newest)) newest = generation;
  }
  return newest;
}

/** The part of a file that was read last. */
class Window {
  readonly #file: DiskFile;
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
    const bytes = Buffer.allocUnsafe(readBytes);
    this.#bytes = bytes.subarray(0, await this.#file.read(bytes, position));
    this.#start = position;
    return this.#bytes;
  }
}
