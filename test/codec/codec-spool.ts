import { randomUUID } from 'node:crypto';
import type { Reason } from '../../src/base/errors.ts';
import type { TransferSyntaxUID } from '../../src/dicom/uid.ts';
import type {
  ObjectFacts,
  ObjectId,
  OpenObject,
  PreparedWriter,
  PrepareItem,
  PrepareSettlement,
  Restoration,
  SpoolCodec,
} from '../../src/spool/types.ts';
import type { MadeInstance } from '../fixtures/dicom-objects.ts';
import { inChunks, sha256 } from './codec-fixtures.ts';

interface Kept {
  readonly facts: ObjectFacts;
  readonly dataSet: Buffer;
}

/** A spool in memory as the codec sees it; what was settled can be looked at, and awaited. */
export class CodecSpool implements SpoolCodec {
  readonly objects = new Map<ObjectId, Kept>();
  readonly settled = new Map<ObjectId, PrepareSettlement>();
  readonly takenInOrder: ObjectId[] = [];
  /** `destination syntax` that were refused for good. */
  readonly refused = new Set<string>();
  readonly #waiting: PrepareItem[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #awaiting: (() => void)[] = [];
  /** Changes what comes to rest on the disk. */
  damage: (dataSet: Buffer) => void = () => undefined;

  add(made: MadeInstance, image: ObjectFacts['image'], facts: Partial<ObjectFacts> = {}): ObjectId {
    const objectId = randomUUID().replaceAll('-', '') as ObjectId;
    const full: ObjectFacts = {
      kind: 'received',
      sourceId: null,
      TransferSyntaxUID: made.TransferSyntaxUID,
      SOPClassUID: made.SOPClassUID,
      SOPInstanceUID: made.SOPInstanceUID,
      StudyInstanceUID: made.StudyInstanceUID,
      SeriesInstanceUID: made.SeriesInstanceUID,
      Modality: 'CT',
      image,
      callingAeTitle: 'CT1',
      modalityName: null,
      priority: 'routine',
      receivedAt: 0,
      destinations: ['cloud'],
      dataSetBytes: made.dataSet.length,
      dataSetSha256: sha256(made.dataSet),
      restoration: null,
      ...facts,
    };
    this.objects.set(objectId, { facts: full, dataSet: made.dataSet });
    this.#waiting.push({ objectId, bytes: made.dataSet.length, priority: full.priority });
    for (const listener of this.#listeners) listener();
    return objectId;
  }

  async takePrepare(instancesMax: number): Promise<PrepareItem[]> {
    this.#waiting.sort((a, b) => Number(b.priority === 'stat') - Number(a.priority === 'stat'));
    const items = this.#waiting.splice(0, instancesMax);
    this.takenInOrder.push(...items.map(({ objectId }) => objectId));
    return items;
  }

  async settlePrepare(settlements: readonly PrepareSettlement[]): Promise<void> {
    for (const settlement of settlements) this.settled.set(settlement.objectId, settlement);
    for (const wake of this.#awaiting.splice(0)) wake();
  }

  /** Resolves once the instance is settled. */
  async settlement(objectId: ObjectId): Promise<PrepareSettlement> {
    for (;;) {
      const settlement = this.settled.get(objectId);
      if (settlement !== undefined) return settlement;
      await new Promise<void>((resolve) => {
        this.#awaiting.push(resolve);
      });
    }
  }

  /** Why it is sent as received; null where it is sent prepared. */
  async reason(objectId: ObjectId): Promise<Reason | null> {
    const settlement = await this.settlement(objectId);
    return settlement.to === 'as-received' ? settlement.reason : null;
  }

  async beginPrepared(
    source: ObjectFacts,
    sourceId: ObjectId,
    TransferSyntaxUID: TransferSyntaxUID,
  ): Promise<PreparedWriter> {
    const preparedId = randomUUID().replaceAll('-', '') as ObjectId;
    const pieces: Buffer[] = [];
    return {
      preparedId,
      write(bytes: Buffer): undefined {
        pieces.push(Buffer.from(bytes));
      },
      commit: async (restoration: Restoration) => {
        const dataSet = Buffer.concat(pieces);
        this.damage(dataSet);
        const own = { dataSetBytes: dataSet.length, dataSetSha256: sha256(dataSet), restoration };
        const facts: ObjectFacts = { ...source, kind: 'prepared', sourceId, TransferSyntaxUID, ...own };
        this.objects.set(preparedId, { facts, dataSet });
      },
      async abort() {
        pieces.length = 0;
      },
    };
  }

  async open(objectId: ObjectId): Promise<OpenObject> {
    const kept = this.objects.get(objectId);
    if (kept === undefined) throw new Error('no such object');
    return {
      objectId,
      facts: kept.facts,
      dataSet: () => inChunks(kept.dataSet),
      async [Symbol.asyncDispose]() {},
    };
  }

  accepts(destination: string, _: string, syntax: TransferSyntaxUID): boolean | null {
    return this.refused.has(`${destination} ${syntax}`) ? false : null;
  }

  onWork(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
