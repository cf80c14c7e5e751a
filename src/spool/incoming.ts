import { createHash } from 'node:crypto';
import type { NewInstance } from './ledger-instances.ts';
import type { ObjectWriter } from './object-store.ts';
import type {
  AdmissionFacts,
  AdmitOutcome,
  DataSetFacts,
  IncomingObject,
  ObjectFacts,
  ObjectId,
} from './types.ts';

/** What an incoming object needs of the spool. */
export interface IncomingHost {
  /** Runs the work while no other object of the same SOP Instance UID is being admitted. */
  exclusively<T>(facts: AdmissionFacts, work: () => Promise<T>): Promise<T>;
  /**
   * What is here, whole, under the same UID already, or was until it was verified and purged: the same bytes, other
   * bytes, or nothing.
   */
  compare(facts: ObjectFacts): Promise<'new' | 'identical' | 'other'>;
  destinationsOf(facts: AdmissionFacts, found: DataSetFacts): readonly string[];
  /** The object is durable: enter it. */
  admitted(objectId: ObjectId, epochId: string, facts: ObjectFacts, start: NewInstance['start']): void;
  encode(facts: ObjectFacts, conflict: boolean): Buffer;
  /** The disk failed: turns the error into the one to throw. */
  failed(error: unknown): Error;
  noteWritten(bytes: number): void;
  ended(): void;
}

interface IncomingSeed {
  readonly objectId: ObjectId;
  readonly epochId: string;
  readonly facts: AdmissionFacts;
  readonly receivedAt: number;
  readonly writer: ObjectWriter;
}

/** One object on its way from the sender to durable. */
export class Incoming implements IncomingObject {
  readonly #seed: IncomingSeed;
  readonly #host: IncomingHost;
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #ended = false;

  constructor(seed: IncomingSeed, host: IncomingHost) {
    this.#seed = seed;
    this.#host = host;
  }

  write(bytes: Buffer): Promise<void> | undefined {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    this.#host.noteWritten(bytes.length);
    return this.#seed.writer.write(bytes)?.catch((error: unknown) => {
      throw this.#host.failed(error);
    });
  }

  commit(found: DataSetFacts): Promise<AdmitOutcome> {
    const facts = this.#facts(found);
    return this.#host.exclusively(this.#seed.facts, async () => {
      try {
        return await this.#commit(facts);
      } catch (error) {
        const failure = this.#host.failed(error);
        await this.abort();
        throw failure;
      }
    });
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    await this.#seed.writer.abort();
    this.#end();
  }

  async #commit(facts: ObjectFacts): Promise<AdmitOutcome> {
    const { writer, objectId, epochId } = this.#seed;
    const known = await this.#host.compare(facts);
    if (known === 'identical') {
      await this.abort();
      return 'duplicate';
    }
    const conflict = known === 'other';
    await writer.commit(this.#host.encode(facts, conflict));
    this.#host.admitted(objectId, epochId, facts, conflict ? 'conflict' : 'queued');
    this.#end();
    return conflict ? 'conflict' : 'stored';
  }

  #end(): void {
    this.#ended = true;
    this.#host.ended();
  }

  #facts(found: DataSetFacts): ObjectFacts {
    const { facts, receivedAt } = this.#seed;
    return {
      kind: 'received',
      sourceId: null,
      TransferSyntaxUID: facts.TransferSyntaxUID,
      SOPClassUID: facts.SOPClassUID,
      SOPInstanceUID: facts.SOPInstanceUID,
      StudyInstanceUID: found.StudyInstanceUID,
      SeriesInstanceUID: found.SeriesInstanceUID,
      Modality: found.Modality,
      image: found.image,
      callingAeTitle: facts.callingAeTitle,
      modalityName: facts.modalityName,
      priority: facts.priority,
      receivedAt,
      destinations: this.#host.destinationsOf(facts, found),
      dataSetBytes: this.#bytes,
      dataSetSha256: this.#hash.digest('hex'),
      restoration: null,
    };
  }
}
