import type { Clock } from './base/clock.ts';
import type { CurrentConfig } from './config/store.ts';
import type { Destination } from './gateway-destination.ts';
import { type DiskSample, daysLeft, withSample } from './health/disk-forecast.ts';
import type { CompressionReport } from './health/compression.ts';
import type { Probes } from './health/probes.ts';
import type { RejectionReport, StatusReport, TlsReport } from './health/status.ts';
import { buildStatus, type ModalityInput } from './health/status-builder.ts';
import type { IntakeListener, IntakeStats } from './intake/listener.ts';
import type { Spool } from './spool/spool.ts';
import type { SpoolCounts } from './spool/types.ts';

interface StatusParts {
  readonly clock: Clock;
  readonly version: string;
  readonly current: CurrentConfig;
  /** Why the configuration file given at start is not in use, or null. */
  readonly configRejected: RejectionReport | null;
  readonly spool: Spool;
  readonly listener: IntakeListener;
  readonly destinations: readonly Destination[];
  readonly probes: Probes;
  /** The bound DICOM port. */
  readonly port: () => number;
  /** DICOM over TLS; null where it is off. */
  readonly tls: () => TlsReport | null;
  /** Null where no codec is at work. */
  readonly compression: (atRest: SpoolCounts['atRest']) => CompressionReport | null;
}

/** Counts are read from the ledger at most so often, however many ask. */
const countsMs = 250;

/** Gathers the status from the rooms. */
export class StatusGatherer {
  readonly #parts: StatusParts;
  readonly #startedAt: number;
  #samples: readonly DiskSample[] = [];
  #counts: { readonly at: number; readonly promise: Promise<SpoolCounts> } | null = null;

  constructor(parts: StatusParts) {
    this.#parts = parts;
    this.#startedAt = parts.clock.now();
  }

  async report(): Promise<StatusReport> {
    const { clock, version, current, configRejected, spool, listener } = this.#parts;
    const { destinations, probes, port, tls, compression } = this.#parts;
    const { config, generation } = current;
    const now = clock.now();
    const counts = await this.#readCounts();
    const gate = spool.intakeGate();
    const intake = listener.stats();
    return buildStatus({
      now,
      startedAt: this.#startedAt,
      version,
      site: { name: config.site.name, timeZone: config.site.timeZone },
      configGeneration: generation,
      configRejected,
      counts,
      intake: {
        open: gate.open,
        reason: gate.open ? null : gate.reason,
        aeTitle: config.intake.aeTitle,
        port: port(),
        tls: tls(),
        associations: intake.associations,
        associationsMax: intake.associationsMax,
        idleConnections: intake.idleConnections,
        idleConnectionsMax: intake.idleConnectionsMax,
        limits: config.intake.limits,
        refusalCounts: intake.refusalCounts,
        refusals: intake.refusals,
      },
      modalities: this.#modalities(intake),
      unknownCallers: Object.fromEntries(intake.unknownSenders),
      destinations: Object.fromEntries(destinations.map((one) => [one.name, one.state(now)])),
      disk: this.#disk(now),
      compression: compression(counts.atRest),
      machine: probes.current(),
    });
  }

  #readCounts(): Promise<SpoolCounts> {
    const now = performance.now();
    if (this.#counts === null || now - this.#counts.at >= countsMs) {
      this.#counts = { at: now, promise: this.#parts.spool.counts() };
    }
    return this.#counts.promise;
  }

  #modalities({ modalities: heard }: IntakeStats): Record<string, ModalityInput> {
    const { listener, current } = this.#parts;
    return Object.fromEntries(
      Object.entries(current.config.modalities).map(([name, { aeTitle }]) => [
        name,
        {
          aeTitle,
          lastHeardAt: heard.get(name)?.lastHeardAt ?? null,
          lastRefusal: listener.lastRefusal(name),
        },
      ]),
    );
  }

  #disk(now: number): StatusReport['disk'] {
    const disk = this.#parts.spool.disk();
    const availableBytes = disk.freeBytes - disk.reserveBytes;
    this.#samples = withSample(this.#samples, { at: now, storedBytes: disk.totalBytes - disk.freeBytes });
    const left = daysLeft(this.#samples, availableBytes);
    const low = disk.state === 'ok' && (availableBytes < disk.totalBytes / 10 || (left !== null && left < 3));
    return { ...disk, state: low ? 'low' : disk.state, daysLeft: left };
  }
}
