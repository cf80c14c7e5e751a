import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type FastifyInstance, fastify } from 'fastify';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { dashboardCss, dashboardHtml, readQuery } from './dashboard-page.ts';
import { type BoxRow, fleetRows, type KnownBox, type StatusLimits, summarize } from './fleet-status.ts';
import { prometheusText } from './prometheus.ts';
import { readReports } from './reports.ts';

const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** Reports are read anew at most so often; many may look at once. */
const rereadMs = 10_000;
const connectionsMax = 256;
const requestMs = 30_000;

export interface DashboardOptions {
  /** Folders of reports. */
  readonly reports: readonly string[];
  readonly known: () => Promise<ReadonlyMap<string, KnownBox>>;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly offlineMs: number;
  readonly certificateDays: number;
}

interface Seen {
  readonly at: number;
  readonly rows: readonly BoxRow[];
  readonly limits: StatusLimits;
}

/** One read-only page on all boxes, made on the server; `/metrics` for Prometheus. */
export class Dashboard {
  readonly #options: DashboardOptions;
  readonly #app: FastifyInstance;
  #seen: Promise<Seen> | undefined;
  #seenAt = 0;

  constructor(options: DashboardOptions) {
    this.#options = options;
    this.#app = fastify({ logger: false, requestTimeout: requestMs, bodyLimit: 1 });
    this.#app.server.maxConnections = connectionsMax;
    this.#addRoutes();
  }

  /** @throws GantryError FLEET_DASHBOARD_LISTEN */
  async start(): Promise<{ port: number }> {
    const { host, port } = this.#options;
    try {
      await this.#app.listen({ host, port });
    } catch (cause) {
      const why = systemErrorCode(cause) ?? 'unknown cause';
      throw new GantryError(
        {
          code: 'FLEET_DASHBOARD_LISTEN',
          kind: 'permanent',
          message: `The page cannot be offered on ${host} port ${port} (${why}).`,
          nextStep: 'Give another --port or --host, or end what uses that port.',
        },
        { cause },
      );
    }
    const address = this.#app.server.address();
    return { port: typeof address === 'object' && address !== null ? address.port : port };
  }

  async stop(): Promise<void> {
    await this.#app.close();
  }

  #addRoutes(): void {
    const app = this.#app;
    app.addHook('onRequest', async (request, reply) => {
      reply.headers(securityHeaders);
      // A name of somebody else's that leads here (DNS rebinding) does not get to see the fleet.
      if (!isOurs(request.headers.host, this.#options.host))
        return reply.code(421).type('text/plain').send('Open this page by its IP address.\n');
      return undefined;
    });
    app.setErrorHandler(async (error, _request, reply) => {
      const words =
        error instanceof GantryError ? `${error.code}: ${error.message}\n${error.nextStep}` : 'Failed.';
      return reply.code(500).type('text/plain').send(`${words}\n`);
    });
    app.get('/', async (request, reply) => {
      const { rows, limits } = await this.#see();
      const query = readQuery(request.query as Record<string, unknown>);
      reply.type('text/html; charset=utf-8');
      return dashboardHtml(rows, summarize(rows, limits), query, limits);
    });
    app.get('/style.css', async (_request, reply) =>
      reply.type('text/css; charset=utf-8').send(dashboardCss),
    );
    app.get('/metrics', async (_request, reply) => {
      const { rows, limits } = await this.#see();
      reply.type('text/plain; version=0.0.4; charset=utf-8');
      return prometheusText(rows, summarize(rows, limits));
    });
  }

  #see(): Promise<Seen> {
    const now = Date.now();
    if (this.#seen !== undefined && now - this.#seenAt < rereadMs) return this.#seen;
    const seen = this.#read(now);
    this.#seenAt = now;
    this.#seen = seen;
    seen.catch(() => {
      // Whoever asked is told; the next one looks again.
      if (this.#seen === seen) this.#seen = undefined;
    });
    return seen;
  }

  async #read(now: number): Promise<Seen> {
    const { reports: paths, known, offlineMs, certificateDays } = this.#options;
    const [{ reports }, boxes] = await Promise.all([readReports(paths), known()]);
    const limits = { now, offlineMs, certificateDays };
    return { at: now, rows: fleetRows(reports, boxes, limits), limits };
  }
}

function isOurs(header: string | undefined, host: string): boolean {
  const name = URL.parse(`http://${header ?? ''}`)?.hostname.replace(/^\[(.*)\]$/, '$1') ?? '';
  return isIP(name) !== 0 || ['localhost', hostname().toLowerCase(), host.toLowerCase()].includes(name);
}
