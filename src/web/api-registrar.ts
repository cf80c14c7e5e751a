import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { signInFirst } from './access-refusals.ts';
import type { AuditedAction } from './audit-log.ts';
import {
  ApiFile,
  type ApiRoute,
  type ApiStream,
  type Caller,
  fileTypeOf,
  pathParameters,
  roleIncludes,
  type SessionJar,
} from './api-route.ts';
import type { EventStreamLimits } from './event-streams.ts';
import { checkBrowserRequest, readCredentials, sessionJar } from './browser-checks.ts';
import { ApiRefusal } from './problem.ts';
import { RoleRefusals } from './role-refusals.ts';

/** Who a request comes from. */
export interface Identity extends Caller {
  /** What the browser has to send with every change; null for a program with a token, which needs none. */
  readonly csrfToken: string | null;
}

export interface Credentials {
  /** Secret of a session, from the cookie. */
  readonly session: string | null;
  /** Token of a program, from `Authorization: Bearer`. */
  readonly bearer: string | null;
}

export interface ApiParts {
  readonly routes: readonly ApiRoute[];
  readonly streams: readonly ApiStream[];
  /**
   * Who it is; null where nothing was sent.
   * @param how `look` does not count as use of the session
   * @throws ApiRefusal where what was sent is not, or no longer, valid
   */
  readonly identify: (credentials: Credentials, how?: 'use' | 'look') => Identity | null;
  /** Durable once it resolves. */
  readonly audit: (action: AuditedAction) => Promise<void>;
  readonly streamLimits: StreamLimits;
  readonly clock: Clock;
  readonly log: Log;
}

type DoorParts = ApiParts & { readonly refusals: RoleRefusals };

export type StreamLimits = Pick<EventStreamLimits, 'clientsMax' | 'clientBufferBytesMax' | 'heartbeatMs'>;

/** Hangs the calls of the API into a server: who may, what was sent, what came of it. */
export function registerApi(app: FastifyInstance, parts: ApiParts): void {
  const refusals = new RoleRefusals(parts.audit, parts.clock);
  for (const route of parts.routes) {
    app.route({
      method: route.method,
      url: route.path,
      handler: (request, reply) => answer(route, { ...parts, refusals }, request, reply),
    });
  }
  const followers = new Set<ServerResponse>();
  for (const stream of parts.streams) {
    app.get(stream.path, (request, reply) =>
      answerStream(stream, { ...parts, refusals }, followers, request, reply),
    );
  }
  // Else a server that stops would wait for them.
  app.addHook('preClose', async () => {
    for (const follower of followers) follower.end();
  });
}

async function answer(
  route: ApiRoute,
  parts: DoorParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  reply.header('cache-control', 'no-store');
  const jar = sessionJar(request, reply);
  const user = await admit(route, parts, request, jar);
  const action = actionOf(route, request, user);
  let result: unknown;
  try {
    const given = parseRequest(route.request, request);
    if (route.subject !== undefined) action.subject = route.subject(given);
    result = await route.handle(given, { user, address: request.ip, session: jar });
  } catch (error) {
    const code = error instanceof GantryError ? error.code : 'HTTP_INTERNAL';
    if (action.event !== null && user !== null)
      await parts.audit({ ...action, event: action.event, outcome: 'failure', code });
    throw error;
  }
  // Before the answer: what nobody can trace is not handed out.
  if (action.event !== null)
    await parts.audit({ ...action, event: action.event, outcome: 'success', code: null });
  return send(route, reply, result);
}

function actionOf({ audit, path }: ApiRoute, request: FastifyRequest, user: Identity | null) {
  return {
    event: audit,
    actor: user?.name ?? null,
    role: user?.role ?? null,
    address: request.ip,
    subject: subjectOf(path, request),
  };
}

function subjectOf(path: string, request: FastifyRequest): string | null {
  const given = request.params as Record<string, string>;
  const names = pathParameters(path).map((name) => given[name] ?? '');
  return names.length === 0 ? null : names.join('/').slice(0, subjectCharsMax);
}

const subjectCharsMax = 200;

