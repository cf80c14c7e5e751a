import type { Config } from './config/schema.ts';
import type { Rooms } from './gateway.ts';
import { ownCertificate, webCertificate } from './gateway-own-certificate.ts';
import type { Store } from './gateway-store.ts';
import type { ApiParts } from './web/api-registrar.ts';
import type { PageRenderer } from './web/page.ts';
import { SecureWebServer } from './web/secure-server.ts';
import { WebServer, webLimits } from './web/server.ts';
import type { StatusSource } from './web/status-feed.ts';

interface Parts {
  readonly store: Store;
  readonly rooms: Pick<Rooms, 'metrics'>;
  readonly status: StatusSource;
  readonly api: ApiParts;
  readonly page: PageRenderer;
}

/** The listeners of the page, in clear and over HTTPS; they can move to other ports while the gateway runs. */
export class WebListeners {
  secure: SecureWebServer | null = null;
  readonly #parts: Parts;
  #open: { readonly server: WebServer; readonly port: number; readonly config: Config } | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get port(): number {
    return this.#open?.port ?? 0;
  }

  /** @throws GantryError WEB_LISTEN */
  async open(config: Config): Promise<void> {
    const server = this.#createServer(config);
    const { port } = await server.start();
    this.#open = { server, port, config };
    this.secure = this.#createSecure(config, server);
  }

  /** Waits for the certificate for a bounded time. Never rejects. */
  async startHttps(): Promise<void> {
    await this.secure?.start();
  }

  /**
   * The new port is opened before the old one is closed, where both can be had at once.
   * @throws GantryError WEB_LISTEN; the page is then where it was
   */
  async change(config: Config): Promise<void> {
    const before = this.#open;
    const secureBefore = this.secure;
    if (before !== null && before.config.web.port === config.web.port) {
      await this.stop();
      await this.open(config).catch(async (error: unknown) => {
        await this.open(before.config);
        await this.startHttps();
        throw error;
      });
    } else {
      await this.open(config);
      await secureBefore?.stop();
      await before?.server.stop();
    }
    await this.startHttps();
  }

  async stop(): Promise<void> {
    await this.secure?.stop();
    this.secure = null;
    await this.#open?.server.stop();
    this.#open = null;
  }

  #createServer({ web, intake }: Config): WebServer {
    const { store, rooms, status, api, page } = this.#parts;
    const { spool, log, clock } = store;
    return new WebServer({
      ...web,
      routes: api.routes,
      intakeHost: intake.host,
      log,
      clock,
      status,
      metrics: rooms.metrics,
      page,
      readiness: () => {
        const gate = spool.intakeGate();
        return gate.open ? { ready: true } : { ready: false, reason: gate.reason };
      },
    });
  }

  #createSecure({ web: { https, ...web } }: Config, { site }: WebServer): SecureWebServer | null {
    if (https === null) return null;
    const { store, api } = this.#parts;
    const { clock, log } = store;
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
}
