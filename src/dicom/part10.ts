import { GantryError } from '../base/errors.ts';
import { tags } from './tags.ts';
import { parseUid, type SOPClassUID, type SOPInstanceUID, type TransferSyntaxUID } from './uid.ts';

/** How we name ourselves in every file we send (PS3.10 §7.1) and every association (PS3.7 Annex D.3.3.2). */
export const implementation = {
  /** Ours for ever, derived from a UUID (PS3.5 §B.2). */
  classUID: '2.25.146317494847557731778618904060324868015',
  /** At most 16 characters (SH). Not the product's version: the bytes must not change with it. */
  versionName: 'GANTRY_1',
} as const;

const preambleBytes = 128;
const magic = Buffer.from('DICM', 'latin1');
/** Group 2 is some 300 bytes; one larger than this is not read. */
const metaBytesMax = 64 * 1024;

export interface FileMeta {
  readonly SOPClassUID: SOPClassUID;
  readonly SOPInstanceUID: SOPInstanceUID;
  readonly TransferSyntaxUID: TransferSyntaxUID;
}

/**
 * What goes in front of a data set to make it a Part 10 file (PS3.10 §7.1). It depends on nothing but its
 * arguments (no time, no AE title, no product version), so that a file is the same on every attempt, across
 * restarts and upgrades.
 */
export function part10Header(meta: FileMeta): Buffer {
  const elements = Buffer.concat([
    metaElement(tags.FileMetaInformationVersion, 'OB', Buffer.from([0x00, 0x01])),
    metaElement(tags.MediaStorageSOPClassUID, 'UI', evenText(meta.SOPClassUID, '\0')),
    metaElement(tags.MediaStorageSOPInstanceUID, 'UI', evenText(meta.SOPInstanceUID, '\0')),
    metaElement(tags.TransferSyntaxUID, 'UI', evenText(meta.TransferSyntaxUID, '\0')),
    metaElement(tags.ImplementationClassUID, 'UI', evenText(implementation.classUID, '\0')),
    metaElement(tags.ImplementationVersionName, 'SH', evenText(implementation.versionName, ' ')),
  ]);
  const groupLength = Buffer.alloc(4);
  groupLength.writeUInt32LE(elements.length);
  return Buffer.concat([
    Buffer.alloc(preambleBytes),
    magic,
    metaElement(tags.FileMetaInformationGroupLength, 'UL', groupLength),
    elements,
  ]);
}

function metaElement(tag: number, vr: 'OB' | 'SH' | 'UI' | 'UL', value: Buffer): Buffer {
  const header = Buffer.alloc(vr === 'OB' ? 12 : 8);
  header.writeUInt16LE(tag >>> 16, 0);
  header.writeUInt16LE(tag & 0xffff, 2);
  header.write(vr, 4, 'latin1');
  if (vr === 'OB') header.writeUInt32LE(value.length, 8);
  else header.writeUInt16LE(value.length, 6);
  return Buffer.concat([header, value]);
}

function evenText(text: string, pad: string): Buffer {
  return Buffer.from(text.length % 2 === 0 ? text : text + pad, 'latin1');
}

/** A Part 10 file parted into what its meta information says and the data set behind it. */
export interface SplitPart10 {
  /** Null where the file has no (legible) one; so too the UIDs. */
  readonly TransferSyntaxUID: TransferSyntaxUID | null;
  readonly SOPClassUID: SOPClassUID | null;
  readonly SOPInstanceUID: SOPInstanceUID | null;
  /** The data set, byte for byte, once. Iterate it, or call `cancel`, so that the source is closed. */
  readonly dataSet: AsyncIterable<Buffer>;
  cancel(): Promise<void>;
}

export interface SplitOptions {
  /**
   * What to do with a stream that has no preamble: refuse it, or take it as a bare data set (with group 2 in
   * front, if it begins so).
   */
  readonly withoutPreamble?: 'refuse' | 'accept';
}

/**
 * Reads preamble and group 2 off the front of a file; never holds more than these.
 * @throws GantryError PART10_UNREADABLE where the stream is not a Part 10 file, ends inside its meta
 * information, or that is larger than 64 KiB; the source is closed then. What the source throws passes through.
 */
