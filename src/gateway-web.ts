import { join } from 'node:path';
import type { Rooms } from './gateway.ts';
import type { Destination } from './gateway-destination.ts';
import {
  certificateReport,
  ownCertificate,
  problemReport,
  webCertificate,
} from './gateway-own-certificate.ts';
import type { Store } from './gateway-store.ts';
import type { HttpsReport, StatusReport } from './health/status.ts';
import { ControlServer } from './web/control.ts';
import { loadPage } from './web/page.ts';
import { SecureWebServer } from './web/secure-server.ts';
import { WebServer, webLimits } from './web/server.ts';

/** The page on its listeners. */
export interface Web {
  readonly port: number;
  /** Opens the page over HTTPS, where it is not off; waits for its certificate for a bounded time. Never rejects. */
  startHttps(): Promise<void>;
  /** Null where HTTPS is off or could not be opened. */
  httpsPort(): number | null;
  report(): StatusReport['web'];
  refreshCertificate(): void;
}

/** Starts the open page and the control socket, and makes the page over HTTPS ready to be started. */
export async function startWeb(store: Store, rooms: Rooms, stack: AsyncDisposableStack): Promise<Web> {
  const { spool, log, clock, current, dataDirectory } = store;
  const { config } = current;
  const status = {
    current: () => rooms.status.report(),
    onChange: (listener: () => void) => spool.onWork(listener),
  };
  const server = new WebServer({
    ...config.web,
    intakeHost: config.intake.host,
    log,
    clock,
    status,
    metrics: metricsOf(store, rooms),
    page: await loadPage(),
    readiness: () => {
      const gate = spool.intakeGate();
      return gate.open ? { ready: true } : { ready: false, reason: gate.reason };
    },
  });
  const { port } = await server.start();
  stack.defer(() => server.stop());
  const control = new ControlServer({
    path: join(dataDirectory, 'control.sock'),
    operator: rooms.operator,
    status,
    log,
  });
  await control.start();
  stack.defer(() => control.stop());
  const secure = createSecure(store, server);
  return {
    port,
    startHttps: async () => {
      await secure?.start();
      stack.defer(() => secure?.stop());
    },
    httpsPort: () => {
      const state = secure?.state();
      return state?.open === true ? state.port : null;
    },
    report: () => ({ https: secure && httpsReport(secure, store) }),
    refreshCertificate: () => secure?.refresh(),
  };
}

function createSecure(store: Store, { site }: WebServer): SecureWebServer | null {
  const { clock, log } = store;
  const { https, ...web } = store.current.config.web;
  if (https === null) return null;
  return new SecureWebServer({
    ...web,
    ...https,
    ownCertificate: () => ownCertificate(store, webCertificate),
    site,
    api: { routes: [], streams: [], identify: () => null, audit: async () => {}, log },
    limits: webLimits,
    clock,
    log,
  });
}

function httpsReport(secure: SecureWebServer, store: Store): HttpsReport {
  const { open, port, certificate, problem } = secure.state();
  const file = store.current.config.web.https?.certFile ?? null;
  return {
    open,
    port,
    certificate: certificate && certificateReport(certificate, webCertificate, file, store),
    problem: problemReport(problem),
  };
}

function metricsOf(store: Store, rooms: Rooms) {
  const load = lazily(async () => {
    const { Metrics } = await import('./health/metrics.ts');
    return new Metrics({
      status: () => rooms.status.report(),
      counters: {
        forwardedInstances: () => forwardedByResult(rooms.destinations),
        storeResponses: () => rooms.listener.stats().statuses,
        longPdus: () => rooms.listener.stats().longPdus,
      },
      configuredModalities: () => Object.keys(store.current.config.modalities),
    });
  });
  return async () => {
    const metrics = await load();
    return { contentType: metrics.contentType, text: await metrics.text() };
  };
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
