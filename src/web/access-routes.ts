import { z } from 'zod';
import { needSession, type Access } from './access.ts';
import { type ApiContext, type ApiRoute, apiRoute, roles } from './api-route.ts';
import { sessionListRoutes } from './session-routes.ts';
import type { Sessions } from './sessions.ts';

const nothing = z.strictObject({});
const none = z.null();
const role = z.enum(roles);
const userName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, '1 to 63 letters, digits, "-", "_" or "."');
/** Bounded before it is hashed. */
const password = z.string().min(1).max(200);
const givenName = z.string().min(1).max(63);
const id = z.string().regex(/^[0-9a-f]{16}$/, 'must be an id: 16 hexadecimal digits');
const time = z.iso.datetime();

const sessionView = z.object({
  user: z.string().nullable().describe('Null where nobody has signed in.'),
  role: role.nullable(),
  ownPassword: z
    .boolean()
    .describe(
      'Whether this person has a password that is changed here: not with a technician code, nor where the configuration holds it.',
    ),
  csrfToken: z
    .string()
    .nullable()
    .describe('To be sent as x-csrf-token with everything that changes something.'),
  boxPaired: z.boolean().describe('Whether this box has an admin.'),
  pairingOpen: z.boolean().describe('Whether it takes a pairing code.'),
});

/** Signing in and out, users, sessions and tokens. */
export function accessRoutes(access: Access, sessions: Sessions): ApiRoute[] {
  return [
    ...sessionRoutes(access),
    ...userRoutes(access),
    ...sessionListRoutes(access, sessions),
    ...tokenRoutes(access),
  ];
}

function sessionRoutes(access: Access): ApiRoute[] {
  const view = (token: string | null) => {
    const session = access.sessionOf(token);
    return {
      user: session?.name ?? null,
      role: session?.role ?? null,
      ownPassword: session !== null && access.hasOwnPassword(session),
      csrfToken: session?.csrfToken ?? null,
      boxPaired: access.paired,
      pairingOpen: access.pairing.open,
    };
  };
  /** A new secret for whoever has just signed in; the one the browser came with is worth nothing any more. */
  const enter = async ({ session, address }: ApiContext, token: string) => {
    if (session.token !== null) await access.signOut(session.token, address);
    session.keep(token);
    return view(token);
  };
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/session',
      role: 'open',
      summary: 'Who has signed in with this browser.',
      request: nothing,
      response: sessionView,
      audit: null,
      handle: async (_request, { session, user }) => view(user === null ? null : session.token),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/session',
      role: 'open',
      summary: 'Signs in.',
      request: z.strictObject({ name: givenName, password }),
      response: sessionView,
      audit: null,
      handle: async (given, context) =>
        enter(context, await access.signIn(given.name, given.password, context.address)),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/session/code',
      role: 'open',
      summary: 'Signs a visitor in with a technician code.',
      request: z.strictObject({ code: z.string().min(1).max(500) }),
      response: sessionView,
      audit: null,
      handle: async ({ code }, context) => enter(context, await access.signInWithCode(code, context.address)),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/pairing',
      role: 'open',
      summary: 'Makes whoever can read the console of the box an admin.',
      request: z.strictObject({ code: z.string().min(1).max(40), name: userName, password }),
      response: sessionView,
      audit: null,
      handle: async (given, context) =>
        enter(context, await access.pair(given.code, given.name, given.password, context.address)),
    }),
    apiRoute({
      method: 'DELETE',
      path: '/api/v1/session',
      role: 'open',
      summary: 'Signs out.',
      request: nothing,
      response: sessionView,
      audit: null,
      handle: async (_request, { session, address }) => {
        if (session.token !== null) await access.signOut(session.token, address);
        session.drop();
        return view(null);
      },
    }),
    apiRoute({
      method: 'PUT',
      path: '/api/v1/session/password',
      role: 'viewer',
      summary: 'Changes the password of whoever has signed in; their other sessions end.',
      request: z.strictObject({ password, newPassword: password }),
      response: sessionView,
      audit: 'PASSWORD_CHANGED',
      handle: async (given, { session, address }) => {
        const who = needSession(access.sessionOf(session.token));
        const token = await access.changeOwnPassword(who, given.password, given.newPassword, address);
        session.keep(token);
        return view(token);
      },
    }),
  ];
}

const userView = z.object({
  name: z.string(),
  role,
  from: z.enum(['page', 'configuration']).describe('Where this user is changed.'),
});

function userRoutes(access: Access): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/users',
      role: 'admin',
      summary: 'Who may sign in.',
      request: nothing,
      response: z.object({ users: z.array(userView) }),
      audit: null,
      handle: async () => ({ users: access.users() }),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/users',
      role: 'admin',
      summary: 'Adds a user.',
      request: z.strictObject({ name: userName, role, password }),
      response: none,
      audit: 'USER_ADDED',
      subject: (given) => `${given.name} (${given.role})`,
      handle: async (given) => {
        await access.addUser(given.name, given.role, given.password);
        return null;
      },
    }),
    apiRoute({
      method: 'PUT',
      path: '/api/v1/users/:name',
      role: 'admin',
      summary: 'Changes the role or the password of a user, and ends their sessions.',
      request: z.strictObject({ name: userName, role: role.optional(), password: password.optional() }),
      response: none,
      audit: 'USER_CHANGED',
      handle: async ({ name, ...change }) => {
        await access.changeUser(name, change);
        return null;
      },
    }),
    apiRoute({
      method: 'DELETE',
      path: '/api/v1/users/:name',
      role: 'admin',
      summary: 'Removes a user, and ends their sessions.',
      request: z.strictObject({ name: userName }),
      response: none,
      audit: 'USER_REMOVED',
      handle: async ({ name }) => {
        await access.removeUser(name);
        return null;
      },
    }),
  ];
}

const tokenView = z.object({
  id,
  name: z.string(),
  role,
  madeBy: z.string(),
  since: time,
  until: time.nullable().describe('When it ends; null: never.'),
  usedAt: time.nullable().describe('When it was last used since the gateway started.'),
});

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

function tokenRoutes(access: Access): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/tokens',
      role: 'admin',
      summary: 'Tokens of programs that use this API.',
      request: nothing,
      response: z.object({ tokens: z.array(tokenView) }),
      audit: null,
      handle: async () => ({
        tokens: access.tokens().map((token) => ({
          ...token,
          since: new Date(token.since).toISOString(),
          until: iso(token.until),
          usedAt: iso(token.usedAt),
        })),
      }),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/tokens',
      role: 'admin',
      summary: 'Makes a token. It is shown this one time.',
      request: z.strictObject({
        name: userName,
        role,
        days: z
          .int()
          .min(1)
          .max(3650)
          .nullable()
          .default(null)
          .describe('How long it is good for; null: no end.'),
      }),
      response: z.object({ id, token: z.string().describe('Send it as "Authorization: Bearer …".') }),
      audit: 'TOKEN_MADE',
      subject: (given) => `${given.name} (${given.role})`,
      handle: async ({ days, ...given }, { user }) => {
        const lifeMs = days === null ? null : days * 86_400_000;
        return access.makeToken({ ...given, lifeMs, madeBy: user?.name ?? '' });
      },
    }),
    apiRoute({
      method: 'DELETE',
      path: '/api/v1/tokens/:id',
      role: 'admin',
      summary: 'Removes a token.',
      request: z.strictObject({ id }),
      response: none,
      audit: 'TOKEN_REMOVED',
      handle: async (given) => {
        await access.removeToken(given.id);
        return null;
      },
    }),
  ];
}