/** @throws ApiRefusal 401, 403, 421 */
async function admit(
  { role, method, path, audit }: Pick<ApiRoute, 'role' | 'method' | 'path' | 'audit'>,
  parts: DoorParts,
  request: FastifyRequest,
  jar: SessionJar,
): Promise<Identity | null> {
  const credentials = readCredentials(request, jar);
  const identity = identifyFor(role, parts, credentials, jar);
  // A token travels in a header that no other site can make a browser send.
  const byToken = identity !== null && identity.csrfToken === null;
  if (!byToken && method !== 'GET') checkBrowserRequest(request, identity?.csrfToken ?? null);
  if (role === 'open') return identity;
  if (identity === null) throw signInFirst();
  const asked = { role, method, path, audit, address: request.ip, subject: subjectOf(path, request) };
  await parts.refusals.require(asked, identity);
  return identity;
}

/** An ended session is no reason to refuse what is open to all. */
function identifyFor(
  role: ApiRoute['role'],
  { identify }: ApiParts,
  credentials: Credentials,
  jar: SessionJar,
): Identity | null {
  try {
    return identify(credentials);
  } catch (error) {
    if (!(error instanceof ApiRefusal) || credentials.bearer !== null) throw error;
    jar.drop();
    if (role !== 'open') throw error;
    return null;
  }
}

/** @throws ApiRefusal API_BAD_REQUEST naming the first member that does not fit */
function parseRequest<Q>(schema: z.ZodType<Q>, { query, params, body }: FastifyRequest): Q {
  const result = schema.safeParse({ ...asObject(query), ...asObject(body), ...asObject(params) });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? 'the request' : issue.path.join('.');
  throw new ApiRefusal(400, {
    code: 'API_BAD_REQUEST',
    kind: 'permanent',
    message: `${where}: ${issue?.message ?? 'is not valid'}`,
    nextStep: 'See /api/v1/openapi.json for what this call takes.',
  });
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function send({ response }: ApiRoute, reply: FastifyReply, result: unknown): FastifyReply {
  const fileType = fileTypeOf(response);
  if (fileType !== null && result instanceof ApiFile) {
    const name = result.name.replaceAll(/[^\w.-]/g, '_');
    return reply
      .type(fileType)
      .header('content-disposition', `attachment; filename="${name}"`)
      .send(result.body);
  }
  if (result === undefined || result === null) return reply.code(204).send();
  // What is not in the schema does not leave.
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(response.parse(result)));
}

async function answerStream(
  stream: ApiStream,
  parts: DoorParts,
  followers: Set<ServerResponse>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const jar = sessionJar(request, reply);
  const credentials = readCredentials(request, jar);
  await admit({ ...stream, method: 'GET', audit: null }, parts, request, jar);
  reply.headers({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const headers = reply.getHeaders() as Record<string, string>;
  if (request.method === 'HEAD') return reply.send();
  const { clientsMax, clientBufferBytesMax, heartbeatMs } = parts.streamLimits;
  if (followers.size >= clientsMax) throw streamsFull();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, headers);
  raw.write('retry: 2000\n\n');
  const write = (text: string) => {
    if (raw.writableLength > clientBufferBytesMax) raw.destroy();
    else raw.write(text);
  };
  const unfollow = stream.follow((event, data) =>
    write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
  );
  const heartbeat = setInterval(() => {
    // Who has signed out, or whose session has ended, sees no more.
    if (mayStillFollow(stream, parts, credentials)) write(': heartbeat\n\n');
    else raw.end();
  }, heartbeatMs);
  raw.on('error', () => raw.destroy());
  followers.add(raw);
  raw.on('close', () => {
    followers.delete(raw);
    clearInterval(heartbeat);
    unfollow();
  });
  return reply;
}

function streamsFull(): ApiRefusal {
  return new ApiRefusal(
    503,
    {
      code: 'HTTP_STREAMS_FULL',
      kind: 'transient',
      message: 'Too many pages follow this at the moment.',
      nextStep: 'Close pages that are not needed.',
    },
    { retryAfterSeconds: 10 },
  );
}

function mayStillFollow({ role }: ApiStream, { identify }: ApiParts, credentials: Credentials): boolean {
  try {
    const identity = identify(credentials, 'look');
    return identity !== null && roleIncludes(identity.role, role);
  } catch {
    return false;
  }
}
