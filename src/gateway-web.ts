import { join } from 'node:path';
import { shownFingerprint } from './base/certificate.ts';
import type { Rooms } from './gateway.ts';
import { type AccessHouse, openAccess, startSyslog } from './gateway-access.ts';
import {
  certificateReport,
  ownCertificate,
  problemReport,
  webCertificate,
} from './gateway-own-certificate.ts';
import type { Store } from './gateway-store.ts';
import type { HttpsReport, StatusReport } from './health/status.ts';
import type { ApiParts } from './web/api-registrar.ts';
import { ControlServer } from './web/control.ts';
import { operatorRoutes } from './web/operator-routes.ts';
import { loadPage } from './web/page.ts';
import { SecureWebServer } from './web/secure-server.ts';
import { WebServer, webLimits } from './web/server.ts';
import { toolRoutes, toolStreams } from './web/tool-routes.ts';

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
  const access = await openAccess(store);
  const routes = [...operatorRoutes(rooms.operator), ...toolRoutes(rooms.tools)];
  const api = access.api(routes, toolStreams(rooms.tools));
  const server = new WebServer({
    ...config.web,
    routes: api.routes,
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
    auth: access.console,
    audit: api.audit,
    log,
  });
  await control.start();
  stack.defer(() => control.stop());
  await noteRun(store, access, stack);
  const secure = createSecure(store, server, api);
  return {
    port,
    startHttps: async () => {
      await secure?.start();
      stack.defer(() => secure?.stop());
      if (secure !== null && access.pairingCode !== null) tellPairing(store, access.pairingCode, secure);
    },
    httpsPort: () => {
      const state = secure?.state();
      return state?.open === true ? state.port : null;
    },
    report: () => ({ https: secure && httpsReport(secure, store) }),
    refreshCertificate: () => secure?.refresh(),
  };
}

/** Writes down when the gateway runs, and sends the audit log on. What fails here stops nothing. */
async function noteRun(store: Store, access: AccessHouse, stack: AsyncDisposableStack): Promise<void> {
  const note = (event: string) =>
    access.audit
      .add({
        event,
        actor: null,
        role: null,
        address: 'box',
        outcome: 'success',
        code: null,
        subject: null,
      })
      .catch((error: unknown) =>
        store.log.error({ code: 'AUDIT_NOT_WRITTEN', error }, 'the audit log cannot be written'),
      );
  await startSyslog(store, access, stack);
  await note('STARTED');
  stack.defer(() => note('STOPPED'));
}

/** Whoever can read this may become the first admin. */
function tellPairing({ log }: Store, pairingCode: string, secure: SecureWebServer): void {
  const { port, certificate } = secure.state();
  log.warn(
    { event: 'pairing', pairingCode, port, sha256: certificate && shownFingerprint(certificate.sha256) },
    `nobody can sign in yet: open the page over HTTPS on port ${port} and enter the pairing code ${pairingCode}`,
  );
}

function createSecure(store: Store, { site }: WebServer, api: ApiParts): SecureWebServer | null {
  const { clock, log } = store;
  const { https, ...web } = store.current.config.web;
  if (https === null) return null;
  return new SecureWebServer({
    ...web,
    ...https,
    ownCertificate: () => ownCertificate(store, webCertificate),
    site,
    api,
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
