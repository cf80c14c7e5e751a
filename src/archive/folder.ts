import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import {
  type Disk,
  type DiskFile,
  makeDirectoryDurably,
  nodeDisk,
  syncDirectory,
  type VolumeSpace,
} from '../base/disk.ts';
import { systemErrorCode } from '../base/errors.ts';
import { layoutPath } from '../dicom/folder-layout.ts';
import { splitPart10 } from '../dicom/part10.ts';
import { ClientFault, requestFault } from './client-fault.ts';

import { metadataOf } from './instance-metadata.ts';
import { contentOf, SourceFailure } from './item-source.ts';
import type {
  ArchiveClient,
  ArchiveLine,
  FailedInstance,
  FindAnswer,
  InstanceRef,
  MetadataAnswer,
  PingAnswer,
  ReadFailure,
  ReferencedInstance,
  RetrieveAnswer,
  SendPhase,
  StoreAnswer,
  StoreItem,
} from './port.ts';
import { unavailable, unsupported } from './read-failure.ts';

/**
 * A file that an operator puts into the folder once. Without it nothing is written or looked for: below the mount
 * point of a NAS that is away lies the disk of this box.
 */
export const folderMarker = '.gantry-folder';

export interface FolderOptions {
  readonly path: string;
  /** See `dicom/folder-layout.ts`; checked. */
  readonly layout: string;
  readonly timeZone: string;
  readonly clock?: Clock;
  readonly disk?: Disk;
}

const readBytes = 256 * 1024;
/** Beside the image itself, for directories and what the file system needs. */
const slackBytes = 1024 * 1024;
/** Failure reasons as an archive would give them (PS3.18 Table I.2-2, PS3.7 Annex C). */
const outOfResources = 0xa700;
const exists = 0x0111;
/** No space, quota, no more files. */
const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EFBIG']);

/** A folder on a mounted volume (NAS, DAS, SAN), as Part 10 files. */
export function createFolderClient(options: FolderOptions): ArchiveClient {
  return new FolderClient(options);
}

class FolderClient implements ArchiveClient {
  readonly #options: FolderOptions;
  readonly #disk: Disk;
  readonly #clock: Clock;
  /** One writer per file: what is there is looked at before it is put there. */
  readonly #writing = new Map<string, Promise<unknown>>();
  #bytesSent = 0;
  #answeredAt: number | null = null;
  #space: VolumeSpace | null = null;

  constructor(options: FolderOptions) {
    this.#options = options;
    this.#disk = options.disk ?? nodeDisk;
    this.#clock = options.clock ?? systemClock;
  }

