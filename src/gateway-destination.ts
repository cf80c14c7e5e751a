import { createDicomWebClient } from './archive/dicomweb.ts';
import { createDimseClient } from './archive/dimse.ts';
import { createFolderClient } from './archive/folder.ts';
import type { ArchiveClient } from './archive/port.ts';
import type { Clock } from './base/clock.ts';
import type { SealedSecrets } from './base/sealed-secrets.ts';
import type { Log } from './base/log.ts';
import type { DestinationConfig } from './config/schema.ts';
import { Bandwidth, unlimited } from './forward/bandwidth.ts';
import { Forwarder } from './forward/forwarder.ts';
import type { PauseBook } from './forward/pause-book.ts';
import { Since } from './health/since.ts';
import type { DestinationInput } from './health/status-builder.ts';
import type { VerifyPolicy } from './proof/policy.ts';
import { Verifier } from './proof/verifier.ts';
import type { Spool } from './spool/spool.ts';

interface DestinationParts {
  readonly spool: Spool;
  readonly clock: Clock;
  readonly log: Log;
  readonly site: SiteFacts;
  readonly pauses: PauseBook;
  readonly secrets: SealedSecrets;
}

/** What a destination needs to know of the box. */
interface SiteFacts {
  /** Of intake: what the box calls itself where nothing else is said. */
  readonly aeTitle: string;
  readonly timeZone: string;
}

/** A folder is written by one process to one volume: more at a time gains nothing. */
const folderWork = { batch: { instancesMax: 64, bytesMax: 64 * 1024 * 1024 }, parallel: 2 };
const dimsePolicies = { response: 'response', find: 'find', get: 'wado-digest' } as const;

interface Kind {
  readonly client: ArchiveClient;
  readonly work: { readonly batch: { instancesMax: number; bytesMax: number }; readonly parallel: number };
  readonly proof: { readonly verify: VerifyPolicy; readonly digestSample: number };
}

/** What is different from one type of destination to another. */
function kindOf(
  config: DestinationConfig,
  { clock, site, secrets: sealed }: Pick<DestinationParts, 'clock' | 'site' | 'secrets'>,
): Kind {
  if (config.type === 'stow') {
    return { client: createDicomWebClient({ ...config, clock, sealed }), work: config, proof: config };
  }
  if (config.type === 'dimse') {
    const callingAeTitle = config.callingAeTitle ?? site.aeTitle;
    return {
      client: createDimseClient({ ...config, callingAeTitle, clock }),
      work: config,
      proof: { verify: dimsePolicies[config.verify], digestSample: 0 },
    };
  }
  return {
    client: createFolderClient({ ...config, timeZone: site.timeZone, clock }),
    work: folderWork,
    proof: { verify: 'wado-digest', digestSample: 0 },
  };
}

/** One destination at work: its client, what sends to it and what proves that it arrived. */
export class Destination {
  readonly name: string;
  readonly forwarder: Forwarder;
  readonly #verifier: Verifier;
  readonly client: ArchiveClient;
  readonly config: DestinationConfig;
  readonly #since = new Since();
  readonly #pauses: PauseBook;

  constructor(name: string, config: DestinationConfig, parts: DestinationParts) {
    const { spool, clock, log, site, pauses } = parts;
    this.name = name;
    this.config = config;
    this.#pauses = pauses;
    const { client, work, proof } = kindOf(config, parts);
    this.client = client;
    const shared = { client: this.client, spool, clock, log: log.child({ destination: name }) };
    const bandwidth = new Bandwidth(
      'bandwidth' in config ? config.bandwidth : unlimited,
      site.timeZone,
      clock,
    );
    this.forwarder = new Forwarder({ ...shared, bandwidth, destination: { ...work, name } });
    this.#verifier = new Verifier({ ...shared, destination: { ...proof, name } });
  }

  start(): void {
    if (this.#pauses.of(this.name) !== null) this.forwarder.pause();
    this.#verifier.start();
    this.forwarder.start();
  }

  /** Sends nothing new until {@link resume}, over restarts; what was sent is proven all the same. */
  async pause(by: string, now: number): Promise<void> {
    await this.#pauses.add(this.name, { at: now, by });
    this.forwarder.pause();
  }

  async resume(): Promise<void> {
    await this.#pauses.remove(this.name);
    this.forwarder.resume();
  }

  async stop(): Promise<void> {
    await this.forwarder.stop();
    await this.#verifier.stop();
    await this.client.close();
  }

  /** What the line carries, in bytes a second; null before enough was sent. */
  goodput(): number | null {
    return this.forwarder.state().line.goodputBytesPerSecond;
  }

  state(now: number): DestinationInput {
    const { state, reason, reached, nextAttemptAt, lastDeliveredAt, line } = this.forwarder.state();
    const { tlsDaysLeft, bytesSent, space = null } = this.client.line();
    const { reason: cannotVerify, lastVerifiedAt } = this.#verifier.state();
    return {
      state,
      reason,
      reached,
      stateSince: this.#since.of('state', state, now),
      nextAttemptAt,
      lastDeliveredAt,
      lastVerifiedAt,
      cannotVerify,
      cannotVerifySince: this.#since.of('proof', cannotVerify?.code ?? '', now),
      tlsDaysLeft,
      space,
      testStudyAllowed: this.config.allowTestStudy,
      bytesSent,
      line: { goodputBytesPerSecond: line.goodputBytesPerSecond, limit: line.limit },
    };
  }
}
