import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFolderClient, folderMarker } from '../../src/archive/folder.ts';
import type { ArchiveClient } from '../../src/archive/port.ts';
import { type Disk, nodeDisk } from '../../src/base/disk.ts';
import { judge } from '../../src/forward/outcome.ts';
import { itemOf } from '../contract/archive.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { diskError, hookedDisk } from '../fixtures/hooked-disk.ts';

const never = new AbortController().signal;
const layout = '{study}/{instance}.dcm';

describe('a folder', () => {
  let directory: TemporaryDirectory;
  beforeEach(() => {
    directory = temporaryDirectory();
    writeFileSync(join(directory.path, folderMarker), '');
  });
  afterEach(() => directory[Symbol.dispose]());

  function client(disk: Disk = nodeDisk): ArchiveClient {
    return createFolderClient({ path: directory.path, layout, timeZone: 'UTC', disk });
  }
  const made = ctSlice({ rows: 256, columns: 256, seed: 1 });
  const files = (): string[] =>
    readdirSync(directory.path, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(dcm|part)$/.test(name),
    );

  test('that is full: nothing half-written stays, and it is tried again later', async () => {
    const full = hookedDisk({
      write: async ({ buffers, position, file }, go) => {
        if (position === 0) return go();
        await file.write([buffers[0]?.subarray(0, 10) ?? Buffer.alloc(0)], position);
        throw diskError('ENOSPC');
      },
    });
    const answer = await client(full).store([itemOf(made)], never);
    expect(judge(answer, [made])).toMatchObject({
      perInstance: [{ kind: 'retry', reason: { code: 'FOLDER_FULL', words: /no room/ } }],
      destination: { kind: 'backOff' },
    });
    expect(files()).toEqual([]);
    expect(await client().store([itemOf(made)], never)).toMatchObject({ failed: [] });
    expect(files()).toEqual([join(made.StudyInstanceUID, `${made.SOPInstanceUID}.dcm`)]);
  });

  test('without room for the image is not written to, and says how much is free', async () => {
    let freeBytes = made.dataSet.length;
    const calls: string[] = [];
    const small: Disk = {
      ...hookedDisk({
        write: (_, go) => {
          calls.push('write');
          return go();
        },
      }),
      space: () => Promise.resolve({ freeBytes, totalBytes: 10_000_000, freeFiles: null }),
    };
    const folder = client(small);
    expect(folder.line().space).toBeNull();
    const answer = await folder.store([itemOf(made)], never);
    expect(judge(answer, [made])).toMatchObject({
      perInstance: [{ kind: 'retry', reason: { code: 'FOLDER_FULL', words: /no room/ } }],
      destination: { kind: 'backOff' },
    });
    expect(calls).toEqual([]);
    expect(folder.line().space).toMatchObject({ freeBytes });
    freeBytes = 5_000_000;
    expect(await folder.store([itemOf(made)], never)).toMatchObject({ failed: [] });
  });

  test('that cannot be written for another reason is at fault, not the image', async () => {
    const broken = hookedDisk({ write: () => Promise.reject(diskError('EIO')) });
    const answer = await client(broken).store([itemOf(made)], never);
    expect(answer).toEqual({ kind: 'failed', phase: 'partial', code: 'EIO' });
    expect(files()).toEqual([]);
  });

  test('is synced, file and directory, before an image counts as stored', async () => {
    const calls: string[] = [];
    const disk: Disk = {
      ...nodeDisk,
      createFile: async (path) => {
        const file = await nodeDisk.createFile(path);
        const sync = (): Promise<void> => {
          calls.push('sync file');
          return file.sync();
        };
        return { ...bound(file), sync };
      },
      rename: (from, to) => {
        calls.push('rename');
        return nodeDisk.rename(from, to);
      },
      openDirectory: (path) => {
        calls.push(
          `sync ${path === join(directory.path, made.StudyInstanceUID) ? 'its directory' : 'above'}`,
        );
        return nodeDisk.openDirectory(path);
      },
    };
    await client(disk).store([itemOf(made)], never);
    expect(calls).toEqual(['sync above', 'sync file', 'rename', 'sync its directory']);
  });

  test('holds the marker that says that its volume is there, or nothing is done', async () => {
    await rm(join(directory.path, folderMarker));
    const gone = { kind: 'failed', code: 'FOLDER_NOT_MOUNTED', file: directory.path };
    expect(await client().store([itemOf(made)], never)).toEqual({ ...gone, phase: 'unsent' });
    expect(await client().ping(never)).toEqual(gone);
    expect(await client().find(made, never)).toMatchObject({ ...gone, why: 'unavailable' });
    expect(await client().retrieve(made, never)).toMatchObject({ ...gone, why: 'unavailable' });
    expect(files()).toEqual([]);
  });

  test('whose volume goes while it is written does not count as having it', async () => {
    const leaving: Disk = {
      ...nodeDisk,
      rename: async (from, to) => {
        await nodeDisk.rename(from, to);
        await rm(join(directory.path, folderMarker));
      },
    };
    expect(await client(leaving).store([itemOf(made)], never)).toMatchObject({
      kind: 'failed',
      code: 'FOLDER_NOT_MOUNTED',
    });
  });

  test('where an earlier run broke off: its rest is replaced', async () => {
    const place = join(directory.path, made.StudyInstanceUID);
    let partial = '';
    const noting: Disk = {
      ...nodeDisk,
      createFile: (path) => {
        partial = path;
        return Promise.reject(diskError('EIO'));
      },
    };
    await client(noting).store([itemOf(made)], never);
    await mkdir(place, { recursive: true });
    writeFileSync(partial, 'half');
    await client().store([itemOf(made)], never);
    expect(files()).toEqual([join(made.StudyInstanceUID, `${made.SOPInstanceUID}.dcm`)]);
  });

  test('with a directory where the file should be keeps it, and says that it is not ours', async () => {
    const path = join(directory.path, made.StudyInstanceUID, `${made.SOPInstanceUID}.dcm`);
    await mkdir(path, { recursive: true });
    const answer = await client().store([itemOf(made)], never);
    expect(answer.kind === 'answered' ? answer.referenced : []).toEqual([]);
    expect(await client().find(made, never)).toEqual({ kind: 'absent' });
  });

  test('two that write the same file at once leave one whole file', async () => {
    const writer = client();
    const other = ctSlice({
      rows: 64,
      columns: 64,
      seed: 2,
      studyUID: made.StudyInstanceUID,
      seriesUID: made.SeriesInstanceUID,
      instanceUID: made.SOPInstanceUID,
    });
    const answers = await Promise.all([
      writer.store([itemOf(made)], never),
      writer.store([itemOf(other)], never),
    ]);
    const kinds = answers.flatMap((answer) => judge(answer, [made]).perInstance.map(({ kind }) => kind));
    // Either may come first; the file is that of the one who was told "stored".
    expect(kinds.toSorted()).toEqual(['compareWithArchive', 'stored']);
    const winner = kinds[0] === 'stored' ? made : other;
    expect(files()).toHaveLength(1);
    const [name = ''] = files();
    expect(readFileSync(join(directory.path, name)).subarray(-winner.dataSet.length)).toEqual(winner.dataSet);
  });
});

/** Methods of a file that may be spread. */
function bound(file: Awaited<ReturnType<Disk['createFile']>>): Awaited<ReturnType<Disk['createFile']>> {
  return {
    write: (buffers, position) => file.write(buffers, position),
    read: (buffer, position) => file.read(buffer, position),
    size: () => file.size(),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}
