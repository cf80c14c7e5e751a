import { join } from 'node:path';
import { makeDirectoryDurably } from '../base/disk.ts';
import { AtRest } from './at-rest.ts';
import { compareWithKnown } from './duplicates.ts';
import { encodeTrailer } from './facts.ts';
import { InstanceRows } from './instance-rows.ts';
import { Incoming, type IncomingHost } from './incoming.ts';
import type { LedgerClient } from './ledger-client.ts';
import { openLedger } from './ledger-opening.ts';
import type { QueueFilter } from './ledger-views.ts';
import { NewObjects } from './new-objects.ts';
import { PreparedForms } from './prepared.ts';
import { purgeVerified } from './purge.ts';
import { recover } from './recovery.ts';
import { scrubObjects, type ScrubReport } from './scrub.ts';
import { SegmentStore } from './segment-store.ts';
import type { SpoolOptions } from './spool-options.ts';
import { StudyRecords } from './study-records.ts';
import { Tombstones } from './tombstones.ts';
import { Turns } from './turns.ts';
import {
  type AdmissionFacts,
  type DeliveryKey,
  type ForwardItem,
  type ForwardLimits,
  type ForwardSettlement,
  type IncomingObject,
  type IntakeGate,
  type ObjectId,
  type OpenObject,
  type ProofItem,
  type ProofSettlement,
  type QueueEntry,
  type SettledStudy,
  type SpoolCounts,
  type SpoolForward,
  type SpoolIntake,
  type SpoolProof,
  retriedStates,
  type UidKey,
} from './types.ts';
import { intakeClosed, spoolError, Volume, volumeMissing, type VolumeReport } from './volume.ts';

const volumeWaitMs = 2000;
const openingReason = { code: 'SPOOL_OPENING', words: 'The spool is being opened; try again in a moment.' };

