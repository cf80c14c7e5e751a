import { join } from 'node:path';
import { type Disk, listTwoLevels } from '../base/disk.ts';
import { parseObjectId } from './object-id.ts';
import type { Piece, Placed } from './open-segment.ts';
import { crcOf } from './segment-format.ts';
import type { Run } from './segment.ts';
import { syncAll } from './segment-writer.ts';
import type { ObjectId } from './types.ts';

/** Objects that are made durable together before their files go. */
const objectsPerSync = 64;

interface Migration {
  readonly disk: Disk;
  /** `DATA/spool` */
  readonly directory: string;
  readonly pieceBytes: number;
  readonly place: (piece: Piece) => Promise<Placed>;
  /** Durable in segments: to be found there from here on. */
  readonly moved: (id: ObjectId, runs: readonly Run[]) => void;
}

/**
 * Takes over a data directory in which each object was a file of its own (`objects/HOUR/ID`, half-written ones in
 * `incoming/`): sealed bytes as they are, files removed once their copies are durable. Can be interrupted anywhere.
 * @returns how many objects were taken over, and how many half-written ones removed
 */
export async function migrateObjectFiles(
  migration: Migration,
): Promise<{ moved: number; unfinished: number }> {
  const { disk, directory } = migration;
  const objects = join(directory, 'objects');
  const incoming = join(directory, 'incoming');
  const files = (await listTwoLevels(disk, objects)).flatMap(({ shard, name }) => {
    const id = parseObjectId(name);
    return id === null ? [] : [{ id, path: join(objects, shard, name) }];
  });
  for (let at = 0; at < files.length; at += objectsPerSync)
    await moveTogether(files.slice(at, at + objectsPerSync), migration);
  const unfinished = await disk.list(incoming);
  for (const name of unfinished) await disk.remove(join(incoming, name));
  for (const shard of await disk.list(objects)) await removeIfThere(disk, join(objects, shard));
  for (const path of [objects, incoming]) await removeIfThere(disk, path);
  return { moved: files.length, unfinished: unfinished.length };
}

async function moveTogether(
  files: readonly { readonly id: ObjectId; readonly path: string }[],
  migration: Migration,
): Promise<void> {
  const copies: { id: ObjectId; placed: Placed[] }[] = [];
  for (const { id, path } of files) copies.push({ id, placed: await copyFile(id, path, migration) });
  await syncAll(copies.flatMap(({ placed }) => placed));
  for (const { id, placed } of copies)
    migration.moved(
      id,
      placed.map(({ run }) => run),
    );
  for (const { path } of files) await migration.disk.remove(path);
}

async function copyFile(
  id: ObjectId,
  path: string,
  { disk, pieceBytes, place }: Migration,
): Promise<Placed[]> {
  const file = await disk.openFile(path, 'read');
  try {
    const size = await file.size();
    const placed: Placed[] = [];
    for (let at = 0, index = 0; at < size || index === 0; at += pieceBytes, index += 1) {
      const bytes = Buffer.allocUnsafe(Math.min(pieceBytes, size - at));
      const payload = [bytes.subarray(0, await file.read(bytes, at))];
      const last = at + pieceBytes >= size;
      const payloadCrc = crcOf(payload);
      const piece = { objectId: id, index, last, payload, payloadBytes: payload[0]?.length ?? 0, payloadCrc };
      const one = await place(piece);
      await one.written;
      placed.push(one);
    }
    return placed;
  } finally {
    await file.close();
  }
}

async function removeIfThere(disk: Disk, path: string): Promise<void> {
  if ((await disk.facts(path)) !== null) await disk.removeDirectory(path).catch(() => undefined);
}
