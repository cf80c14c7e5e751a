import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { GantryError } from '../base/errors.ts';

/* Sealed small file, version 1: see FORMAT.md. */

const magic = Buffer.concat([Buffer.from('GANTRYSF', 'latin1'), Buffer.from([0, 1, 0, 0])]);
const nonceBytes = 12;
const tagBytes = 16;
export const smallFileOverheadBytes = magic.length + nonceBytes + tagBytes;

/** Seals a small file as a whole. `purpose` keeps a file of one kind from passing as another. */
export function sealSmall(key: Buffer, purpose: string, plain: Uint8Array): Buffer {
  const iv = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.concat([magic, Buffer.from(purpose)]));
  const sealed = cipher.update(plain);
  cipher.final();
  return Buffer.concat([magic, iv, sealed, cipher.getAuthTag()]);
}

/** @throws GantryError FILE_DAMAGED where the bytes are not a file of this purpose sealed under this key */
export function openSmall(key: Buffer, purpose: string, bytes: Buffer): Buffer {
  if (bytes.length < smallFileOverheadBytes || !bytes.subarray(0, magic.length).equals(magic)) {
    throw fileDamaged(purpose);
  }
  const iv = bytes.subarray(magic.length, magic.length + nonceBytes);
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.concat([magic, Buffer.from(purpose)]));
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
  const plain = decipher.update(bytes.subarray(magic.length + nonceBytes, bytes.length - tagBytes));
  try {
    decipher.final();
  } catch (error) {
    throw fileDamaged(purpose, error);
  }
  return plain;
}

function fileDamaged(purpose: string, cause?: unknown): GantryError {
  return new GantryError(
    {
      code: 'FILE_DAMAGED',
      kind: 'permanent',
      message: `A sealed file (${purpose}) does not verify: it is damaged, was changed, or belongs to another box.`,
      nextStep: 'Restore it from a copy of this data directory, or check the disk.',
    },
    { cause },
  );
}
