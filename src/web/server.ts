import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Clock } from '../base/clock.ts';
import { type FailureText, GantryError, type Reason, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { EventStreams, type EventStreamLimits } from './event-streams.ts';
import { createHostCheck } from './hosts.ts';
import { keepLanguage, languageOf } from './language.ts';
import { type PageRenderer, plainPage } from './page.ts';
import { type PageRequest, pageView } from './page-view.ts';
import { problem, problemType, sendProblem, sendThrown } from './problem.ts';
import { etagOf, StatusFeed, type StatusSource, statusUnreadable } from './status-feed.ts';
import type { SignInView } from './view.ts';

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: Reason };

export interface WebLimits extends EventStreamLimits {
  readonly connectionsMax: number;
  readonly headerBytesMax: number;
  /** A whole request must have arrived by then. */
  readonly requestMs: number;
  /** A connection on which nothing moves for so long is closed. */
  readonly idleMs: number;
  /** Events of one stream are at least so far apart. */
  readonly eventIntervalMs: number;
  /** How often the status is looked at while somebody follows it, called back or not. */
  readonly refreshMs: number;
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

export interface WebServerOptions {
  readonly host: string;
  /** 0 takes any free port; `start` says which. */
  readonly port: number;
  /** Where the DICOM listener is bound: decides which address the page tells people to type. */
  readonly intakeHost: string;
  /** Names this server answers to beside addresses, `localhost` and the machine's own name. */
  readonly hostNames?: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  readonly status: StatusSource;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly page: PageRenderer;
  /** Where people sign in; nowhere where it is left out. */
  readonly signIn?: SignInView;
  /** Whether the gateway takes images now. */
  readonly readiness: () => Readiness | Promise<Readiness>;
  readonly limits?: Partial<WebLimits>;
}

/** Scripts and styles only from files of this server, none inline; nobody may frame the page. */
const securityHeaders = {
  'content-security-policy':
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const noSignIn: SignInView = { here: false, port: null, sha256: null };

const gzipAsync = promisify(gzip);

const refusals = {
  method: {
    code: 'HTTP_METHOD',
    kind: 'permanent',
    message: 'This address is read-only: it answers GET and HEAD.',
    nextStep: 'Use the gantry command on the box to change something.',
  },
  host: {
    code: 'HTTP_HOST',
    kind: 'permanent',
    message: 'This box was called by a name it does not know as its own.',
    nextStep: 'Open the page by the IP address of the box.',
  },
  body: {
    code: 'HTTP_BODY',
    kind: 'permanent',
    message: 'A request to this address carries no body.',
    nextStep: 'Send the request without a body.',
  },
  path: {
    code: 'HTTP_NOT_FOUND',
    kind: 'permanent',
    message: 'There is nothing at this address.',
    nextStep: 'Open / for the page or /api/v1/status for the status.',
  },
  streams: {
    code: 'HTTP_STREAMS_FULL',
    kind: 'transient',
    message: 'Too many pages follow the status of this box at the moment.',
    nextStep: 'Close pages that are not needed; this one tries again by itself.',
  },
} as const satisfies Record<string, FailureText>;

/** The open, read-only HTTP listener: page, status, events, probes, metrics. Nothing on it is about a patient. */
export class WebServer {
  readonly #options: WebServerOptions;
  readonly #limits: WebLimits;
  readonly #feed: StatusFeed;
  readonly #streams: EventStreams;
  readonly #isOurs: (hostHeader: string | undefined) => boolean;
  readonly #app: FastifyInstance;

  constructor(options: WebServerOptions) {
    const { status: source, clock, log } = options;
    this.#options = options;
    this.#limits = { ...webLimits, ...options.limits };
    this.#feed = new StatusFeed({ ...this.#limits, source, clock, log });
    this.#streams = new EventStreams({ feed: this.#feed, limits: this.#limits, now: () => clock.now() });
    this.#isOurs = createHostCheck(options.hostNames ?? []);
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
    this.#feed.start();
    const address = this.#app.server.address();
    return { port: typeof address === 'object' && address !== null ? address.port : port };
  }

  /** Ends event streams, lets requests under way finish for a bounded time, then closes. */
  async stop(): Promise<void> {
    this.#streams.stop();
    this.#feed.stop();
    const cut = setTimeout(() => this.#app.server.closeAllConnections(), this.#limits.stopMs);
    await this.#app.close();
    clearTimeout(cut);
  }

  #createApp(): FastifyInstance {
    const { headerBytesMax, requestMs, idleMs, connectionsMax } = this.#limits;
    const app = fastify({
      logger: false,
      http: { maxHeaderSize: headerBytesMax, headersTimeout: requestMs },
      requestTimeout: requestMs,
      connectionTimeout: idleMs,
      bodyLimit: 1,
      // An address fastify cannot even route passes no hook.
      frameworkErrors: (error, request, reply) => {
        if (this.#turnAway(request, reply) === null) sendThrown(reply, error, this.#options.log);
      },
      clientErrorHandler: (error, socket) => {
        // Cut off, or its answer is already on the way: there is nobody to tell.
        if (systemErrorCode(error) === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
          socket.destroy();
          return;
        }
        socket.end(rawProblem(systemErrorCode(error) === 'HPE_HEADER_OVERFLOW' ? 431 : 400));
      },
    });
    app.server.maxConnections = connectionsMax;
    this.#addGuards(app);
    this.#addRoutes(app);
    return app;
  }

  #addGuards(app: FastifyInstance): void {
    app.addHook('onRequest', async (request, reply) => this.#turnAway(request, reply) ?? undefined);
    app.setErrorHandler((error, _request, reply) => sendThrown(reply, error, this.#options.log));
    app.setNotFoundHandler((_request, reply) => sendProblem(reply, 404, refusals.path));
  }

  /**
   * Puts the security headers on the answer, and answers what is not ours to answer.
   * @returns the reply it has sent, or null where the request may go on
   */
  #turnAway(request: FastifyRequest, reply: FastifyReply): FastifyReply | null {
    reply.headers(securityHeaders);
    if (!this.#isOurs(request.headers.host)) return sendProblem(reply, 421, refusals.host);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return sendProblem(
        reply.header('allow', 'GET, HEAD').header('connection', 'close'),
        405,
        refusals.method,
      );
    }
    if (hasBody(request)) return sendProblem(reply.header('connection', 'close'), 400, refusals.body);
    return null;
  }

  #addRoutes(app: FastifyInstance): void {
    const { metrics, readiness } = this.#options;
    app.get('/', (request, reply) => this.#sendPage(request, reply));
    app.get<{ Params: { '*': string } }>('/assets/*', (request, reply) =>
      this.#sendAsset(request.params['*'], request, reply),
    );
    app.get('/api/v1/status', (request, reply) => this.#sendStatus(request, reply));
    app.get('/api/v1/events', (request, reply) => this.#sendEvents(request, reply));
    app.get('/livez', (_request, reply) => reply.header('cache-control', 'no-store').send({ live: true }));
    app.get('/readyz', async (_request, reply) => {
      reply.header('cache-control', 'no-store');
      const state = await readiness();
      if (state.ready) return reply.send({ ready: true });
      const { code, words } = state.reason;
      const nextStep = 'Open the page of this box: it says what to do.';
      return sendProblem(reply, 503, { code, kind: 'transient', message: words, nextStep });
    });
    app.get('/metrics', async (_request, reply) => {
      const { contentType, text } = await metrics();
      return reply.header('cache-control', 'no-store').type(contentType).send(text);
    });
  }

  async #sendPage(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { intakeHost, page, log, signIn = noSignIn } = this.#options;
    reply.type('text/html; charset=utf-8').header('cache-control', 'no-store');
    let html: string;
    try {
      html = page.render(
        pageView(await this.#feed.read(), intakeHost, this.#pageRequest(request, reply), signIn),
      );
    } catch (error) {
      log.error({ error }, 'page could not be made');
      reply.code(503);
      html = plainPage('Gantry: state unknown', [statusUnreadable.message, statusUnreadable.nextStep]);
    }
    reply.header('vary', 'accept-encoding, accept-language, cookie');
    if (!acceptsGzip(request)) return reply.send(html);
    return reply.header('content-encoding', 'gzip').send(await gzipAsync(html));
  }

  /** A language that was chosen is kept from here on. */
  #pageRequest({ headers, socket, query }: FastifyRequest, reply: FastifyReply): PageRequest {
    const { lang } = query as { readonly lang?: unknown };
    const language = typeof lang === 'string' ? lang : undefined;
    const chosen = languageOf(language);
    if (chosen !== null) reply.header('set-cookie', keepLanguage(chosen));
    return {
      hostHeader: headers.host,
      localAddress: socket.localAddress,
      language,
      cookies: headers.cookie,
      acceptLanguage: headers['accept-language'],
    };
  }

  #sendAsset(name: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const asset = this.#options.page.assets.get(name);
    if (asset === undefined) return sendProblem(reply, 404, refusals.path);
    reply.type(asset.type).header('vary', 'accept-encoding');
    reply.header('cache-control', 'public, max-age=31536000, immutable');
    if (!acceptsGzip(request)) return reply.send(asset.body);
    return reply.header('content-encoding', 'gzip').send(asset.gzipped);
  }

  async #sendStatus(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const report = await this.#feed.read();
    const etag = etagOf(report);
    reply.header('etag', etag).header('cache-control', 'no-cache');
    const known = request.headers['if-none-match']?.split(',').map((one) => one.trim());
    if (known?.some((one) => one === etag || one === '*') === true) return reply.code(304).send();
    return reply.send(report);
  }

  async #sendEvents(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const headers = {
      ...securityHeaders,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Tells nginx and its like to pass events on as they come.
      'x-accel-buffering': 'no',
    };
    if (request.method === 'HEAD') return reply.headers(headers).send();
    if (this.#streams.full) return sendProblem(reply.header('retry-after', '10'), 503, refusals.streams);
    await this.#streams.join(request.raw, reply.raw, headers, () => void reply.hijack());
    return reply;
  }
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function acceptsGzip(request: FastifyRequest): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(request.headers['accept-encoding'] ?? '');
}

/** A complete HTTP answer for a request that never became one. */
function rawProblem(status: 400 | 431): string {
  const body = JSON.stringify(
    problem(status, {
      code: status === 431 ? 'HTTP_HEADERS_TOO_LARGE' : 'HTTP_BAD_REQUEST',
      kind: 'permanent',
      message:
        status === 431 ? 'The headers of the request are too large.' : 'The request is not valid HTTP.',
      nextStep: 'Open the page with a browser.',
    }),
  );
  const phrase = status === 431 ? 'Request Header Fields Too Large' : 'Bad Request';
  return [
    `HTTP/1.1 ${status} ${phrase}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
}
