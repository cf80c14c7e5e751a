import { join } from 'node:path';
import { type Disk, listTwoLevels } from '../base/disk.ts';
import { systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { parseObjectId } from './object-id.ts';
import type { Piece, Placed } from './open-segment.ts';
import { crcOf } from './segment-format.ts';
import type { Run } from './segment.ts';
import type { OwnedRun } from './segment-index.ts';
import { syncAll } from './segment-writer.ts';
import type { ObjectId } from './types.ts';

/** Objects of so many bytes are made durable together before their files go. */
const bytesPerSync = 64 * 1024 * 1024;

interface ObjectFile {
  readonly id: ObjectId;
  readonly path: string;
}

interface Migration {
  readonly disk: Disk;
  /** `DATA/spool` */
  readonly directory: string;
  readonly log: Log;
  readonly pieceBytes: number;
  /** Whether it is in segments already, durably. */
  readonly isThere: (id: ObjectId) => boolean;
  readonly place: (piece: Piece) => Promise<Placed>;
  /** Durable in segments: to be found there from here on. */
  readonly moved: (id: ObjectId, runs: readonly Run[]) => void;
  /** Copied in part, and in vain. */
  readonly discard: (runs: readonly OwnedRun[]) => void;
}

/**
 * Takes over a data directory in which each object was a file of its own (`objects/HOUR/ID`, half-written ones in
 * `incoming/`): sealed bytes as they are, files removed once their copies are durable. Can be interrupted anywhere.
 * A file that cannot be read stays where it is.
 * @returns how many half-written ones were removed
 */
export async function migrateObjectFiles(migration: Migration): Promise<number> {
  const { disk, directory, log } = migration;
  const objects = join(directory, 'objects');
  const incoming = join(directory, 'incoming');
  const files = (await listTwoLevels(disk, objects)).flatMap(({ shard, name }) => {
    const id = parseObjectId(name);
    return id === null ? [] : [{ id, path: join(objects, shard, name) }];
  });
  let moved = 0;
  while (files.length > 0) moved += await moveTogether(files, migration);
  const unfinished = await disk.list(incoming);
  for (const name of unfinished) await disk.remove(join(incoming, name));
  for (const shard of await disk.list(objects)) await removeIfThere(disk, join(objects, shard));
  for (const path of [objects, incoming]) await removeIfThere(disk, path);
  if (moved > 0)
    log.info({ event: 'migrated', objects: moved }, 'objects were moved from files into segments');
  return unfinished.length;
}

/** Takes files from the front of the list, and moves them. @returns how many are in segments now */
async function moveTogether(files: ObjectFile[], migration: Migration): Promise<number> {
  const { disk, log, isThere, moved } = migration;
  const copies: { file: ObjectFile; placed: Placed[] }[] = [];
  const done: ObjectFile[] = [];
  let bytes = 0;
  for (
    let file = files.shift();
    file !== undefined;
    file = bytes < bytesPerSync ? files.shift() : undefined
  ) {
    if (isThere(file.id)) {
      done.push(file);
      continue;
    }
    try {
      const placed = await copyFile(file, migration);
      copies.push({ file, placed });
      bytes += placed.reduce((sum, { run }) => sum + run.payloadBytes, 0);
    } catch (error) {
      if (systemErrorCode(error) !== 'EIO') throw error;
      log.error(
        { code: 'OBJECT_DAMAGED', objectId: file.id },
        'an object file cannot be read; it stays as it is',
      );
    }
  }
  await syncAll(copies.flatMap(({ placed }) => placed));
  for (const { file, placed } of copies) {
    const runs = placed.map(({ run }) => run);
    moved(file.id, runs);
    done.push(file);
  }
  for (const { path } of done) await disk.remove(path);
  return done.length;
}

async function copyFile(
  { id, path }: ObjectFile,
  { disk, pieceBytes, place, discard }: Migration,
): Promise<Placed[]> {
  const placed: Placed[] = [];
  const file = await disk.openFile(path, 'read');
  try {
    const size = await file.size();
    for (let at = 0, index = 0; at < size || index === 0; at += pieceBytes, index += 1) {
      const bytes = Buffer.allocUnsafe(Math.min(pieceBytes, size - at));
      const payload = [bytes.subarray(0, await file.read(bytes, at))];
      const last = at + pieceBytes >= size;
      const payloadCrc = crcOf(payload);
      const piece = { objectId: id, index, last, payload, payloadBytes: payload[0]?.length ?? 0, payloadCrc };
      const one = await place(piece);
      placed.push(one);
      await one.written;
    }
    return placed;
  } catch (error) {
    discard(placed.map(({ run }) => ({ id, run })));
    throw error;
  } finally {
    await file.close();
  }
}

async function removeIfThere(disk: Disk, path: string): Promise<void> {
  if ((await disk.facts(path)) !== null) await disk.removeDirectory(path).catch(() => undefined);
}
