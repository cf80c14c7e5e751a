import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { AuditedAction } from './audit-log.ts';
import {
  ApiFile,
  type ApiRoute,
  type ApiStream,
  type Caller,
  fileTypeOf,
  pathParameters,
  type Role,
  roleIncludes,
  type SessionJar,
} from './api-route.ts';
import { checkBrowserRequest, readCredentials, sessionJar } from './browser-checks.ts';
import { ApiRefusal } from './problem.ts';

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
  readonly log: Log;
}

/** Hangs the calls of the API into a server: who may, what was sent, what came of it. */
export function registerApi(app: FastifyInstance, parts: ApiParts): void {
  for (const route of parts.routes) {
    app.route({
      method: route.method,
      url: route.path,
      handler: (request, reply) => answer(route, parts, request, reply),
    });
  }
  for (const stream of parts.streams) {
    app.get(stream.path, (request, reply) => answerStream(stream, parts, request, reply));
  }
}

async function answer(
  route: ApiRoute,
  parts: ApiParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  reply.header('cache-control', 'no-store');
  const jar = sessionJar(request, reply);
  const user = admit(route, parts, request, jar);
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
  const given = request.params as Record<string, string>;
  const names = pathParameters(path).map((name) => given[name] ?? '');
  return {
    event: audit,
    actor: user?.name ?? null,
    role: user?.role ?? null,
    address: request.ip,
    subject: names.length === 0 ? null : names.join('/').slice(0, subjectCharsMax),
  };
}

const subjectCharsMax = 200;

/** @throws ApiRefusal 401, 403, 421 */
function admit(
  { role, method }: Pick<ApiRoute, 'role' | 'method'>,
  parts: ApiParts,
  request: FastifyRequest,
  jar: SessionJar,
): Identity | null {
  const credentials = readCredentials(request, jar);
  const identity = identifyFor(role, parts, credentials, jar);
  // A token travels in a header that no other site can make a browser send.
  const byToken = identity !== null && identity.csrfToken === null;
  if (!byToken && method !== 'GET') checkBrowserRequest(request, identity?.csrfToken ?? null);
  if (role === 'open') return identity;
  if (identity === null) throw signInFirst();
  if (!roleIncludes(identity.role, role)) throw notAllowed(role);
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

function signInFirst(): ApiRefusal {
  return new ApiRefusal(401, {
    code: 'AUTH_NEEDED',
    kind: 'permanent',
    message: 'This needs somebody who has signed in.',
    nextStep: 'Sign in on this page, or send the token of a program.',
  });
}

function notAllowed(role: Role): ApiRefusal {
  return new ApiRefusal(403, {
    code: 'AUTH_ROLE',
    kind: 'permanent',
    message: `This may be done by a${role === 'admin' ? 'n' : ''} ${role} only.`,
    nextStep: 'Ask an admin of this box to do it, or to give you that role.',
  });
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

const streamHeartbeatMs = 15_000;
const streamBufferBytesMax = 262_144;

async function answerStream(
  stream: ApiStream,
  parts: ApiParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const jar = sessionJar(request, reply);
  const credentials = readCredentials(request, jar);
  admit({ role: stream.role, method: 'GET' }, parts, request, jar);
  reply.headers({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const headers = reply.getHeaders() as Record<string, string>;
  if (request.method === 'HEAD') return reply.send();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, headers);
  raw.write('retry: 2000\n\n');
  const write = (text: string) => {
    if (raw.writableLength > streamBufferBytesMax) raw.destroy();
    else raw.write(text);
  };
  const unfollow = stream.follow((event, data) =>
    write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
  );
  const heartbeat = setInterval(() => {
    // Who has signed out, or whose session has ended, sees no more.
    if (mayStillFollow(stream, parts, credentials)) write(': heartbeat\n\n');
    else raw.end();
  }, streamHeartbeatMs);
  raw.on('error', () => raw.destroy());
  raw.on('close', () => {
    clearInterval(heartbeat);
    unfollow();
  });
  return reply;
}

function mayStillFollow({ role }: ApiStream, { identify }: ApiParts, credentials: Credentials): boolean {
  try {
    const identity = identify(credentials, 'look');
    return identity !== null && roleIncludes(identity.role, role);
  } catch {
    return false;
  }
}
