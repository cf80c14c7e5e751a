import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chunkBytes,
  footerBytes,
  headerBytes,
  readFooter,
  Sealer,
  tagBytes,
  Unsealer,
} from '../../src/crypto/envelope.ts';

const epoch = { id: randomBytes(16), key: randomBytes(32) };
const trailer = Buffer.from('{"end":"END"}');

function seal(plain: Buffer, pieces: readonly number[] = []): Buffer {
  const sealer = new Sealer(randomBytes(16), epoch);
  const out = [sealer.header];
  let at = 0;
  for (const piece of [...pieces, plain.length]) {
    const end = Math.min(plain.length, at + piece);
    out.push(...sealer.update(plain.subarray(at, end)));
    at = end;
  }
  out.push(...sealer.finish(trailer));
  return Buffer.concat(out);
}

function open(sealed: Buffer): { plain: Buffer; trailer: Buffer } {
  const unsealer = new Unsealer(sealed.subarray(0, headerBytes), (id) =>
    id.equals(epoch.id) ? epoch.key : null,
  );
  const footer = readFooter(sealed.subarray(sealed.length - footerBytes), sealed.length);
  const chunks: Buffer[] = [];
  for (let at = headerBytes, index = 0; at < footer.trailerOffset; index += 1) {
    const end = Math.min(at + chunkBytes + tagBytes, footer.trailerOffset);
    chunks.push(unsealer.chunk(sealed.subarray(at, end), index, end === footer.trailerOffset));
    at = end;
  }
  const sealedTrailer = sealed.subarray(footer.trailerOffset, footer.trailerOffset + footer.trailerBytes);
  return { plain: Buffer.concat(chunks), trailer: unsealer.trailer(sealedTrailer, footer) };
}

describe('sealed object', () => {
  it.each([0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes, 200_000])(
    'gives back %i bytes and the trailer',
    (length) => {
      const plain = randomBytes(length);
      const opened = open(seal(plain));
      expect(opened.plain.equals(plain)).toBe(true);
      expect(opened.trailer.equals(trailer)).toBe(true);
    },
  );

  it('does not depend on how the bytes arrived', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 70_000 }), { maxLength: 8 }), (pieces) => {
        const plain = randomBytes(150_000);
        return open(seal(plain, pieces)).plain.equals(plain);
      }),
      { numRuns: 30 },
    );
  });

  it('refuses any flipped bit outside the unused key slot', () => {
    const sealed = seal(randomBytes(70_000));
    const unused = (at: number) => at >= 32 + 76 && at < headerBytes;
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.nat(7), (at, bit) => {
        fc.pre(!unused(at));
        const changed = Buffer.from(sealed);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        expect(() => open(changed)).toThrow(/verif|header|version|key|end|lengths/i);
      }),
      { numRuns: 400 },
    );
  });

  it('refuses swapped chunks, cut ends, a cut at a chunk border and a lengthened file', () => {
    const sealed = seal(randomBytes(3 * chunkBytes));
    const size = chunkBytes + tagBytes;
    const swapped = Buffer.from(sealed);
    sealed.copy(swapped, headerBytes, headerBytes + size, headerBytes + 2 * size);
    sealed.copy(swapped, headerBytes + size, headerBytes, headerBytes + size);
    expect(() => open(swapped)).toThrow(/does not verify/);
    expect(() => open(sealed.subarray(0, sealed.length - 1))).toThrow(/end is missing/);
    const withoutMiddle = Buffer.concat([
      sealed.subarray(0, headerBytes + size),
      sealed.subarray(headerBytes + 2 * size),
    ]);
    expect(() => open(withoutMiddle)).toThrow(/do not add up/);
    const shorter = Buffer.from(withoutMiddle);
    shorter.writeBigUInt64BE(BigInt(2 * chunkBytes), shorter.length - 16);
    expect(() => open(shorter)).toThrow(/does not verify/);
    expect(() => open(Buffer.concat([sealed, Buffer.alloc(1)]))).toThrow(/end is missing/);
  });

  it('says that the key is missing, not that the object is damaged, when its epoch is unknown', () => {
    const sealed = seal(randomBytes(10));
    expect(() => new Unsealer(sealed.subarray(0, headerBytes), () => null)).toThrow(
      expect.objectContaining({ code: 'OBJECT_KEY_MISSING' }),
    );
  });
});
