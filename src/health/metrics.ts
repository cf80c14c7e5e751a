import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { CompressionReport } from './compression.ts';
import type { StatusReport } from './status.ts';

/** Counts since the process started, by a word of ours: a code or an outcome, never a peer's text. */
export interface MetricsCounters {
  /** By what became of the attempt, e.g. `stored`, `retry`, `unknown`, `quarantined`. */
  forwardedInstances(): Readonly<Record<string, number>>;
  /** Answers to C-STORE, by status in hex. */
  storeResponses(): Readonly<Record<string, number>>;
  /** P-DATA-TF PDUs longer than announced. */
  longPdus(): number;
}

export interface MetricsOptions {
  readonly status: () => StatusReport | Promise<StatusReport>;
  readonly counters: MetricsCounters;
  /** Names of the configured modalities; what others sent is counted as `unknown`. */
  readonly configuredModalities: () => readonly string[];
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

interface Snapshot {
  readonly report: StatusReport;
  readonly forwarded: Readonly<Record<string, number>>;
  readonly storeResponses: Readonly<Record<string, number>>;
  readonly longPdus: number;
  readonly configuredModalities: readonly string[];
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: 'gauge' | 'counter';
  readonly labels?: readonly string[];
  readonly read: (snapshot: Snapshot) => readonly Sample[];
}

const single = (value: number | null): Sample[] => (value === null ? [] : [[{}, value]]);

const seconds = (iso: string | null): number | null => (iso === null ? null : Date.parse(iso) / 1000);

/** A gauge of one figure of the report; a figure that is not known is left out. */
function gauge(name: string, help: string, value: (report: StatusReport) => number | null): Family {
  return { name, help, kind: 'gauge', read: ({ report }) => single(value(report)) };
}

type Destination = StatusReport['destinations'][string];

function perDestination(
  name: string,
  help: string,
  value: (destination: Destination) => number | null,
  kind: Family['kind'] = 'gauge',
): Family {
  return {
    name,
    help,
    kind,
    labels: ['destination'],
    read: ({ report }) =>
      Object.entries(report.destinations).flatMap(([destination, entry]): Sample[] => {
        const figure = value(entry);
        return figure === null ? [] : [[{ destination }, figure]];
      }),
  };
}

function byWord(counts: Readonly<Record<string, number>>, label: string): Sample[] {
  return Object.entries(counts).map(([word, count]) => [{ [label]: word }, count]);
}

function codecFamilies(): Family[] {
  const savings =
    (of: 'instances' | 'bytesIn' | 'bytesOut') =>
    ({ report }: Snapshot) =>
      (report.compression?.savings ?? []).map((saving): Sample => {
        const { modality, codec } = saving;
        return [{ modality, codec }, saving[of]];
      });
  const labels = ['modality', 'codec'];
  return [
    {
      name: 'gantry_codec_prepared_instances_total',
      help: 'Instances compressed without loss and proven, since start.',
      kind: 'counter',
      labels,
      read: savings('instances'),
    },
    {
      name: 'gantry_codec_received_bytes_total',
      help: 'Bytes of such instances as they were received.',
      kind: 'counter',
      labels,
      read: savings('bytesIn'),
    },
    {
      name: 'gantry_codec_prepared_bytes_total',
      help: 'Bytes of such instances as they are sent.',
      kind: 'counter',
      labels,
      read: savings('bytesOut'),
    },
    {
      name: 'gantry_codec_passed_through_instances_total',
      help: 'Instances sent as they were received, by the reason, since start.',
      kind: 'counter',
      labels: ['code'],
      read: ({ report }) => byWord(report.compression?.passedThrough ?? {}, 'code'),
    },
    atRest('instances', 'Instances stored in their compressed form alone.', 'instances'),
    atRest('received_bytes', 'Bytes of such instances as they were received.', 'bytesReceived'),
    atRest('stored_bytes', 'Bytes of such instances as they are stored.', 'bytesStored'),
    {
      name: 'gantry_codec_mismatches_total',
      help: 'Compressed images that did not give back the bytes received; none was used.',
      kind: 'counter',
      read: ({ report }) => single(report.compression?.mismatches ?? null),
    },
    {
      name: 'gantry_codec_thread_failures_total',
      help: 'Codec threads that died, trapped or took too long.',
      kind: 'counter',
      read: ({ report }) => single(report.compression?.threadFailures ?? null),
    },
  ];
}

function atRest(name: string, help: string, of: keyof CompressionReport['atRest']): Family {
  return gauge(`gantry_codec_at_rest_${name}`, help, (report) => report.compression?.atRest[of] ?? null);
}

const families: readonly Family[] = [
  {
    name: 'gantry_build_info',
    help: 'Version that runs; always 1.',
    kind: 'gauge',
    labels: ['version'],
    read: ({ report }) => [[{ version: report.version }, 1]],
  },
  {
    name: 'gantry_verdict',
    help: '1 for the present verdict, 0 for the others.',
    kind: 'gauge',
    labels: ['verdict'],
    read: ({ report }) =>
      ['working', 'degraded', 'down'].map((verdict) => [{ verdict }, report.verdict === verdict ? 1 : 0]),
  },
  ...codecFamilies(),
  gauge(
    'gantry_config_generation',
    'Generation of the configuration in use.',
    (report) => report.config.generation,
  ),
  gauge(
    'gantry_queue_instances',
    'Instances neither verified nor parked.',
    (report) => report.queue.instances,
  ),
  gauge('gantry_queue_studies', 'Studies with such instances.', (report) => report.queue.studies),
  gauge('gantry_queue_bytes', 'Bytes of such instances.', (report) => report.queue.bytes),
  gauge(
    'gantry_queue_oldest_age_seconds',
    'Age of the oldest such instance; 0 where there is none.',
    (report) => report.queue.oldestAgeSeconds,
  ),
  {
    name: 'gantry_parked_instances',
    help: 'Instances that wait for an operator, by why.',
    kind: 'gauge',
    labels: ['state'],
    read: ({ report: { totals } }) => [
      [{ state: 'held' }, totals.held],
      [{ state: 'quarantined' }, totals.quarantined],
      [{ state: 'conflict' }, totals.conflicts],
    ],
  },
  {
    name: 'gantry_received_instances_total',
    help: 'Instances received, by configured modality.',
    kind: 'counter',
    labels: ['modality'],
    read: receivedByModality,
  },
  {
    name: 'gantry_verified_instances_total',
    help: 'Instances proven to be in every archive they were meant for.',
    kind: 'counter',
    read: ({ report }) => single(report.totals.verified),
  },
  {
    name: 'gantry_forwarded_instances_total',
    help: 'Outcomes of sending an instance, since the start of the process.',
    kind: 'counter',
    labels: ['result'],
    read: ({ forwarded }) => byWord(forwarded, 'result'),
  },
  {
    name: 'gantry_association_rejected_total',
    help: 'What was refused, by reason code (deploy/refusals.md), since the start of the process.',
    kind: 'counter',
    labels: ['reason'],
    read: ({ report }) => byWord(report.intake.refusalCounts, 'reason'),
  },
  {
    name: 'gantry_store_responses_total',
    help: 'Answers to C-STORE, by status, since the start of the process.',
    kind: 'counter',
    labels: ['status'],
    read: ({ storeResponses }) => byWord(storeResponses, 'status'),
  },
  {
    name: 'gantry_long_pdus_total',
    help: 'P-DATA PDUs longer than announced, taken all the same, since the start of the process.',
    kind: 'counter',
    read: ({ longPdus }) => single(longPdus),
  },
  {
    name: 'gantry_intake_limit',
    help: 'Limits in force, by their name in the configuration.',
    kind: 'gauge',
    labels: ['limit'],
    read: ({ report }) => byWord(report.intake.limits, 'limit'),
  },
  gauge('gantry_associations', 'Associations open.', (report) => report.intake.associations),
  gauge('gantry_associations_max', 'Associations there may be.', (report) => report.intake.associationsMax),
  gauge(
    'gantry_idle_connections',
    'Connections open without an association.',
    (report) => report.intake.idleConnections,
  ),
  gauge(
    'gantry_idle_connections_max',
    'Connections without an association there may be.',
    (report) => report.intake.idleConnectionsMax,
  ),
  gauge(
    'gantry_tls_open',
    '1 where devices can connect over TLS; left out where TLS is off.',
    ({ intake }) => (intake.tls === null ? null : Number(intake.tls.open)),
  ),
  gauge(
    'gantry_tls_certificate_expires_timestamp_seconds',
    "When this box's certificate for DICOM over TLS expires.",
    ({ intake }) => seconds(intake.tls?.certificate?.notAfter ?? null),
  ),
  gauge(
    'gantry_tls_certificate_renewal_due',
    '1 where it has passed two thirds of its life, or is not valid.',
    ({ intake }) => {
      const certificate = intake.tls?.certificate ?? null;
      return certificate === null ? null : Number(certificate.life !== 'ok');
    },
  ),
  gauge(
    'gantry_web_certificate_expires_timestamp_seconds',
    "When this box's certificate for the page over HTTPS expires.",
    ({ web }) => seconds(web.https?.certificate?.notAfter ?? null),
  ),
  gauge(
    'gantry_web_certificate_renewal_due',
    '1 where it has passed two thirds of its life, or is not valid.',
    ({ web }) => {
      const certificate = web.https?.certificate ?? null;
      return certificate === null ? null : Number(certificate.life !== 'ok');
    },
  ),
  gauge('gantry_intake_open', '1 where new images are taken.', (report) => (report.intake.open ? 1 : 0)),
  perDestination('gantry_destination_up', '1 where the destination takes images.', ({ state }) =>
    state === 'up' || state === 'waiting' ? 1 : 0,
  ),
  perDestination(
    'gantry_destination_queue_instances',
    'Instances waiting to be sent.',
    ({ queued }) => queued,
  ),
  perDestination(
    'gantry_destination_queue_bytes',
    'Bytes waiting to be sent.',
    ({ queuedBytes }) => queuedBytes,
  ),
  perDestination(
    'gantry_destination_sent_bytes_total',
    'Bytes sent.',
    ({ bytesSent }) => bytesSent,
    'counter',
  ),
  perDestination(
    'gantry_destination_goodput_bits_per_second',
    'Bits of images that leave a second while something is under way; left out before enough was sent.',
    ({ line }) => (line.measuredMbitPerSecond === null ? null : line.measuredMbitPerSecond * 1e6),
  ),
  perDestination(
    'gantry_destination_limit_bits_per_second',
    'Rate limit in force; left out where there is none.',
    ({ line }) => (line.limitMbitPerSecond === null ? null : line.limitMbitPerSecond * 1e6),
  ),
  perDestination(
    'gantry_last_forward_timestamp_seconds',
    'When the archive last took an instance.',
    ({ lastDeliveredAt }) => seconds(lastDeliveredAt),
  ),
  perDestination(
    'gantry_last_verified_timestamp_seconds',
    'When an instance was last proven to be there.',
    ({ lastVerifiedAt }) => seconds(lastVerifiedAt),
  ),
  perDestination(
    'gantry_destination_certificate_days_left',
    "Days left of the archive's certificate.",
    ({ tlsDaysLeft }) => tlsDaysLeft,
  ),
  perDestination(
    'gantry_destination_free_bytes',
    "Free space of a folder's volume.",
    ({ space }) => space?.freeBytes ?? null,
  ),
  gauge('gantry_disk_free_bytes', 'Free space of the data volume.', (report) => report.disk.freeBytes),
  gauge('gantry_disk_size_bytes', 'Size of the data volume.', (report) => report.disk.totalBytes),
  gauge('gantry_disk_reserve_bytes', 'Space that is never filled.', (report) => report.disk.reserveBytes),
  gauge(
    'gantry_disk_days_left',
    'Days until the disk is full at the present rate.',
    (report) => report.disk.daysLeft,
  ),
  gauge(
    'gantry_machine_temperature_celsius',
    'Temperature of the processor.',
    (report) => report.machine?.temperatureCelsius ?? null,
  ),
];

/** What no configured modality sent came from unknown callers, whatever they called themselves. */
function receivedByModality({ report, configuredModalities }: Snapshot): Sample[] {
  const known = configuredModalities.map((name): [string, number] => {
    const entry = Object.hasOwn(report.modalities, name) ? report.modalities[name] : undefined;
    return [name, entry?.received ?? 0];
  });
  const unknown = report.totals.received - known.reduce((sum, [, count]) => sum + count, 0);
  return [...known, ['unknown', Math.max(0, unknown)] as const].map(([modality, count]) => [
    { modality },
    count,
  ]);
}

/** `GET /metrics` in the Prometheus text format. Figures are read when asked for; nothing is kept in between. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly #collectors: readonly {
    readonly family: Family;
    readonly fill: (samples: readonly Sample[]) => void;
  }[];

  constructor(options: MetricsOptions) {
    this.#options = options;
    // The library samples the event loop's delay every 10 ms by default; an idle box need not wake so often.
    collectDefaultMetrics({ register: this.#registry, prefix: 'gantry_', eventLoopMonitoringPrecision: 100 });
    this.#collectors = families.map((family) => ({ family, fill: createMetric(family, this.#registry) }));
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    const snapshot: Snapshot = {
      report: await this.#options.status(),
      forwarded: this.#options.counters.forwardedInstances(),
      storeResponses: this.#options.counters.storeResponses(),
      longPdus: this.#options.counters.longPdus(),
      configuredModalities: this.#options.configuredModalities(),
    };
    for (const { family, fill } of this.#collectors) fill(family.read(snapshot));
    return await this.#registry.metrics();
  }
}

function createMetric(family: Family, registry: Registry): (samples: readonly Sample[]) => void {
  const { name, help, labels = [] } = family;
  const settings = { name, help, labelNames: labels, registers: [registry] };
  if (family.kind === 'gauge') {
    const metric = new Gauge(settings);
    return (samples) => {
      metric.reset();
      // Resetting a metric without labels makes it 0: a figure that is not known would read "0 days left".
      if (labels.length === 0) metric.remove({});
      for (const [labelValues, value] of samples) metric.set(labelValues, value);
    };
  }
  const metric = new Counter(settings);
  return (samples) => {
    metric.reset();
    for (const [labelValues, value] of samples) metric.inc(labelValues, value);
  };
}
