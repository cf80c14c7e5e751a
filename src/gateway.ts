import { createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { version } from './base/version.ts';
import { Destination } from './gateway-destination.ts';
import { intakeOptions } from './gateway-intake.ts';
import { createOperator } from './gateway-operator.ts';
import { StatusGatherer } from './gateway-status.ts';
import { defaultQuietMs, openStore, type Store, type StoreOptions } from './gateway-store.ts';
import { createTlsPort, tlsReport } from './gateway-tls.ts';
import { Probes } from './health/probes.ts';
import type { StatusReport } from './health/status.ts';
import { IntakeListener } from './intake/listener.ts';
import type { TlsPort } from './intake/tls-port.ts';
import { createReceiptSigner } from './proof/receipt.ts';
import { ReceiptWriter } from './proof/receipt-writer.ts';
import { Retention } from './proof/retention.ts';
import { ControlServer } from './web/control.ts';
import type { Operator } from './web/operator.ts';
import { loadPage } from './web/page.ts';
import { WebServer } from './web/server.ts';

const associationGraceMs = 30_000;

export interface GatewayPorts {
  readonly dicom: number;
  /** DICOM over TLS; null where it is off or could not be opened. */
  readonly dicomTls: number | null;
  readonly web: number;
}

/** A running gateway: the only place that knows all rooms. Built in flow order, stopped back up. */
export class Gateway {
  readonly ports: GatewayPorts;
  readonly aeTitle: string;
  readonly operator: Operator;
  readonly #status: StatusGatherer;
  readonly #tlsPort: TlsPort | null;
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: {
    ports: GatewayPorts;
    aeTitle: string;
    operator: Operator;
    status: StatusGatherer;
    tlsPort: TlsPort | null;
    stack: AsyncDisposableStack;
  }) {
    this.ports = parts.ports;
    this.aeTitle = parts.aeTitle;
    this.operator = parts.operator;
    this.#status = parts.status;
    this.#tlsPort = parts.tlsPort;
    this.#stack = parts.stack;
  }

  /**
   * Opens the data directory and starts every room; accepts associations once it resolves.
   * @throws GantryError DATA_*, CONFIG_*, KEYS_*, LEDGER_*, INTAKE_PORT, WEB_LISTEN …; nothing stays behind
   */
  static async start(options: StoreOptions): Promise<Gateway> {
    await using stack = new AsyncDisposableStack();
    const store = await openStore(options, stack);
    const parts = startRooms(store, stack);
    const { status, operator, tlsPort } = parts;
    const web = await startWeb(store, parts, stack);
    const { port } = await startIntake(parts.listener, stack);
    parts.bound(port);
    const dicomTls = await startTls(tlsPort, stack);
    return new Gateway({
      ports: { dicom: port, dicomTls, web: web.port },
      aeTitle: store.current.config.intake.aeTitle,
      operator,
      status,
      tlsPort,
      stack: stack.move(),
    });
  }

  status(): Promise<StatusReport> {
    return this.#status.report();
  }

  /** Looks at once whether certificate files have changed; associations that are open go on. */
  reloadCertificates(): void {
    this.#tlsPort?.refresh();
  }

  /** Lets associations in flight finish (bounded), then stops every room, the spool last. */
  async stop(): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

interface Rooms {
  readonly listener: IntakeListener;
  readonly tlsPort: TlsPort | null;
  readonly destinations: readonly Destination[];
  readonly status: StatusGatherer;
  readonly operator: Operator;
  bound(port: number): void;
}

/** Everything behind the DICOM port that works by itself. */
function startRooms(store: Store, stack: AsyncDisposableStack): Rooms {
  const { spool, clock, log, current, keyring, receipts } = store;
  const { config } = current;
  const site = { aeTitle: config.intake.aeTitle, timeZone: config.site.timeZone };
  const destinations = Object.entries(config.destinations).map(
    ([name, destination]) => new Destination(name, destination, { spool, clock, log, site }),
  );
  for (const destination of destinations) {
    destination.start();
    stack.defer(() => destination.stop());
  }
  const { codec } = store;
  codec.start({
    spool: spool.codec,
    goodput: (name) => destinations.find((one) => one.name === name)?.goodput() ?? null,
  });
  stack.defer(() => codec.stop());
  spool.atRest.start();
  stack.defer(() => spool.atRest.stop());
  const publicKey = createPublicKey(keyring.signingKey);
  const writer = new ReceiptWriter({
    spool,
    store: receipts,
    signer: createReceiptSigner(keyring.signingKey, keyring.boxId),
    publicKey,
    site: config.site.name,
    box: keyring.boxId,
    quietMsMax: Math.max(
      defaultQuietMs,
      ...Object.values(config.modalities).map((one) => one.settleSeconds * 1000),
    ),
    clock,
    log,
  });
  writer.start();
  stack.defer(() => writer.stop());
  const { purgeSchedule, keepVerifiedHours } = config.spool;
  const { timeZone } = config.site;
  const retention = new Retention({
    spool,
    schedule: purgeSchedule,
    timeZone,
    keepVerifiedHours,
    clock,
    log,
  });
  retention.start();
  stack.defer(() => retention.stop());
  const probes = new Probes({ log });
  probes.start();
  stack.defer(() => probes.stop());
  const listener = new IntakeListener(intakeOptions(config), { spool, clock, log });
  const tlsPort = createTlsPort(store, listener);
  let port = config.intake.port;
  const status = new StatusGatherer({
    clock,
    version,
    current,
    configRejected: store.configRejected,
    spool,
    listener,
    destinations,
    probes,
    port: () => port,
    tls: () => (tlsPort === null ? null : tlsReport(tlsPort, store)),
    compression: (atRest) => store.codec.report(atRest),
  });
  return {
    listener,
    tlsPort,
    destinations,
    status,
    operator: createOperator({ spool, receipts, keyring, destinations }),
    bound: (at) => {
      port = at;
    },
  };
}

async function startIntake(listener: IntakeListener, stack: AsyncDisposableStack): Promise<{ port: number }> {
  const bound = await listener.start();
  stack.defer(() => listener.stop(associationGraceMs));
  return bound;
}

/** After the port in clear, which does not wait for it. */
async function startTls(tlsPort: TlsPort | null, stack: AsyncDisposableStack): Promise<number | null> {
  if (tlsPort === null) return null;
  await tlsPort.start();
  stack.defer(() => tlsPort.stop());
  const { open, port } = tlsPort.state();
  return open ? port : null;
}

async function startWeb(store: Store, rooms: Rooms, stack: AsyncDisposableStack): Promise<{ port: number }> {
  const { spool, clock, log, current, dataDirectory } = store;
  const { config } = current;
  const status = {
    current: () => rooms.status.report(),
    onChange: (listener: () => void) => spool.onWork(listener),
  };
  const loadMetrics = lazily(async () => {
    const { Metrics } = await import('./health/metrics.ts');
    return new Metrics({
      status: status.current,
      counters: {
        forwardedInstances: () => forwardedByResult(rooms.destinations),
        storeResponses: () => rooms.listener.stats().statuses,
        longPdus: () => rooms.listener.stats().longPdus,
      },
      configuredModalities: () => Object.keys(config.modalities),
    });
  });
  const server = new WebServer({
    ...config.web,
    intakeHost: config.intake.host,
    log,
    clock,
    status,
    metrics: async () => {
      const metrics = await loadMetrics();
      return { contentType: metrics.contentType, text: await metrics.text() };
    },
    page: await loadPage(),
    readiness: () => {
      const gate = spool.intakeGate();
      return gate.open ? { ready: true } : { ready: false, reason: gate.reason };
    },
  });
  const bound = await server.start();
  stack.defer(() => server.stop());
  const control = new ControlServer({
    path: join(dataDirectory, 'control.sock'),
    operator: rooms.operator,
    status,
    log,
  });
  await control.start();
  stack.defer(() => control.stop());
  return bound;
}

/** Made when first asked for: not every box is monitored, and what is never loaded takes no memory. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => (made ??= make());
}

function forwardedByResult(destinations: readonly Destination[]): Record<string, number> {
  const results: Record<string, number> = {};
  for (const { forwarder } of destinations) {
    const { delivered, retries, held, quarantined } = forwarder.state().counters;
    for (const [result, count] of Object.entries({ delivered, retries, held, quarantined })) {
      results[result] = (results[result] ?? 0) + count;
    }
  }
  return results;
}
