import { isPixelData, tags } from './tags.ts';
import type { TransferSyntax } from './transfer-syntaxes.ts';
import { sequenceVr, unknownVr, vrForm } from './value-representations.ts';

/** Why a data set cannot be taken: words of at most 64 characters, without any value from it. */
export interface WalkFailure {
  readonly kind: 'truncated' | 'bad-structure' | 'bomb';
  readonly code: string;
  readonly words: string;
}

export type WalkVerdict = { readonly kind: 'complete' } | WalkFailure;

export const complete: WalkVerdict = { kind: 'complete' };

export const walkFailures = {
  truncated: {
    kind: 'truncated',
    code: 'DICOM_TRUNCATED',
    words: 'Data set ends in the middle of an element',
  },
  empty: {
    kind: 'truncated',
    code: 'DICOM_EMPTY',
    words: 'Data set is empty',
  },
  innerLength: {
    kind: 'bad-structure',
    code: 'DICOM_INNER_LENGTH',
    words: 'An inner length runs past its sequence or item',
  },
  undefinedLength: {
    kind: 'bad-structure',
    code: 'DICOM_UNDEFINED_LENGTH',
    words: 'An undefined length stands where none may',
  },
  notAnItem: {
    kind: 'bad-structure',
    code: 'DICOM_NOT_AN_ITEM',
    words: 'A sequence holds something that is not an item',
  },
  strayDelimiter: {
    kind: 'bad-structure',
    code: 'DICOM_STRAY_DELIMITER',
    words: 'An item or delimiter stands outside a sequence',
  },
  tooDeep: {
    kind: 'bad-structure',
    code: 'DICOM_TOO_DEEP',
    words: 'Sequences are nested more than 64 deep',
  },
} as const satisfies Record<string, WalkFailure>;

/** What a caller may see of a data set while it streams by. */
export interface WalkHooks {
  /** Top-level elements whose values are wanted. */
  readonly wanted?: ReadonlySet<number>;
  /**
   * A wanted element's value: its first {@link wantedBytesMax} bytes, and how long it really is. The buffer
   * is used again afterwards.
   */
  value?(tag: number, bytes: Buffer, length: number, bigEndian: boolean): void;
  /**
   * The next bytes of the top-level pixel data: of the value where it is native; of its fragments in order
   * where it is encapsulated (neither the offset table nor item headers).
   */
  pixelBytes?(bytes: Buffer): void;
  /** The header of the top-level Pixel Data (7FE0,0010) was read. */
  pixelHeader?(header: PixelHeader): void;
}

/** Where the top-level Pixel Data stands in the data set; positions in bytes from its beginning. */
export interface PixelHeader {
  readonly position: number;
  readonly headerBytes: 8 | 12;
  /** The VR's two letters; null where it is written without one. */
  readonly vr: string | null;
  /** Bytes of the value; null where the length is undefined: fragments follow. */
  readonly valueBytes: number | null;
}

/** A UID and its padding, and one byte more to see that it is too long. */
export const wantedBytesMax = 66;
export const sequenceDepthMax = 64;

const undefinedLength = 0xffff_ffff;
const headerBytesMax = 12;

/** A level of nesting, as it stands open at the present position. */
interface Frame {
  readonly holds: 'elements' | 'items' | 'fragments';
  /** Where it ends; infinite where a delimiter ends it, and for the data set itself. */
  readonly end: number;
  /** The nearest end at or outside this level: nothing inside may reach past it. */
  readonly limit: number;
  readonly explicitVr: boolean;
  readonly bigEndian: boolean;
}

/**
 * Follows the lengths of a data set as it streams by, without parsing it (PS3.5 §7): sees whether it is
 * complete and whether its nesting adds up. Holds an element header and a wanted value at most, never more than
 * 78 bytes; a large value costs one subtraction per chunk.
 *
 * It is strict about lengths and lenient about all else, since refusing an object that others would take loses
 * it for the clinic: values are not looked at, order and odd lengths are not minded, unknown VRs and elements
 * written without a VR among explicit ones are followed.
 */
export class LengthWalker {
  readonly #hooks: WalkHooks;
  readonly #frames: Frame[];
  #frame: Frame;
  /** Bytes walked over so far. */
  #position = 0;
  #elements = 0;
  #failure: WalkFailure | null = null;

  /** The beginning of a header whose end has not arrived yet. */
  readonly #header = Buffer.alloc(headerBytesMax);
  #headerFilled = 0;

  /** What is left of the present value, and what it is good for. */
  #valueLeft = 0;
  #valueUse: 'none' | 'wanted' | 'pixels' = 'none';
  readonly #wanted = Buffer.alloc(wantedBytesMax);
  #wantedFilled = 0;
  #wantedTag = 0;
  #wantedLength = 0;

  /** Items seen of the open fragments, the first being the offset table; and whether they are pixel data. */
  #fragments = 0;
  #fragmentsAreWanted = false;

