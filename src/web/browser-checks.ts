import { timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Credentials } from './api-registrar.ts';
import type { SessionJar } from './api-route.ts';
import { ApiRefusal } from './problem.ts';

/** The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis §4.1.3). */
export const sessionCookie = '__Host-gantry-session';

/** The session cookie of one exchange. */
export function sessionJar(request: FastifyRequest, reply: FastifyReply): SessionJar {
  const attributes = 'Path=/; Secure; HttpOnly; SameSite=Strict';
  // One cookie an answer: what was said before no longer counts.
  const set = (cookie: string) => void reply.removeHeader('set-cookie').header('set-cookie', cookie);
  return {
    token: cookieValue(request.headers.cookie, sessionCookie),
    keep: (token) => set(`${sessionCookie}=${token}; ${attributes}`),
    drop: () => set(`${sessionCookie}=; Max-Age=0; ${attributes}`),
  };
}

function cookieValue(header: string | undefined, name: string): string | null {
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return null;
}

export function readCredentials({ headers }: FastifyRequest, jar: SessionJar): Credentials {
  const bearer = /^Bearer +([\w.~+/-]+=*)$/i.exec(headers.authorization ?? '')?.[1] ?? null;
  // What is sent beside a token does not count.
  return { session: bearer === null ? jar.token : null, bearer };
}

/**
 * Makes sure that a change is asked for by our own page: browsers always say where a request with another method
 * than GET comes from (RFC 6454 §7), and only our page knows the session's CSRF token.
 * @param csrfToken null where there is no session yet
 * @throws ApiRefusal AUTH_ORIGIN, AUTH_CSRF
 */
export function checkBrowserRequest({ headers }: FastifyRequest, csrfToken: string | null): void {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  const ours = host !== undefined && origin?.toLowerCase() === `https://${host.toLowerCase()}`;
  if (!ours || (site !== undefined && site !== 'same-origin')) throw foreign();
  if (csrfToken !== null && !sameText(String(headers['x-csrf-token'] ?? ''), csrfToken)) throw noCsrfToken();
}

/** Takes as long wherever the difference is. */
export function sameText(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function foreign(): ApiRefusal {
  return new ApiRefusal(403, {
    code: 'AUTH_ORIGIN',
    kind: 'permanent',
    message: 'This request does not come from the page of this box.',
    nextStep: 'Open the page of this box and do it there; a program uses a token.',
  });
}

function noCsrfToken(): ApiRefusal {
  return new ApiRefusal(403, {
    code: 'AUTH_CSRF',
    kind: 'permanent',
    message: 'This request lacks what proves that it comes from the page you signed in on.',
    nextStep: 'Load the page again and repeat it.',
  });
}