/** The spool's face: admission, work for forwarding and proof, recovery, the operator's hand. */
export class Spool implements SpoolIntake, SpoolForward, SpoolProof {
  readonly #options: SpoolOptions;
  #store: SegmentStore;
  readonly #tombstones: Tombstones;
  readonly #volume: Volume;
  readonly #rows: InstanceRows;
  /** As the codec sees it. */
  readonly codec: PreparedForms;
  readonly atRest: AtRest;
  readonly studies = new StudyRecords(() => this.#db);
  readonly #listeners = new Set<() => void>();
  readonly #admissions = new Turns();
  readonly #newObjects: NewObjects;
  #ledger: LedgerClient | null = null;
  #recovered = false;
  #waiting: NodeJS.Timeout | null = null;

  constructor(options: SpoolOptions) {
    const { disk, dataDirectory, keyring, log } = options;
    const directory = join(dataDirectory, 'spool');
    this.#options = options;
    this.#newObjects = new NewObjects(keyring);
    this.#rows = new InstanceRows(keyring, options);
    this.codec = new PreparedForms({
      store: () => this.#store,
      ledger: () => this.#db,
      newObject: () => this.#newObjects.start(this.#store, this.#now(), 'prepared'),
      gate: () => this.intakeGate(),
      ready: () => this.#ready,
      workMade: () => this.#workMade(),
      onWork: (listener) => this.onWork(listener),
      failed: (error) => this.#failed(error),
      noteWritten: (bytes) => this.#volume.noteWritten(bytes),
      open: (objectId) => this.open(objectId),
      replace: (pairs) => this.atRest.replace(pairs),
      digestKey: (sha256) => this.#rows.digestKey(sha256),
      now: () => this.#now(),
    });
    this.atRest = new AtRest({
      store: () => this.#store,
      ledger: () => this.#db,
      ready: () => this.#ready,
      away: () => this.#volume.isMissing(),
      codec: options.codec ?? null,
      replaces: () => options.replacesReceived ?? false,
      log,
      now: () => this.#now(),
    });
    this.#store = this.#newStore();
    this.#tombstones = new Tombstones(disk, join(directory, 'tombstones'), keyring);
    this.#volume = new Volume({
      disk,
      directory,
      volumeId: keyring.volumeId,
      markedPath: join(dataDirectory, 'keys', 'volume-marked'),
      reserveBytes: () => options.reserveBytes,
      log,
      spareBytes: () => this.#store.spareBytes,
      replaced: () => void this.#store.release(),
    });
  }

  /**
   * Opens the ledger (a damaged one is set aside), brings it and the objects together, and lets objects in.
   * Where the volume is missing nothing is received or sent until it is back.
   * @throws GantryError LEDGER_UNAVAILABLE, LEDGER_NEWER
   */
  async start(): Promise<void> {
    const { disk, dataDirectory, log, died } = this.#options;
    await makeDirectoryDurably(disk, join(dataDirectory, 'spool'));
    await this.#volume.start();
    this.#ledger = await openLedger(disk, join(dataDirectory, 'ledger.db'), {
      log,
      admitted: () => this.#workMade(),
      died,
    });
    await this.codec.loadAbilities();
    await this.#recoverWherePossible();
  }

  async #recoverWherePossible(): Promise<void> {
    const { log, clock } = this.#options;
    if (this.#volume.state === 'missing') {
      log.error(
        { code: 'SPOOL_VOLUME_MISSING' },
        'the spool volume is missing or is another one; waiting for it',
      );
      this.#waitForVolume();
      return;
    }
    // What an attempt that failed knows of the segments is not true any more.
    await this.#store.close();
    this.#store = this.#newStore();
    await this.#store.start();
    const report = await recover({
      store: this.#store,
      ledger: this.#db,
      tombstones: this.#tombstones,
      log,
      now: clock.now(),
      volumeMissing: () => this.#volume.isMissing(),
      isWhole: (objectId) => this.atRest.isWhole(objectId),
      standIn: (objectIds) => this.atRest.standIn(objectIds),
      describe: (objectId, start, files) => this.#rows.read(this.#store, objectId, start, files),
      describeUnreadable: (objectId) => this.#rows.unreadable(objectId, clock.now()),
    });
    log.info({ event: 'recovered', ...report }, 'the spool is open');
    this.#recovered = true;
    this.#workMade();
  }

  #newStore(): SegmentStore {
    const { disk, dataDirectory, keyring, log, segmentBytes, preparedBytes } = this.#options;
    return new SegmentStore({
      disk,
      preparedBytes,
      directory: join(dataDirectory, 'spool'),
      findKey: (epochId) => keyring.epochKey(epochId),
      log,
      roomBytes: () => this.#volume.roomBytes,
      segmentBytes,
    });
  }

  #waitForVolume(): void {
    this.#waiting = setTimeout(() => {
      this.#recoverWherePossible().catch((error: unknown) => {
        this.#options.log.error(
          { code: 'SPOOL_RECOVERY', error },
          'the spool could not be opened; trying again',
        );
        this.#waitForVolume();
      });
    }, volumeWaitMs);
    this.#waiting.unref();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#waiting ?? undefined);
    this.#recovered = false;
    await this.#volume.stop();
    await this.#ledger?.close();
    this.#ledger = null;
    await this.#store.close();
  }

  intakeGate(): IntakeGate {
    const gate = this.#volume.gate();
    return gate.open && !this.#recovered ? { open: false, reason: openingReason } : gate;
  }

  async begin(facts: AdmissionFacts): Promise<IncomingObject> {
    const gate = this.intakeGate();
    if (!gate.open) throw intakeClosed(gate.reason);
    const receivedAt = this.#now();
    const { objectId, epochId, writer, ended } = this.#newObjects.start(this.#store, receivedAt, 'received');
    return new Incoming({ objectId, epochId, facts, receivedAt, writer }, this.#hostFor(ended));
  }

  givesBackReceived(preparedId: ObjectId): Promise<boolean> {
    return this.atRest.isProven(preparedId);
  }

  digestKey(sha256: string): string {
    return this.#rows.digestKey(sha256);
  }

  async open(objectId: ObjectId): Promise<OpenObject> {
    return this.atRest.open(objectId).catch(async (error: unknown) => {
      throw (await this.#volume.isMissing()) ? volumeMissing() : error;
    });
  }

  takeForward(destination: string, limits: ForwardLimits): Promise<ForwardItem[]> {
    if (!this.#ready) return Promise.resolve([]);
    return this.#db.call('takeForward', destination, limits, this.#now());
  }

  async settleForward(settlements: readonly ForwardSettlement[]): Promise<void> {
    this.codec.learned(await this.#db.call('settleForward', settlements, this.#now()));
    await this.atRest.mend(settlements);
    this.#workMade();
  }

  noteArchiveHad(studyKey: UidKey, destination: string, had: boolean): Promise<boolean> {
    return this.#db.call('noteArchiveHad', studyKey, destination, had);
  }

  nextForwardAt(destination: string): Promise<number | null> {
    return this.#db.call('nextDue', destination, 'queued', this.#now());
  }

  takeProof(destination: string, instancesMax: number): Promise<ProofItem[]> {
    if (!this.#ready) return Promise.resolve([]);
    return this.#db.call('takeProof', destination, instancesMax, this.#now());
  }

  async settleProof(settlements: readonly ProofSettlement[]): Promise<void> {
    await this.#db.call('settleProof', settlements, this.#now());
    await this.atRest.mend(settlements);
    this.#workMade();
  }

  nextProofAt(destination: string): Promise<number | null> {
    return this.#db.call('nextDue', destination, 'delivered', this.#now());
  }

  onWork(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  settledStudies(studiesMax: number): Promise<SettledStudy[]> {
    return this.#db.call('settledStudies', studiesMax, this.#now());
  }

  receiptWritten(studyKey: UidKey, receiptNumber: number, revision: number): Promise<void> {
    return this.#db.call('receiptWritten', studyKey, receiptNumber, revision);
  }

  purgeVerified(
    verifiedBefore: number,
  ): Promise<{ instances: number; bytes: number; epochsShredded: number }> {
    return purgeVerified(verifiedBefore, {
      ledger: this.#db,
      store: this.#store,
      tombstones: this.#tombstones,
      keyring: this.#options.keyring,
      now: () => this.#now(),
      ready: () => this.#ready,
      epochIsOpen: (epochId) => this.#newObjects.isOpen(epochId),
    });
  }

  counts(): Promise<SpoolCounts> {
    return this.#db.call('counts', this.#now());
  }

  /** How many objects of each sender were received since then. */
  receivedSince(since: number): Promise<{ name: string; configured: boolean; received: number }[]> {
    return this.#db.call('receivedSince', since);
  }

  /** Free and total space and what is wrong with the volume, if anything. */
  disk(): VolumeReport {
    return this.#volume.report();
  }

  /** See {@link Volume.probe}. */
  readonly probe = () => this.#volume.probe();

  /** Deliveries in order of admission. @param after the last delivery of the page before, or null */
  entries(filter: QueueFilter, after: DeliveryKey | null, entriesMax: number): Promise<QueueEntry[]> {
    return this.#db.call('entries', filter, after, entriesMax);
  }

  /** Makes deliveries due now; for delivered ones, the look that proves them. Conflicts: {@link resolveConflict}. */
  async retry(filter: QueueFilter, states = retriedStates): Promise<number> {
    const count = await this.#db.call('requeue', { ...filter, states }, this.#now());
    this.#workMade();
    return count;
  }

  /** Gives what destinations that are not among the configured ones were to get to one of those. Returns how many. */
  sendElsewhere(filter: QueueFilter, to: string, configured: readonly string[]): Promise<number> {
    return this.#db
      .call('sendElsewhere', filter, to, configured, this.#now())
      .finally(() => this.#workMade());
  }

  /** Makes what waits of the objects' studies stat. Returns how many deliveries were not. */
  hurry(objectIds: readonly ObjectId[]): Promise<number> {
    return this.#db.call('hurry', objectIds).finally(() => this.#workMade());
  }

  /**
   * An operator's decision: the deliveries are given up, and objects nobody needs any more are deleted. A later
   * identical image is taken in afresh.
   */
  async discard(filter: QueueFilter): Promise<number> {
    const { deliveries, objectIds } = await this.#db.call('discard', filter, this.#now());
    await this.#store.remove([...objectIds, ...(await this.#db.call('preparedIdsOf', objectIds))]);
    this.#workMade();
    return deliveries;
  }

  /** Settles a conflict: send this object after all (the archive decides), or delete it. */
  async resolveConflict(objectId: ObjectId, choice: 'forward' | 'discard'): Promise<number> {
    const filter: QueueFilter = { objectIds: [objectId], states: ['conflict'] };
    return choice === 'forward' ? this.retry(filter, ['conflict']) : this.discard(filter);
  }

  /** Resolves once everything admitted so far is entered in the ledger. */
  flush(): Promise<void> {
    return this.#db.flush();
  }

  /** Reads and verifies every stored object; holds the damaged ones. @throws GantryError SPOOL_VOLUME_MISSING */
  scrub(): Promise<ScrubReport> {
    if (!this.#ready) return Promise.reject(volumeMissing());
    return scrubObjects({
      store: this.#store,
      ledger: this.#db,
      atRest: this.atRest,
      now: this.#now(),
      volumeMissing: () => this.#volume.isMissing(),
    });
  }

  /** False while the volume is away: its objects are then not missing, only out of reach. */
  get #ready(): boolean {
    return this.#recovered && this.#volume.state !== 'missing';
  }

  get #db(): LedgerClient {
    if (this.#ledger === null) throw new Error('the spool is not started');
    return this.#ledger;
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #workMade(): void {
    for (const listener of this.#listeners) listener();
  }

  #failed(error: unknown): Error {
    const known = spoolError(error);
    if (known.code === 'SPOOL_IO') this.#volume.markSuspect(error);
    return known;
  }

  #hostFor(ended: () => void): IncomingHost {
    return {
      exclusively: (facts, work) => this.#admissions.take(facts.SOPInstanceUID, work),
      compare: (facts) =>
        compareWithKnown(facts, {
          ledger: this.#db,
          rows: this.#rows,
          atRest: this.atRest,
          now: this.#now(),
        }),
      destinationsOf: (facts, found) => this.#options.destinationsOf(facts, found),
      admitted: (objectId, epoch, facts, start) =>
        this.#db.admitSoon(this.#rows.of(objectId, epoch, facts, start)),
      encode: encodeTrailer,
      failed: (error) => this.#failed(error),
      noteWritten: (bytes) => this.#volume.noteWritten(bytes),
      ended,
    };
  }
}