  constructor(syntax: Pick<TransferSyntax, 'explicitVr' | 'bigEndian'>, hooks: WalkHooks = {}) {
    this.#hooks = hooks;
    this.#frame = {
      holds: 'elements',
      end: Number.POSITIVE_INFINITY,
      limit: Number.POSITIVE_INFINITY,
      explicitVr: syntax.explicitVr,
      bigEndian: syntax.bigEndian,
    };
    this.#frames = [this.#frame];
  }

  /** Set as soon as it is known; further bytes are ignored then. */
  get failure(): WalkFailure | null {
    return this.#failure;
  }

  /** Headers of elements, items and delimiters seen so far. */
  get elements(): number {
    return this.#elements;
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#failure === null) {
      at += this.#valueLeft > 0 ? this.#takeValue(bytes, at) : this.#takeHeader(bytes, at);
    }
  }

  finish(): WalkVerdict {
    if (this.#failure !== null) return this.#failure;
    if (this.#position === 0 && this.#headerFilled === 0) return walkFailures.empty;
    const whole = this.#headerFilled === 0 && this.#valueLeft === 0 && this.#frames.length === 1;
    return whole ? complete : walkFailures.truncated;
  }

  /** @returns bytes used */
  #takeValue(bytes: Buffer, at: number): number {
    const count = Math.min(this.#valueLeft, bytes.length - at);
    if (this.#valueUse === 'pixels') this.#hooks.pixelBytes?.(bytes.subarray(at, at + count));
    else if (this.#valueUse === 'wanted') {
      this.#wantedFilled += bytes.copy(this.#wanted, this.#wantedFilled, at, at + count);
    }
    this.#valueLeft -= count;
    this.#position += count;
    if (this.#valueLeft === 0) this.#endValue();
    return count;
  }

  /** @returns bytes used */
  #takeHeader(bytes: Buffer, at: number): number {
    if (this.#headerFilled === 0 && bytes.length - at >= headerBytesMax) {
      const length = this.#headerLength(bytes, at);
      this.#readHeader(bytes, at, length);
      return length;
    }
    const needed = this.#headerFilled < 8 ? 8 : headerBytesMax;
    const copied = bytes.copy(this.#header, this.#headerFilled, at, at + needed - this.#headerFilled);
    this.#headerFilled += copied;
    if (this.#headerFilled < 8) return copied;
    const length = this.#headerLength(this.#header, 0);
    if (this.#headerFilled < length) return copied;
    this.#headerFilled = 0;
    this.#readHeader(this.#header, 0, length);
    return copied;
  }

  /** 12 with a VR of the long form, else 8; told by the first 8 bytes. */
  #headerLength(bytes: Buffer, at: number): 8 | 12 {
    const { holds, explicitVr, bigEndian } = this.#frame;
    if (holds !== 'elements' || !explicitVr || isStructure(readTag(bytes, at, bigEndian))) return 8;
    return vrForm(bytes.readUInt16BE(at + 4), bytes.readUInt16BE(at + 6))?.length === 'long' ? 12 : 8;
  }

  #readHeader(bytes: Buffer, at: number, headerLength: 8 | 12): void {
    const { holds, explicitVr, bigEndian } = this.#frame;
    const tag = readTag(bytes, at, bigEndian);
    if (tag === tags.PixelData && this.#frames.length === 1) this.#showPixelHeader(bytes, at, headerLength);
    this.#position += headerLength;
    this.#elements++;
    if (this.#position > this.#frame.limit) return this.#fail(walkFailures.innerLength);
    if (holds !== 'elements') {
      this.#enterItem(tag, read32(bytes, at + 4, bigEndian));
    } else if (isStructure(tag)) {
      this.#leaveItem(tag);
    } else if (!explicitVr) {
      this.#enterImplicit(tag, read32(bytes, at + 4, bigEndian));
    } else {
      const vr = bytes.readUInt16BE(at + 4);
      const form = vrForm(vr, bytes.readUInt16BE(at + 6));
      if (form === null) this.#enterImplicit(tag, read32(bytes, at + 4, bigEndian));
      else if (form.length === 'short') this.#startValue(tag, read16(bytes, at + 6, bigEndian));
      else this.#enterExplicit(tag, vr, form.undefinedHolds, read32(bytes, at + 8, bigEndian));
    }
    this.#closeEnded();
  }

  #showPixelHeader(bytes: Buffer, at: number, headerBytes: 8 | 12): void {
    if (this.#hooks.pixelHeader === undefined) return;
    const { explicitVr, bigEndian } = this.#frame;
    const withVr = explicitVr && vrForm(bytes.readUInt16BE(at + 4), bytes.readUInt16BE(at + 6)) !== null;
    const short = withVr && headerBytes === 8;
    const length = short ? read16(bytes, at + 6, bigEndian) : read32(bytes, at + headerBytes - 4, bigEndian);
    this.#hooks.pixelHeader({
      position: this.#position,
      headerBytes,
      vr: withVr ? bytes.toString('latin1', at + 4, at + 6) : null,
      valueBytes: !short && length === undefinedLength ? null : length,
    });
  }

  #enterExplicit(
    tag: number,
    vr: number,
    undefinedHolds: 'items' | 'fragments' | 'nothing',
    length: number,
  ): void {
    if (length !== undefinedLength) {
      if (vr === sequenceVr) this.#open('items', length, true);
      else this.#startValue(tag, length);
    } else if (isPixelData(tag)) this.#openFragments(tag);
    else if (undefinedHolds === 'fragments') this.#openFragments(tag);
    // PS3.5 §6.2.2 note: UN of undefined length holds items in Implicit VR Little Endian.
    else if (undefinedHolds === 'items') this.#open('items', length, vr !== unknownVr);
    else this.#fail(walkFailures.undefinedLength);
  }

  /** Without a VR only an undefined length tells a sequence; one of defined length is skipped like a value. */
  #enterImplicit(tag: number, length: number): void {
    if (length !== undefinedLength) this.#startValue(tag, length);
    else if (isPixelData(tag)) this.#openFragments(tag);
    else this.#open('items', length, false);
  }

  /** In a sequence: an item or the end. In fragments: the next fragment or the end. */
  #enterItem(tag: number, length: number): void {
    const { holds, end } = this.#frame;
    if (tag === tags.Item && holds === 'items') {
      this.#open('elements', length, this.#frame.explicitVr);
    } else if (tag === tags.Item) {
      if (length === undefinedLength) this.#fail(walkFailures.undefinedLength);
      else this.#startFragment(length);
    } else if (tag === tags.SequenceDelimitationItem) {
      if (end === Number.POSITIVE_INFINITY) this.#close();
    } else this.#fail(walkFailures.notAnItem);
  }

  /** Among elements: only the delimiter of an open item may come. */
  #leaveItem(tag: number): void {
    const inItem = this.#frames.length > 1;
    if (tag !== tags.ItemDelimitationItem || !inItem) this.#fail(walkFailures.strayDelimiter);
    else if (this.#frame.end === Number.POSITIVE_INFINITY) this.#close();
  }

  #open(holds: Frame['holds'], length: number, explicitVr: boolean): void {
    // A sequence and its item are two levels.
    if (this.#frames.length > 2 * sequenceDepthMax) return this.#fail(walkFailures.tooDeep);
    const { limit } = this.#frame;
    const end = length === undefinedLength ? Number.POSITIVE_INFINITY : this.#position + length;
    if (end !== Number.POSITIVE_INFINITY && end > limit) return this.#fail(walkFailures.innerLength);
    const bigEndian = this.#frame.bigEndian && explicitVr;
    this.#frame = { holds, end, limit: Math.min(end, limit), explicitVr, bigEndian };
    this.#frames.push(this.#frame);
  }

  #openFragments(tag: number): void {
    this.#fragmentsAreWanted = this.#frames.length === 1 && isPixelData(tag);
    this.#fragments = 0;
    this.#open('fragments', undefinedLength, this.#frame.explicitVr);
  }

  #startFragment(length: number): void {
    const isOffsetTable = this.#fragments === 0;
    this.#fragments++;
    this.#beginValue(length, this.#fragmentsAreWanted && !isOffsetTable ? 'pixels' : 'none');
  }

  #startValue(tag: number, length: number): void {
    const topLevel = this.#frames.length === 1;
    if (topLevel && isPixelData(tag)) this.#beginValue(length, 'pixels');
    else if (topLevel && this.#hooks.wanted?.has(tag) === true) {
      this.#wantedFilled = 0;
      this.#wantedTag = tag;
      this.#wantedLength = length;
      this.#beginValue(length, 'wanted');
    } else this.#beginValue(length, 'none');
  }

  #beginValue(length: number, use: 'none' | 'wanted' | 'pixels'): void {
    if (this.#position + length > this.#frame.limit) return this.#fail(walkFailures.innerLength);
    this.#valueLeft = length;
    this.#valueUse = use;
    if (length === 0) this.#endValue();
  }

  #endValue(): void {
    if (this.#valueUse === 'wanted') {
      const bytes = this.#wanted.subarray(0, this.#wantedFilled);
      this.#hooks.value?.(this.#wantedTag, bytes, this.#wantedLength, this.#frame.bigEndian);
    }
    this.#closeEnded();
  }

  #closeEnded(): void {
    while (this.#position === this.#frame.end) this.#close();
  }

  #close(): void {
    this.#frames.pop();
    const outer = this.#frames.at(-1);
    if (outer !== undefined) this.#frame = outer;
  }

  #fail(failure: WalkFailure): void {
    this.#failure ??= failure;
  }
}

function isStructure(tag: number): boolean {
  return tag >= 0xfffe_0000 && tag <= 0xfffe_ffff;
}

function readTag(bytes: Buffer, at: number, bigEndian: boolean): number {
  if (bigEndian) return bytes.readUInt32BE(at);
  return bytes.readUInt16LE(at) * 0x1_0000 + bytes.readUInt16LE(at + 2);
}

function read32(bytes: Buffer, at: number, bigEndian: boolean): number {
  return bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
}

function read16(bytes: Buffer, at: number, bigEndian: boolean): number {
  return bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
}
