import type { KeyObject } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { Loop } from '../base/loop.ts';
import { objectReadFailure } from '../spool/read-failure.ts';
import type { ObjectFacts, ObjectId, SettledStudy, SpoolProof } from '../spool/types.ts';
import {
  encodeReceipt,
  type Receipt,
  type ReceiptInstance,
  type ReceiptSigner,
  type ReceiptStore,
  verifyReceipt,
} from './receipt.ts';

export interface ReceiptWriterOptions {
  readonly spool: Pick<SpoolProof, 'settledStudies' | 'receiptWritten' | 'open' | 'onWork'>;
  readonly store: ReceiptStore;
  readonly signer: ReceiptSigner;
  /** Checks the previous receipt before anything is carried over from it. */
  readonly publicKey: KeyObject;
  readonly site: string;
  readonly box: string;
  /** The longest configured quiet period: how long after the last work a study may still become settled. */
  readonly quietMsMax: number;
  readonly clock: Clock;
  readonly log: Log;
}

const studiesPerRound = 16;
/** How often to look while studies may become settled. */
const lookMs = 3000;

/** Issues a signed receipt for every settled study, and a new one that supersedes it when more arrives. */
export class ReceiptWriter {
  readonly #options: ReceiptWriterOptions;
  readonly #loop: Loop;
  #offWork: (() => void) | null = null;
  #lastWorkAt: number;
  #written = 0;

  constructor(options: ReceiptWriterOptions) {
    this.#options = options;
    this.#lastWorkAt = options.clock.monotonic();
    this.#loop = new Loop({
      round: () => this.#round(),
      failed: (error) => options.log.error({ error }, 'receipt round failed'),
    });
  }

  start(): void {
    this.#offWork ??= this.#options.spool.onWork(() => this.#workAnnounced());
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#offWork?.();
    await this.#loop.stop();
  }

  /** Receipts written since start. */
  get written(): number {
    return this.#written;
  }

  #workAnnounced(): void {
    const { clock } = this.#options;
    const asleepForLong = clock.monotonic() - this.#lastWorkAt > this.#options.quietMsMax + lookMs;
    this.#lastWorkAt = clock.monotonic();
    // While work flows the loop looks every few seconds anyway; only a long sleep has to be ended.
    if (asleepForLong || this.#options.quietMsMax === 0) this.#loop.notifySoon();
  }

  async #round(): Promise<number> {
    const { spool, log, clock, quietMsMax } = this.#options;
    const studies = await spool.settledStudies(studiesPerRound);
    let failures = 0;
    for (const study of studies) {
      try {
        await this.#write(study);
      } catch (error) {
        failures += 1;
        log.error({ error }, 'receipt not written');
      }
    }
    if (studies.length === studiesPerRound && failures === 0) return 0;
    const mayStillSettle = clock.monotonic() - this.#lastWorkAt <= quietMsMax + lookMs;
    return studies.length > 0 || mayStillSettle ? lookMs : Infinity;
  }

  async #write(study: SettledStudy): Promise<void> {
    const { spool, store, signer, log } = this.#options;
    const previous = await this.#previous(study);
    const receipt = await this.#describe(study, previous);
    const jws = await signer.sign(encodeReceipt(receipt));
    await store.write(study.studyKey, receipt.number, jws);
    await spool.receiptWritten(study.studyKey, receipt.number, study.revision);
    this.#written += 1;
    log.info({ number: receipt.number, instances: receipt.instances.length }, 'receipt written');
  }

  /** The stored receipt may be newer than the ledger says (a crash in between, a rebuilt ledger): it counts. */
  async #previous(study: SettledStudy): Promise<Receipt | null> {
    const jws = await this.#options.store.read(study.studyKey);
    if (jws === null) return null;
    try {
      return await verifyReceipt(jws, this.#options.publicKey);
    } catch (error) {
      this.#options.log.error({ error }, 'previous receipt not readable, nothing carried over from it');
      return null;
    }
  }

  async #describe(study: SettledStudy, previous: Receipt | null): Promise<Receipt> {
    const { clock, site, box } = this.#options;
    const superseded = Math.max(study.receiptNumber, previous?.number ?? 0);
    const known = new Map(previous?.instances.map((each) => [each.objectId, each]));
    const instances: ReceiptInstance[] = [];
    let studyUID = previous?.StudyInstanceUID ?? null;
    let undescribed = 0;

    for (const [objectId, deliveries] of byObject(study)) {
      const facts = await this.#facts(objectId);
      const earlier = known.get(objectId);
      known.delete(objectId);
      if (facts !== null) {
        studyUID ??= facts.StudyInstanceUID;
        instances.push(described(objectId, facts, deliveries, await this.#preparedOf(deliveries)));
      } else if (earlier !== undefined) {
        instances.push(carried(earlier, superseded));
      } else undescribed += 1;
    }
    // What the ledger no longer lists at all has left this box; its last attested state stands.
    for (const earlier of known.values()) instances.push(carried(earlier, superseded));

    return {
      type: 'gantry-receipt',
      version: 1,
      number: superseded + 1,
      supersedes: superseded === 0 ? null : superseded,
      issuedAt: new Date(clock.now()).toISOString(),
      site,
      box,
      StudyInstanceUID: studyUID,
      undescribed,
      instances,
    };
  }

  /** The compressed form of an instance, where a destination has that. */
  async #preparedOf(deliveries: Deliveries): Promise<ObjectFacts | null> {
    const preparedId = deliveries.find((each) => each.preparedId !== null)?.preparedId ?? null;
    return preparedId === null ? null : this.#facts(preparedId);
  }

  /** @returns the object's own facts, or null where it cannot tell them any more: purged, damaged or lost */
  async #facts(objectId: ObjectId): Promise<ObjectFacts | null> {
    try {
      await using object = await this.#options.spool.open(objectId);
      return object.facts;
    } catch (error) {
      if (objectReadFailure(error).lasting) return null;
      throw error;
    }
  }
}

type Deliveries = SettledStudy['deliveries'][number][];

function byObject(study: SettledStudy): Map<ObjectId, Deliveries> {
  return Map.groupBy(study.deliveries, ({ objectId }) => objectId);
}

function described(
  objectId: ObjectId,
  facts: ObjectFacts,
  deliveries: Deliveries,
  prepared: ObjectFacts | null,
): ReceiptInstance {
  const sentAs = prepared && {
    TransferSyntaxUID: prepared.TransferSyntaxUID,
    dataSetBytes: prepared.dataSetBytes,
    dataSetSha256: prepared.dataSetSha256,
  };
  return {
    objectId,
    SOPInstanceUID: facts.SOPInstanceUID,
    SOPClassUID: facts.SOPClassUID,
    TransferSyntaxUID: facts.TransferSyntaxUID,
    dataSetBytes: facts.dataSetBytes,
    dataSetSha256: facts.dataSetSha256,
    receivedAt: new Date(facts.receivedAt).toISOString(),
    deliveries: deliveries.map((each) => ({
      destination: each.destination,
      state: each.state,
      provenBy: each.by,
      provenAt: each.verifiedAt === null ? null : new Date(each.verifiedAt).toISOString(),
      sentAs: each.preparedId === null ? null : sentAs,
      reasonCode: each.reason?.code ?? null,
    })),
    carriedFrom: null,
  };
}

function carried(earlier: ReceiptInstance, receiptNumber: number): ReceiptInstance {
  return { ...earlier, carriedFrom: earlier.carriedFrom ?? receiptNumber };
}
