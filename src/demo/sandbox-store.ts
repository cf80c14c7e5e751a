import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { type Disk, makeDirectoryDurably, nodeDisk, syncDirectory } from '../base/disk.ts';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { walkDataSet } from '../dicom/data-set-walk.ts';
import type { ImageFacts } from '../dicom/header-facts.ts';
import { DataSetInspector } from '../dicom/inspector.ts';
import { splitPart10 } from '../dicom/part10.ts';
import { HeaderPeek } from '../dicom/peek.ts';
import type { TransferSyntaxUID } from '../dicom/uid.ts';

/** What the sandbox archive remembers of an instance: nothing about the patient. */
export interface SandboxInstance {
  readonly SOPClassUID: string;
  readonly SOPInstanceUID: string;
  readonly StudyInstanceUID: string;
  readonly SeriesInstanceUID: string;
  readonly TransferSyntaxUID: string;
  readonly Modality: string | null;
  readonly image: ImageFacts | null;
  /** Length of the Part 10 file. */
  readonly bytes: number;
}

/** A part that arrived: on disk beside the instances, not yet one of them. */
export type StagedPart =
  | { readonly kind: 'staged'; readonly path: string; readonly instance: SandboxInstance }
  | {
      readonly kind: 'refused';
      readonly failureReason: number;
      readonly SOPClassUID: string | null;
      readonly SOPInstanceUID: string | null;
    };

/** FailureReason values the sandbox gives (PS3.18 Table I.2-2, PS3.7 Annex C). */
export const failureReasons = {
  processingFailure: 0x0110,
  duplicateInstance: 0x0111,
  outOfResources: 0xa700,
  cannotUnderstand: 0xc000,
} as const;

const headerBytesMax = 1024 * 1024;

/**
 * Instances on disk, one Part 10 file each, named by the hash of its UID; the index is in memory and made anew
 * from the files' headers at every start. Files are written under a temporary name and renamed once complete.
 */
export class SandboxStore {
  readonly #instances = new Map<string, SandboxInstance>();
  /** Admissions under way, by UID: two of the same wait for each other. */
  readonly #admitting = new Map<string, Promise<unknown>>();
  readonly #files: string;
  readonly #incoming: string;
  readonly #instancesMax: number;
  readonly #disk: Disk = nodeDisk;

  constructor(dataDir: string, instancesMax: number) {
    this.#files = join(dataDir, 'instances');
    this.#incoming = join(dataDir, 'incoming');
    this.#instancesMax = instancesMax;
  }

