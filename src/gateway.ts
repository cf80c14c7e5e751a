import { GantryError } from './base/errors.ts';
import { version } from './base/version.ts';
import type { RemoteAgent } from './config/remote/agent.ts';
import type { Applier } from './config/remote/apply.ts';
import type { ChannelState } from './config/remote/channels/port.ts';
import type { Config } from './config/schema.ts';
import { startReceipts, startRetention } from './gateway-background.ts';
import type { Destination } from './gateway-destination.ts';
import { centralReport } from './gateway-central.ts';
import { createConfigTools, startApplier } from './gateway-config.ts';
import type { BoxCertificate } from './config/remote/box-certificate.ts';
import { createEnrolTools, openBoxCertificate } from './gateway-enrol.ts';
import { startAgent, startChannels } from './gateway-remote.ts';
import { Destinations } from './gateway-destinations.ts';
import { type LivePart, LiveParts, replaceable } from './gateway-live.ts';
import { IntakeDoors, intakeOptions } from './gateway-intake.ts';
import { NetworkWatch } from './gateway-network.ts';
import { createMetricsText, type MetricsText } from './gateway-metrics.ts';
import { startNotifier } from './gateway-notify.ts';
import { createOperator } from './gateway-operator.ts';
import { createSelfCheck } from './gateway-self-check.ts';
import { StatusGatherer } from './gateway-status.ts';
import { openStore, type Store, type StoreOptions } from './gateway-store.ts';
import { createTools } from './gateway-tools.ts';
import { startUpdater } from './gateway-update.ts';
import { TlsIntake, tlsReport } from './gateway-tls.ts';
import { startWeb, type Web } from './gateway-web.ts';
import { Probes } from './health/probes.ts';
import type { SelfCheckReport } from './health/self-check.ts';
import type { StatusReport } from './health/status.ts';
import { IntakeListener } from './intake/listener.ts';
import type { EnrolTools } from './web/control-enrol.ts';
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
  readonly operator: Operator;
  readonly tools: Tools;
  readonly #store: Store;
  readonly #rooms: Rooms;
  readonly #web: Web;
  readonly #stack: AsyncDisposableStack;

  private constructor(store: Store, rooms: Rooms, web: Web, stack: AsyncDisposableStack) {
    this.operator = rooms.operator;
    this.tools = rooms.tools;
    this.#store = store;
    this.#rooms = rooms;
    this.#web = web;
    this.#stack = stack;
  }

  /**
   * Opens the data directory and starts every room; accepts associations once it resolves.
   * @throws GantryError DATA_*, CONFIG_*, KEYS_*, LEDGER_*, INTAKE_PORT, WEB_LISTEN …; nothing stays behind
   */
  static async start(options: StoreOptions): Promise<Gateway> {
    await using stack = new AsyncDisposableStack();
    const store = await openStore(options, stack);
    const rooms = await startRooms(store, stack);
    const web = await startWeb(store, rooms, stack);
    rooms.webReport = () => web.report();
    await rooms.doors.start();
    stack.defer(() => rooms.listener.stop(associationGraceMs));
    const tls = await rooms.tls.start(stack);
    const about = { name: 'messages', settings: ({ notify, site }: Config) => [notify, site.timeZone] };
    const notifier = await replaceable(about, store.current.config, stack, () =>
      startNotifier(store, () => rooms.status.report()),
    );
    await web.startHttps();
    rooms.applier = await startApplier(store, rooms, web, stack);
    rooms.agent = startAgent(store, rooms, web, rooms.applier, stack);
    const line = await startChannels(store, rooms, rooms.agent, stack);
    const update = await startUpdater(store, rooms, stack);
    const parts = [...rooms.parts, ...rooms.doors.parts(), tls, ...web.parts(), notifier, line, update];
    rooms.live = new LiveParts(parts, store.current.config);
    rooms.agent.start();
    return new Gateway(store, rooms, web, stack.move());
  }

  get ports(): GatewayPorts {
    const { doors, tls } = this.#rooms;
    const state = tls.port?.state();
    return {
      dicom: doors.port ?? this.#store.current.config.intake.port,
      dicomTls: state?.open === true ? state.port : null,
      web: this.#web.port,
      webHttps: this.#web.httpsPort(),
    };
  }

  get aeTitle(): string {
    return this.#store.current.config.intake.aeTitle;
  }

  /** What channels to central IT bring documents to. */
  get agent(): RemoteAgent {
    return requireStarted(this.#rooms).agent;
  }

  status(): Promise<StatusReport> {
    return this.#rooms.status.report();
  }

  /** Calls its own DICOM port, writes to the spool, asks the ledger. Never rejects. */
  selfCheck(): Promise<SelfCheckReport> {
    return this.#rooms.selfCheck();
  }

  /** Looks at once whether certificate files have changed; associations that are open go on. */
  reloadCertificates(): void {
    this.#rooms.tls.port?.refresh();
    this.#web.refreshCertificate();
  }

  /** Lets associations in flight finish (bounded), then stops every room, the spool last. */
  async stop(): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export interface Rooms {
  readonly listener: IntakeListener;
  readonly doors: IntakeDoors;
  readonly tls: TlsIntake;
  readonly destinations: readonly Destination[];
  readonly status: StatusGatherer;
  readonly operator: Operator;
  readonly tools: Tools;
  readonly metrics: MetricsText;
  readonly selfCheck: () => Promise<SelfCheckReport>;
  /** By which servers of central IT know this box. */
  readonly certificate: BoxCertificate;
  readonly enrol: EnrolTools;
  /** What takes other settings while it runs. */
  readonly parts: readonly LivePart[];
  /** All of it, once everything has started. */
  live: LiveParts | null;
  /** Tries configurations, once everything has started. */
  applier: Applier | null;
  /** Central IT's hand on the box, once everything has started. */
  agent: RemoteAgent | null;
  /** How each way to central IT is. */
  channels: () => readonly ChannelState[];
  /** What the status says of the web listeners. */
  webReport: () => StatusReport['web'];
  /** What it says of the version that is to run. */
  updateReport: () => StatusReport['update'];
}

/** With what there is only once everything has started. */
export interface StartedRooms extends Rooms {
  readonly applier: Applier;
  readonly agent: RemoteAgent;
}

/** Everything behind the DICOM port that works by itself. */
async function startRooms(store: Store, stack: AsyncDisposableStack): Promise<Rooms> {
  const { spool, clock, log, keyring, receipts } = store;
  const { config } = store.current;
  const atWork = new Destinations(store, stack);
  const destinations = atWork.list;
  const { codec } = store;
  codec.start({
    spool: spool.codec,
    goodput: (name) => destinations.find((one) => one.name === name)?.goodput() ?? null,
  });
  stack.defer(() => codec.stop());
  const compression: LivePart = {
    name: 'compression',
    settings: ({ compression: { mode, syntaxes, workers } }) => [mode, syntaxes, workers],
    change: (next) => codec.reconfigure(next),
  };
  spool.atRest.start();
  stack.defer(() => spool.atRest.stop());
  const parts = [
    atWork.part(),
    compression,
    await startReceipts(store, stack),
    await startRetention(store, stack),
  ];
  const probes = new Probes({ log });
  probes.start();
  stack.defer(() => probes.stop());
  const listener = new IntakeListener(intakeOptions(config), { spool, clock, log });
  const doors = await IntakeDoors.open(store, listener, stack);
  const tls = new TlsIntake(store, listener);
  const network = await NetworkWatch.start(store, { listener, destinations }, stack);
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
    port: () => doors.port ?? store.current.config.intake.port,
    tls: () => (tls.port === null ? null : tlsReport(tls.port, store)),
    compression: (atRest) => store.codec.report(atRest),
    web: () => rooms?.webReport() ?? { https: null },
    update: () => rooms?.updateReport(),
    central: (clockTrusted) =>
      centralReport({
        store,
        clockTrusted,
        apply: rooms?.applier?.state ?? null,
        channels: rooms?.channels() ?? [],
      }),
  });
  const certificate = await openBoxCertificate(store);
  const metrics = createMetricsText(store, { status, listener, destinations });
  status.start();
  stack.defer(() => status.stop());
  rooms = {
    listener,
    doors,
    tls,
    destinations,
    status,
    parts,
    live: null,
    applier: null,
    agent: null,
    channels: () => [],
    certificate,
    enrol: createEnrolTools(store, certificate, () => requireStarted(rooms)),
    operator: createOperator({ spool, receipts, keyring, destinations }),
    metrics,
    selfCheck: createSelfCheck(store, { listener, doors }),
    tools: await createTools({
      store,
      listener,
      destinations,
      network,
      config: createConfigTools(store, () => requireStarted(rooms)),
      follow: async (next) => rooms?.live?.follow(next),
      status: () => status.report(),
      metrics: async () => (await metrics()).text,
    }),
    webReport: () => ({ https: null }),
    updateReport: () => undefined,
  };
  return rooms;
}

/** The rooms of a gateway that has started: who asks before that is told to ask again. */
function requireStarted(rooms: Rooms | null): StartedRooms {
  const { applier = null, agent = null } = rooms ?? {};
  if (rooms !== null && applier !== null && agent !== null) return { ...rooms, applier, agent };
  throw new GantryError({
    code: 'STARTING',
    kind: 'transient',
    message: 'The gateway is being started.',
    nextStep: 'Try again in a moment.',
  });
}
