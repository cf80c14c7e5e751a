import { chmod, lstat, rm } from 'node:fs/promises';
import { type FastifyInstance, fastify } from 'fastify';
import { z } from 'zod';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SelfCheckReport } from '../health/self-check.ts';
import type { AuditedAction } from './audit-log.ts';
import { deliveryStateViews, type Operator, type Selection } from './operator.ts';
import { sendProblem, sendThrown } from './problem.ts';
import type { StatusSource } from './status-feed.ts';
import { addConfigCalls } from './control-config.ts';
import { addEnrolCalls, type EnrolTools } from './control-enrol.ts';
import { badCommand, parse } from './control-parse.ts';
import type { Tools } from './tools.ts';
import { withoutSchemas } from './without-schemas.ts';

export interface ControlServerOptions {
  /** Path of the socket; its folder must be open to nobody but the gateway's user. */
  readonly path: string;
  readonly operator: Operator;
  readonly status: StatusSource;
  readonly tools: Pick<Tools, 'bundle' | 'destinations' | 'config'>;
  readonly auth: ConsoleAuth;
  readonly selfCheck: () => Promise<SelfCheckReport>;
  readonly enrol: EnrolTools;
  /** Durable once it resolves. */
  readonly audit: (action: AuditedAction) => Promise<void>;
  readonly log: Log;
}

/** What only somebody at the console may do. */
export interface ConsoleAuth {
  /** Opens the way back in. @returns a new pairing code */
  reset(): Promise<string>;
  /** A technician code of this box's own. */
  makeCode(name: string): string;
}

const objectIdsMax = 1_000;
const queuePageMax = 1_000;
const bodyBytesMax = 131_072;
/** `sun_path` of Linux holds 108 bytes with the closing zero (unix(7)). */
const socketPathBytesMax = 107;

const objectId = z.string().regex(/^[0-9a-f]{32}$/, 'must be an object id: 32 hexadecimal digits');
const destination = z.string().min(1).max(64);
const state = z.enum(deliveryStateViews);

const byIds = z.strictObject({ objectIds: z.array(objectId).min(1).max(objectIdsMax) });
const byFilter = z.strictObject({ destination: destination.optional(), state: state.optional() });
const resolution = z.strictObject({ objectId, choice: z.enum(['forward', 'discard']) });
const bandwidthLimit = z.strictObject({
  destination,
  mbitPerSecond: z.number().min(0).max(100_000).nullable(),
});
const oneDestination = z.strictObject({ destination });
const anyDestination = z.strictObject({ destination: destination.optional() });
const queueQuery = z.strictObject({
  state: state.optional(),
  destination: destination.optional(),
  limit: z.coerce.number().int().min(1).max(queuePageMax).default(100),
  after: z.string().min(1).max(200).optional(),
});
const technician = z.strictObject({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_. -]{0,62}$/) });
const studyParams = z.strictObject({
  studyKey: z.string().regex(/^[0-9a-f]{32}$/, 'must be a study key: 32 hexadecimal digits'),
});

