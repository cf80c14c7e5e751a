import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { GantryError } from '../base/errors.ts';
import { fewRandomBytes } from './random.ts';

/*
 * Sealed object, format version 1. The page that defines it is FORMAT.md in this folder; this file and that page
 * change together.
 */

export const formatVersion = 1;
export const headerBytes = 256;
export const chunkBytes = 65_536;
export const tagBytes = 16;
export const footerBytes = 24;
export const objectIdBytes = 16;
export const epochIdBytes = 16;
export const trailerBytesMax = 65_536;

const magic = Buffer.from('GANTRYOB', 'latin1');
const endMark = Buffer.from('GANTRYND', 'latin1');
const immutableBytes = 32;
const slotBytes = 112;
const slotOffsets = [immutableBytes, immutableBytes + slotBytes] as const;
const keyBytes = 32;
const nonceBytes = 12;
/**
 * Given to the cipher at once. Each answer is a piece of memory of its own: one of 64 KiB the allocator gets fresh from
 * the kernel, page by page, which costs more than the encryption.
 */
const pieceBytes = 16 * 1024;
const algorithm = 'aes-256-gcm';
const bodyDomain = 1;
const trailerDomain = 2;

/** What an epoch is to the envelope: an id that is stored beside the wrapped key, and the key that wraps. */
export interface Epoch {
  /** 16 bytes. */
  readonly id: Buffer;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** Finds the key of an epoch; null where it was shredded or never known. */
export type EpochKeyFinder = (epochId: Buffer) => Buffer | null;

export function damaged(what: string, cause?: unknown): GantryError {
  return new GantryError(
    {
      code: 'OBJECT_DAMAGED',
      kind: 'permanent',
      message: `A stored object does not verify: ${what}.`,
      nextStep:
        'Send this image again from its modality; check the disk (gantry scrub lists every damaged object).',
    },
    { cause },
  );
}

function nonce(domain: number, counter: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(nonceBytes);
  bytes[0] = domain;
  bytes.writeUInt32BE(counter, 7);
  bytes[11] = last ? 1 : 0;
  return bytes;
}

/** Ciphertext in pieces, then the tag. */
function seal(key: KeyObject, iv: Buffer, aad: Buffer, plain: Buffer): Buffer[] {
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes });
  cipher.setAAD(aad);
  const sealed: Buffer[] = [];
  for (let at = 0; at < plain.length; at += pieceBytes)
    sealed.push(cipher.update(plain.subarray(at, at + pieceBytes)));
  cipher.final();
  sealed.push(cipher.getAuthTag());
  return sealed;
}

/** @throws GantryError OBJECT_DAMAGED; nothing unverified is ever returned */
function unseal(key: KeyObject, iv: Buffer, aad: Buffer, sealed: Buffer, what: string): Buffer {
  if (sealed.length < tagBytes) throw damaged(`${what} is too short`);
  const decipher = createDecipheriv(algorithm, key, iv, { authTagLength: tagBytes });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const plain = decipher.update(sealed.subarray(0, sealed.length - tagBytes));
  try {
    decipher.final();
  } catch (error) {
    throw damaged(`${what} does not verify`, error);
  }
  return plain;
}

function immutableHeader(objectId: Buffer): Buffer {
  const bytes = Buffer.alloc(immutableBytes);
  magic.copy(bytes, 0);
  bytes.writeUInt16BE(formatVersion, 8);
  bytes.writeUInt16BE(Math.log2(chunkBytes), 10);
  objectId.copy(bytes, 16);
  return bytes;
}

function wrapKey(epoch: Epoch, aad: Buffer, objectKey: Buffer): Buffer {
  const iv = fewRandomBytes(nonceBytes);
  const wrapped = seal(createSecretKey(epoch.key), iv, Buffer.concat([aad, epoch.id]), objectKey);
  return Buffer.concat([epoch.id, iv, ...wrapped]);
}

/**
 * Seals one object from its first byte to its last. Synchronous and without I/O: what `update` and `finish`
 * return is to be written in order, directly after `header`.
 */
export class Sealer {
  readonly header: Buffer;
  /** Made once: a cipher that is given bytes makes a key of them each time. */
  readonly #key: KeyObject;
  readonly #aad: Buffer;
  readonly #chunk = Buffer.allocUnsafeSlow(chunkBytes);
  #filled = 0;
  #chunks = 0;
  #plainBytes = 0;