  /** Each instance is durable by itself: what was written before a failure stays. */
  async store(items: readonly StoreItem[], signal: AbortSignal): Promise<StoreAnswer> {
    const referenced: ReferencedInstance[] = [];
    const failed: FailedInstance[] = [];
    let phase: SendPhase = 'unsent';
    try {
      for (const item of items) {
        signal.throwIfAborted();
        const identity = await this.#requireMarker();
        phase = 'partial';
        const failureReason = await this.#alone(this.#pathOf(item), () => this.#put(item, signal));
        // The volume may have gone while it was written: then it lies on another.
        if ((await this.#requireMarker()) !== identity) throw new ClientFault('FOLDER_NOT_MOUNTED');
        const { SOPInstanceUID } = item;
        if (failureReason === null) referenced.push({ SOPInstanceUID, warningReason: null });
        else failed.push({ SOPInstanceUID, failureReason });
      }
    } catch (error) {
      if (signal.aborted) return { kind: 'failed', phase, code: 'ABORTED' };
      if (error instanceof SourceFailure) return { kind: 'source-failed', error: error.cause };
      if (referenced.length + failed.length === 0) return { kind: 'failed', phase, ...folderFault(error) };
    }
    this.#answeredAt = this.#clock.monotonic();
    const head = { kind: 'answered', service: 'FOLDER', status: 200, retryAfterMs: null } as const;
    return { ...head, body: 'parsed', referenced, failed };
  }

  /** @returns the failure reason, or null where these bytes are there, durable */
  async #put(item: StoreItem, signal: AbortSignal): Promise<number | null> {
    const path = this.#pathOf(item);
    try {
      if ((await this.#disk.facts(path)) !== null) {
        return (await this.#holds(path, item)) ? null : exists;
      }
      // Others write to the volume too: what fills up meanwhile fails all the same, but is not driven into.
      const { freeBytes, freeFiles } = await this.#look();
      if (freeBytes < item.bytes + slackBytes || freeFiles === 0) return outOfResources;
      await makeDirectoryDurably(this.#disk, dirname(path));
      await this.#write(path, item, signal);
      return null;
    } catch (error) {
      if (fullCodes.has(systemErrorCode(error) ?? '')) return outOfResources;
      throw error;
    }
  }

  async #look(): Promise<VolumeSpace> {
    this.#space = await this.#disk.space(this.#options.path);
    return this.#space;
  }

  /** Temporary file, fdatasync, rename, fsync of the directory. */
  async #write(path: string, item: StoreItem, signal: AbortSignal): Promise<void> {
    const temporary = join(dirname(path), `.gantry-${hashOf(basename(path))}.part`);
    await this.#disk.remove(temporary);
    try {
      const file = await this.#disk.createFile(temporary);
      try {
        await this.#copy(file, item, signal);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#disk.rename(temporary, path);
    } catch (error) {
      await this.#disk.remove(temporary).catch(() => undefined);
      throw error;
    }
    await syncDirectory(this.#disk, dirname(path));
  }

  async #copy(file: DiskFile, item: StoreItem, signal: AbortSignal): Promise<void> {
    let at = 0;
    for await (const chunk of contentOf(item)) {
      signal.throwIfAborted();
      await file.write([chunk], at);
      at += chunk.length;
      this.#bytesSent += chunk.length;
    }
  }

  /** Whether the file holds exactly the instance's bytes; both are read once more. */
  async #holds(path: string, item: StoreItem): Promise<boolean> {
    const file = await this.#disk.openFile(path, 'read');
    try {
      if ((await file.size()) !== item.bytes) return false;
      let at = 0;
      for await (const chunk of contentOf(item)) {
        const there = Buffer.alloc(chunk.length);
        if ((await file.read(there, at)) < chunk.length || !there.equals(chunk)) return false;
        at += chunk.length;
      }
      // It may be from before a power cut: durable is what was synced.
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(this.#disk, dirname(path));
    return true;
  }

  async ping(signal: AbortSignal): Promise<PingAnswer> {
    if (signal.aborted) return { kind: 'failed', code: 'ABORTED' };
    try {
      await this.#requireMarker();
      await this.#look();
      this.#answeredAt = this.#clock.monotonic();
      return { kind: 'answered', status: 200, retryAfterMs: null };
    } catch (error) {
      return { kind: 'failed', ...folderFault(error) };
    }
  }

  find(ref: InstanceRef, signal: AbortSignal): Promise<FindAnswer> {
    return this.#ask(signal, async () => {
      const facts = await this.#disk.facts(this.#pathOf(ref));
      return { kind: facts?.kind === 'file' ? 'present' : 'absent' };
    });
  }

  /** A folder has no index: whether files of a study are somewhere in it is not known. */
  knowsStudy(_study: unknown, signal: AbortSignal): Promise<FindAnswer> {
    return this.#ask(signal, () => Promise.resolve(unsupported('FOLDER_NO_INDEX')));
  }

  async metadata(ref: InstanceRef, signal: AbortSignal): Promise<MetadataAnswer> {
    return metadataOf(await this.retrieve(ref, signal));
  }

  async retrieve(ref: InstanceRef, signal: AbortSignal): Promise<RetrieveAnswer> {
    return this.#ask(signal, async () => {
      const path = this.#pathOf(ref);
      if ((await this.#disk.facts(path))?.kind !== 'file') return { kind: 'absent' } as const;
      const split = await splitPart10(this.#bytesOf(path));
      return {
        kind: 'present',
        TransferSyntaxUID: split.TransferSyntaxUID,
        dataSet: () => split.dataSet,
        cancel: () => void split.cancel(),
      } as const;
    });
  }

  async *#bytesOf(path: string): AsyncGenerator<Buffer> {
    const file = await this.#disk.openFile(path, 'read');
    try {
      for (let at = 0; ; ) {
        const buffer = Buffer.alloc(readBytes);
        const got = await file.read(buffer, at);
        if (got > 0) yield buffer.subarray(0, got);
        if (got < buffer.length) return;
        at += got;
      }
    } finally {
      await file.close();
    }
  }

  refreshCredentials(): void {
    // There is no sign-in.
  }

  line(): ArchiveLine {
    const space = this.#space;
    return { tlsDaysLeft: null, bytesSent: this.#bytesSent, answeredAt: this.#answeredAt, space };
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#writing.values());
  }

  #pathOf(ref: InstanceRef): string {
    const { path, layout, timeZone } = this.#options;
    return join(path, layoutPath(layout, ref, timeZone));
  }

  /** @returns which marker it is: another volume in its place has another */
  async #requireMarker(): Promise<string> {
    const facts = await this.#disk.facts(join(this.#options.path, folderMarker));
    if (facts === null) throw new ClientFault('FOLDER_NOT_MOUNTED', { file: this.#options.path });
    return facts.identity;
  }

  async #ask<T>(signal: AbortSignal, question: () => Promise<T>): Promise<T | ReadFailure> {
    if (signal.aborted) return unavailable('ABORTED');
    try {
      await this.#requireMarker();
      const answer = await question();
      this.#answeredAt = this.#clock.monotonic();
      return answer;
    } catch (error) {
      return { ...unavailable(''), ...folderFault(error) };
    }
  }

  async #alone<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = this.#writing.get(path) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#writing.set(path, mine);
    try {
      return await mine;
    } finally {
      if (this.#writing.get(path) === mine) this.#writing.delete(path);
    }
  }
}

export function folderFault(error: unknown): ReturnType<typeof requestFault> {
  const code = systemErrorCode(error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return { code: 'FOLDER_NOT_WRITABLE' };
  return requestFault(error);
}

function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 16);
}
