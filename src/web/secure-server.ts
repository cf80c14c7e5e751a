import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { FastifyInstance } from 'fastify';
import { CertificateWatch, type WatchedCertificate } from '../base/certificate-watch.ts';
import type { Clock } from '../base/clock.ts';
import { type FailureText, GantryError, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Loop } from '../base/loop.ts';
import type { CertificateAndKey, TlsCredentials, TlsNaming } from '../base/tls-credentials.ts';
import { type ApiParts, registerApi } from './api-registrar.ts';
import { type ConnectionLimits, createGuardedApp } from './guards.ts';
import { createHostCheck } from './hosts.ts';
import type { OpenSite } from './open-site.ts';

export interface SecureServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly hostNames: readonly string[];
  /** The certificate, with those above it, and its key; null: the box's own. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly ownCertificate: () => Promise<CertificateAndKey>;
  readonly site: OpenSite;
  readonly api: ApiParts;
  readonly limits: ConnectionLimits & { readonly stopMs: number };
  readonly clock: Clock;
  readonly log: Log;
}

export interface SecureServerState extends WatchedCertificate {
  /** Whether browsers can connect. */
  readonly open: boolean;
  /** The bound port; before it is bound, the one of the settings. */
  readonly port: number;
}

const bodyBytesMax = 131_072;
/** How often files are looked at, and a port that could not be had is asked for again. */
const lookMs = 15_000;
/** Making a certificate may take long on a slow box; what goes on without it does not wait longer. */
const startMsMax = 10_000;
const naming: TlsNaming = { setting: 'web.https', purpose: 'the page', port: 'the HTTPS port of the page' };

/**
 * The HTTPS listener: what is open to all, and everything that needs somebody who has signed in. Whatever is wrong
 * with its certificate or its port is shown and tried again, and stops nothing else.
 */
export class SecureWebServer {
  readonly #options: SecureServerOptions;
  readonly #log: Log;
  readonly #server: Server;
  readonly #app: FastifyInstance;
  readonly #watch: CertificateWatch;
  readonly #looking: Loop;
  readonly #looked = Promise.withResolvers<void>();
  #portProblem: FailureText | null = null;
  #stopped = false;

  constructor(options: SecureServerOptions) {
    const { certFile, keyFile, clock, limits } = options;
    this.#options = options;
    this.#log = options.log.child({ room: 'web' });
    this.#server = createServer({
      minVersion: 'TLSv1.2',
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
      handshakeTimeout: limits.requestMs,
    });
    this.#server.setTimeout(limits.idleMs);
    this.#app = this.#createApp();
    this.#watch = new CertificateWatch({
      naming,
      files: { certFile, keyFile, clientCaFile: null },
      own: options.ownCertificate,
      use: (credentials) => this.#use(credentials),
      clock,
      log: this.#log,
    });
    this.#looking = new Loop({
      round: () => this.#look(),
      failed: (error) =>
        this.#log.error({ code: 'WEB_HTTPS_INTERNAL', error }, 'the HTTPS port of the page failed'),
    });
  }

  /** Resolves once the port is open, or it is known why not, or that takes too long. Never rejects. */
  async start(): Promise<void> {
    await this.#app.ready();
    this.#looking.start();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, startMsMax);
    await Promise.race([this.#looked.promise, late.promise]);
    clearTimeout(timer);
  }

  /** Looks at once whether the files have changed; the box's own certificate included. */
  refresh(): void {
    this.#watch.refresh();
    this.#looking.notify();
  }

  /** Lets requests under way finish for a bounded time, then closes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    // Not waited for: it may hang on a disk.
    void this.#looking.stop();
    const closed = this.#server.listening ? once(this.#server, 'close') : null;
    this.#server.close();
    const cut = setTimeout(() => this.#server.closeAllConnections(), this.#options.limits.stopMs);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(cut);
    await this.#app.close();
  }

  state(): SecureServerState {
    const { certificate, problem } = this.#watch.state();
    const address = this.#server.address();
    return {
      open: this.#server.listening,
      port: typeof address === 'object' && address !== null ? address.port : this.#options.port,
      certificate,
      problem: this.#portProblem ?? problem,
    };
  }

  #createApp(): FastifyInstance {
    const { hostNames, limits, log, site, api } = this.#options;
    const app = createGuardedApp({
      isOurs: createHostCheck(hostNames),
      limits,
      bodyBytesMax,
      log,
      createServer: (handler) => this.#server.on('request', handler),
    });
    site.addTo(app);
    registerApi(app, api);
    return app;
  }

  #use({ cert, key }: TlsCredentials): void {
    // Connections that are open go on under the one they began with.
    this.#server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' });
  }

  async #look(): Promise<number> {
    try {
      await this.#watch.look();
      const { certificate } = this.#watch.state();
      if (certificate !== null && !this.#server.listening && !this.#stopped) await this.#listen();
    } finally {
      this.#looked.resolve();
    }
    return lookMs;
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#options;
    try {
      this.#server.listen(port, host);
      await once(this.#server, 'listening');
      this.#portProblem = null;
      this.#log.info({ port: this.state().port }, 'the page is open over HTTPS');
    } catch (error) {
      const problem = portTaken(error);
      if (this.#portProblem === null) this.#log.error({ code: problem.code, error }, problem.message);
      this.#portProblem = problem;
    }
  }
}

function portTaken(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'WEB_HTTPS_PORT',
      kind: 'transient',
      message: `The HTTPS port of the page cannot be opened (${systemErrorCode(cause) ?? 'unknown cause'}).`,
      nextStep:
        'Check that no other program uses the port "web.https.port". It is tried again by itself; the page without sign-in goes on.',
    },
    { cause },
  );
}
