import { createDicomWebClient } from './archive/dicomweb.ts';
import type { ArchiveClient } from './archive/port.ts';
import type { Clock } from './base/clock.ts';
import type { Log } from './base/log.ts';
import type { DestinationConfig } from './config/schema.ts';
import { Bandwidth } from './forward/bandwidth.ts';
import { Forwarder } from './forward/forwarder.ts';
import { Since } from './health/since.ts';
import type { DestinationInput } from './health/status-builder.ts';
import { Verifier } from './proof/verifier.ts';
import type { Spool } from './spool/spool.ts';

interface DestinationParts {
  readonly spool: Spool;
  readonly clock: Clock;
  readonly log: Log;
  /** `timeZone`: that of the site, which limits by time of day are in. */
  readonly site: { readonly timeZone: string };
}

/** One destination at work: its client, what sends to it and what proves that it arrived. */
export class Destination {
  readonly name: string;
  readonly forwarder: Forwarder;
  readonly #verifier: Verifier;
  readonly #client: ArchiveClient;
  readonly #since = new Since();

  constructor(name: string, config: DestinationConfig, { spool, clock, log, site }: DestinationParts) {
    this.name = name;
    this.#client = createDicomWebClient({ ...config, clock });
    const shared = { client: this.#client, spool, clock, log: log.child({ destination: name }) };
    const bandwidth = new Bandwidth(config.bandwidth, site.timeZone, clock);
    this.forwarder = new Forwarder({ ...shared, bandwidth, destination: { ...config, name } });
    this.#verifier = new Verifier({ ...shared, destination: { ...config, name } });
  }

  start(): void {
    this.#verifier.start();
    this.forwarder.start();
  }

  async stop(): Promise<void> {
    await this.forwarder.stop();
    await this.#verifier.stop();
    await this.#client.close();
  }

  state(now: number): DestinationInput {
    const { state, reason, reached, nextAttemptAt, lastDeliveredAt, line } = this.forwarder.state();
    const { tlsDaysLeft, bytesSent } = this.#client.line();
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
      bytesSent,
      line: { goodputBytesPerSecond: line.goodputBytesPerSecond, limit: line.limit },
    };
  }
}
