import { createHash } from 'node:crypto';
import type { SOPClassUID, TransferSyntaxUID } from '../dicom/uid.ts';
import { encodeTrailer } from './facts.ts';
import type { LedgerClient } from './ledger-client.ts';
import type { Ability } from './ledger-abilities.ts';
import type { PreparedForm } from './ledger-forms.ts';
import type { FormPair } from './ledger-rest.ts';
import type { NewObject } from './new-objects.ts';
import type { ObjectStore, ObjectWriter } from './object-store.ts';
import type {
  IntakeGate,
  ObjectFacts,
  ObjectId,
  OpenObject,
  PreparedWriter,
  PrepareItem,
  PrepareSettlement,
  Restoration,
  SpoolCodec,
} from './types.ts';
import { intakeClosed } from './volume.ts';

/** What compresses instances, as far as the spool knows it. */
export interface CodecOptions {
  /** Whether an instance is not sent before the codec has looked at it. */
  waitsFor(facts: ObjectFacts): boolean;
  /**
   * The received data set of a prepared object. What is handed over to its end is what was received.
   * @throws GantryError where it cannot be restored (permanent), or not at present (transient; the codec: RESTORE_FAILED)
   */
  restore(prepared: OpenObject): AsyncIterable<Buffer>;
}

/** What prepared forms need of the spool. */
export interface PreparedHost {
  store(): ObjectStore;
  ledger(): LedgerClient;
  newObject(): NewObject;
  /** Whether there is room for new objects. */
  gate(): IntakeGate;
  ready(): boolean;
  workMade(): void;
  onWork(listener: () => void): () => void;
  /** The disk failed: turns the error into the one to throw. */
  failed(error: unknown): Error;
  noteWritten(bytes: number): void;
  open(objectId: ObjectId): Promise<OpenObject>;
  /** The prepared objects are durable and proven: the received ones are deleted, where nobody needs them. */
  replace(pairs: readonly FormPair[]): Promise<void>;
  digestKey(sha256: string): string;
  now(): number;
}

/** A prepared object that is durable, or is being written, and not settled yet: its epoch stays in use. */
interface Unsettled {
  readonly sourceId: ObjectId;
  readonly form: PreparedForm | null;
  readonly ended: () => void;
}

/** The second, compressed forms of instances: how they come into being, and who takes them. */
export class PreparedForms implements SpoolCodec {
  readonly #host: PreparedHost;
  readonly #unsettled = new Map<ObjectId, Unsettled>();
  readonly #abilities = new Map<string, boolean>();

  constructor(host: PreparedHost) {
    this.#host = host;
  }

  async loadAbilities(): Promise<void> {
    const known = await this.#host.ledger().call('abilities', this.#host.now());
    this.#abilities.clear();
    this.learned(known);
  }

  /**
   * What a destination under other settings took before is forgotten.
   * @param fingerprints of the settings, by destination
   */
  async noteSettings(fingerprints: Readonly<Record<string, string>>): Promise<void> {
    await this.#host.ledger().call('noteSettings', fingerprints);
    await this.loadAbilities();
  }

  /**
   * Lets it be learned anew what destinations take.
   * @param destination one of them, or null for all
   * @returns how much was forgotten: a transfer syntax of a SOP class counts as one
   */
  async forgetAbilities(destination: string | null): Promise<number> {
    const count = await this.#host.ledger().call('forgetAbilities', destination);
    await this.loadAbilities();
    return count;
  }

  learned(abilities: readonly Ability[]): void {
    for (const one of abilities) {
      this.#abilities.set(abilityKey(one.destination, one.sopClass, one.transferSyntax), one.accepted);
    }
  }

  accepts(destination: string, sopClass: SOPClassUID, syntax: TransferSyntaxUID): boolean | null {
    return this.#abilities.get(abilityKey(destination, sopClass, syntax)) ?? null;
  }

  open(objectId: ObjectId): Promise<OpenObject> {
    return this.#host.open(objectId);
  }

  onWork(listener: () => void): () => void {
    return this.#host.onWork(listener);
  }

  takePrepare(instancesMax: number): Promise<PrepareItem[]> {
    return this.#host.ready() ? this.#host.ledger().call('takePrepare', instancesMax) : Promise.resolve([]);
  }

