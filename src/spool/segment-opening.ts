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
  const others = enterSimple(scanned, index);
  const fragments: OwnedRun[] = [];
  const surplus: OwnedRun[] = [];
  for (const [id, candidates] of others) {
    const { chosen, second, unfit } = await chooseAll(candidates);
    const runs = wholeRuns(chosen);
    if (runs !== null) index.add(id, runs);
    else fragments.push(...[...chosen.values()].map(({ run }) => ({ id, run })));
    fragments.push(...unfit.map(({ run }) => ({ id, run })));
    surplus.push(...second.map(({ run }) => ({ id, run })));
  }
  return { fragments, surplus };
}

/**
 * Enters the objects that consist of a single run, there once and certainly durable: all but a few.
 * @returns what was found of the others
 */
function enterSimple(
  scanned: readonly ScannedSegment[],
  index: SegmentIndex,
): ReadonlyMap<ObjectId, readonly Candidate[]> {
  const repeated = repeatedIds(scanned);
  const others = new Map<ObjectId, Candidate[]>();
  for (const { segment, runs } of scanned) {
    for (const found of runs) {
      if (found.dead) continue;
      const { block, payloadBytes, proven, objectId } = found;
      const run: Run = { segment, block, payloadBytes, proven };
      segment.hold(objectId, run);
      const isSimple = found.index === 0 && found.last && proven && !repeated.has(objectId);
      const candidates = others.get(objectId);
      if (isSimple) index.add(objectId, [run]);
      else if (candidates === undefined) others.set(objectId, [{ found, run }]);
      else candidates.push({ found, run });
    }
  }
  return others;
}

/** Objects of which more than one run was found. */
function repeatedIds(scanned: readonly ScannedSegment[]): ReadonlySet<ObjectId> {
  const seen = new Set<ObjectId>();
  const repeated = new Set<ObjectId>();
  for (const { runs } of scanned) {
    for (const { dead, objectId } of runs) {
      if (dead) continue;
      if (seen.has(objectId)) repeated.add(objectId);
      seen.add(objectId);
    }
  }
  return repeated;
}

interface Choice {
  /** By number within the object. */
  readonly chosen: ReadonlyMap<number, Candidate>;
  readonly second: readonly Candidate[];
  readonly unfit: readonly Candidate[];
}

async function chooseAll(candidates: readonly Candidate[]): Promise<Choice> {
  const chosen = new Map<number, Candidate>();
  const second: Candidate[] = [];
  const unfit: Candidate[] = [];
  for (const [number, copies] of Map.groupBy(candidates, ({ found }) => found.index)) {
    const best = await choose(copies);
    if (best !== null) chosen.set(number, best);
    (best === null ? unfit : second).push(...copies.filter((one) => one !== best));
  }
  return { chosen, second, unfit };
}

/** Of several the one whose bytes are all there, proven ones first; null where there is none. */
async function choose(candidates: readonly Candidate[]): Promise<Candidate | null> {
  const [only, ...more] = candidates;
  if (only?.run.proven === true && more.length === 0) return only;
  const provenFirst = candidates.toSorted((a, b) => Number(b.run.proven) - Number(a.run.proven));
  for (const candidate of provenFirst)
    if (await isRunWhole(candidate.run.segment, candidate.found)) return candidate;
  return provenFirst.find(({ run }) => run.proven) ?? null;
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
