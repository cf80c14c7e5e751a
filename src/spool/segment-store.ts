import { dirname, join } from 'node:path';
import { type Disk, makeDirectoryDurably, syncDirectoryAnew } from '../base/disk.ts';
import { systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Epoch, EpochKeyFinder } from '../crypto/envelope.ts';
import { migrateObjectFiles } from './object-files.ts';
import { objectNotFound, type ObjectStore, type ObjectWriter, type StoredObject } from './object-store.ts';
import type { OpenSegment, Piece, Placed } from './open-segment.ts';
import { Graveyard } from './segment-graveyard.ts';
import { SegmentIndex } from './segment-index.ts';
import { SegmentLane } from './segment-lane.ts';
import { moveRuns } from './segment-moving.ts';
import { assembleObjects, type OpenedSegments } from './segment-opening.ts';
import { SegmentPool } from './segment-pool.ts';
import { type ScannedSegment, scanSegment } from './segment-scan.ts';
import { SegmentWriter } from './segment-writer.ts';
import { blockBytes, frameBytes, writeDeadFrame, writeEndFrame } from './segment-format.ts';
import { Segment } from './segment.ts';
import { openStored, type SegmentFiles } from './stored-object.ts';
import type { ObjectFacts, ObjectId } from './types.ts';

const segmentBytesDefault = 64 * 1024 * 1024;
const segmentBytesMin = 1024 * 1024;
/** A volume is at least so many segments. */
const segmentsPerVolume = 64;
const pieceBytesMax = 1024 * 1024;
/** Of the volume, kept as segments to be used anew. */
const sparesShare = 0.1;
/** A segment of which less is in use is emptied, so that its space can be used anew. */
const usedShareMin = 0.25;
/** The same where the disk is short of space. */
const usedShareMinShort = 0.75;
/** Nothing was stored for so long: there is time to prepare segments. */
const idleMs = 2000;
const scansAtOnce = 4;
const houseworkMs = 1000;

export interface SegmentStoreOptions {
  readonly disk: Disk;
  /** `DATA/spool` */
  readonly directory: string;
  readonly findKey: EpochKeyFinder;
  readonly log: Log;
  /**
   * Free space above the disk's reserve, spares not counted. Below zero space is won back with more effort, and none
   * is kept; nothing is prepared where there is not plenty.
   */
  readonly roomBytes: () => number;
  /** Of one segment file; by the size of the volume where it is not given. */
  readonly segmentBytes: number | undefined;
  /** Segments written in advance, in idle moments; never more than a 64th of the volume. */
  readonly preparedBytes: number;
}

/**
 * Objects in large files (segments), one behind the other: an object becomes durable by one sync, which all who wait
 * share, and changes nothing of the file system but bytes. FORMAT.md says how they lie.
 */
