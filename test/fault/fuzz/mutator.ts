/** Makes new inputs of old ones: bits, bytes, numbers, words, pieces of others. */
export class Mutator {
  readonly #random: () => number;
  readonly #words: readonly Buffer[];

  constructor(random: () => number, words: readonly Buffer[]) {
    this.#random = random;
    this.#words = words;
  }

  mutate(input: Buffer, other: Buffer): Buffer {
    let bytes: Buffer = Buffer.from(input);
    for (let edits = 1 << this.#below(4); edits > 0; edits -= 1) bytes = this.#edit(bytes, other);
    return bytes.length > bytesMax ? bytes.subarray(0, bytesMax) : bytes;
  }

  #edit(bytes: Buffer, other: Buffer): Buffer {
    const at = this.#below(bytes.length + 1);
    switch (this.#below(9)) {
      case 0:
        return changed(bytes, at, (byte) => byte ^ (1 << this.#below(8)));
      case 1:
        return changed(bytes, at, () => this.#below(256));
      case 2:
        return changed(bytes, at, (byte) => byte + this.#below(35) - 17);
      case 3:
        return this.#number(bytes, at);
      case 4:
        return spliced(bytes, at, this.#below(24), Buffer.alloc(0));
      case 5:
        return spliced(bytes, at, 0, this.#piece(bytes));
      case 6:
        return spliced(bytes, at, 0, this.#piece(other));
      case 7:
        return this.#word(bytes, at);
      default:
        return this.#below(8) === 0
          ? bytes.subarray(0, at)
          : Buffer.concat([bytes.subarray(0, at), this.#piece(other)]);
    }
  }

  /** Writes a number where a length may be, in either byte order. */
  #number(bytes: Buffer, at: number): Buffer {
    const number = numbers[this.#below(numbers.length)] ?? 0;
    const value = this.#below(2) === 0 ? number : bytes.length - at + this.#below(9) - 4;
    const size = this.#below(2) === 0 ? 2 : 4;
    if (at + size > bytes.length) return bytes;
    const copy = Buffer.from(bytes);
    const wrapped = value >>> 0;
    if (size === 2 && this.#below(2) === 0) copy.writeUInt16BE(wrapped & 0xffff, at);
    else if (size === 2) copy.writeUInt16LE(wrapped & 0xffff, at);
    else if (this.#below(2) === 0) copy.writeUInt32BE(wrapped, at);
    else copy.writeUInt32LE(wrapped, at);
    return copy;
  }

  #word(bytes: Buffer, at: number): Buffer {
    const word = this.#words[this.#below(this.#words.length)];
    if (word === undefined) return bytes;
    return spliced(bytes, at, this.#below(2) === 0 ? word.length : 0, word);
  }

  #piece(of: Buffer): Buffer {
    const from = this.#below(of.length + 1);
    const piece = of.subarray(from, from + this.#below(80));
    const times = this.#below(16) === 0 ? this.#below(200) : 1;
    return times === 1 ? piece : Buffer.concat(Array.from({ length: times }, () => piece));
  }

  #below(limit: number): number {
    return this.#random() % Math.max(1, limit);
  }
}

const bytesMax = 16 * 1024;
const numbers = [
  0, 1, 2, 3, 4, 7, 8, 16, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff,
  0x8000_0000, 0xffff_fffe, 0xffff_ffff,
];

function changed(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
  if (at < bytes.length) bytes[at] = change(bytes.readUInt8(at)) & 0xff;
  return bytes;
}

function spliced(bytes: Buffer, at: number, removed: number, put: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + removed)]);
}
