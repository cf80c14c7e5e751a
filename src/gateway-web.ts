import { join } from 'node:path';
import type { Rooms } from './gateway.ts';
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
    metrics: rooms.metrics,
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
    tools: rooms.tools,
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
