import type { ObjectId } from './types.ts';
import type { Run } from './segment.ts';
import type { OwnedRun, SegmentIndex } from './segment-index.ts';
import { type FoundRun, isRunWhole, type ScannedSegment } from './segment-scan.ts';

/** What the segments hold, seen together. */
export interface OpenedSegments {
  /** Pieces of objects that are not whole, and pieces that never reached the disk as they were written. */
  readonly fragments: readonly OwnedRun[];
  /** Second copies of what is in the index. */
  readonly surplus: readonly OwnedRun[];
}

interface Candidate {
  readonly found: FoundRun;
  readonly run: Run;
}

/**
 * Puts objects together from the runs that were found, and enters the whole ones in the index. Every run counts as
 * held from here on.
 */
export async function assembleObjects(
  scanned: readonly ScannedSegment[],
  index: SegmentIndex,
): Promise<OpenedSegments> {
  const byObject = new Map<ObjectId, Map<number, Candidate[]>>();
  for (const { segment, runs } of scanned) {
    for (const found of runs) {
      if (found.dead) continue;
      const { block, payloadBytes, proven, objectId } = found;
      const run: Run = { segment, block, payloadBytes, proven };
      segment.hold(objectId, run);
      const pieces = byObject.get(objectId) ?? new Map<number, Candidate[]>();
      byObject.set(objectId, pieces);
      pieces.set(found.index, [...(pieces.get(found.index) ?? []), { found, run }]);
    }
  }
  const fragments: OwnedRun[] = [];
  const surplus: OwnedRun[] = [];
  for (const [id, pieces] of byObject) {
    const chosen = new Map<number, Candidate>();
    for (const [number, candidates] of pieces) {
      const best = await choose(candidates);
      if (best !== null) chosen.set(number, best);
      const rest = candidates.filter((one) => one !== best).map(({ run }) => ({ id, run }));
      (best === null ? fragments : surplus).push(...rest);
    }
    const runs = wholeRuns(chosen);
    if (runs !== null) index.add(id, runs);
    else fragments.push(...[...chosen.values()].map(({ run }) => ({ id, run })));
  }
  return { fragments, surplus };
}

/** A proven one, else one whose bytes are all there; null where there is none. */
async function choose(candidates: readonly Candidate[]): Promise<Candidate | null> {
  const proven = candidates.find(({ run }) => run.proven);
  if (proven !== undefined) return proven;
  for (const candidate of candidates)
    if (await isRunWhole(candidate.run.segment, candidate.found)) return candidate;
  return null;
}

/** The object's runs in order; null where one is missing. */
function wholeRuns(chosen: ReadonlyMap<number, Candidate>): Run[] | null {
  const runs: Run[] = [];
  for (let number = 0; ; number += 1) {
    const piece = chosen.get(number);
    if (piece === undefined) return null;
    runs.push(piece.run);
    if (piece.found.last) return runs;
  }
}