  async beginPrepared(
    source: ObjectFacts,
    sourceId: ObjectId,
    syntax: TransferSyntaxUID,
  ): Promise<PreparedWriter> {
    // The space that is kept for images to come is not filled with second forms of those that are here.
    const gate = this.#host.gate();
    if (!gate.open) throw intakeClosed(gate.reason);
    const { objectId, epochId, writer, ended } = this.#host.newObject();
    this.#unsettled.set(objectId, { sourceId, form: null, ended });
    return new Prepared(writer, objectId, {
      failed: (error) => this.#host.failed(error),
      noteWritten: (written) => this.#host.noteWritten(written),
      describe: (bytes, sha256, restoration) => ({
        ...source,
        kind: 'prepared',
        sourceId,
        TransferSyntaxUID: syntax,
        dataSetBytes: bytes,
        dataSetSha256: sha256,
        restoration,
      }),
      committed: (facts) => {
        const form = formOf(objectId, epochId, facts, this.#host.digestKey(facts.dataSetSha256));
        this.#unsettled.set(objectId, { sourceId, form, ended });
      },
      aborted: () => this.#settled(objectId),
    });
  }

  async settlePrepare(settlements: readonly PrepareSettlement[]): Promise<void> {
    const passed: ObjectId[] = [];
    for (const settlement of settlements) {
      if (settlement.to === 'as-received') passed.push(settlement.objectId);
      else await this.#settlePrepared(settlement.preparedId);
    }
    if (passed.length > 0) await this.#pass(passed);
    this.#host.workMade();
  }

  async #pass(passed: readonly ObjectId[]): Promise<void> {
    await this.#host.ledger().call('passPrepare', passed);
    const without = new Set(passed);
    const useless = [...this.#unsettled].filter(([, { sourceId, form }]) => without.has(sourceId) && form);
    await this.#host.store().remove(useless.map(([id]) => id));
    for (const [id] of useless) this.#settled(id);
  }

  async #settlePrepared(preparedId: ObjectId): Promise<void> {
    const form = this.#unsettled.get(preparedId)?.form;
    if (form === undefined || form === null) {
      if (await this.#host.ledger().call('isProven', preparedId)) return;
      throw new Error('settled without a durable prepared object');
    }
    // The volume was away meanwhile, and what was not settled was cleared up when it came back.
    if (!this.#host.store().has(preparedId)) {
      await this.#host.ledger().call('passPrepare', [form.objectId]);
      this.#settled(preparedId);
      return;
    }
    const used = await this.#host.ledger().call('settlePrepared', form, true);
    // Purged or discarded meanwhile.
    if (used) await this.#host.replace([{ objectId: form.objectId, preparedId }]);
    else await this.#host.store().remove([preparedId]);
    this.#settled(preparedId);
  }

  #settled(preparedId: ObjectId): void {
    this.#unsettled.get(preparedId)?.ended();
    this.#unsettled.delete(preparedId);
  }
}

interface PreparedWriterHost extends Pick<PreparedHost, 'failed' | 'noteWritten'> {
  describe(bytes: number, sha256: string, restoration: Restoration): ObjectFacts;
  committed(facts: ObjectFacts): void;
  aborted(): void;
}

class Prepared implements PreparedWriter {
  readonly preparedId: ObjectId;
  readonly #writer: ObjectWriter;
  readonly #host: PreparedWriterHost;
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #ended = false;

  constructor(writer: ObjectWriter, preparedId: ObjectId, host: PreparedWriterHost) {
    this.preparedId = preparedId;
    this.#writer = writer;
    this.#host = host;
  }

  write(bytes: Buffer): Promise<void> | undefined {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    this.#host.noteWritten(bytes.length);
    return this.#writer.write(bytes)?.catch((error: unknown) => {
      throw this.#host.failed(error);
    });
  }

  async commit(restoration: Restoration): Promise<void> {
    const facts = this.#host.describe(this.#bytes, this.#hash.digest('hex'), restoration);
    try {
      await this.#writer.commit(encodeTrailer(facts, false));
    } catch (error) {
      const failure = this.#host.failed(error);
      await this.abort();
      throw failure;
    }
    this.#ended = true;
    this.#host.committed(facts);
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#writer.abort();
    this.#host.aborted();
  }
}

/** @param facts of a prepared object */
export function formOf(
  preparedId: ObjectId,
  epochId: string,
  facts: ObjectFacts,
  digest: string,
): PreparedForm {
  if (facts.sourceId === null) throw new Error('a prepared object without its source');
  return {
    objectId: facts.sourceId,
    preparedId,
    bytes: facts.dataSetBytes,
    transferSyntax: facts.TransferSyntaxUID,
    sopClass: facts.SOPClassUID,
    epochId,
    digest,
  };
}

function abilityKey(destination: string, sopClass: string, syntax: string): string {
  return `${destination} ${sopClass} ${syntax}`;
}
