import { tags } from '../dicom/tags.ts';
import { vrCode, vrForm } from '../dicom/value-representations.ts';
import { sequenceDepthMax } from '../dicom/walker.ts';

/** How elements are written (PS3.5 §7.1, §7.3). */
export const elementEncodings = ['implicit-le', 'explicit-le', 'explicit-be'] as const;
export type ElementEncoding = (typeof elementEncodings)[number];

/** Finds the VR of an element that is written without one. */
export type VrLookup = (tag: number) => string;

/** Elements cannot be written in the other encoding so that the way back would be certain. */
export class NotReencodable extends Error {
  override readonly name = 'NotReencodable';
  readonly because: 'group-length' | 'structure';

  constructor(because: 'group-length' | 'structure') {
    super(because);
    this.because = because;
  }
}

const undefinedLength = 0xffff_ffff;
const shortLengthMax = 0xffff;

/** Bytes that change their order together, by VR; all others are bytes or text (PS3.5 §7.3). */
const wordBytes: ReadonlyMap<string, 2 | 4 | 8> = new Map(
  (
    [
      [2, 'US SS OW AT'],
      [4, 'UL SL FL OF OL'],
      [8, 'FD OD SV UV OV'],
    ] as const
  ).flatMap(([size, vrs]) => vrs.split(' ').map((vr) => [vr, size] as const)),
);

/**
 * Writes a run of whole elements in another encoding: values stay what they are, lengths stay defined or
 * undefined as they were. With `from` and `to` exchanged it is its own inverse, which whoever uses it proves.
 * @param lookup needed from Implicit VR only
 * @throws NotReencodable
 */
export function reencode(
  bytes: Buffer,
  from: ElementEncoding,
  to: ElementEncoding,
  lookup: VrLookup = () => 'UN',
): Buffer {
  const run = new Reencoding(bytes, from, to, lookup);
  return Buffer.concat(run.elements(bytes.length, 0));
}

interface ElementHead {
  readonly tag: number;
  readonly vr: string;
  readonly length: number;
}

class Reencoding {
  readonly #bytes: Buffer;
  readonly #from: ElementEncoding;
  readonly #to: ElementEncoding;
  readonly #lookup: VrLookup;
  #at = 0;

  constructor(bytes: Buffer, from: ElementEncoding, to: ElementEncoding, lookup: VrLookup) {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
    this.#lookup = lookup;
  }

