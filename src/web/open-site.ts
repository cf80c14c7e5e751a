import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../base/clock.ts';
import type { FailureText, Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { EventStreams, type EventStreamLimits } from './event-streams.ts';
import { securityHeaders, sendNotFound } from './guards.ts';
import { modalityAddresses } from './hosts.ts';
import { type PageRenderer, plainPage } from './page.ts';
import { sendProblem } from './problem.ts';
import { etagOf, StatusFeed, type StatusSource, statusUnreadable } from './status-feed.ts';

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: Reason };

export interface OpenSiteLimits extends EventStreamLimits {
  /** Events of one stream are at least so far apart. */
  readonly eventIntervalMs: number;
  /** How often the status is looked at while somebody follows it, called back or not. */
  readonly refreshMs: number;
}

export interface OpenSiteOptions {
  /** Where the DICOM listener is bound: decides which address the page tells people to type. */
  readonly intakeHost: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly status: StatusSource;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly page: PageRenderer;
  /** Whether the gateway takes images now. */
  readonly readiness: () => Readiness | Promise<Readiness>;
}

const gzipAsync = promisify(gzip);

const streamsFull: FailureText = {
  code: 'HTTP_STREAMS_FULL',
  kind: 'transient',
  message: 'Too many pages follow the status of this box at the moment.',
  nextStep: 'Close pages that are not needed; this one tries again by itself.',
};

/** What is open to all, on every listener: page, status, events, probes, metrics. Nothing of it is about a patient. */
export class OpenSite {
  readonly #options: OpenSiteOptions;
  readonly #feed: StatusFeed;
  readonly #streams: EventStreams;

  constructor(options: OpenSiteOptions, limits: OpenSiteLimits) {
    const { status: source, clock, log } = options;
    this.#options = options;
    this.#feed = new StatusFeed({ ...limits, source, clock, log });
    this.#streams = new EventStreams({ feed: this.#feed, limits, now: () => clock.now() });
  }

  start(): void {
    this.#feed.start();
  }

  /** Ends event streams. */
  stop(): void {
    this.#streams.stop();
    this.#feed.stop();
  }

  addTo(app: FastifyInstance): void {
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
    const { intakeHost, page, log } = this.#options;
    reply.type('text/html; charset=utf-8').header('cache-control', 'no-store');
    let html: string;
    try {
      const report = await this.#feed.read();
      const addresses = modalityAddresses(intakeHost, request.headers.host, request.socket.localAddress);
      html = page.render({ report, addresses });
    } catch (error) {
      log.error({ error }, 'page could not be made');
      reply.code(503);
      html = plainPage('Gantry: state unknown', [statusUnreadable.message, statusUnreadable.nextStep]);
    }
    reply.header('vary', 'accept-encoding');
    if (!acceptsGzip(request)) return reply.send(html);
    return reply.header('content-encoding', 'gzip').send(await gzipAsync(html));
  }

  #sendAsset(name: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const asset = this.#options.page.assets.get(name);
    if (asset === undefined) return sendNotFound(reply);
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
    if (this.#streams.full) return sendProblem(reply.header('retry-after', '10'), 503, streamsFull);
    await this.#streams.join(request.raw, reply.raw, headers, () => void reply.hijack());
    return reply;
  }
}

function acceptsGzip(request: FastifyRequest): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(request.headers['accept-encoding'] ?? '');
}
