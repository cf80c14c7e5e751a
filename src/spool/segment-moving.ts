import { systemErrorCode } from '../base/errors.ts';
import type { Piece, Placed } from './open-segment.ts';
import { blockBytes, crcOf, frameBytes, readFrame } from './segment-format.ts';
import type { Segment } from './segment.ts';
import type { OwnedRun, SegmentIndex } from './segment-index.ts';
import { syncAll } from './segment-writer.ts';

interface MovingParts {
  readonly index: SegmentIndex;
  readonly place: (piece: Piece) => Promise<Placed>;
  /** Not needed any more: the old copies, or the new ones where the object went away meanwhile. */
  readonly discard: (runs: readonly OwnedRun[]) => void;
}

/**
 * Copies runs to another place, sealed bytes as they are, and lets the objects consist of the copies once these are
 * durable. What does not match its own checksum stays where it is: damage is for the scrubber to find.
 * @returns how many were moved
 * @throws the disk's error; the objects are as before then
 */
export async function moveRuns(runs: readonly OwnedRun[], parts: MovingParts): Promise<number> {
  const moved: { owned: OwnedRun; placed: Placed }[] = [];
  const segments = new Set(runs.map(({ run }) => run.segment));
  for (const segment of segments) segment.readers += 1;
  try {
    for (const owned of runs) {
      const piece = await readPiece(owned);
      if (piece === null) continue;
      const placed = await parts.place(piece);
      moved.push({ owned, placed });
      await placed.written;
    }
    await syncAll(moved.map(({ placed }) => placed));
  } catch (error) {
    parts.discard(moved.map(({ owned, placed }) => ({ id: owned.id, run: placed.run })));
    throw error;
  } finally {
    for (const segment of segments) segment.readers -= 1;
  }
  for (const { owned, placed } of moved) {
    const replaced = parts.index.replace(owned, placed.run);
    parts.discard([replaced ? owned : { id: owned.id, run: placed.run }]);
  }
  return moved.length;
}

/** A run with its frame as it lies on the disk; null where it is damaged, or not there. */
async function readPiece({ id, run }: OwnedRun): Promise<Piece | null> {
  const bytes = await readWhole(run.segment, run.block * blockBytes, frameBytes + run.payloadBytes);
  const frame = bytes === null ? null : readFrame(bytes, run.segment);
  if (bytes === null || frame?.kind !== 'run' || frame.dead || frame.objectId !== id) return null;
  const payload = [bytes.subarray(frameBytes)];
  const { objectId, index, last, payloadBytes, payloadCrc } = frame;
  if (payloadBytes !== run.payloadBytes || crcOf(payload) !== payloadCrc) return null;
  return { objectId, index, last, payload, payloadBytes, payloadCrc };
}

async function readWhole(segment: Segment, position: number, length: number): Promise<Buffer | null> {
  const file = await segment.openFile('read');
  try {
    const bytes = Buffer.allocUnsafe(length);
    return (await file.read(bytes, position)) === length ? bytes : null;
  } catch (error) {
    if (systemErrorCode(error) === 'EIO') return null;
    throw error;
  } finally {
    await file.close();
  }
}
