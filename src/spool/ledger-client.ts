import { Worker } from 'node:worker_threads';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { LedgerDatabase } from './ledger.ts';
import { find, type KnownInstance, type NewInstance } from './ledger-instances.ts';
import type { Arguments, LedgerReply, LedgerRequest, OperationName, Result } from './ledger-operations.ts';
import type { UidKey } from './types.ts';

/** Admissions are entered together: the objects are durable without them, and each commit costs the disk a sync. */
const admitDelayMs = 100;
const retryMs = 1000;

interface Waiting {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/**
 * The ledger as the main thread sees it: writes go to the worker and resolve after their durable commit;
 * `find` answers at once from a read-only view plus what is not committed yet.
 */
export class LedgerClient {
  /** True where the database was made just now: what the objects went through is not known. */
  readonly fresh: boolean;
  readonly #path: string;
  #worker: Worker;
  readonly #reader: LedgerDatabase;
  readonly #log: Log;
  readonly #waiting = new Map<number, Waiting>();
  readonly #uncommitted = new Map<UidKey, NewInstance[]>();
  readonly #admitted: () => void;
  #batch: NewInstance[] = [];
  #admitting: Promise<void> | null = null;
  #lastId = 0;
  #closed = false;

  private constructor(path: string, fresh: boolean, log: Log, admitted: () => void) {
    this.fresh = fresh;
    this.#path = path;
    this.#log = log;
    this.#admitted = admitted;
    this.#reader = LedgerDatabase.openReader(path);
    this.#worker = this.#startWorker();
  }

  /**
   * @param admitted called after each commit of new instances
   * @throws GantryError LEDGER_DAMAGED, LEDGER_NEWER
   */
  static open(path: string, log: Log, admitted: () => void): LedgerClient {
    const { database, fresh } = LedgerDatabase.open(path);
    database.close();
    return new LedgerClient(path, fresh, log, admitted);
  }

  /** Carries out one operation in the worker. @throws GantryError LEDGER_FAILED (transient) */
  call<Name extends OperationName>(name: Name, ...args: Arguments<Name>): Promise<Result<Name>> {
    if (this.#closed) return Promise.reject(ledgerFailed('closed', 'the ledger is closed'));
    this.#lastId += 1;
    const request: LedgerRequest = { id: this.#lastId, name, args };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  find(uidKey: UidKey): KnownInstance[] {
    const uncommitted = (this.#uncommitted.get(uidKey) ?? []).map((instance) => ({
      objectId: instance.objectId,
      digest: instance.digest,
      transferSyntax: instance.transferSyntax,
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

  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
    this.#reader.close();
    const exited = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    this.#worker.postMessage('close');
    await exited;
  }

  async #admitBatches(): Promise<void> {
    try {
      while (this.#batch.length > 0) {
        await new Promise((resolve) => setTimeout(resolve, admitDelayMs));
        const batch = this.#batch;
        this.#batch = [];
        await this.#admitUntilTaken(batch);
        for (const instance of batch) this.#forgetUncommitted(instance);
        this.#admitted();
      }
    } finally {
      this.#admitting = null;
    }
  }

  async #admitUntilTaken(batch: readonly NewInstance[]): Promise<void> {
    while (!this.#closed) {
      try {
        await this.call('admit', batch);
        return;
      } catch (error) {
        this.#log.error(
          { code: 'LEDGER_ADMIT', error, instances: batch.length },
          'received images could not be entered in the ledger; trying again',
        );
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }

  #forgetUncommitted(instance: NewInstance): void {
    const left = (this.#uncommitted.get(instance.uidKey) ?? []).filter((one) => one !== instance);
    if (left.length === 0) this.#uncommitted.delete(instance.uidKey);
    else this.#uncommitted.set(instance.uidKey, left);
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL('./ledger-worker.ts', import.meta.url), {
      workerData: { path: this.#path },
    });
    worker.on('message', (reply: LedgerReply) => this.#answer(reply));
    worker.on('error', (error) =>
      this.#log.error({ code: 'LEDGER_WORKER', error }, 'the ledger worker failed'),
    );
    worker.on('exit', () => this.#workerEnded());
    return worker;
  }

  /** What was asked of it fails (its callers repeat it); a new worker takes over unless we are closing. */
  #workerEnded(): void {
    for (const waiting of this.#waiting.values()) {
      waiting.reject(ledgerFailed('worker', 'the ledger worker ended'));
    }
    this.#waiting.clear();
    if (this.#closed) return;
    setTimeout(() => {
      if (!this.#closed) this.#worker = this.#startWorker();
    }, retryMs);
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
