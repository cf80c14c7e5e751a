import { join } from 'node:path';
import { shownFingerprint } from './base/certificate.ts';
import type { Rooms } from './gateway.ts';
import { type AccessHouse, openAccess, startSyslog } from './gateway-access.ts';
import { type LivePart, replaceable } from './gateway-live.ts';
import { certificateReport, problemReport, webCertificate } from './gateway-own-certificate.ts';
import { WebListeners } from './gateway-web-listeners.ts';
import type { Config } from './config/schema.ts';
import type { Store } from './gateway-store.ts';
import type { HttpsReport, StatusReport } from './health/status.ts';
import type { AuditedAction } from './web/audit-log.ts';
import { ControlServer } from './web/control.ts';
import { operatorRoutes } from './web/operator-routes.ts';
import { loadPage } from './web/page.ts';
import type { SecureWebServer } from './web/secure-server.ts';
import { toolRoutes, toolStreams } from './web/tool-routes.ts';

/** The page on its listeners. */
export interface Web {
  /** The bound port. */
  readonly port: number;
  /** Opens the page over HTTPS, where it is not off; waits for its certificate for a bounded time. Never rejects. */
  startHttps(): Promise<void>;
  /** Null where HTTPS is off or could not be opened. */
  httpsPort(): number | null;
  report(): StatusReport['web'];
  refreshCertificate(): void;
  parts(): LivePart[];
  /** Writes something down in the audit log. Never rejects: what fails is logged. */
  note(action: AuditedAction): Promise<void>;
}

/** Starts the open page and the control socket, and makes the page over HTTPS ready to be started. */
export async function startWeb(store: Store, rooms: Rooms, stack: AsyncDisposableStack): Promise<Web> {
  const { spool, log, dataDirectory } = store;
  const status = {
    current: () => rooms.status.report(),
    onChange: (listener: () => void) => spool.onWork(listener),
  };
  const access = await openAccess(store);
  const routes = [...operatorRoutes(rooms.operator), ...toolRoutes(rooms.tools)];
  const api = access.api(routes, toolStreams(rooms.tools));
  const listeners = new WebListeners({ store, rooms, status, api, page: await loadPage() });
  await listeners.open(store.current.config);
  stack.defer(() => listeners.stop());
  const control = new ControlServer({
    path: join(dataDirectory, 'control.sock'),
    operator: rooms.operator,
    tools: rooms.tools,
    selfCheck: rooms.selfCheck,
    status,
    auth: access.console,
    enrol: rooms.enrol,
    audit: api.audit,
    log,
  });
  await control.start();
  stack.defer(() => control.stop());
  const syslog = await noteRun(store, access, stack);
  return {
    get port() {
      return listeners.port;
    },
    startHttps: async () => {
      await listeners.startHttps();
      const { secure } = listeners;
      if (secure !== null && access.pairingCode !== null) tellPairing(store, access.pairingCode, secure);
    },
    httpsPort: () => {
      const state = listeners.secure?.state();
      return state?.open === true ? state.port : null;
    },
    report: () => ({ https: listeners.secure && httpsReport(listeners.secure, store) }),
    refreshCertificate: () => listeners.secure?.refresh(),
    note: (action) => noteAction(store, access, action),
    parts: () => [
      syslog,
      {
        name: 'page',
        settings: ({ web, intake }) => [web, intake.host],
        change: (config) => listeners.change(config),
      },
    ],
  };
}

/** Writes down when the gateway runs, and sends the audit log on. What fails here stops nothing. */
async function noteRun(store: Store, access: AccessHouse, stack: AsyncDisposableStack): Promise<LivePart> {
  const note = (event: string) =>
    noteAction(store, access, {
      event,
      actor: null,
      role: null,
      address: 'box',
      outcome: 'success',
      code: null,
      subject: null,
    });
  const about = { name: 'audit log', settings: ({ audit, site }: Config) => [audit, site.name] };
  const syslog = await replaceable(about, store.current.config, stack, () => startSyslog(store, access));
  await note('STARTED');
  stack.defer(() => note('STOPPED'));
  return syslog;
}

async function noteAction({ log }: Store, { audit }: AccessHouse, action: AuditedAction): Promise<void> {
  await audit
    .add(action)
    .catch((error: unknown) =>
      log.error({ code: 'AUDIT_NOT_WRITTEN', error }, 'the audit log cannot be written'),
    );
}

/** Whoever can read this may become the first admin. */
function tellPairing({ log }: Store, pairingCode: string, secure: SecureWebServer): void {
  const { port, certificate } = secure.state();
  log.warn(
    { event: 'pairing', pairingCode, port, sha256: certificate && shownFingerprint(certificate.sha256) },
    `nobody can sign in yet: open the page over HTTPS on port ${port} and enter the pairing code ${pairingCode}`,
  );
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
