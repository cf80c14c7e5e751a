import { tags } from '../dicom/tags.ts';
import { codecLimits } from './limits.ts';

const itemHeaderBytes = 8;
/** An incomplete frame may be no longer than this; codestreams grow little even where they do not gain. */
const fragmentBytesMax = 2 * codecLimits.frameBytesMax;

function itemHeader(tag: number, length: number): Buffer {
  const header = Buffer.alloc(itemHeaderBytes);
  header.writeUInt16LE(tag >>> 16, 0);
  header.writeUInt16LE(tag & 0xffff, 2);
  header.writeUInt32LE(length, 4);
  return header;
}

/** Header of an encapsulated Pixel Data: OB, undefined length (PS3.5 §A.4). */
export function encapsulatedPixelHeader(): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16LE(0x7fe0, 0);
  header.writeUInt16LE(0x0010, 2);
  header.write('OB', 4, 'latin1');
  header.writeUInt32LE(0xffff_ffff, 8);
  return header;
}

/**
 * Writes frames as fragments, one each, behind a Basic Offset Table (PS3.5 §A.4). The table stands first, so the
 * frames are held back until it is known; of an image too large for that it stays empty, as the standard allows.
 */
export class FragmentWriter {
  #held: Buffer[] = [];
  #heldBytes = 0;
  readonly #offsets: number[] = [];
  #open = false;
  #bytes = 0;

  /** Bytes of the fragments so far, item headers included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @returns what can be written now */
  add(codestream: Buffer): Buffer[] {
    const padding = codestream.length % 2;
    this.#offsets.push(this.#bytes);
    const length = codestream.length + padding;
    this.#bytes += itemHeaderBytes + length;
    const fragment = [itemHeader(tags.Item, length), codestream, ...(padding === 0 ? [] : [Buffer.alloc(1)])];
    if (this.#open) return fragment;
    this.#held.push(...fragment);
    this.#heldBytes += itemHeaderBytes + length;
    return this.#heldBytes <= codecLimits.offsetTableBytesMax ? [] : this.#begin(Buffer.alloc(0));
  }

  end(): Buffer[] {
    const end = itemHeader(tags.SequenceDelimitationItem, 0);
    if (this.#open) return [end];
    const table = Buffer.alloc(4 * this.#offsets.length);
    for (const [index, offset] of this.#offsets.entries()) table.writeUInt32LE(offset, 4 * index);
    return [...this.#begin(table), end];
  }

  #begin(table: Buffer): Buffer[] {
    const held = this.#held;
    this.#held = [];
    this.#open = true;
    return [itemHeader(tags.Item, table.length), table, ...held];
  }
}

/** The fragments of a prepared data set as they stream by, and what stands behind them. */
export class FragmentReader {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Length of the fragment whose value is awaited, or null where a header is. */
  #awaited: number | null = null;
  #items = 0;
  #ended = false;

  /** Whether the sequence's end was seen. */
  get ended(): boolean {
    return this.#ended;
  }

  /** @throws Error where it is not a sequence of fragments */
  *push(bytes: Buffer): Generator<{ readonly frame: Buffer } | { readonly tail: Buffer }> {
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    while (!this.#ended) {
      if (this.#awaited === null) {
        const header = this.#take(itemHeaderBytes);
        if (header === null) return;
        this.#read(header);
      } else {
        const value = this.#take(this.#awaited);
        if (value === null) return;
        this.#awaited = null;
        this.#items += 1;
        // The first item is the offset table.
        if (this.#items > 1) yield { frame: value };
      }
    }
    const tail = this.#take(this.#bytes);
    if (tail !== null && tail.length > 0) yield { tail };
  }

  #read(header: Buffer): void {
    const tag = header.readUInt16LE(0) * 0x1_0000 + header.readUInt16LE(2);
    const length = header.readUInt32LE(4);
    if (tag === tags.SequenceDelimitationItem) this.#ended = true;
    else if (tag === tags.Item && length <= fragmentBytesMax) this.#awaited = length;
    else throw new Error('not a fragment');
  }

  #take(length: number): Buffer | null {
    if (this.#bytes < length) return null;
    const all =
      this.#pieces.length === 1 ? (this.#pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#pieces);
    this.#bytes -= length;
    this.#pieces = [all.subarray(length)];
    return all.subarray(0, length);
  }
}
