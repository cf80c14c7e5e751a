import { z } from 'zod';
import { ApiFile, type ApiRoute, apiRoute, fileOf, roles } from './api-route.ts';
import type { AuditLog } from './audit-log.ts';
import { auditExport, type AuditSource } from './audit-message.ts';

const pageMax = 500;

const entry = z.object({
  number: z.number(),
  at: z.string(),
  event: z.string(),
  actor: z.string().nullable(),
  role: z.enum(roles).nullable(),
  address: z.string().describe('IP address; "console": a command on the box; "box": by itself.'),
  outcome: z.enum(['success', 'failure']),
  code: z.string().nullable(),
  subject: z.string().nullable(),
  before: z.string(),
  hash: z.string(),
});

/** Reading the audit log. Reading it is an entry too. */
export function auditRoutes(audit: AuditLog, source: AuditSource): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/audit',
      role: 'admin',
      summary: 'Who did what, newest first; the chain is verified.',
      request: z.strictObject({
        limit: z.coerce.number().int().min(1).max(pageMax).default(100),
        before: z.coerce.number().int().min(1).optional().describe('"next" of the page before.'),
        actor: z
          .string()
          .max(100)
          .optional()
          .describe('Only what was done by this user, token or code; capitals do not count.'),
        event: z.string().max(100).optional().describe('Only events of this code.'),
        outcome: z.enum(['success', 'failure']).optional().describe('Only what ended so.'),
      }),
      response: z.object({
        entries: z.array(entry),
        total: z.int().describe('How many entries are kept, whatever was asked for.'),
        next: z.number().nullable(),
        broken: z.string().nullable().describe('Null where nothing was changed, taken out or cut off.'),
      }),
      audit: 'AUDIT_READ',
      subject: ({ actor = '', event = '', outcome = '' }) =>
        [actor, event, outcome].filter((part) => part !== '').join(' ') || null,
      handle: async ({ limit, before = Infinity, actor, event, outcome }) => {
        const { entries, broken } = await audit.read();
        const name = actor?.toLowerCase();
        const older = entries.filter(
          (one) =>
            one.number < before &&
            (name === undefined || one.actor?.toLowerCase() === name) &&
            (event === undefined || one.event === event) &&
            (outcome === undefined || one.outcome === outcome),
        );
        const page = older.slice(-limit).toReversed();
        const last = page.at(-1);
        return {
          entries: page,
          total: entries.length,
          next: last === undefined || older.length <= limit ? null : last.number,
          broken,
        };
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/audit/export',
      role: 'admin',
      summary: 'All of it as audit messages of DICOM PS3.15 A.5.',
      request: z.strictObject({}),
      response: fileOf('application/xml; charset=utf-8'),
      audit: 'AUDIT_EXPORTED',
      handle: async () => {
        const { entries } = await audit.read();
        return new ApiFile(`audit-${source.box}.xml`, Buffer.from(auditExport(entries, source)));
      },
    }),
  ];
}
