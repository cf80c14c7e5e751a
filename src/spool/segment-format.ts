import { crc32 } from 'node:zlib';
import { objectIdBytesOf } from './object-id.ts';
import type { ObjectId } from './types.ts';

/*
 * How sealed objects lie in segments, version 1. The page that defines it is ../crypto/FORMAT.md ("Segment"); this
 * file and that page change together.
 */

/** Everything begins on a block: what one write tears is never part of another's. */
export const blockBytes = 4096;
/** In front of a run's sealed bytes. Frame and key slots share a sector, which a disk writes whole or not at all. */
export const frameBytes = 64;

const version = 1;
const segmentMagic = Buffer.from('GANTRYSG', 'latin1');
const runMagic = Buffer.from('GANTRYRN', 'latin1');
const headerCrcAt = 28;
const frameCrcAt = 60;
const kinds = { run: 1, end: 2 } as const;
const deadFlag = 1;
const lastFlag = 2;
const nobody = '0'.repeat(32) as ObjectId;

export interface SegmentHeader {
  readonly number: number;
  /** Rises each time the segment is used again: what was written before is dead. */
  readonly generation: number;
  /** Nothing was written to it in this generation. */
  readonly spare: boolean;
}

/** Names a segment and its present use. */
export type SegmentName = Pick<SegmentHeader, 'number' | 'generation'>;

/** A run: a contiguous piece of one object. */
export interface RunFrame {
  readonly kind: 'run';
  readonly dead: boolean;
  readonly objectId: ObjectId;
  /** The object's pieces are counted from 0. */
  readonly index: number;
  readonly last: boolean;
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  /** Everything of this segment before this block was durable when the frame was written. */
  readonly syncedBlock: number;
}

/** Nothing follows in this segment, and everything before is durable. */
export interface EndFrame {
  readonly kind: 'end';
}

/** Blocks that a run of so many sealed bytes takes. */
export function blocksOf(payloadBytes: number): number {
  return Math.ceil((frameBytes + payloadBytes) / blockBytes);
}

/** A whole block. */
export function writeSegmentHeader({ number, generation, spare }: SegmentHeader): Buffer {
  const block = Buffer.alloc(blockBytes);
  segmentMagic.copy(block, 0);
  block.writeUInt16BE(version, 8);
  block.writeUInt16BE(spare ? 1 : 0, 10);
  block.writeUInt32BE(number, 12);
  block.writeBigUInt64BE(BigInt(generation), 16);
  block.writeUInt32BE(crc32(block.subarray(0, headerCrcAt)), headerCrcAt);
  return block;
}

/** @returns null where it is none */
export function readSegmentHeader(block: Buffer): SegmentHeader | null {
  if (block.length < headerCrcAt + 4 || !block.subarray(0, 8).equals(segmentMagic)) return null;
  if (block.readUInt32BE(headerCrcAt) !== crc32(block.subarray(0, headerCrcAt))) return null;
  if (block.readUInt16BE(8) !== version) return null;
  return {
    number: block.readUInt32BE(12),
    generation: Number(block.readBigUInt64BE(16)),
    spare: block.readUInt16BE(10) === 1,
  };
}

export function writeRunFrame(segment: SegmentName, run: Omit<RunFrame, 'kind'>): Buffer {
  const frame = startFrame(segment, kinds.run);
  frame.writeUInt8((run.dead ? deadFlag : 0) | (run.last ? lastFlag : 0), 11);
  objectIdBytesOf(run.objectId).copy(frame, 24);
  frame.writeUInt32BE(run.index, 40);
  frame.writeUInt32BE(run.payloadBytes, 48);
  frame.writeUInt32BE(run.syncedBlock, 52);
  frame.writeUInt32BE(run.payloadCrc, 56);
  return finishFrame(frame);
}

/** A whole block. */
export function writeEndFrame(segment: SegmentName): Buffer {
  const block = Buffer.alloc(blockBytes);
  finishFrame(startFrame(segment, kinds.end)).copy(block);
  return block;
}

/** @returns null where no frame of this segment and generation begins here */
export function readFrame(bytes: Buffer, segment: SegmentName): RunFrame | EndFrame | null {
  if (!isFrame(bytes) || bytes.readUInt32BE(12) !== segment.number) return null;
  if (Number(bytes.readBigUInt64BE(16)) !== segment.generation) return null;
  const kind = bytes.readUInt8(10);
  if (kind === kinds.end) return { kind: 'end' };
  if (kind !== kinds.run) return null;
  const flags = bytes.readUInt8(11);
  return {
    kind: 'run',
    dead: (flags & deadFlag) !== 0,
    objectId: bytes.toString('hex', 24, 40) as ObjectId,
    index: bytes.readUInt32BE(40),
    last: (flags & lastFlag) !== 0,
    payloadBytes: bytes.readUInt32BE(48),
    payloadCrc: bytes.readUInt32BE(56),
    syncedBlock: bytes.readUInt32BE(52),
  };
}

/** The generation a frame was written in, whatever the segment's is; null where no frame begins here. */
export function generationOf(bytes: Buffer, segmentNumber: number): number | null {
  if (!isFrame(bytes) || bytes.readUInt32BE(12) !== segmentNumber) return null;
  return Number(bytes.readBigUInt64BE(16));
}

function isFrame(bytes: Buffer): boolean {
  if (bytes.length < frameBytes || !bytes.subarray(0, 8).equals(runMagic)) return false;
  if (bytes.readUInt16BE(8) !== version) return false;
  return bytes.readUInt32BE(frameCrcAt) === crc32(bytes.subarray(0, frameCrcAt));
}

function startFrame({ number, generation }: SegmentName, kind: number): Buffer {
  const frame = Buffer.alloc(frameBytes);
  runMagic.copy(frame, 0);
  frame.writeUInt16BE(version, 8);
  frame.writeUInt8(kind, 10);
  frame.writeUInt32BE(number, 12);
  frame.writeBigUInt64BE(BigInt(generation), 16);
  return frame;
}

function finishFrame(frame: Buffer): Buffer {
  frame.writeUInt32BE(crc32(frame.subarray(0, frameCrcAt)), frameCrcAt);
  return frame;
}

/** A whole block: a run of so many bytes that is dead, without a word of whose it was. */
export function writeDeadFrame(segment: SegmentName, payloadBytes: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const frame = writeRunFrame(segment, {
    dead: true,
    objectId: nobody,
    index: 0,
    last: false,
    payloadBytes,
    payloadCrc: 0,
    syncedBlock: 0,
  });
  frame.copy(block);
  return block;
}

/** Of bytes that lie in pieces. */
export function crcOf(pieces: readonly Buffer[]): number {
  let crc = 0;
  for (const piece of pieces) crc = crc32(piece, crc);
  return crc;
}
