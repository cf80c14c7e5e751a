import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Disk, readWholeFile, syncDirectory, type VolumeSpace, writeFileDurably } from '../base/disk.ts';
import { GantryError, type Reason, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IntakeGate } from './types.ts';

const lookMs = 1000;
const selfTestMs = 5000;
const selfTestBytes = 65_536;
const probeBytes = 4096;
const markerName = 'volume.json';
/** Inodes kept back, where the file system counts them. */
const reserveFiles = 1000;

const missingReason: Reason = {
  code: 'SPOOL_VOLUME_MISSING',
  words: 'The spool volume is missing or is another one: is its disk mounted?',
};
const fullReason: Reason = {
  code: 'SPOOL_DISK_FULL',
  words: 'The disk is full up to its reserve; nothing that waits is deleted.',
};

interface VolumeOptions {
  readonly disk: Disk;
  /** `DATA/spool`. */
  readonly directory: string;
  /** What the marker must say: another volume in this place is not ours to write to. */
  readonly volumeId: string;
  /**
   * Written once the marker has been: as long as it is not there, this data directory is being made, and only then a
   * missing marker is written. Lies outside the volume.
   */
  readonly markedPath: string;
  readonly reserveBytes: () => number;
  readonly log: Log;
  /** Bytes that are taken on the volume, and free for new objects all the same. */
  readonly spareBytes: () => number;
  /** The volume is back, or another directory is in its place: what was open of the old one is stale. */
  readonly replaced: () => void;
}

export type VolumeState = 'ok' | 'full' | 'suspect' | 'missing';

export interface VolumeReport {
  readonly state: VolumeState;
  /** What is spare in the spool counts as free. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly reserveBytes: number;
}

/**
 * The volume under the spool: is it the right one, is there room, does it keep what it is given? Looks once a
 * second; a failed sync closes it until a write-read-back self-test passes.
 */
export class Volume {
  readonly #options: VolumeOptions;
  #space: VolumeSpace = { freeBytes: 0, totalBytes: 0, freeFiles: null };
  #writtenSinceLook = 0;
  #markerOk = false;
  #identity: string | null = null;
  #looked = false;
  #suspect: Reason | null = null;
  #timer: NodeJS.Timeout | null = null;
  #testAt = 0;
  #looking: Promise<void> | null = null;

