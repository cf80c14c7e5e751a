import { createHash } from 'node:crypto';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Loop, sleepMsMax } from '../base/loop.ts';
import type { LedgerClient } from './ledger-client.ts';
import type { FormPair, UnsettledPair } from './ledger-rest.ts';
import type { ObjectStore } from './object-store.ts';
import { openObject } from './open-object.ts';
import type { CodecOptions } from './prepared.ts';
import { brokenHereCodes, notRestoredReason } from './reasons.ts';
import type { ForwardSettlement, ObjectFacts, ObjectId, OpenObject, ProofSettlement } from './types.ts';
import { isWhole } from './verify-object.ts';

/** Looked up at a time. */
const pairsPerPage = 200;
/** So often in a row the codec may fail on an object before that is taken for the object's fault. */
const failuresMax = 3;

/** What rest needs of the spool. */
export interface AtRestHost {
  readonly store: () => ObjectStore;
  readonly ledger: () => LedgerClient;
  readonly ready: () => boolean;
  /** Looks whether the volume is out of reach: nothing is damaged or missing then. */
  readonly away: () => Promise<boolean>;
  /** Null where there is no codec. */
  readonly codec: Pick<CodecOptions, 'restore'> | null;
  /** Whether prepared objects replace received ones. */
  readonly replaces: () => boolean;
  readonly log: Log;
  readonly now: () => number;
}

/**
 * Instances at rest: once the prepared object of one is durable and proven, the received object is deleted, and
 * whoever opens that gets it restored from the prepared one. It happens in this order, so that a crash at any step
 * loses nothing: prepared object durable and read back, ledger, received object deleted. What is left of the last
 * step is done at the next start, and what the ledger forgot is in the prepared object's own trailer.
 */
export class AtRest {
  readonly #host: AtRestHost;
  readonly #loop: Loop;
  /** In a row, by prepared object. */
  readonly #failures = new Map<ObjectId, number>();
  /** Found not to give back what was received: said once, and left to the scrubber. */
  readonly #hopeless = new Set<ObjectId>();
  #lastSeq = 0;
  #stopping = false;

