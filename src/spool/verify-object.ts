import { createHash } from 'node:crypto';
import { GantryError } from '../base/errors.ts';
import { decodeTrailer } from './facts.ts';
import type { ObjectStore } from './object-store.ts';
import type { ObjectId } from './types.ts';

/** Whether the object verifies from its first byte to its last. @throws the disk's error */
export async function isWhole(store: ObjectStore, id: ObjectId): Promise<boolean> {
  try {
    await verifyObject(store, id);
    return true;
  } catch (error) {
    if (error instanceof GantryError) return false;
    throw error;
  }
}

/** @returns its plain bytes. @throws GantryError OBJECT_* where it is not whole */
export async function verifyObject(store: ObjectStore, id: ObjectId): Promise<number> {
  const stored = await store.open(id);
  try {
    const trailer = decodeTrailer(stored.trailer, stored.plainBytes);
    const hash = createHash('sha256');
    for await (const chunk of stored.chunks()) hash.update(chunk);
    if (hash.digest('hex') !== trailer.dataSetSha256) {
      throw new GantryError({
        code: 'OBJECT_DAMAGED',
        kind: 'permanent',
        message: 'A stored object does not match its own digest.',
        nextStep: 'Send this image again from its modality.',
      });
    }
    return stored.plainBytes;
  } finally {
    await stored.close();
  }
}
