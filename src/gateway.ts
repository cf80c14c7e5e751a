import { createPublicKey } from 'node:crypto';
import { version } from './base/version.ts';
import { Destination } from './gateway-destination.ts';
import { intakeOptions } from './gateway-intake.ts';
import { NetworkWatch } from './gateway-network.ts';
import { createMetricsText, type MetricsText } from './gateway-metrics.ts';
import { startNotifier } from './gateway-notify.ts';
import { createOperator } from './gateway-operator.ts';
import { StatusGatherer } from './gateway-status.ts';
import { defaultQuietMs, openStore, type Store, type StoreOptions } from './gateway-store.ts';
import { createTools } from './gateway-tools.ts';
import { createTlsPort, tlsReport } from './gateway-tls.ts';
import { startWeb, type Web } from './gateway-web.ts';
import { Probes } from './health/probes.ts';
import type { StatusReport } from './health/status.ts';
import { IntakeListener } from './intake/listener.ts';
import type { TlsPort } from './intake/tls-port.ts';
import { createReceiptSigner } from './proof/receipt.ts';
import { ReceiptWriter } from './proof/receipt-writer.ts';
import { Retention } from './proof/retention.ts';
import type { Operator } from './web/operator.ts';
import type { Tools } from './web/tools.ts';

const associationGraceMs = 30_000;

export interface GatewayPorts {
  readonly dicom: number;
  /** DICOM over TLS; null where it is off or could not be opened. */
  readonly dicomTls: number | null;
  readonly web: number;
  /** The page over HTTPS; null where it is off or could not be opened. */
  readonly webHttps: number | null;
}

/** A running gateway: the only place that knows all rooms. Built in flow order, stopped back up. */
export class Gateway {
  readonly ports: GatewayPorts;
  readonly aeTitle: string;
  readonly operator: Operator;
  readonly tools: Tools;
  readonly #status: StatusGatherer;
  readonly #tlsPort: TlsPort | null;
  readonly #web: Web;
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: {
    ports: GatewayPorts;
    aeTitle: string;
    operator: Operator;
    tools: Tools;
    status: StatusGatherer;
    tlsPort: TlsPort | null;
    web: Web;
    stack: AsyncDisposableStack;
  }) {
    this.ports = parts.ports;
    this.aeTitle = parts.aeTitle;
    this.operator = parts.operator;
    this.tools = parts.tools;
    this.#status = parts.status;
    this.#tlsPort = parts.tlsPort;
    this.#web = parts.web;
    this.#stack = parts.stack;
  }

  /**
   * Opens the data directory and starts every room; accepts associations once it resolves.
   * @throws GantryError DATA_*, CONFIG_*, KEYS_*, LEDGER_*, INTAKE_PORT, WEB_LISTEN …; nothing stays behind
   */
  static async start(options: StoreOptions): Promise<Gateway> {
    await using stack = new AsyncDisposableStack();
    const store = await openStore(options, stack);
    const parts = await startRooms(store, stack);
    const { status, operator, tools, tlsPort } = parts;
    const web = await startWeb(store, parts, stack);
    parts.webReport = () => web.report();
    const { port } = await startIntake(parts.listener, stack);
    parts.bound(port);
    const dicomTls = await startTls(tlsPort, stack);
    await startNotifier(store, () => status.report(), stack);
    await web.startHttps();
    return new Gateway({
      ports: { dicom: port, dicomTls, web: web.port, webHttps: web.httpsPort() },
      aeTitle: store.current.config.intake.aeTitle,
      operator,
      tools,
      status,
      tlsPort,
      web,
      stack: stack.move(),
    });
  }

  status(): Promise<StatusReport> {
    return this.#status.report();
  }

  /** Looks at once whether certificate files have changed; associations that are open go on. */
  reloadCertificates(): void {
    this.#tlsPort?.refresh();
    this.#web.refreshCertificate();
  }

  /** Lets associations in flight finish (bounded), then stops every room, the spool last. */
  async stop(): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export interface Rooms {
  readonly listener: IntakeListener;
  readonly tlsPort: TlsPort | null;
  readonly destinations: readonly Destination[];
  readonly status: StatusGatherer;
  readonly operator: Operator;
  readonly tools: Tools;
  readonly metrics: MetricsText;
  bound(port: number): void;
  /** What the status says of the web listeners. */
  webReport: () => StatusReport['web'];
}

/** Everything behind the DICOM port that works by itself. */
async function startRooms(store: Store, stack: AsyncDisposableStack): Promise<Rooms> {
  const { spool, clock, log, keyring, receipts, configStore, pauses } = store;
  const { config } = store.current;
  const site = { aeTitle: config.intake.aeTitle, timeZone: config.site.timeZone };
  const destinations = Object.entries(config.destinations).map(
    ([name, destination]) => new Destination(name, destination, { spool, clock, log, site, pauses }),
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
  stack.defer(configStore.onChange(() => listener.reconfigure(intakeOptions(store.current.config))));
  const network = await NetworkWatch.start(store, { listener, destinations }, stack);
  let port = config.intake.port;
  let rooms: Rooms | null = null;
  const status = new StatusGatherer({
    clock,
    log,
    keyring,
    version,
    current: () => store.current,
    configRejected: store.configRejected,
    spool,
    listener,
    destinations,
    network,
    probes,
    port: () => port,
    tls: () => (tlsPort === null ? null : tlsReport(tlsPort, store)),
    compression: (atRest) => store.codec.report(atRest),
    web: () => rooms?.webReport() ?? { https: null },
  });
  const metrics = createMetricsText(store, { status, listener, destinations });
  status.start();
  stack.defer(() => status.stop());
  rooms = {
    listener,
    tlsPort,
    destinations,
    status,
    operator: createOperator({ spool, receipts, keyring, destinations }),
    metrics,
    tools: await createTools({
      store,
      listener,
      destinations,
      network,
      status: () => status.report(),
      metrics: async () => (await metrics()).text,
    }),
    bound: (at) => {
      port = at;
    },
    webReport: () => ({ https: null }),
  };
  return rooms;
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
