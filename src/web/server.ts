import type { FastifyInstance } from 'fastify';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { registerApi } from './api-registrar.ts';
import type { ApiRoute } from './api-route.ts';
import { type ConnectionLimits, createGuardedApp } from './guards.ts';
import { createHostCheck } from './hosts.ts';
import { OpenSite, type OpenSiteLimits, type OpenSiteOptions } from './open-site.ts';
import { ApiRefusal } from './problem.ts';

export interface WebLimits extends ConnectionLimits, OpenSiteLimits {
  /** Requests under way when the server stops have so long to finish. */
  readonly stopMs: number;
}

export const webLimits: WebLimits = {
  connectionsMax: 256,
  headerBytesMax: 16_384,
  requestMs: 10_000,
  idleMs: 60_000,
  clientsMax: 64,
  clientBufferBytesMax: 262_144,
  heartbeatMs: 15_000,
  retryMs: 2_000,
  eventIntervalMs: 1_000,
  refreshMs: 5_000,
  stopMs: 5_000,
};

export interface WebServerOptions extends OpenSiteOptions {
  readonly host: string;
  /** 0 takes any free port; `start` says which. */
  readonly port: number;
  /** Names this server answers to beside addresses, `localhost` and the machine's own name. */
  readonly hostNames?: readonly string[];
  /** The API. What is open in it and reads is answered here too; the rest says that it needs HTTPS. */
  readonly routes?: readonly ApiRoute[];
  readonly limits?: Partial<WebLimits>;
}

/** The open, read-only HTTP listener. Nothing on it is about a patient, and nobody signs in on it. */
export class WebServer {
  /** What is open to all; other listeners may offer it too. */
  readonly site: OpenSite;
  readonly #options: WebServerOptions;
  readonly #limits: WebLimits;
  readonly #app: FastifyInstance;

  constructor(options: WebServerOptions) {
    this.#options = options;
    this.#limits = { ...webLimits, ...options.limits };
    this.site = new OpenSite(options, this.#limits);
    this.#app = this.#createApp();
  }

  /** @throws GantryError WEB_LISTEN */
  async start(): Promise<{ port: number }> {
    const { host, port } = this.#options;
    try {
      await this.#app.listen({ host, port });
    } catch (cause) {
      throw new GantryError(
        {
          code: 'WEB_LISTEN',
          kind: 'permanent',
          message: `The page cannot be offered on ${host} port ${port} (${systemErrorCode(cause) ?? 'unknown cause'}).`,
          nextStep: 'Check the address and port of the page in the settings, and what else uses that port.',
        },
        { cause },
      );
    }
    this.site.start();
    const address = this.#app.server.address();
    return { port: typeof address === 'object' && address !== null ? address.port : port };
  }

  /** Ends event streams, lets requests under way finish for a bounded time, then closes. */
  async stop(): Promise<void> {
    this.site.stop();
    const cut = setTimeout(() => this.#app.server.closeAllConnections(), this.#limits.stopMs);
    await this.#app.close();
    clearTimeout(cut);
  }

  #createApp(): FastifyInstance {
    const { hostNames = [], log, routes = [] } = this.#options;
    const isOurs = createHostCheck(hostNames);
    const app = createGuardedApp({ isOurs, limits: this.#limits, bodyBytesMax: 0, log });
    this.site.addTo(app);
    const readable = routes.filter((route) => route.method === 'GET');
    registerApi(app, {
      routes: readable.filter((route) => route.role === 'open'),
      streams: [],
      // A cookie or a token that came here in clear counts for nothing.
      identify: () => null,
      audit: async () => {},
      streamLimits: this.#limits,
      clock: this.#options.clock,
      log,
    });
    for (const { path } of readable.filter((route) => route.role !== 'open')) {
      app.get(path, () => {
        throw httpsOnly();
      });
    }
    return app;
  }
}

function httpsOnly(): ApiRefusal {
  return new ApiRefusal(403, {
    code: 'AUTH_HTTPS_ONLY',
    kind: 'permanent',
    message: 'This is answered over HTTPS only.',
    nextStep: 'Open the page of this box over HTTPS (port 8443 unless set otherwise) and sign in.',
  });
}
