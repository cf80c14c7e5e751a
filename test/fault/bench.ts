import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { nodeDisk } from '../../src/base/disk.ts';
import type { CodecOptions } from '../../src/spool/prepared.ts';
import type { Spool } from '../../src/spool/spool.ts';
import type { AdmitOutcome, DeliveryKey } from '../../src/spool/types.ts';
import { type TemporaryDirectory } from '../fixtures/data-directory.ts';
import {
  type OpenedSpool,
  openSpool,
  type TestInstance,
  testInstance,
  writeReceipts,
} from '../fixtures/open-spool.ts';
import { type Place, storedObjects, unfinishedObjects } from '../fixtures/stored-objects.ts';
import { DurabilityAudit } from './durability-audit.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { Oracle, readSpool, safe, sha256 } from './oracle.ts';

/** One data directory, its disk that can fail, the account of what is durable, and what senders were told. */
export class Bench {
  readonly path: string;
  readonly faulty = new FaultyDisk(nodeDisk);
  readonly oracle: Oracle;
  readonly audit: DurabilityAudit;

  private constructor(path: string, audit: (disk: FaultyDisk) => DurabilityAudit, oracle: Oracle) {
    this.path = path;
    this.audit = audit(this.faulty);
    this.oracle = oracle;
  }

  static fresh(path: string): Bench {
    mkdirSync(path);
    return new Bench(path, (disk) => new DurabilityAudit(disk, path), new Oracle());
  }

  /** What another process would find if this one ended now. `cp` closes no file of ours, which would drop locks. */
  copyTo(path: string): Bench {
    const { status, stderr } = spawnSync('cp', ['-a', this.path, path], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return new Bench(path, (disk) => this.audit.forCopy(disk, path), this.oracle.copy());
  }

  open(codec?: CodecOptions): Promise<OpenedSpool> {
    return openSpool(this.path, { disk: this.audit, quietMs: 0, ...(codec === undefined ? {} : { codec }) });
  }

  /**
   * Sends one instance as an association does: what fails before the commit is aborted, a failed commit is not.
   * What is acknowledged has to be durable by then.
   */
  async send(spool: Spool, instance: TestInstance): Promise<AdmitOutcome> {
    const outcome = await this.sendElsewhere(spool, instance);
    this.oracle.acknowledged(sentOf(instance));
    this.#expectDurable(instance);
    return outcome;
  }

  /** As `send`, for what is verified at the archive, or going to be: it need not stay. */
  async sendElsewhere(spool: Spool, instance: TestInstance): Promise<AdmitOutcome> {
    const { admission, found, dataSet } = instance;
    this.oracle.offered(sentOf(instance));
    const incoming = await spool.begin(admission);
    try {
      for (let at = 0; at < dataSet.length; at += 65_536) {
        await incoming.write(dataSet.subarray(at, at + 65_536));
      }
    } catch (error) {
      await incoming.abort();
      throw error;
    }
    return incoming.commit(found);
  }

  #expectDurable({ admission, dataSet }: TestInstance): void {
    const digest = sha256(dataSet);
    const own = readSpool(this.path).kept.find(
      (one) => one.uid === admission.SOPInstanceUID && one.digest === digest,
    );
    if (own === undefined) throw new Error('acknowledged, and not in the spool');
    this.expectDurableAt(own.places);
    const keys = join(this.path, 'keys');
    expect(this.audit.doubtsAbout(join(keys, 'root.key'))).toEqual([]);
    const keystores = ['keystore-a', 'keystore-b'].map((copy) => this.audit.doubtsAbout(join(keys, copy)));
    expect(keystores).toContainEqual([]);
  }

  expectDurableAt(places: readonly Place[]): void {
    for (const { path, from, to } of places) expect(this.audit.doubtsAbout(path, from, to)).toEqual([]);
  }

  /** Ids of what is half received. */
  incoming(): string[] {
    return unfinishedObjects(this.path);
  }

  /** Nothing acknowledged is missing or altered, nothing half can be seen. */
  async expectSafe(): Promise<void> {
    const judged = await this.oracle.judge({ dataDirectory: this.path, archiveDirectory: null });
    expect(judged).toMatchObject(safe);
  }

  /** A start with a disk that works: everything is there, these are taken in, and the ledger knows every object. */
  async expectRecovery(after: readonly TestInstance[] = []): Promise<void> {
    this.faulty.failAt(null);
    const { spool, stop } = await this.open();
    try {
      expect(this.incoming()).toEqual([]);
      await this.expectSafe();
      for (const instance of [...after, testInstance()]) await this.send(spool, instance);
      await spool.flush();
      const entries = await spool.entries({}, null, 1000);
      const objects = storedObjects(this.path).map(({ id }) => id);
      expect(entries.map(({ objectId }) => objectId).toSorted()).toEqual(objects.toSorted());
    } finally {
      await stop();
    }
    await this.expectSafe();
  }
}

function sentOf({ admission, dataSet }: TestInstance) {
  return { SOPInstanceUID: admission.SOPInstanceUID, dataSet };
}

/** What is durable is the audit's to say, so a bench needs no real disk: in memory, where there is such a place. */
export function memoryDirectory(): TemporaryDirectory {
  let parent = '/dev/shm';
  try {
    accessSync(parent, constants.W_OK);
  } catch {
    parent = tmpdir();
  }
  const path = mkdtempSync(join(parent, 'gantry-test-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export const oldest = { instancesMax: 100, bytesMax: 1e9, order: 'oldest' } as const;

/** Has everything that waits delivered, as forwarding would. */
export async function deliverAll(spool: Spool): Promise<DeliveryKey[]> {
  await spool.flush();
  const items = await spool.takeForward('cloud', oldest);
  const keys = items.map(({ objectId, destination }) => ({ objectId, destination }));
  await spool.settleForward(
    keys.map((key) => ({ ...key, to: 'delivered', needsDigest: false, existed: false, warning: null })),
  );
  return keys;
}

/** Has everything that waits delivered and verified, as forwarding and proof would. */
export async function verifyAll(spool: Spool): Promise<void> {
  const keys = await deliverAll(spool);
  await spool.takeProof('cloud', 100);
  await spool.settleProof(keys.map((key) => ({ ...key, to: 'verified', by: 'digest' })));
  await writeReceipts(spool);
}
