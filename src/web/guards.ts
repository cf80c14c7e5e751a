import type { Server } from 'node:http';
import {
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  fastify,
} from 'fastify';
import { type FailureText, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { problem, problemType, sendProblem, sendThrown } from './problem.ts';
import { withoutSchemas } from './without-schemas.ts';

export interface ConnectionLimits {
  readonly connectionsMax: number;
  readonly headerBytesMax: number;
  /** A whole request must have arrived by then. */
  readonly requestMs: number;
  /** A connection on which nothing moves for so long is closed. */
  readonly idleMs: number;
}

/** Scripts and styles only from files of this server, none inline; nobody may frame the page. */
export const securityHeaders = {
  'content-security-policy':
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const refusals = {
  method: {
    code: 'HTTP_METHOD',
    kind: 'permanent',
    message: 'This address is read-only: it answers GET and HEAD.',
    nextStep: 'Sign in on the page over HTTPS, or use the gantry command on the box, to change something.',
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
    nextStep: 'Open / for the page, /api/v1/status for the status, /api/v1/openapi.json for the API.',
  },
} as const satisfies Record<string, FailureText>;

export function sendNotFound(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 404, refusals.path);
}

export interface GuardedAppOptions {
  readonly isOurs: (hostHeader: string | undefined) => boolean;
  readonly limits: ConnectionLimits;
  /** 0: requests may have none. */
  readonly bodyBytesMax: number;
  readonly log: Log;
  /** Makes the server where it is not a plain HTTP one. */
  readonly createServer?: FastifyServerFactory;
}

/** A server whose every answer carries the security headers, and that answers to its own names only. */
export function createGuardedApp(options: GuardedAppOptions): FastifyInstance {
  const { limits, bodyBytesMax, log, createServer } = options;
  const { headerBytesMax, requestMs, idleMs, connectionsMax } = limits;
  const appOptions: FastifyHttpOptions<Server> = {
    logger: false,
    schemaController: withoutSchemas,
    http: { maxHeaderSize: headerBytesMax, headersTimeout: requestMs },
    requestTimeout: requestMs,
    connectionTimeout: idleMs,
    bodyLimit: Math.max(bodyBytesMax, 1),
    // An address fastify cannot even route passes no hook.
    frameworkErrors: (error, request, reply) => {
      if (turnAway(options, request, reply) === null) sendThrown(reply, error, log);
    },
    clientErrorHandler: (error, socket) => {
      // Cut off, or its answer is already on the way: there is nobody to tell.
      if (systemErrorCode(error) === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
        socket.destroy();
        return;
      }
      socket.end(rawProblem(systemErrorCode(error) === 'HPE_HEADER_OVERFLOW' ? 431 : 400));
    },
    ...(createServer === undefined ? {} : { serverFactory: createServer }),
  };
  const app = fastify(appOptions);
  app.server.maxConnections = connectionsMax;
  // JSON alone: what a form on another site can send without asking is not read.
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', async (request, reply) => turnAway(options, request, reply) ?? undefined);
  app.setErrorHandler((error, _request, reply) => sendThrown(reply, error, log));
  app.setNotFoundHandler((_request, reply) => sendNotFound(reply));
  return app;
}

/**
 * Puts the security headers on the answer, and answers what is not ours to answer.
 * @returns the reply it has sent, or null where the request may go on
 */
function turnAway(
  { isOurs, bodyBytesMax }: GuardedAppOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply | null {
  reply.headers(securityHeaders);
  if (!isOurs(request.headers.host)) return sendProblem(reply, 421, refusals.host);
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (!reads && bodyBytesMax === 0) {
    reply.header('allow', 'GET, HEAD').header('connection', 'close');
    return sendProblem(reply, 405, refusals.method);
  }
  if (reads && hasBody(request)) return sendProblem(reply.header('connection', 'close'), 400, refusals.body);
  return null;
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
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
