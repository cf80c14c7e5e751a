import type { Role } from '../../../src/web/api-route.ts';

/** In the order of what they may do. Written out anew: the API's own list comes with its validation, too much to load. */
export const roles = ['viewer', 'technician', 'admin'] as const satisfies readonly Role[];

export function roleIncludes(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}
