import type { Keyring } from '../crypto/keyring.ts';
import { newObjectId } from './object-id.ts';
import type { ObjectStore, ObjectWriter } from './object-store.ts';
import type { ObjectFacts, ObjectId } from './types.ts';

/** A new object in the store. */
export interface NewObject {
  readonly objectId: ObjectId;
  readonly epochId: string;
  readonly writer: ObjectWriter;
  /** From here on the ledger, not this object's being written, says that its epoch is in use. */
  readonly ended: () => void;
}

/** Starts objects, and knows which epochs have one that is not entered in the ledger yet. */
export class NewObjects {
  readonly #keyring: Keyring;
  readonly #openEpochs = new Map<string, number>();

  constructor(keyring: Keyring) {
    this.#keyring = keyring;
  }

  start(store: ObjectStore, now: number, kind: ObjectFacts['kind']): NewObject {
    const objectId = newObjectId(now);
    const epoch = this.#keyring.currentEpoch();
    const epochId = epoch.id.toString('hex');
    const writer = store.create(objectId, epoch, kind);
    this.#openEpochs.set(epochId, (this.#openEpochs.get(epochId) ?? 0) + 1);
    return { objectId, epochId, writer, ended: () => this.#ended(epochId) };
  }

  isOpen(epochId: string): boolean {
    return this.#openEpochs.has(epochId);
  }

  #ended(epochId: string): void {
    const left = (this.#openEpochs.get(epochId) ?? 1) - 1;
    if (left > 0) this.#openEpochs.set(epochId, left);
    else this.#openEpochs.delete(epochId);
  }
}
