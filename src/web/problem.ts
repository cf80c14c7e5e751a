import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { type FailureText, GantryError, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/** A problem document (RFC 9457) with our own members: the code to read out, the kind and the next step. */
export interface Problem extends Omit<FailureText, 'message'> {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  /** The cause in plain words. */
  readonly detail: string;
}

export const problemType = 'application/problem+json; charset=utf-8';

export function problem(status: number, { code, kind, message, nextStep }: FailureText): Problem {
  const title = STATUS_CODES[status] ?? 'Error';
  return { type: 'about:blank', title, status, detail: message, code, kind, nextStep };
}

export function sendProblem(reply: FastifyReply, status: number, text: FailureText): FastifyReply {
  return reply.code(status).type(problemType).send(problem(status, text));
}

/** A failure with an HTTP status of its own. */
export class ApiRefusal extends GantryError {
  readonly status: 400 | 401 | 403 | 404 | 409 | 421 | 429 | 503;
  /** When it makes sense to ask again. */
  readonly retryAfterSeconds: number | null;

  constructor(
    status: ApiRefusal['status'],
    text: FailureText,
    { retryAfterSeconds = null }: { retryAfterSeconds?: number | null } = {},
  ) {
    super(text);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The problem for anything thrown while answering. Only a {@link GantryError}'s own words are shown. */
export function sendThrown(reply: FastifyReply, error: unknown, log: Log): FastifyReply {
  if (error instanceof ApiRefusal) {
    if (error.retryAfterSeconds !== null) reply.header('retry-after', String(error.retryAfterSeconds));
    return sendProblem(reply, error.status, error);
  }
  if (error instanceof GantryError) {
    return sendProblem(reply, error.kind === 'permanent' ? 422 : 503, error);
  }
  const status = clientFault(error);
  if (status !== null) {
    return sendProblem(reply, status, {
      code: 'HTTP_BAD_REQUEST',
      kind: 'permanent',
      message: 'The request could not be understood.',
      nextStep: 'Check the address, the headers and the body of the request.',
    });
  }
  log.error({ error, code: systemErrorCode(error) }, 'request failed');
  return sendProblem(reply, 500, {
    code: 'HTTP_INTERNAL',
    kind: 'transient',
    message: 'The gateway could not answer because of an error of its own.',
    nextStep: 'Try again. If it stays, read the log of the gateway.',
  });
}

/** The 4xx status fastify gives a request it could not parse, or null where the fault is ours. */
function clientFault(error: unknown): number | null {
  if (!(error instanceof Error) || !('statusCode' in error)) return null;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : null;
}
