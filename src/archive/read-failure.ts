import { requestFault } from './client-fault.ts';
import type { ReadFailure } from './port.ts';
import { type LineAnswer, retryAfterMs } from './http-line.ts';

/**
 * What a status other than success and "not there" says about a read (PS3.18 §8.5). A redirect is never
 * followed: the address is wrong, and another host is none of our choosing.
 */
export function statusFailure(answer: LineAnswer, now: number): ReadFailure {
  const { statusCode: status } = answer;
  const refused = status === 401 || status === 403;
  const passing = [408, 425, 429].includes(status) || (status >= 500 && status !== 501 && status !== 505);
  return {
    kind: 'failed',
    why: refused ? 'refused' : passing ? 'unavailable' : 'unsupported',
    code: `HTTP_${status}`,
    retryAfterMs: retryAfterMs(answer, now),
  };
}

export function unavailable(code: string): ReadFailure {
  return { kind: 'failed', why: 'unavailable', code, retryAfterMs: null };
}

/** @param error what the request was rejected with */
export function notAsked(error: unknown, signal: AbortSignal): ReadFailure {
  if (signal.aborted) return unavailable('ABORTED');
  return { kind: 'failed', why: 'unavailable', ...requestFault(error), retryAfterMs: null };
}

export function unsupported(code: string): ReadFailure {
  return { kind: 'failed', why: 'unsupported', code, retryAfterMs: null };
}
