import { createHash, timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StoredInstance } from './ports.ts';
import { mediaTypeParameter, multipartBoundary, multipartParts } from '../dicom/multipart.ts';
import {
  instanceDataSet,
  nativeXml,
  type PartOutcome,
  type SearchKeys,
  type SearchLevel,
  search,
  storeResponse,
  storeStatus,
} from './sandbox-answers.ts';
import { type SandboxInstance, SandboxStore, type StagedPart } from './sandbox-store.ts';

export interface SandboxArchiveOptions {
  /** Where instances are kept; made where missing. */
  readonly dataDir: string;
  readonly host: string;
  /** 0 lets the system choose one. */
  readonly port: number;
  readonly log: Log;
  /** Every request must carry this bearer token; null: none is asked for. */
  readonly bearerToken?: string | null;
}

const root = '/dicom-web';
const instancesMax = 500_000;
const partsPerRequestMax = 10_000;
const matchesMax = 5000;
const connectionsMax = 256;

type Params = Readonly<Record<string, string>>;

/**
 * A small real archive: STOW-RS, QIDO-RS and WADO-RS (PS3.18 §10.4–10.6) over plain http, instances on disk as
 * they came. A store request counts as a whole: what breaks off leaves nothing. The first bytes under a UID
 * stay; other bytes under it are refused.
 */
export class SandboxArchive {
  readonly #options: SandboxArchiveOptions;
  readonly #store: SandboxStore;
  readonly #listeners = new Set<(stored: StoredInstance) => void>();
  #server: FastifyInstance | null = null;

  constructor(options: SandboxArchiveOptions) {
    this.#options = options;
    this.#store = new SandboxStore(options.dataDir, instancesMax);
  }

  /** @returns the address for `url` of a destination, ending in `/studies` */
  async start(): Promise<{ url: string }> {
    const { host, port, log } = this.#options;
    await this.#store.open();
    const server = this.#routes();
    this.#server = server;
    server.server.maxConnections = connectionsMax;
    await server.listen({ host, port });
    const address = server.server.address();
    const bound = typeof address === 'object' && address !== null ? address.port : port;
    const name = host.includes(':') ? `[${host}]` : host;
    log.info({ port: bound }, 'sandbox archive is ready');
    return { url: `http://${name}:${bound}${root}/studies` };
  }

  /** Ends requests under way. */
  async stop(): Promise<void> {
    this.#server?.server.closeAllConnections();
    await this.#server?.close();
  }

