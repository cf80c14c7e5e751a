import { z } from 'zod';
import { type ApiRoute, apiRoute } from './api-route.ts';
import type { SiteTools } from './tools.ts';

/** The configuration has the last word on what is valid; this bounds what gets there. */
const change = z.object({
  name: z.string().min(1).max(128).optional(),
  timeZone: z.string().min(1).max(64).optional(),
});

/** What the box says of the place where it stands. */
export function siteRoutes(tools: SiteTools): ApiRoute[] {
  return [
    apiRoute({
      method: 'PUT',
      path: '/api/v1/site',
      role: 'technician',
      summary: 'Name and time zone of the place where this box stands; what is not given stays',
      request: change,
      response: z.object({ generation: z.int() }),
      audit: 'SITE_CHANGED',
      subject: ({ name, timeZone }) => [name, timeZone].filter((one) => one !== undefined).join(', '),
      handle: ({ name, timeZone }) =>
        tools.change({
          ...(name === undefined ? {} : { name }),
          ...(timeZone === undefined ? {} : { timeZone }),
        }),
    }),
  ];
}
