import type { Clock } from './base/clock.ts';
import type { Log } from './base/log.ts';
import type { CurrentConfig } from './config/store.ts';
import type { Destination } from './gateway-destination.ts';
import type { NetworkWatch } from './gateway-network.ts';
import { type DiskSample, daysLeft, withSample } from './health/disk-forecast.ts';
import type { CompressionReport } from './health/compression.ts';
import { type DrainSample, drain, withDrainSample } from './health/drain.ts';
import { EventLog } from './health/event-log.ts';
import { clockFacts } from './health/network-report.ts';
import type { Probes } from './health/probes.ts';
import type { RejectionReport, StatusReport, TlsReport } from './health/status.ts';
import { buildStatus, type CountsInput, type ModalityInput } from './health/status-builder.ts';
import { startOfDay, Today } from './health/today.ts';
import type { IntakeListener, IntakeStats } from './intake/listener.ts';
import type { Keyring } from './crypto/keyring.ts';
import type { Spool } from './spool/spool.ts';
import type { SpoolCounts } from './spool/types.ts';

interface StatusParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly current: () => CurrentConfig;
  /** Why the configuration file given at start is not in use, or null. */
  readonly configRejected: RejectionReport | null;
  readonly spool: Spool;
  readonly keyring: Pick<Keyring, 'boxId' | 'epochSince' | 'rootKeyPlace'>;
  readonly listener: IntakeListener;
  readonly destinations: readonly Destination[];
  readonly network: NetworkWatch;
  readonly probes: Probes;
  /** The bound DICOM port. */
  readonly port: () => number;
  /** DICOM over TLS; null where it is off. */
  readonly tls: () => TlsReport | null;
  readonly web: () => StatusReport['web'];
  readonly update: () => StatusReport['update'];
  /** @param clockTrusted false where an archive's clock says otherwise */
  readonly central: (clockTrusted: boolean) => StatusReport['config']['central'];
  /** Null where no codec is at work. */
  readonly compression: (atRest: SpoolCounts['atRest']) => CompressionReport | null;
}

/** Counts are read from the ledger at most so often, however many ask. */
const countsMs = 250;
/** Somebody has to look, or nothing is noticed: rates, events and a changed address come of these looks. */
const lookMs = 10_000;

/** Gathers the status from the rooms. */
export class StatusGatherer {
  readonly #parts: StatusParts;
  readonly #startedAt: number;
  readonly #events: EventLog;
  #today: Today;
  #timeZone: string;
  #begun: Promise<void> | null = null;
  #looking: NodeJS.Timeout | null = null;
  #samples: readonly DiskSample[] = [];
  #drainSamples: readonly DrainSample[] = [];
  #counts: { readonly at: number; readonly promise: Promise<SpoolCounts> } | null = null;

  constructor(parts: StatusParts) {
    this.#parts = parts;
    this.#startedAt = parts.clock.now();
    this.#events = new EventLog(new Date(this.#startedAt).toISOString());
    this.#timeZone = parts.current().config.site.timeZone;
    this.#today = new Today(this.#timeZone);
  }

  /** Looks now and then, whoever else asks. */
  start(): void {
    this.#looking = setInterval(() => {
      this.report().catch((error: unknown) =>
        this.#parts.log.warn({ error }, 'the state of the gateway could not be read'),
      );
    }, lookMs);
    this.#looking.unref();
  }

  stop(): void {
    if (this.#looking !== null) clearInterval(this.#looking);
    this.#looking = null;
  }

  async report(): Promise<StatusReport> {
    const counts = await this.#todaysCounts(await this.#readCounts());
    const report = { ...this.#build(counts), events: this.#events.events };
    this.#events.observe(report);
    return { ...report, events: this.#events.events };
  }

  #build(counts: CountsInput & Pick<SpoolCounts, 'atRest'>): StatusReport {
    const { clock, version, current, configRejected, spool, listener, keyring } = this.#parts;
    const { destinations, network, probes, port, tls, compression, web } = this.#parts;
    const { config, generation, origin, changedAt, undone } = current();
    const now = clock.now();
    const { trusted } = clockFacts(now, null, network.clockOffsetsMs());
    const gate = spool.intakeGate();
    const intake = listener.stats();
    const inputs = Object.fromEntries(destinations.map((one) => [one.name, one.state(now)]));
    return buildStatus({
      now,
      startedAt: this.#startedAt,
      version,
      site: { name: config.site.name, timeZone: config.site.timeZone },
      config: { generation, origin, changedAt, undone, central: this.#parts.central(trusted !== false) },
      configRejected,
      box: {
        id: keyring.boxId,
        keys: { rootKey: keyring.rootKeyPlace, epochSince: new Date(keyring.epochSince).toISOString() },
      },
      drain: this.#drain(counts, Object.values(inputs)),
      events: [],
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
      destinations: inputs,
      disk: this.#disk(now),
      compression: compression(counts.atRest),
      staleAddresses: network.staleAddresses(),
      clockOffsetsMs: network.clockOffsetsMs(),
      machine: probes.current(),
      web: web(),
      update: this.#parts.update(),
    });
  }

  #readCounts(): Promise<SpoolCounts> {
    const now = performance.now();
    if (this.#counts === null || now - this.#counts.at >= countsMs) {
      this.#counts = { at: now, promise: this.#parts.spool.counts() };
    }
    return this.#counts.promise;
  }

  /** The ledger counts for ever; how many of it are today's is found out once and carried on from there. */
  async #todaysCounts(counts: SpoolCounts): Promise<CountsInput & Pick<SpoolCounts, 'atRest'>> {
    const { clock, current, spool } = this.#parts;
    const all = new Map<string, number>();
    for (const [name, one] of Object.entries(counts.modalities)) all.set(`+${name}`, one.received);
    for (const [name, one] of Object.entries(counts.unknownCallers)) all.set(`-${name}`, one.received);
    if (current().config.site.timeZone !== this.#timeZone) {
      this.#timeZone = current().config.site.timeZone;
      this.#today = new Today(this.#timeZone);
      this.#begun = null;
    }
    this.#begun ??= spool
      .receivedSince(startOfDay(clock.now(), current().config.site.timeZone))
      .then((rows) => {
        const received = rows.map(
          ({ name, configured, received: count }) => [`${configured ? '+' : '-'}${name}`, count] as const,
        );
        this.#today.begin(all, new Map(received), clock.now());
      });
    await this.#begun;
    const today = this.#today.of(all, clock.now());
    const withToday = (senders: SpoolCounts['modalities'], sign: string) =>
      Object.fromEntries(
        Object.entries(senders).map(([name, one]) => [
          name,
          { ...one, receivedToday: today.get(`${sign}${name}`) ?? 0 },
        ]),
      );
    return {
      ...counts,
      modalities: withToday(counts.modalities, '+'),
      unknownCallers: withToday(counts.unknownCallers, '-'),
    };
  }

  #drain({ queue }: CountsInput, destinations: readonly { readonly bytesSent: number }[]) {
    const sentBytes = destinations.reduce((sum, one) => sum + one.bytesSent, 0);
    const sample = { at: this.#parts.clock.monotonic(), waitingBytes: queue.bytes, sentBytes };
    this.#drainSamples = withDrainSample(this.#drainSamples, sample);
    return drain(this.#drainSamples);
  }

  #modalities({ modalities: heard }: IntakeStats): Record<string, ModalityInput> {
    const { listener, current } = this.#parts;
    return Object.fromEntries(
      Object.entries(current().config.modalities).map(([name, { aeTitle }]) => [
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
