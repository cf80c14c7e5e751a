import { decodeTrailer } from './facts.ts';
import type { ObjectStore } from './object-store.ts';
import type { ObjectId, OpenObject } from './types.ts';

/** @throws GantryError OBJECT_NOT_FOUND, OBJECT_DAMAGED, OBJECT_KEY_MISSING, OBJECT_VERSION, or the disk's error */
export async function openObject(store: ObjectStore, objectId: ObjectId): Promise<OpenObject> {
  const stored = await store.open(objectId);
  try {
    return {
      objectId,
      facts: decodeTrailer(stored.trailer, stored.plainBytes),
      dataSet: () => stored.chunks(),
      [Symbol.asyncDispose]: () => stored.close(),
    };
  } catch (error) {
    await stored.close();
    throw error;
  }
}
