import { z } from 'zod';
import type { Access } from './access.ts';
import { accountMissing, notAllowed } from './access-refusals.ts';
import { type ApiContext, type ApiRoute, apiRoute, roles } from './api-route.ts';
import type { Session, Sessions } from './sessions.ts';

const id = z.string().regex(/^[0-9a-f]{16}$/, 'must be an id: 16 hexadecimal digits');

const sessionView = z.object({
  id,
  user: z.string(),
  role: z.enum(roles),
  address: z.string(),
  since: z.iso.datetime(),
  idleSeconds: z.number(),
  current: z.boolean().describe('The one that asks.'),
});

/** Who has signed in, and ending that: admins for everybody, others for themselves. */
export function sessionListRoutes(access: Access, sessions: Sessions): ApiRoute[] {
  /** Whether whoever asks may see and end a session. No name of a user is that of a token or a technician code. */
  const mayEnd = ({ user }: ApiContext, session: Session) =>
    user !== null && (user.role === 'admin' || user.name === session.name);
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/sessions',
      role: 'viewer',
      summary: 'Who has signed in now: everybody for an admin, oneself for others.',
      request: z.strictObject({}),
      response: z.object({ sessions: z.array(sessionView) }),
      audit: null,
      handle: async (_request, context) => {
        const own = access.sessionOf(context.session.token);
        const visible = sessions.list().filter(({ session }) => mayEnd(context, session));
        return {
          sessions: visible.map(({ session, idleMs }) => ({
            id: session.id,
            user: session.name,
            role: session.role,
            address: session.address,
            since: new Date(session.since).toISOString(),
            idleSeconds: Math.round(idleMs / 1000),
            current: session.id === own?.id,
          })),
        };
      },
    }),
    apiRoute({
      method: 'DELETE',
      path: '/api/v1/sessions/:id',
      role: 'viewer',
      summary: 'Ends a session: of anybody for an admin, of oneself for others.',
      request: z.strictObject({ id }),
      response: z.null(),
      audit: 'SESSION_ENDED',
      handle: async (given, context) => {
        const ended = sessions.endWhere((session) => session.id === given.id && mayEnd(context, session));
        // The same answer for one that is somebody else's: nobody learns which there are.
        if (ended === 0) throw accountMissing();
        return null;
      },
    }),
    apiRoute({
      method: 'DELETE',
      path: '/api/v1/sessions',
      role: 'viewer',
      summary: 'Ends every session but the one that asks.',
      request: z.strictObject({
        whose: z
          .enum(['mine', 'all'])
          .default('mine')
          .describe('"mine": those of whoever asks; "all": those of everybody, for admins only.'),
      }),
      response: z.object({ ended: z.int().describe('How many.') }),
      audit: 'SESSIONS_ENDED',
      subject: ({ whose }) => whose,
      handle: async ({ whose }, { user, session: { token } }) => {
        if (whose === 'all' && user?.role !== 'admin') throw notAllowed('admin');
        const own = access.sessionOf(token);
        const ended = sessions.endWhere(
          ({ id: other, name }) => other !== own?.id && (whose === 'all' || name === user?.name),
        );
        return { ended };
      },
    }),
  ];
}
