import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { startOwnThread } from '../base/own-files.ts';
import { LedgerDatabase } from './ledger.ts';
import { find, type KnownInstance, type NewInstance } from './ledger-instances.ts';
import type { Arguments, LedgerReply, LedgerRequest, OperationName, Result } from './ledger-operations.ts';
import type { FormPair } from './ledger-rest.ts';
import type { ObjectId, UidKey } from './types.ts';

/** Admissions are entered together: the objects are durable without them, and each commit costs the disk a sync. */
const admitDelayMs = 100;
const retryMs = 1000;
/** Handed over by the worker at once: all together would stand in memory several times. */
const idsPerPage = 10_000;
/** How long closing waits for a database that takes nothing. */
const flushMsMax = 5000;

interface Waiting {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** What the ledger needs of its owner. */
export interface LedgerHost {
  readonly log: Log;
  /** Called after each commit of new instances. */
  admitted(): void;
  /**
   * The worker ended by itself. What it had handed out is not known any more: the process has to start anew, and
   * recovery then brings ledger and objects together.
   */
  died(error: GantryError): void;
}

/**
 * The ledger as the main thread sees it: writes go to the worker and resolve after their durable commit;
 * `find` answers at once from a read-only view plus what is not committed yet.
 */
export class LedgerClient {
  readonly #worker: Worker;
  readonly #reader: LedgerDatabase;
  readonly #host: LedgerHost;
  readonly #waiting = new Map<number, Waiting>();
  readonly #uncommitted = new Map<UidKey, NewInstance[]>();
  #batch: NewInstance[] = [];
  #admitting: Promise<void> | null = null;
  #lastId = 0;
  #ended: GantryError | null = null;

  private constructor(path: string, host: LedgerHost) {
    this.#host = host;
    this.#reader = LedgerDatabase.openReader(path);
    this.#worker = startOwnThread(new URL('./ledger-worker.ts', import.meta.url), { workerData: { path } });
    this.#worker.on('message', (reply: LedgerReply) => this.#answer(reply));
    this.#worker.on('error', (error) =>
      host.log.error({ code: 'LEDGER_WORKER', error }, 'the ledger worker failed'),
    );
    this.#worker.on('exit', () => this.#workerEnded());
  }

  /** @throws GantryError LEDGER_DAMAGED, LEDGER_UNAVAILABLE, LEDGER_NEWER */
  static open(path: string, host: LedgerHost): LedgerClient {
    // Made, checked and brought up to date here, where a failure can be told.
    LedgerDatabase.open(path).close();
    return new LedgerClient(path, host);
  }

  /** Carries out one operation in the worker. @throws GantryError LEDGER_FAILED (transient) */
  call<Name extends OperationName>(name: Name, ...args: Arguments<Name>): Promise<Result<Name>> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    this.#lastId += 1;
    const request: LedgerRequest = { id: this.#lastId, name, args };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** Ids of every instance that should have a received object. */
  async presentObjectIds(): Promise<ReadonlySet<ObjectId>> {
    const present = new Set<ObjectId>();
    let last: ObjectId | null = null;
    do {
      const page: ObjectId[] = await this.call('presentObjectIds', last, idsPerPage);
      for (const id of page) present.add(id);
      last = page.at(-1) ?? null;
    } while (last !== null);
    return present;
  }

  /** The instances of which the prepared object is all that is stored, a page at a time. */
  async *replacedPairs(): AsyncGenerator<readonly FormPair[]> {
    for (let last = 0; ; ) {
      const page: Result<'replacedPairs'> = await this.call('replacedPairs', last, idsPerPage);
      if (page.length === 0) return;
      yield page;
      last = page.at(-1)?.seq ?? last;
    }
  }

  find(uidKey: UidKey): KnownInstance[] {
    const uncommitted = (this.#uncommitted.get(uidKey) ?? []).map((instance) => ({
      objectId: instance.objectId,
      digest: instance.digest,
      transferSyntax: instance.transferSyntax,
      purged: false,
    }));
    return [...find(this.#reader, uidKey), ...uncommitted];
  }

  /** Enters a durable object soon; retried until the database takes it. Visible to {@link find} at once. */
  admitSoon(instance: NewInstance): void {
    const same = this.#uncommitted.get(instance.uidKey);
    if (same === undefined) this.#uncommitted.set(instance.uidKey, [instance]);
    else same.push(instance);
    this.#batch.push(instance);
    this.#admitting ??= this.#admitBatches();
  }

  /** Resolves once everything admitted so far is entered. */
  async flush(): Promise<void> {
    while (this.#admitting !== null) await this.#admitting;
  }

  /** Enters what was admitted, as long as the database takes it; what it does not take is adopted at the next start. */
  async close(): Promise<void> {
    await Promise.race([this.flush(), delay(flushMsMax, undefined, { ref: false })]);
    const closing = this.#ended === null;
    this.#ended ??= ledgerFailed('closed', 'the ledger is closed');
    this.#reader.close();
    if (!closing) return;
    const exited = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    this.#worker.postMessage('close');
    await exited;
  }

  async #admitBatches(): Promise<void> {
    try {
      while (this.#batch.length > 0) {
        await delay(admitDelayMs);
        const batch = this.#batch;
        this.#batch = [];
        await this.#admitUntilTaken(batch);
        for (const instance of batch) this.#forgetUncommitted(instance);
        this.#host.admitted();
      }
    } finally {
      this.#admitting = null;
    }
  }

  async #admitUntilTaken(batch: readonly NewInstance[]): Promise<void> {
    while (this.#ended === null) {
      try {
        await this.call('admit', batch);
        return;
      } catch (error) {
        this.#host.log.error(
          { code: 'LEDGER_ADMIT', error, instances: batch.length },
          'received images could not be entered in the ledger; trying again',
        );
        await delay(retryMs);
      }
    }
  }

  #forgetUncommitted(instance: NewInstance): void {
    const left = (this.#uncommitted.get(instance.uidKey) ?? []).filter((one) => one !== instance);
    if (left.length === 0) this.#uncommitted.delete(instance.uidKey);
    else this.#uncommitted.set(instance.uidKey, left);
  }

  #workerEnded(): void {
    const asked = this.#ended !== null;
    this.#ended ??= ledgerFailed('worker', 'the ledger worker ended');
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
    this.#waiting.clear();
    if (!asked) this.#host.died(this.#ended);
  }

  #answer(reply: LedgerReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.ok) waiting?.resolve(reply.result);
    else waiting?.reject(ledgerFailed(reply.error.code, reply.error.message));
  }
}

function ledgerFailed(detail: string, message: string): GantryError {
  return new GantryError(
    {
      code: 'LEDGER_FAILED',
      kind: 'transient',
      message: `The ledger could not be written (${detail}).`,
      nextStep: 'Nothing received is lost. Check the free space and the health of the disk.',
    },
    { cause: new Error(message) },
  );
}