  /** Calls back for each new instance once it is durably here. @returns the way to stop listening */
  onStored(listener: (stored: StoredInstance) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #routes(): FastifyInstance {
    const server = fastify({ logger: false, forceCloseConnections: true, requestTimeout: 0 });
    // The body is read where the request is handled, part by part.
    server.removeAllContentTypeParsers();
    server.addContentTypeParser('*', (_request, _payload, done) => done(null));
    server.addHook('onRequest', async (request, reply) => {
      if (this.#mayEnter(request)) return;
      await reply.code(401).header('www-authenticate', 'Bearer').send();
    });
    server.setErrorHandler((error, _request, reply) => this.#failed(error, reply));
    server.post(`${root}/studies`, (request, reply) => this.#storeInstances(request, reply));
    for (const [path, level] of searches) {
      server.get(root + path, (request, reply) => this.#search(level, request, reply));
    }
    const series = `${root}/studies/:study/series/:series`;
    const instance = `${series}/instances/:instance`;
    server.get(`${series}/metadata`, (request, reply) => this.#seriesMetadata(request, reply));
    server.get(instance, (request, reply) => this.#retrieve(request, reply));
    server.get(`${instance}/metadata`, (request, reply) => this.#metadata(request, reply));
    return server;
  }

  #mayEnter(request: FastifyRequest): boolean {
    const { bearerToken = null } = this.#options;
    if (bearerToken === null) return true;
    return timingSafeEqual(sha256(request.headers.authorization ?? ''), sha256(`Bearer ${bearerToken}`));
  }

  #failed(error: unknown, reply: FastifyReply): FastifyReply {
    const malformed = error instanceof GantryError && error.code === 'MULTIPART_INVALID';
    if (!malformed) this.#options.log.warn({ error }, 'sandbox archive could not serve a request');
    return reply.code(malformed ? 400 : 500).send();
  }

  async #storeInstances(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const contentType = request.headers['content-type'] ?? '';
    const boundary = multipartBoundary(contentType);
    const type = mediaTypeParameter(contentType, 'type') ?? 'application/dicom';
    if (boundary === null || type.toLowerCase() !== 'application/dicom') return reply.code(415).send();
    const outcomes = await this.#takeIn(request, boundary);
    if (outcomes.length === 0) return reply.code(400).send();
    reply.code(storeStatus(outcomes));
    const accept = request.headers.accept ?? '*/*';
    if (/application\/dicom\+json|application\/json|\*\/\*/.test(accept)) {
      return sendJson(reply, storeResponse(outcomes));
    }
    return reply.type('application/dicom+xml').send(nativeXml(storeResponse(outcomes)));
  }

  /** Takes nothing into the archive before the whole request has arrived. */
  async #takeIn(request: FastifyRequest, boundary: string): Promise<PartOutcome[]> {
    const staged: StagedPart[] = [];
    try {
      // Not destroyed on return: a malformed request is answered, not cut off.
      const body = request.raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      for await (const part of multipartParts(body, boundary)) {
        if (staged.length >= partsPerRequestMax) throw new RangeError('more parts than a request may have');
        staged.push(await this.#store.stage(part.content));
      }
    } catch (error) {
      for (const part of staged) await this.#store.discard(part);
      throw error;
    }
    const outcomes: PartOutcome[] = [];
    const added: StoredInstance[] = [];
    for (const part of staged) outcomes.push(await this.#admit(part, added));
    await this.#store.sync();
    for (const stored of added) for (const listener of this.#listeners) listener(stored);
    return outcomes;
  }

  /** @param added takes what was not here before */
  async #admit(part: StagedPart, added: StoredInstance[]): Promise<PartOutcome> {
    if (part.kind === 'refused') return part;
    const { SOPClassUID, SOPInstanceUID, bytes } = part.instance;
    const known = this.#store.get(SOPInstanceUID) !== null;
    const failureReason = await this.#store.admit(part);
    if (failureReason === null && !known) added.push({ SOPInstanceUID, bytes });
    return { SOPClassUID, SOPInstanceUID, failureReason };
  }

  #search(level: SearchLevel, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const keys = searchKeys(request);
    const one = keys.SOPInstanceUID === null ? null : this.#store.get(keys.SOPInstanceUID);
    const candidates = keys.SOPInstanceUID === null ? this.#store.all() : one === null ? [] : [one];
    const found = search(candidates, level, keys);
    return found.length === 0 ? reply.code(204).send() : sendJson(reply, found);
  }

  #seriesMetadata(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { StudyInstanceUID, SeriesInstanceUID } = searchKeys(request);
    const whole = { StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID: null, limit: Infinity, offset: 0 };
    const found = search(this.#store.all(), 'instances', whole);
    return found.length === 0 ? reply.code(404).send() : sendJson(reply, found);
  }

  #metadata(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const instance = this.#named(request);
    return instance === null ? reply.code(404).send() : sendJson(reply, [instanceDataSet(instance)]);
  }

  #retrieve(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const instance = this.#named(request);
    if (instance === null) return reply.code(404).send();
    const accept = request.headers.accept ?? '*/*';
    // It does not transcode: what is asked for must be what is here.
    const wanted = mediaTypeParameter(accept, 'transfer-syntax') ?? '*';
    if (wanted !== '*' && wanted !== instance.TransferSyntaxUID) return reply.code(406).send();
    const file = this.#store.read(instance);
    const partType = `application/dicom; transfer-syntax=${instance.TransferSyntaxUID}`;
    if (!/multipart\/related|\*\/\*/.test(accept)) {
      reply.type(partType).header('content-length', instance.bytes);
      return reply.send(Readable.from(file, { objectMode: false }));
    }
    const boundary = createHash('sha256').update(instance.SOPInstanceUID).digest('hex').slice(0, 32);
    const head = Buffer.from(`--${boundary}\r\nContent-Type: ${partType}\r\n\r\n`);
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    reply
      .type(`multipart/related; type="application/dicom"; boundary=${boundary}`)
      .header('content-length', head.length + instance.bytes + tail.length);
    return reply.send(Readable.from(around(head, file, tail), { objectMode: false }));
  }

  /** The instance of the path, where it lies in the series and study of the path. */
  #named(request: FastifyRequest): SandboxInstance | null {
    const params = request.params as Params;
    const instance = this.#store.get(params['instance'] ?? '');
    const placed =
      instance?.StudyInstanceUID === params['study'] && instance?.SeriesInstanceUID === params['series'];
    return placed ? instance : null;
  }
}

const searches: readonly (readonly [string, SearchLevel])[] = [
  ['/studies', 'studies'],
  ['/series', 'series'],
  ['/instances', 'instances'],
  ['/studies/:study/series', 'series'],
  ['/studies/:study/instances', 'instances'],
  ['/studies/:study/series/:series/instances', 'instances'],
];

function searchKeys(request: FastifyRequest): SearchKeys {
  const params = request.params as Params;
  const query = new URL(request.url, 'http://sandbox').searchParams;
  const count = (name: string, fallback: number): number => {
    const text = query.get(name) ?? '';
    return /^\d{1,9}$/.test(text) ? Number(text) : fallback;
  };
  return {
    StudyInstanceUID: params['study'] ?? query.get('StudyInstanceUID') ?? query.get('0020000D'),
    SeriesInstanceUID: params['series'] ?? query.get('SeriesInstanceUID') ?? query.get('0020000E'),
    SOPInstanceUID: query.get('SOPInstanceUID') ?? query.get('00080018'),
    limit: Math.min(count('limit', matchesMax), matchesMax),
    offset: count('offset', 0),
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function sendJson(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.type('application/dicom+json').send(JSON.stringify(body));
}

async function* around(head: Buffer, content: AsyncIterable<Buffer>, tail: Buffer): AsyncGenerator<Buffer> {
  yield head;
  yield* content;
  yield tail;
}
