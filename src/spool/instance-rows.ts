import type { Keyring } from '../crypto/keyring.ts';
import { receivedFacts } from './at-rest.ts';
import { decodeTrailer } from './facts.ts';
import type { NewInstance } from './ledger-instances.ts';
import type { PreparedForm } from './ledger-forms.ts';
import type { ObjectStore } from './object-store.ts';
import { type CodecOptions, formOf } from './prepared.ts';
import type { SegmentFiles } from './stored-object.ts';
import { type ObjectFacts, type ObjectId, priorities, type UidKey } from './types.ts';

/** What an object turned out to be that the ledger did not know. */
export type FoundObject =
  | { readonly received: NewInstance }
  /** `instance`: the row its received object would have. */
  | { readonly prepared: PreparedForm; readonly instance: NewInstance };

export interface RowOptions {
  /** After how long without an image a study counts as settled, by modality. */
  quietMs(modalityName: string | null): number;
  readonly codec?: Pick<CodecOptions, 'waitsFor'>;
}

/** Makes ledger rows of sealed objects: UIDs become keyed hashes here and nowhere else. */
export class InstanceRows {
  readonly #keyring: Keyring;
  readonly #options: RowOptions;

  constructor(keyring: Keyring, options: RowOptions) {
    this.#keyring = keyring;
    this.#options = options;
  }

  uidKey(uid: string): UidKey {
    return this.#keyring.keyedHash(uid) as UidKey;
  }

  /** Of a data set's SHA-256: the plain one would confirm a guess at a known image. */
  digestKey(sha256: string): string {
    return this.#keyring.keyedHash(`data set ${sha256}`);
  }

  of(objectId: ObjectId, epochId: string, facts: ObjectFacts, start: NewInstance['start']): NewInstance {
    return {
      objectId,
      uidKey: this.uidKey(facts.SOPInstanceUID),
      // Without a study the instance stands alone.
      studyKey: this.uidKey(facts.StudyInstanceUID ?? `instance ${facts.SOPInstanceUID}`),
      digest: this.digestKey(facts.dataSetSha256),
      transferSyntax: facts.TransferSyntaxUID,
      bytes: facts.dataSetBytes,
      receivedAt: facts.receivedAt,
      modalityName: facts.modalityName,
      callingAeTitle: facts.callingAeTitle,
      priority: priorities.indexOf(facts.priority),
      epochId,
      destinations: facts.destinations,
      quietMs: this.#options.quietMs(facts.modalityName),
      waitsForCodec: start === 'queued' && (this.#options.codec?.waitsFor(facts) ?? false),
      start,
    };
  }

  /** @throws GantryError OBJECT_DAMAGED, OBJECT_KEY_MISSING, OBJECT_VERSION */
  async read(
    store: ObjectStore,
    objectId: ObjectId,
    start: NewInstance['start'],
    files?: SegmentFiles,
  ): Promise<FoundObject> {
    const stored = await store.open(objectId, files);
    try {
      const trailer = decodeTrailer(stored.trailer, stored.plainBytes);
      if (trailer.kind === 'prepared') {
        const prepared = formOf(objectId, stored.epochId, trailer, this.digestKey(trailer.dataSetSha256));
        // What was replaced may have been sent, and in either form.
        const instance = this.of(prepared.objectId, stored.epochId, receivedFacts(trailer), 'assumed');
        return { prepared, instance: { ...instance, onlyPrepared: prepared } };
      }
      return { received: this.of(objectId, stored.epochId, trailer, trailer.conflict ? 'conflict' : start) };
    } finally {
      await stored.close();
    }
  }

  /** An object whose trailer cannot be read: it is shown and kept, and nothing else is known of it. */
  unreadable(objectId: ObjectId, now: number): NewInstance {
    const key = this.uidKey(`unreadable ${objectId}`);
    return {
      objectId,
      uidKey: key,
      studyKey: key,
      digest: '',
      transferSyntax: '',
      bytes: 0,
      receivedAt: now,
      modalityName: null,
      callingAeTitle: 'unreadable',
      priority: 0,
      epochId: '',
      destinations: ['unknown'],
      quietMs: 0,
      waitsForCodec: false,
      start: 'unreadable',
    };
  }
}