  /** Makes the directories, drops what never became an instance and reads the headers of what did. */
  async open(): Promise<void> {
    await makeDirectoryDurably(this.#disk, this.#files);
    await makeDirectoryDurably(this.#disk, this.#incoming);
    for (const name of await this.#disk.list(this.#incoming)) {
      await this.#disk.remove(join(this.#incoming, name));
    }
    for (const name of await this.#disk.list(this.#files)) {
      const instance = await readInstance(this.#disk, join(this.#files, name));
      if (instance !== null) this.#instances.set(instance.SOPInstanceUID, instance);
    }
  }

  get(SOPInstanceUID: string): SandboxInstance | null {
    return this.#instances.get(SOPInstanceUID) ?? null;
  }

  all(): IterableIterator<SandboxInstance> {
    return this.#instances.values();
  }

  /** The Part 10 file as it came. */
  read(instance: SandboxInstance): AsyncIterable<Buffer> {
    return createReadStream(this.#pathOf(instance.SOPInstanceUID));
  }

  /**
   * Writes one part to disk as it streams in, and looks at it on the way.
   * @throws what the source throws; nothing is left behind then
   */
  async stage(content: AsyncIterable<Buffer>): Promise<StagedPart> {
    const path = join(this.#incoming, randomUUID());
    const file = await this.#disk.createFile(path);
    let bytes = 0;
    async function* copied(): AsyncGenerator<Buffer, void, undefined> {
      for await (const chunk of content) {
        await file.write([chunk], bytes);
        bytes += chunk.length;
        yield chunk;
      }
    }
    let staged: StagedPart | null = null;
    try {
      const seen = await inspect(copied());
      if (seen.kind === 'refused') return seen;
      await file.sync();
      staged = { kind: 'staged', path, instance: { ...seen.facts, bytes } };
      return staged;
    } catch (error) {
      return refusalOf(error);
    } finally {
      await file.close();
      if (staged === null) await this.#disk.remove(path);
    }
  }

  /** Drops a part whose request did not come to its end. */
  async discard(part: StagedPart): Promise<void> {
    if (part.kind === 'staged') await this.#disk.remove(part.path);
  }

  /**
   * Makes a staged part an instance. One that is here already stays as it is.
   * @returns null, or the reason why not; durable after `sync`
   */
  async admit(part: Extract<StagedPart, { kind: 'staged' }>): Promise<number | null> {
    const uid = part.instance.SOPInstanceUID;
    const earlier = this.#admitting.get(uid) ?? Promise.resolve();
    const admission = earlier.then(() => this.#admit(part));
    const settled = admission.catch(() => {});
    this.#admitting.set(uid, settled);
    try {
      return await admission;
    } finally {
      if (this.#admitting.get(uid) === settled) this.#admitting.delete(uid);
      await this.#disk.remove(part.path);
    }
  }

  sync(): Promise<void> {
    return syncDirectory(this.#disk, this.#files);
  }

  async #admit({ path, instance }: Extract<StagedPart, { kind: 'staged' }>): Promise<number | null> {
    const target = this.#pathOf(instance.SOPInstanceUID);
    if (this.#instances.has(instance.SOPInstanceUID)) {
      return (await sameBytes(this.#disk, path, target)) ? null : failureReasons.duplicateInstance;
    }
    if (this.#instances.size >= this.#instancesMax) return failureReasons.outOfResources;
    await this.#disk.rename(path, target);
    this.#instances.set(instance.SOPInstanceUID, instance);
    return null;
  }

  #pathOf(SOPInstanceUID: string): string {
    return join(this.#files, `${createHash('sha256').update(SOPInstanceUID).digest('hex')}.dcm`);
  }
}

type Seen =
  | { readonly kind: 'seen'; readonly facts: Omit<SandboxInstance, 'bytes'> }
  | Extract<StagedPart, { kind: 'refused' }>;

/** Follows a whole file to its end; refuses what is cut, is not DICOM or lacks a UID it is filed by. */
async function inspect(file: AsyncIterable<Buffer>): Promise<Seen> {
  const split = await splitPart10(file);
  const { SOPClassUID, SOPInstanceUID, TransferSyntaxUID, dataSet } = split;
  const refused = {
    kind: 'refused',
    failureReason: failureReasons.cannotUnderstand,
    SOPClassUID,
    SOPInstanceUID,
  } as const;
  if (TransferSyntaxUID === null) {
    await drain(dataSet);
    return refused;
  }
  const inspector = new DataSetInspector(TransferSyntaxUID);
  for await (const chunk of dataSet) {
    await inspector.push(chunk);
    if (inspector.failure !== null) return refused;
  }
  const inspection = await inspector.finish();
  if (!inspection.ok) return refused;
  const facts = named({ ...inspection.facts, TransferSyntaxUID });
  return facts === null ? refused : { kind: 'seen', facts };
}

async function drain(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of chunks);
}

/** The facts where every UID is there, else null. */
function named(facts: {
  SOPClassUID: string | null;
  SOPInstanceUID: string | null;
  StudyInstanceUID: string | null;
  SeriesInstanceUID: string | null;
  TransferSyntaxUID: TransferSyntaxUID;
  Modality: string | null;
  image: ImageFacts | null;
}): Omit<SandboxInstance, 'bytes'> | null {
  const { SOPClassUID, SOPInstanceUID, StudyInstanceUID, SeriesInstanceUID } = facts;
  const missing = [SOPClassUID, SOPInstanceUID, StudyInstanceUID, SeriesInstanceUID].includes(null);
  return missing ? null : (facts as Omit<SandboxInstance, 'bytes'>);
}

/** A disk that is full or a part that is no Part 10 file fails the part; a broken request fails as a whole. */
function refusalOf(error: unknown): StagedPart {
  const anonymous = { kind: 'refused', SOPClassUID: null, SOPInstanceUID: null } as const;
  if (error instanceof GantryError && error.code === 'PART10_UNREADABLE') {
    return { ...anonymous, failureReason: failureReasons.cannotUnderstand };
  }
  if (systemErrorCode(error) === 'ENOSPC') {
    return { ...anonymous, failureReason: failureReasons.outOfResources };
  }
  throw error;
}

/** Reads as much of a stored file as its header takes; null for a file that is not one of ours. */
async function readInstance(disk: Disk, path: string): Promise<SandboxInstance | null> {
  const found = await disk.facts(path);
  if (found?.kind !== 'file') return null;
  try {
    const { TransferSyntaxUID, dataSet } = await splitPart10(createReadStream(path, { end: headerBytesMax }));
    if (TransferSyntaxUID === null) return null;
    const peek = new HeaderPeek();
    const walk = walkDataSet(TransferSyntaxUID, peek);
    for await (const chunk of dataSet) await walk.push(chunk);
    await walk.finish();
    const facts = named({ ...peek.facts(), TransferSyntaxUID });
    return facts && { ...facts, bytes: found.bytes };
  } catch (error) {
    if (error instanceof GantryError) return null;
    throw error;
  }
}

async function sameBytes(disk: Disk, a: string, b: string): Promise<boolean> {
  const files = await Promise.all([disk.openFile(a, 'read'), disk.openFile(b, 'read')]);
  const [left, right] = [Buffer.alloc(256 * 1024), Buffer.alloc(256 * 1024)];
  try {
    const [leftBytes, rightBytes] = [await files[0].size(), await files[1].size()];
    if (leftBytes !== rightBytes) return false;
    for (let at = 0; at < leftBytes; at += left.length) {
      const length = await files[0].read(left, at);
      await files[1].read(right, at);
      if (!left.subarray(0, length).equals(right.subarray(0, length))) return false;
    }
    return true;
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}