  constructor(host: AtRestHost) {
    this.#host = host;
    this.#loop = new Loop({
      round: () => this.#round(),
      failed: (error) =>
        host.log.warn({ code: 'SPOOL_AT_REST', error }, 'a round of the spool at rest failed'),
    });
  }

  /** Begins to look for instances whose received object has become useless, or whose prepared one is not proven. */
  start(): void {
    this.#loop.start();
  }

  /** Resolves once nothing is under way. */
  stop(): Promise<void> {
    this.#stopping = true;
    return this.#loop.stop();
  }

  /** As `openObject`; a received object that was replaced is restored while it is read. */
  async open(objectId: ObjectId): Promise<OpenObject> {
    const store = this.#host.store();
    if (store.has(objectId)) return openObject(store, objectId);
    const preparedId = await this.#host.ledger().call('preparedIdOf', objectId);
    if (preparedId === null) return openObject(store, objectId);
    const prepared = await openObject(store, preparedId);
    return {
      objectId,
      facts: receivedFacts(prepared.facts),
      dataSet: () => this.#restored(prepared),
      [Symbol.asyncDispose]: () => prepared[Symbol.asyncDispose](),
    };
  }

  /** Whether an instance's received bytes are here, or a proven prepared object that gives them back. */
  async isWhole(objectId: ObjectId): Promise<boolean> {
    const store = this.#host.store();
    const isHere = store.has(objectId);
    if (isHere && (await isWhole(store, objectId))) return true;
    if (isHere) return (await this.standIn([objectId])).length > 0;
    const preparedId = await this.#host.ledger().call('preparedIdOf', objectId);
    return preparedId !== null && (await this.#givesBack(preparedId));
  }

  /**
   * Whether the prepared object, as it lies on the disk, gives back what was received.
   * @throws where that cannot be told at present
   */
  async restores(preparedId: ObjectId): Promise<boolean> {
    try {
      await using prepared = await openObject(this.#host.store(), preparedId);
      const { restoration } = prepared.facts;
      if (restoration === null) return false;
      const hash = createHash('sha256');
      for await (const chunk of this.#restored(prepared)) hash.update(chunk);
      return hash.digest('hex') === restoration.dataSetSha256;
    } catch (error) {
      if (error instanceof GantryError && error.kind === 'permanent') return false;
      throw error;
    }
  }

  /** As {@link restores}, for whoever has to know now: what the codec fails on again and again counts as false. */
  async restoresAfterAll(preparedId: ObjectId): Promise<boolean> {
    for (;;) {
      try {
        return await this.restores(preparedId);
      } catch (error) {
        if (!(error instanceof GantryError) || error.code !== 'RESTORE_FAILED') throw error;
      }
    }
  }

  /** As {@link restores}, believing what is on record. */
  async isProven(preparedId: ObjectId): Promise<boolean> {
    const ledger = this.#host.ledger();
    if (await ledger.call('isProven', preparedId)) return true;
    if (!(await this.restores(preparedId))) return false;
    await ledger.call('markProven', preparedId);
    return true;
  }

  /** Deletes the received objects of pairs just proven, where nobody needs them. */
  async replace(pairs: readonly FormPair[]): Promise<void> {
    if (!this.#host.replaces()) return;
    const replaced = await this.#host.ledger().call('replaceReceived', pairs, this.#host.now());
    this.#host.store().removeSoon(replaced);
  }

  /**
   * For received objects that are damaged or lost: where the prepared one is whole and gives them back, that is what
   * is stored from now on.
   * @returns those instances
   */
  async standIn(objectIds: readonly ObjectId[]): Promise<ObjectId[]> {
    const { ledger, store } = this.#host;
    const mended: ObjectId[] = [];
    for (const objectId of objectIds) {
      const preparedId = await ledger().call('standInOf', objectId);
      if (preparedId === null || !(await this.#givesBack(preparedId))) continue;
      await ledger().call('standIn', { objectId, preparedId });
      mended.push(objectId);
    }
    await store().remove(mended);
    return mended;
  }

  /**
   * For deliveries just held because an object of theirs is broken: where the other one is whole, they go on; where
   * the prepared one is to be restored and cannot be, that is not taken for proven any more.
   */
  async mend(settlements: readonly (ForwardSettlement | ProofSettlement)[]): Promise<void> {
    const { ledger, now } = this.#host;
    const held = settlements.filter((one) => one.to === 'held' && brokenHereCodes.includes(one.reason.code));
    if (held.length === 0) return;
    const ids = [...new Set(held.map(({ objectId }) => objectId))];
    const mended = await this.standIn(ids);
    if (mended.length > 0) await ledger().call('liftBroken', mended, now());
    for (const objectId of ids) if (!mended.includes(objectId)) await this.#doubtPrepared(objectId);
  }

  /** An object of the instance is broken, and it is not the received one. */
  async #doubtPrepared(objectId: ObjectId): Promise<void> {
    const { ledger, store, now } = this.#host;
    const preparedId = await ledger().call('preparedIdOf', objectId);
    if (preparedId === null) return;
    if (!store().has(objectId)) {
      await ledger().call('distrust', preparedId);
    } else if ((await isWhole(store(), objectId)) && !(await isWhole(store(), preparedId))) {
      await store().remove(await ledger().call('dropPrepared', [preparedId]));
      await ledger().call('proveWithoutPrepared', objectId, now());
    }
  }

  /** Whether a prepared object is whole, and on record, or now found, to give back what was received. */
  async #givesBack(preparedId: ObjectId): Promise<boolean> {
    if (!(await isWhole(this.#host.store(), preparedId))) return false;
    return this.isProven(preparedId).catch(() => false);
  }

  async *#restored(prepared: OpenObject): AsyncGenerator<Buffer> {
    const { codec } = this.#host;
    const { objectId } = prepared;
    if (codec === null) throw notRestored();
    try {
      yield* codec.restore(prepared);
      this.#failures.delete(objectId);
    } catch (error) {
      if (!(error instanceof GantryError) || error.code !== 'RESTORE_FAILED') throw error;
      const failures = (this.#failures.get(objectId) ?? 0) + 1;
      this.#failures.set(objectId, failures);
      if (failures < failuresMax) throw error;
      this.#failures.delete(objectId);
      throw notRestored(error);
    }
  }

  async #round(): Promise<number> {
    const { ledger, ready, now } = this.#host;
    if (!ready()) return sleepMsMax;
    const pairs = await ledger().call('unsettledPairs', this.#lastSeq, pairsPerPage, now());
    for (const pair of pairs) {
      if (this.#stopping) return 0;
      await this.#settle(pair);
      this.#lastSeq = pair.seq;
    }
    if (pairs.length === pairsPerPage) return 0;
    this.#lastSeq = 0;
    return sleepMsMax;
  }

  /** What was proven long ago is proven anew before the only other copy is deleted. */
  async #settle(pair: UnsettledPair): Promise<void> {
    const { objectId, preparedId, receivedHere, proven, replaceable } = pair;
    const { ledger, store, replaces, log, now, away } = this.#host;
    if (this.#hopeless.has(preparedId) || (proven && !(replaces() && replaceable))) return;
    if (await this.restores(preparedId)) {
      if (!proven) await ledger().call('markProven', preparedId);
      await this.replace([pair]);
      return;
    }
    // Purged or discarded meanwhile, or out of reach.
    if (!store().has(preparedId) || (await away())) return;
    this.#hopeless.add(preparedId);
    log.error(
      { code: notRestoredReason.code, objectId },
      'a compressed image does not give back what was received',
    );
    if (receivedHere) await store().remove(await ledger().call('dropPrepared', [preparedId]));
    else await ledger().call('holdObjects', [objectId], notRestoredReason, now());
  }
}

/** What a prepared object says of the received one. */
export function receivedFacts(prepared: ObjectFacts): ObjectFacts {
  if (prepared.restoration === null) throw notRestored();
  const { TransferSyntaxUID, dataSetBytes, dataSetSha256 } = prepared.restoration;
  const own = { TransferSyntaxUID, dataSetBytes, dataSetSha256, restoration: null };
  return { ...prepared, ...own, kind: 'received', sourceId: null };
}

function notRestored(cause?: unknown): GantryError {
  return new GantryError(
    {
      code: notRestoredReason.code,
      kind: 'permanent',
      message: 'The stored image is compressed, and does not give back what was received.',
      nextStep: 'Send this image again from its modality.',
    },
    { cause },
  );
}