export class SegmentStore implements ObjectStore {
  readonly #options: SegmentStoreOptions;
  readonly #directory: string;
  readonly #index = new SegmentIndex();
  readonly #graveyard = new Graveyard((segment) => this.#freed(segment));
  readonly #lanes = { small: this.#newLane(), large: this.#newLane(), prepared: this.#newLane() };
  /** All but the spares. */
  readonly #segments = new Set<Segment>();
  #pool: SegmentPool | null = null;
  #pieceBytes = pieceBytesMax;
  #preparedSegments = 0;
  #storedAt = Number.NEGATIVE_INFINITY;
  #found: OpenedSegments = { fragments: [], surplus: [] };
  /** Segments of an earlier run that were not closed. */
  #unended: ScannedSegment[] = [];
  #unfinishedFiles = 0;
  #housework: Promise<void> | null = null;
  /** Said once, not every second. */
  #houseworkFailed = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: SegmentStoreOptions) {
    this.#options = options;
    this.#directory = join(options.directory, 'segments');
  }

  /** Finds what is stored. @throws the disk's error */
  async start(): Promise<void> {
    const { disk, directory, log } = this.#options;
    if (this.#pool !== null) throw new Error('an object store is started once');
    await makeDirectoryDurably(disk, this.#directory);
    await syncDirectoryAnew(disk, dirname(this.#directory));
    await syncDirectoryAnew(disk, this.#directory);
    const { totalBytes } = await disk.space(this.#directory);
    const segmentBytes = this.#options.segmentBytes ?? segmentBytesFor(totalBytes);
    this.#pieceBytes = Math.min(pieceBytesMax, segmentBytes / 4);
    const prepared = Math.min(this.#options.preparedBytes, totalBytes / segmentsPerVolume);
    this.#preparedSegments = Math.floor(prepared / segmentBytes);
    const spares = Math.floor((totalBytes * sparesShare) / segmentBytes);
    const sparesMax = (): number => (this.#isShort ? 0 : spares);
    this.#pool = new SegmentPool({ disk, directory: this.#directory, segmentBytes, sparesMax });
    await this.#scan(this.#pool);
    this.#unfinishedFiles = await migrateObjectFiles({
      disk,
      directory,
      log,
      pieceBytes: this.#pieceBytes,
      place: (piece) => this.#lanes.large.place(piece),
      isThere: (id) => this.#index.runsOf(id)?.every((run) => run.proven) === true,
      moved: (id, runs) => {
        this.#graveyard.add(this.#index.remove(id), 'deleted');
        this.#index.add(id, runs);
      },
      discard: (runs) => this.#graveyard.add(runs, 'refused'),
    });
  }

  create(id: ObjectId, epoch: Epoch, kind: ObjectFacts['kind']): ObjectWriter {
    return new SegmentWriter(id, epoch, kind, {
      pieceBytes: this.#pieceBytes,
      place: async (piece, lane) => {
        this.#storedAt = performance.now();
        if (this.#graveyard.holdsRefused) await this.#buryNowOrLater();
        return this.#lanes[lane].place(piece);
      },
      committed: (object, runs) => this.#index.add(object, runs),
      discard: async (runs) => {
        this.#graveyard.add(runs, 'refused');
        await this.#buryNowOrLater();
      },
    });
  }

  async open(id: ObjectId, files?: SegmentFiles): Promise<StoredObject> {
    const runs = this.#index.runsOf(id);
    if (runs === null) throw objectNotFound();
    return openStored(id, runs, this.#options.findKey, files);
  }

  list(): ObjectId[] {
    return this.#index.ids();
  }

  has(id: ObjectId): boolean {
    return this.#index.runsOf(id) !== null;
  }

  async remove(ids: readonly ObjectId[]): Promise<void> {
    for (const id of ids) this.#graveyard.add(this.#index.remove(id), 'deleted');
    await this.#buryNowOrLater();
  }

  async removeUnfinished(known: ReadonlySet<ObjectId>): Promise<number> {
    const unfinished = this.#found.fragments.filter(({ id }) => !known.has(id));
    this.#graveyard.add(unfinished, 'refused');
    await this.#buryNowOrLater();
    return new Set(unfinished.map(({ id }) => id)).size + this.#unfinishedFiles;
  }

  async makeDurable(ids: readonly ObjectId[]): Promise<void> {
    const { surplus } = this.#found;
    const doubtful = [...new Set([...ids, ...surplus.map(({ id }) => id)])].flatMap((id) =>
      (this.#index.runsOf(id) ?? []).filter((run) => !run.proven).map((run) => ({ id, run })),
    );
    // Written anew: after a failed sync the system may have nothing left to write, and call the next one a success.
    await this.#move(doubtful);
    // Only now: a second copy may be the one that is durable.
    this.#graveyard.add(surplus, 'deleted');
    await this.#buryNowOrLater();
    for (const scanned of this.#unended.splice(0)) await this.#end(scanned);
    this.#timer = setInterval(() => this.#keepHouse(), houseworkMs);
    this.#timer.unref();
  }

  /** Bytes of the disk that are taken, and free for new objects all the same. */
  get spareBytes(): number {
    return this.#pool?.spareBytes ?? 0;
  }

  /** Closes the files in use: the volume was exchanged. Objects that come after that go to new ones. */
  async release(): Promise<void> {
    await Promise.all(Object.values(this.#lanes).map((lane) => lane.close()));
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#housework;
    await this.#buryNowOrLater();
    await this.release();
  }

  get #isShort(): boolean {
    return this.#options.roomBytes() < 0;
  }

  /** What the disk does not let us do now is done before the next object is written, or at the next start. */
  async #buryNowOrLater(): Promise<void> {
    await this.#graveyard.bury().catch(() => undefined);
  }

  #newLane(): SegmentLane {
    return new SegmentLane((payloadBytes) => this.#take(payloadBytes));
  }

  async #take(payloadBytes: number): Promise<OpenSegment> {
    if (this.#pool === null) throw new Error('the object store is not started');
    const open = await this.#pool.take(payloadBytes);
    this.#segments.add(open.segment);
    return open;
  }

  async #freed(segment: Segment): Promise<void> {
    this.#segments.delete(segment);
    try {
      await this.#pool?.give(segment);
    } catch (error) {
      // The housework tries again.
      this.#segments.add(segment);
      throw error;
    }
  }

  async #scan(pool: SegmentPool): Promise<void> {
    const { disk, log } = this.#options;
    const numbers = await pool.findNumbers();
    const scanned: ScannedSegment[] = [];
    const scanNext = async (): Promise<void> => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
        const path = pool.pathOf(number);
        const found = await scanSegment(disk, path, number);
        if (found === null) await disk.remove(path);
        else if (found instanceof Segment) pool.addSpare(found);
        else scanned.push(found);
      }
    };
    await Promise.all(Array.from({ length: scansAtOnce }, scanNext));
    this.#found = await assembleObjects(scanned, this.#index);
    for (const { segment } of scanned) this.#segments.add(segment);
    const segments = scanned.filter(({ segment }) => segment.isDamaged).length;
    if (segments > 0)
      log.error(
        { code: 'SEGMENT_DAMAGED', segments },
        'a part of the spool cannot be read; it is kept as it is. "gantry scrub" names what is to be sent again',
      );
    this.#unended = scanned.filter(
      ({ ended, runs, segment }) => !ended && runs.length > 0 && !segment.isDamaged,
    );
    for (const { segment } of this.#unended) segment.isOpen = true;
  }

  /** Says that all of a segment is durable, so that no later start has to look; what an interrupted write left is dead. */
  async #end({ segment, nextBlock, gaps }: ScannedSegment): Promise<void> {
    const file = await segment.openFile('read-write');
    try {
      for (const { block, blocks } of gaps)
        await file.write([writeDeadFrame(segment, blocks * blockBytes - frameBytes)], block * blockBytes);
      await file.sync();
      await file.write([writeEndFrame(segment)], nextBlock * blockBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    segment.isOpen = false;
  }

  #move(runs: Parameters<typeof moveRuns>[0]): Promise<number> {
    return moveRuns(runs, {
      index: this.#index,
      place: (piece: Piece): Promise<Placed> => this.#lanes.large.place(piece),
      discard: (dead) => this.#graveyard.add(dead, 'deleted'),
    });
  }

  #keepHouse(): void {
    this.#housework ??= this.#keepHouseNow()
      .then(() => {
        this.#houseworkFailed = false;
      })
      .catch((error: unknown) => {
        if (this.#houseworkFailed) return;
        this.#houseworkFailed = true;
        this.#options.log.warn(
          { code: 'SPOOL_HOUSEWORK', cause: systemErrorCode(error) },
          'space of deleted objects cannot be won back; it is tried again, and if this stays so, check the disk',
        );
      })
      .finally(() => {
        this.#housework = null;
      });
  }

  /** Buries what waits for it, wins back free segments, and empties one that is hardly used. */
  async #keepHouseNow(): Promise<void> {
    // One sector that cannot be written does not keep the rest from being won back, but is said in the end.
    const buried = this.#graveyard.isEmpty ? [] : await Promise.allSettled([this.#graveyard.bury()]);
    for (const segment of this.#segments) if (segment.isFree) await this.#freed(segment);
    if (this.#isShort) await this.#pool?.clear();
    else await this.#prepare();
    await this.#emptyHardlyUsed();
    for (const each of buried) if (each.status === 'rejected') throw each.reason;
  }

  async #emptyHardlyUsed(): Promise<void> {
    const hardlyUsed = this.#hardlyUsed(this.#isShort ? usedShareMinShort : usedShareMin);
    if (hardlyUsed === null) return;
    const runs = this.#index.within(hardlyUsed);
    const moved = await this.#move(runs);
    if (runs.length > 0 && moved === 0) hardlyUsed.isDamaged = true;
    await this.#buryNowOrLater();
  }

  /** Overwriting what was written before changes nothing of the file system but the bytes. */
  async #prepare(): Promise<void> {
    const isIdle = (): boolean => performance.now() - this.#storedAt > idleMs && this.#timer !== null;
    if (this.#pool === null || !isIdle() || this.#pool.spares >= this.#preparedSegments) return;
    // What is prepared must not make space short, or it would be given back and prepared again for ever.
    if (this.#options.roomBytes() < 2 * this.#options.preparedBytes) return;
    await this.#pool.prepare(isIdle);
  }

  /** Of the segments that are used to less than this share, the one that is used least. */
  #hardlyUsed(share: number): Segment | null {
    let least: Segment | null = null;
    for (const segment of this.#segments) {
      if (!isHardlyUsed(segment, share)) continue;
      if (least === null || segment.heldBlocks < least.heldBlocks) least = segment;
    }
    return least;
  }
}

function segmentBytesFor(volumeBytes: number): number {
  const share = 2 ** Math.floor(Math.log2(Math.max(1, volumeBytes / segmentsPerVolume)));
  return Math.min(segmentBytesDefault, Math.max(segmentBytesMin, share));
}

function isHardlyUsed(segment: Segment, share: number): boolean {
  const { isOpen, isDamaged, heldBlocks, blocks, readers } = segment;
  return !isOpen && !isDamaged && readers === 0 && heldBlocks > 0 && heldBlocks < blocks * share;
}