  constructor(options: VolumeOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { disk, directory, volumeId, markedPath } = this.#options;
    if ((await disk.facts(markedPath)) === null) {
      const marker = Buffer.from(JSON.stringify({ volumeId }));
      await writeFileDurably(disk, join(directory, markerName), marker);
      await writeFileDurably(disk, markedPath, marker);
    }
    await this.#look();
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      });
    }, lookMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#looking;
  }

  /** Bytes on their way to the disk count at once, not only at the next look. */
  noteWritten(bytes: number): void {
    this.#writtenSinceLook += bytes;
  }

  /** A failed sync or write: nothing more is taken in before the self-test passes. */
  markSuspect(error: unknown): void {
    if (this.#suspect !== null) return;
    const cause = systemErrorCode(error) ?? 'error';
    this.#suspect = {
      code: 'SPOOL_SUSPECT',
      words: `The disk failed to keep what was written (${cause}); receiving stops until it passes a test.`,
    };
    this.#testAt = performance.now() + lookMs;
    this.#options.log.error(
      { code: 'SPOOL_SUSPECT', error },
      'the spool volume failed a write; intake is closed',
    );
  }

  report(): VolumeReport {
    const { freeBytes, totalBytes } = this.#space;
    const { spareBytes, reserveBytes } = this.#options;
    return {
      state: this.state,
      freeBytes: freeBytes + spareBytes(),
      totalBytes,
      reserveBytes: reserveBytes(),
    };
  }

  /** Free space above the reserve, whatever is spare; below zero where the reserve is touched. */
  get roomBytes(): number {
    return this.#space.freeBytes - this.#options.reserveBytes();
  }

  get state(): VolumeState {
    if (!this.#markerOk) return 'missing';
    if (this.#suspect !== null) return 'suspect';
    return this.#hasRoom() ? 'ok' : 'full';
  }

  /** Looks now: is the volume away? */
  async isMissing(): Promise<boolean> {
    await this.#look();
    return this.state === 'missing';
  }

  gate(): IntakeGate {
    const state = this.state;
    if (state === 'ok') return { open: true };
    if (state === 'suspect' && this.#suspect !== null) return { open: false, reason: this.#suspect };
    return { open: false, reason: state === 'full' ? fullReason : missingReason };
  }

  /**
   * Writes a few bytes durably, as an object is written. A failure closes intake, as any other failed write.
   * @returns why nothing can be stored just now, or null
   */
  async probe(): Promise<Reason | null> {
    const gate = this.gate();
    if (!gate.open) return gate.reason;
    const { disk, directory } = this.#options;
    const path = join(directory, 'write-probe');
    try {
      await disk.remove(path);
      const file = await disk.createFile(path);
      try {
        await file.write([randomBytes(probeBytes)], 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await disk.remove(path);
      return null;
    } catch (error) {
      const { code, message } = spoolError(error);
      if (code === 'SPOOL_IO') this.markSuspect(error);
      return { code, words: message };
    }
  }

  #hasRoom(): boolean {
    const { freeBytes, freeFiles } = this.#space;
    if (freeFiles !== null && freeFiles < reserveFiles) return false;
    const { spareBytes, reserveBytes } = this.#options;
    return freeBytes + spareBytes() - this.#writtenSinceLook > reserveBytes();
  }

  async #look(): Promise<void> {
    const { disk, directory } = this.#options;
    try {
      const written = this.#writtenSinceLook;
      this.#space = await disk.space(directory);
      this.#writtenSinceLook -= written;
      this.#markerOk = await this.#markerMatches();
      await this.#noticeReplacement();
    } catch {
      this.#markerOk = false;
    }
    if (this.#suspect !== null && this.#markerOk && performance.now() >= this.#testAt) await this.#selfTest();
  }

  async #noticeReplacement(): Promise<void> {
    const { disk, directory, replaced } = this.#options;
    const identity = this.#markerOk ? ((await disk.facts(directory))?.identity ?? null) : null;
    if (this.#identity !== identity && this.#looked) replaced();
    this.#identity = identity;
    this.#looked = true;
  }

  async #markerMatches(): Promise<boolean> {
    const { disk, directory, volumeId } = this.#options;
    const marker = await readWholeFile(disk, join(directory, markerName), 4096);
    if (marker === null) return false;
    return (JSON.parse(marker.toString()) as { volumeId?: unknown }).volumeId === volumeId;
  }

  async #selfTest(): Promise<void> {
    const { disk, directory, log } = this.#options;
    const path = join(directory, 'self-test');
    try {
      await disk.remove(path);
      const bytes = randomBytes(selfTestBytes);
      const file = await disk.createFile(path);
      try {
        await file.write([bytes], 0);
        await file.sync();
        const back = Buffer.alloc(selfTestBytes);
        if ((await file.read(back, 0)) !== selfTestBytes || !back.equals(bytes))
          throw new Error('read back differs');
      } finally {
        await file.close();
      }
      await disk.remove(path);
      await syncDirectory(disk, directory);
      this.#suspect = null;
      log.warn({ code: 'SPOOL_RECOVERED' }, 'the spool volume passed its self-test; intake is open again');
    } catch (error) {
      this.#testAt = performance.now() + selfTestMs;
      log.error({ code: 'SPOOL_SELF_TEST', error }, 'the spool volume failed its self-test');
    }
  }
}

export function intakeClosed({ code, words }: Reason): GantryError {
  return new GantryError({ code, kind: 'transient', message: words, nextStep: 'See the status page.' });
}

export function volumeMissing(): GantryError {
  return new GantryError({
    code: 'SPOOL_VOLUME_MISSING',
    kind: 'transient',
    message: 'The spool volume is missing or is another one.',
    nextStep: 'Check that its disk is connected and mounted; what is stored on it is kept.',
  });
}

/** What a failed disk call means to the sender of the object. */
export function spoolError(error: unknown): GantryError {
  if (error instanceof GantryError) return error;
  const cause = systemErrorCode(error);
  if (cause === 'ENOSPC' || cause === 'EDQUOT') {
    return new GantryError(
      {
        code: 'SPOOL_DISK_FULL',
        kind: 'transient',
        message: 'The disk has no room for this object.',
        nextStep: 'Make room, or wait until what is verified has been purged.',
      },
      { cause: error },
    );
  }
  return new GantryError(
    {
      code: 'SPOOL_IO',
      kind: 'transient',
      message: `The disk failed (${cause ?? 'error'}).`,
      nextStep: 'Check the disk. The sender keeps the object and sends it again.',
    },
    { cause: error },
  );
}