  /** @param objectId 16 bytes */
  constructor(objectId: Buffer, epoch: Epoch) {
    this.#aad = immutableHeader(objectId);
    this.header = Buffer.alloc(headerBytes);
    this.#aad.copy(this.header, 0);
    const key = fewRandomBytes(keyBytes);
    wrapKey(epoch, this.#aad, key).copy(this.header, slotOffsets[0]);
    this.#key = createSecretKey(key);
    key.fill(0);
  }

  /** Plain bytes taken so far. */
  get plainBytes(): number {
    return this.#plainBytes;
  }

  /** Takes plain bytes (copied) and returns the sealed bytes that became ready, if any. */
  update(plain: Buffer): Buffer[] {
    const ready: Buffer[] = [];
    let at = 0;
    while (at < plain.length) {
      // A full chunk is sealed only when more follows: the last one carries the last-chunk flag in its nonce.
      if (this.#filled === chunkBytes) ready.push(...this.#sealChunk(false));
      const count = Math.min(plain.length - at, chunkBytes - this.#filled);
      plain.copy(this.#chunk, this.#filled, at, at + count);
      this.#filled += count;
      at += count;
    }
    this.#plainBytes += plain.length;
    return ready;
  }

  /** The last chunk, the trailer and the footer. */
  finish(trailer: Buffer): Buffer[] {
    if (trailer.length > trailerBytesMax) throw new RangeError(`trailer of ${trailer.length} bytes`);
    const last = this.#sealChunk(true);
    const footer = Buffer.alloc(footerBytes);
    footer.writeUInt32BE(trailer.length + tagBytes, 4);
    footer.writeBigUInt64BE(BigInt(this.#plainBytes), 8);
    endMark.copy(footer, 16);
    const aad = Buffer.concat([this.#aad, footer]);
    const sealedTrailer = seal(this.#key, nonce(trailerDomain, 0, true), aad, trailer);
    return [...last, ...sealedTrailer, footer];
  }

  #sealChunk(last: boolean): Buffer[] {
    const plain = this.#chunk.subarray(0, this.#filled);
    const sealed = seal(this.#key, nonce(bodyDomain, this.#chunks, last), this.#aad, plain);
    this.#chunks += 1;
    this.#filled = 0;
    return sealed;
  }
}

/** Where things lie in a sealed object, from its footer. */
export interface Footer {
  readonly bytes: Buffer;
  readonly plainBytes: number;
  readonly trailerOffset: number;
  readonly trailerBytes: number;
}

/** Sealed length of a body: each chunk has its tag, and there is always at least one. */
export function sealedBodyBytes(plainBytes: number): number {
  return plainBytes + Math.max(1, Math.ceil(plainBytes / chunkBytes)) * tagBytes;
}

/**
 * @param footer the last {@link footerBytes} of the object
 * @param size the object's whole length
 * @throws GantryError OBJECT_DAMAGED where it is not a complete object
 */
export function readFooter(footer: Buffer, size: number): Footer {
  if (footer.length !== footerBytes || !footer.subarray(16).equals(endMark))
    throw damaged('its end is missing');
  const plainBytes = Number(footer.readBigUInt64BE(8));
  const trailerBytes = footer.readUInt32BE(4);
  const trailerOffset = headerBytes + sealedBodyBytes(plainBytes);
  if (trailerBytes > trailerBytesMax + tagBytes || trailerOffset + trailerBytes + footerBytes !== size) {
    throw damaged('its lengths do not add up');
  }
  return { bytes: footer, plainBytes, trailerOffset, trailerBytes };
}

/** Opens what a {@link Sealer} sealed. Holds the object key; without I/O. */
export class Unsealer {
  readonly objectId: Buffer;
  readonly epochId: Buffer;
  readonly #aad: Buffer;
  readonly #key: KeyObject;

  /**
   * @param header the first {@link headerBytes} of the object
   * @throws GantryError OBJECT_DAMAGED, or OBJECT_KEY_MISSING where no known epoch wraps its key
   */
  constructor(header: Buffer, findKey: EpochKeyFinder) {
    if (header.length < headerBytes || !header.subarray(0, 8).equals(magic))
      throw damaged('its header is missing');
    if (header.readUInt16BE(8) !== formatVersion) {
      throw new GantryError({
        code: 'OBJECT_VERSION',
        kind: 'permanent',
        message: `A stored object has format version ${header.readUInt16BE(8)}; this software reads version ${formatVersion}.`,
        nextStep: 'Run the newer software that wrote it.',
      });
    }
    this.#aad = Buffer.from(header.subarray(0, immutableBytes));
    this.objectId = this.#aad.subarray(16, 16 + objectIdBytes);
    const opened = openSlots(header, this.#aad, findKey);
    this.#key = createSecretKey(opened.key);
    this.epochId = opened.epochId;
  }

  /** @throws GantryError OBJECT_DAMAGED */
  chunk(sealed: Buffer, index: number, last: boolean): Buffer {
    return unseal(this.#key, nonce(bodyDomain, index, last), this.#aad, sealed, `part ${index}`);
  }

  /** @throws GantryError OBJECT_DAMAGED */
  trailer(sealed: Buffer, footer: Footer): Buffer {
    const aad = Buffer.concat([this.#aad, footer.bytes]);
    return unseal(this.#key, nonce(trailerDomain, 0, true), aad, sealed, 'its trailer');
  }
}

function openSlots(header: Buffer, aad: Buffer, findKey: EpochKeyFinder): { key: Buffer; epochId: Buffer } {
  let known = false;
  for (const offset of slotOffsets) {
    const epochId = Buffer.from(header.subarray(offset, offset + epochIdBytes));
    if (epochId.equals(Buffer.alloc(epochIdBytes))) continue;
    const epochKey = findKey(epochId);
    if (epochKey === null) continue;
    known = true;
    const iv = header.subarray(offset + epochIdBytes, offset + epochIdBytes + nonceBytes);
    const wrapped = header.subarray(
      offset + epochIdBytes + nonceBytes,
      offset + epochIdBytes + nonceBytes + keyBytes + tagBytes,
    );
    try {
      return {
        key: unseal(createSecretKey(epochKey), iv, Buffer.concat([aad, epochId]), wrapped, 'its key'),
        epochId,
      };
    } catch {
      // A torn re-wrap leaves one slot unreadable; the other one still opens the object.
    }
  }
  if (known) throw damaged('its key does not unwrap');
  throw new GantryError({
    code: 'OBJECT_KEY_MISSING',
    kind: 'permanent',
    message:
      'The key of a stored object is not in this keystore: it was shredded, or the keystore is from another box.',
    nextStep: 'Restore the keystore that belongs to this data directory.',
  });
}