  /** @param end where they end; null where an item delimiter ends them, which is taken too */
  elements(end: number | null, depth: number): Buffer[] {
    const written: Buffer[] = [];
    while (!this.#reached(end)) {
      this.#need(8);
      const tag = this.#tag(this.#at);
      if (end === null && tag === tags.ItemDelimitationItem) {
        this.#takeDelimiter(tag);
        return written;
      }
      written.push(...this.#element(depth));
    }
    if (this.#at !== end) throw new NotReencodable('structure');
    return written;
  }

  #element(depth: number): Buffer[] {
    const head = this.#head();
    if (head.vr === 'SQ') return this.#sequence(head, depth);
    if (head.length === undefinedLength) throw new NotReencodable('structure');
    const value = this.#take(head.length);
    const swapped = this.#from === 'explicit-be' || this.#to === 'explicit-be';
    return [this.#header(head), swapped ? swap(value, head.vr) : value];
  }

  #sequence(head: ElementHead, depth: number): Buffer[] {
    if (depth >= sequenceDepthMax) throw new NotReencodable('structure');
    const end = head.length === undefinedLength ? null : this.#at + head.length;
    const items: Buffer[] = [];
    while (!this.#reached(end)) {
      this.#need(8);
      const tag = this.#tag(this.#at);
      if (end === null && tag === tags.SequenceDelimitationItem) {
        this.#takeDelimiter(tag);
        break;
      }
      if (tag !== tags.Item) throw new NotReencodable('structure');
      items.push(...this.#item(depth));
    }
    if (end !== null && this.#at !== end) throw new NotReencodable('structure');
    if (end === null) return [this.#header(head), ...items, this.#itemHead(tags.SequenceDelimitationItem, 0)];
    return [this.#header({ ...head, length: bytesOf(items) }), ...items];
  }

  #item(depth: number): Buffer[] {
    const length = this.#read32(this.#at + 4);
    this.#at += 8;
    if (length === undefinedLength) {
      const inner = this.elements(null, depth + 1);
      return [
        this.#itemHead(tags.Item, undefinedLength),
        ...inner,
        this.#itemHead(tags.ItemDelimitationItem, 0),
      ];
    }
    const inner = this.elements(this.#at + length, depth + 1);
    return [this.#itemHead(tags.Item, bytesOf(inner)), ...inner];
  }

  #takeDelimiter(tag: number): void {
    if (this.#tag(this.#at) !== tag || this.#read32(this.#at + 4) !== 0)
      throw new NotReencodable('structure');
    this.#at += 8;
  }

  #reached(end: number | null): boolean {
    return end !== null && this.#at >= end;
  }

  /** Reads an element's header. */
  #head(): ElementHead {
    const at = this.#at;
    const tag = this.#tag(at);
    if (tag >>> 16 === 0xfffe) throw new NotReencodable('structure');
    // A group length counts the bytes of this encoding.
    if ((tag & 0xffff) === 0) throw new NotReencodable('group-length');
    if (this.#from === 'implicit-le') {
      this.#at += 8;
      const length = this.#read32(at + 4);
      return { tag, vr: this.#vrOf(tag, length), length };
    }
    const vr = this.#bytes.toString('latin1', at + 4, at + 6);
    const reserved = this.#bytes.readUInt16BE(at + 6);
    const long = isLong(vr, reserved);
    if (long && reserved !== 0) throw new NotReencodable('structure');
    if (long) this.#need(12);
    this.#at += long ? 12 : 8;
    return { tag, vr, length: long ? this.#read32(at + 8) : this.#read16(at + 6) };
  }

  /** The VR an element of Implicit VR gets (PS3.5 §6.2.2): UN where it is not known, or too long for its VR. */
  #vrOf(tag: number, length: number): string {
    if (length === undefinedLength) return 'SQ';
    const vr = this.#lookup(tag);
    return !isLong(vr, 0) && length > shortLengthMax ? 'UN' : vr;
  }

  /** Writes an element's header. */
  #header({ tag, vr, length }: ElementHead): Buffer {
    if (this.#to === 'implicit-le') return this.#itemHead(tag, length);
    const long = isLong(vr, 0);
    const header = Buffer.alloc(long ? 12 : 8);
    this.#writeTag(header, tag);
    header.write(vr, 4, 'latin1');
    const bigEndian = this.#to === 'explicit-be';
    if (long) this.#write32(header, length, 8);
    else if (bigEndian) header.writeUInt16BE(length, 6);
    else header.writeUInt16LE(length, 6);
    return header;
  }

  /** Tag and 32-bit length: items, delimiters, and every element of Implicit VR. */
  #itemHead(tag: number, length: number): Buffer {
    const header = Buffer.alloc(8);
    this.#writeTag(header, tag);
    this.#write32(header, length, 4);
    return header;
  }

  #take(length: number): Buffer {
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #need(length: number): void {
    if (this.#at + length > this.#bytes.length) throw new NotReencodable('structure');
  }

  #tag(at: number): number {
    if (this.#from === 'explicit-be') return this.#bytes.readUInt32BE(at);
    return this.#bytes.readUInt16LE(at) * 0x1_0000 + this.#bytes.readUInt16LE(at + 2);
  }

  #read16(at: number): number {
    return this.#from === 'explicit-be' ? this.#bytes.readUInt16BE(at) : this.#bytes.readUInt16LE(at);
  }

  #read32(at: number): number {
    return this.#from === 'explicit-be' ? this.#bytes.readUInt32BE(at) : this.#bytes.readUInt32LE(at);
  }

  #writeTag(header: Buffer, tag: number): void {
    if (this.#to === 'explicit-be') header.writeUInt32BE(tag);
    else {
      header.writeUInt16LE(tag >>> 16, 0);
      header.writeUInt16LE(tag & 0xffff, 2);
    }
  }

  #write32(header: Buffer, value: number, at: number): void {
    if (this.#to === 'explicit-be') header.writeUInt32BE(value, at);
    else header.writeUInt32LE(value, at);
  }
}

/** @throws NotReencodable where the letters are none of the standard's VRs */
function isLong(vr: string, reserved: number): boolean {
  const form = /^[A-Z]{2}$/.test(vr) ? vrForm(vrCode(vr), reserved) : null;
  if (form === null) throw new NotReencodable('structure');
  return form.length === 'long';
}

function swap(value: Buffer, vr: string): Buffer {
  // Nobody knows what words a value of unknown VR is made of.
  if (vr === 'UN' && value.length > 0) throw new NotReencodable('structure');
  const size = wordBytes.get(vr);
  if (size === undefined) return value;
  if (value.length % size !== 0) throw new NotReencodable('structure');
  const swapped = Buffer.from(value);
  if (size === 2) return swapped.swap16();
  return size === 4 ? swapped.swap32() : swapped.swap64();
}

function bytesOf(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, each) => sum + each.length, 0);
}