/** Operator commands from this machine: HTTP on a Unix socket that only the gateway's own user may open. */
export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #app: FastifyInstance;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#app = this.#createApp();
  }

  /** @throws GantryError CONTROL_SOCKET */
  async start(): Promise<void> {
    const { path } = this.#options;
    if (Buffer.byteLength(path) > socketPathBytesMax) {
      throw socketFailure(`its path is longer than ${socketPathBytesMax} bytes`, undefined);
    }
    try {
      await removeStaleSocket(path);
      await this.#app.listen({ path });
      await chmod(path, 0o600);
    } catch (cause) {
      if (cause instanceof GantryError) throw cause;
      throw socketFailure(systemErrorCode(cause) ?? 'unknown cause', cause);
    }
  }

  /** Closes and removes the socket; a command under way is cut off. */
  async stop(): Promise<void> {
    await this.#app.close();
  }

  #createApp(): FastifyInstance {
    const app = fastify({
      logger: false,
      bodyLimit: bodyBytesMax,
      forceCloseConnections: true,
      schemaController: withoutSchemas,
    });
    app.setErrorHandler((error, _request, reply) => sendThrown(reply, error, this.#options.log));
    app.setNotFoundHandler((_request, reply) =>
      sendProblem(reply, 404, {
        code: 'CONTROL_UNKNOWN_COMMAND',
        kind: 'permanent',
        message: 'The running gateway does not know this command.',
        nextStep: 'Use the gantry command of the version that is running: `gantry status` names it.',
      }),
    );
    this.#addQueries(app);
    this.#addCommands(app);
    addConfigCalls(app, this.#options.tools.config, (event) => this.#note(event));
    addEnrolCalls(app, this.#options.enrol, (event, subject) => this.#note(event, subject));
    return app;
  }

  #addQueries(app: FastifyInstance): void {
    const { operator, status, tools } = this.#options;
    const { bundle } = tools;
    app.get('/status', () => status.current());
    app.get('/self-check', () => this.#options.selfCheck());
    app.get('/queue', (request) => {
      const query = parse(queueQuery, request.query);
      const { limit } = query;
      return operator.list({
        state: query.state ?? null,
        destination: query.destination ?? null,
        limit,
        after: query.after ?? null,
      });
    });
    app.get('/bandwidth', async () => ({ destinations: await operator.bandwidth() }));
    app.get('/support-bundle/contents', () => ({ parts: bundle.contents() }));
    app.get('/support-bundle', async (_request, reply) => {
      const packed = await bundle.pack();
      await this.#note('SUPPORT_BUNDLE');
      return reply.type('application/gzip').send(packed);
    });
    app.get('/receipts', async () => ({ receipts: await operator.receipts() }));
    app.get('/receipts/:studyKey', (request) =>
      operator.receipt(parse(studyParams, request.params).studyKey),
    );
  }

  #addCommands(app: FastifyInstance): void {
    const { operator, tools, auth, log } = this.#options;
    const { destinations } = tools;
    const done = async (command: string, count: number, subject: string | null = null) => {
      log.info({ command, count, ...(subject === null ? {} : { subject }) }, 'operator command done');
      await this.#note(command, subject);
      return { count };
    };
    app.post('/queue/retry', async ({ body }) =>
      done('QUEUE_RETRY', await operator.retry(parseSelection(body))),
    );
    app.post('/queue/release', async ({ body }) => {
      const { to, selection } = parseRelease(body);
      return done('QUEUE_RELEASE', await operator.release(selection, to), to ?? null);
    });
    app.post('/queue/discard', async ({ body }) =>
      done('QUEUE_DISCARD', await operator.discard(parseDiscard(body))),
    );
    app.post('/queue/resolve', async ({ body }) => {
      const { objectId: id, choice } = parse(resolution, body);
      return done('QUEUE_RESOLVE', await operator.resolve(id, choice));
    });
    app.post('/queue/hurry', async ({ body }) =>
      done('QUEUE_HURRY', await operator.hurry(parse(byIds, body).objectIds)),
    );
    app.post('/bandwidth/set', async ({ body }) => {
      const { destination: name, mbitPerSecond } = parse(bandwidthLimit, body);
      await operator.limitBandwidth(name, mbitPerSecond);
      return done('BANDWIDTH_SET', 1);
    });
    app.post('/bandwidth/clear', async ({ body }) => {
      await operator.clearBandwidth(parse(oneDestination, body).destination);
      return done('BANDWIDTH_CLEARED', 1);
    });
    app.post('/compression/forget', async ({ body }) =>
      done(
        'ABILITIES_FORGOTTEN',
        await operator.forgetAbilities(parse(anyDestination, body).destination ?? null),
      ),
    );
    app.post('/scrub', async () => {
      const report = await operator.scrub();
      await this.#note('SCRUB');
      return report;
    });
    app.post('/destinations/pause', async ({ body }) => {
      const { destination: name } = parse(oneDestination, body);
      await destinations.pause(name, 'console');
      return done('DESTINATION_PAUSED', 1, name);
    });
    app.post('/destinations/resume', async ({ body }) => {
      const { destination: name } = parse(oneDestination, body);
      await destinations.resume(name);
      return done('DESTINATION_RESUMED', 1, name);
    });
    app.post('/destinations/test', async ({ body }) => {
      const { destination: name } = parse(oneDestination, body);
      const report = await destinations.testLine(name);
      await this.#note('LINE_TESTED', name);
      return report;
    });
    app.post('/auth/reset', async () => ({ code: await auth.reset() }));
    app.post('/auth/code', async ({ body }) => {
      const { name } = parse(technician, body);
      await this.#note('CODE_MADE', name);
      return { code: auth.makeCode(name) };
    });
  }

  #note(event: string, subject: string | null = null): Promise<void> {
    const { audit } = this.#options;
    return audit({
      event,
      actor: 'console',
      role: null,
      address: 'console',
      outcome: 'success',
      code: null,
      subject,
    });
  }
}

function parseSelection(body: unknown): Selection {
  if (typeof body === 'object' && body !== null && 'objectIds' in body) return parse(byIds, body);
  const filter = parse(byFilter, body);
  return {
    ...(filter.destination === undefined ? {} : { destination: filter.destination }),
    ...(filter.state === undefined ? {} : { state: filter.state }),
  };
}

function parseRelease(body: unknown): { selection: Selection; to: string | undefined } {
  if (typeof body !== 'object' || body === null || !('to' in body))
    return { selection: parseSelection(body), to: undefined };
  const { to, ...selection } = body;
  return { selection: parseSelection(selection), to: parse(destination, to) };
}

/** Nothing is given up by leaving something out. */
function parseDiscard(body: unknown): Selection {
  const selection = parseSelection(body);
  if (Object.keys(selection).length > 0) return selection;
  throw badCommand('the command must name objects, a state or a destination');
}

/** A socket left by a process that was killed; only one gateway can hold the data directory at a time. */
async function removeStaleSocket(path: string): Promise<void> {
  try {
    const found = await lstat(path);
    if (!found.isSocket()) throw socketFailure('something that is not a socket is in its place', undefined);
    await rm(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

function socketFailure(words: string, cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'CONTROL_SOCKET',
      kind: 'permanent',
      message: `The control socket in the data directory cannot be made: ${words}.`,
      nextStep: 'Check the data directory: its path length, its owner and what lies in it.',
    },
    { cause },
  );
}