export async function splitPart10(
  source: AsyncIterable<Buffer>,
  { withoutPreamble = 'refuse' }: SplitOptions = {},
): Promise<SplitPart10> {
  const reader = new MetaReader(source[Symbol.asyncIterator]());
  try {
    if (await hasPreamble(reader)) reader.skip(preambleBytes + magic.length);
    else if (withoutPreamble === 'refuse') throw unreadable('It is not a DICOM file: the marker is missing.');
    const meta = await readMeta(reader);
    return {
      TransferSyntaxUID: parseUid<TransferSyntaxUID>(meta.get(tags.TransferSyntaxUID) ?? ''),
      SOPClassUID: parseUid<SOPClassUID>(meta.get(tags.MediaStorageSOPClassUID) ?? ''),
      SOPInstanceUID: parseUid<SOPInstanceUID>(meta.get(tags.MediaStorageSOPInstanceUID) ?? ''),
      dataSet: reader.rest(),
      cancel: () => reader.close(),
    };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** A bare data set can hold the marker's letters at the marker's place; group 2 behind it tells them apart. */
async function hasPreamble(reader: MetaReader): Promise<boolean> {
  const at = preambleBytes;
  if (!(await reader.has(at + magic.length))) return false;
  if (!reader.bytes(at, magic.length).equals(magic)) return false;
  if (!(await reader.has(at + magic.length + 2))) return true;
  return reader.bytes(at + magic.length, 2).readUInt16LE() === 0x0002;
}

/**
 * Reads group 2 (always Explicit VR Little Endian) up to its end. The group length decides where it lies on
 * an element's edge, because deflated bytes behind it can look like anything; where it is missing or wrong,
 * the first element of another group does.
 */
async function readMeta(reader: MetaReader): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  let end: number | null = null;
  while (reader.position !== end && (await reader.has(8))) {
    const header = reader.bytes(0, 8);
    if (header.readUInt16LE(0) !== 0x0002) break;
    const tag = 0x0002_0000 | header.readUInt16LE(2);
    const long = /^(?:O[BDFLVW]|SQ|SV|U[CNRTV])$/.test(header.toString('latin1', 4, 6));
    const headerBytes = long ? 12 : 8;
    if (!(await reader.has(headerBytes))) break;
    const length = long ? reader.bytes(8, 4).readUInt32LE() : header.readUInt16LE(6);
    if (!(await reader.has(headerBytes + length))) {
      throw unreadable('It ends inside its file meta information, or that is over 64 KiB.');
    }
    const value = reader.bytes(headerBytes, length);
    reader.skip(headerBytes + length);
    if (tag === tags.FileMetaInformationGroupLength && length === 4) {
      end = reader.position + value.readUInt32LE();
    } else {
      found.set(tag, value.toString('latin1'));
    }
  }
  return found;
}

function unreadable(message: string): GantryError {
  return new GantryError({
    code: 'PART10_UNREADABLE',
    kind: 'permanent',
    message,
    nextStep: 'Check that the file is complete and is a DICOM file.',
  });
}

/** Pulls just enough of a stream to look at its front, within a fixed buffer. */
class MetaReader {
  readonly #source: AsyncIterator<Buffer>;
  readonly #buffer = Buffer.allocUnsafe(preambleBytes + magic.length + metaBytesMax);
  /** What was pulled but did not go into the buffer. */
  #overflow: Buffer = Buffer.alloc(0);
  #filled = 0;
  #ended = false;
  /** Bytes skipped so far. */
  position = 0;

  constructor(source: AsyncIterator<Buffer>) {
    this.#source = source;
  }

  /** Whether so many bytes lie ahead; pulls until they do. False at the stream's end and beyond the buffer. */
  async has(count: number): Promise<boolean> {
    if (this.position + count > this.#buffer.length) return false;
    while (this.#filled - this.position < count && !this.#ended) {
      const { value, done } = await this.#source.next();
      if (done === true) this.#ended = true;
      else {
        const copied = value.copy(this.#buffer, this.#filled);
        this.#filled += copied;
        this.#overflow = value.subarray(copied);
      }
    }
    return this.#filled - this.position >= count;
  }

  /** A view of bytes that `has` said are there, counted from the present position. */
  bytes(offset: number, count: number): Buffer {
    return this.#buffer.subarray(this.position + offset, this.position + offset + count);
  }

  skip(count: number): void {
    this.position += count;
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#source.return?.();
  }

  /** Everything from the present position on. */
  async *rest(): AsyncGenerator<Buffer, void, undefined> {
    try {
      if (this.#filled > this.position) yield this.#buffer.subarray(this.position, this.#filled);
      if (this.#overflow.length > 0) yield this.#overflow;
      while (!this.#ended) {
        const { value, done } = await this.#source.next();
        if (done === true) this.#ended = true;
        else yield value;
      }
    } finally {
      if (!this.#ended) await this.close();
    }
  }
}
