import { z } from 'zod';
import { type ApiRoute, apiRoute } from './api-route.ts';
import type { DestinationTools } from './tools.ts';

const destination = z.string().min(1).max(63);
const byName = z.object({ name: destination });
const done = z.object({ ok: z.literal(true) });

const lineReport = z.object({
  destination: z.string(),
  ok: z.boolean(),
  failed: z.string().nullable().describe('The first step that failed.'),
  steps: z.array(
    z.object({
      step: z.enum(['link', 'gateway', 'dns', 'proxy', 'tls', 'sign-in', 'clock', 'mount', 'write']),
      state: z.enum(['ok', 'failed', 'skipped']),
      code: z.string(),
      words: z.string(),
      nextStep: z.string().nullable(),
      detail: z
        .string()
        .nullable()
        .describe('Of the words what is the same in every language: addresses, names, a status.'),
      call: z.enum(['on-site', 'site-it', 'archive']).nullable().describe('Whom to call.'),
      attention: z.boolean().describe('In order, and yet somebody should look at it.'),
    }),
  ),
});

const testStudyReport = z.object({
  stored: z.boolean(),
  readBack: z.enum(['equal', 'changed', 'no']),
  code: z.string().nullable().describe('Why it was not stored; null where it was.'),
  words: z.string(),
  stays: z.string().describe('What stays at the archive.'),
  PatientName: z.string(),
  PatientID: z.string(),
  StudyDescription: z.string(),
  StudyInstanceUID: z.string(),
});

/** What a technician can do with destinations. */
export function destinationRoutes(tools: DestinationTools): ApiRoute[] {
  return [
    apiRoute({
      method: 'POST',
      path: '/api/v1/destinations/:name/pause',
      role: 'technician',
      summary: 'Send nothing new to a destination until it is resumed, over restarts too',
      request: byName,
      response: done,
      audit: 'DESTINATION_PAUSED',
      handle: async ({ name }, { user }) => {
        await tools.pause(name, user?.name ?? '');
        return { ok: true as const };
      },
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/destinations/:name/resume',
      role: 'technician',
      summary: 'End a pause, and try a failing destination at once',
      request: byName,
      response: done,
      audit: 'DESTINATION_RESUMED',
      handle: async ({ name }) => {
        await tools.resume(name);
        return { ok: true as const };
      },
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/destinations/:name/test-study',
      role: 'technician',
      summary: 'Send a labelled test image, where "allowTestStudy" is set; it stays at the archive',
      request: byName,
      response: testStudyReport,
      audit: 'TEST_STUDY_SENT',
      handle: ({ name }) => tools.sendTestStudy(name),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/line-test',
      role: 'technician',
      summary: 'Walk the line to a destination hop by hop; sends no object',
      request: z.object({ destination }),
      response: lineReport,
      audit: 'LINE_TESTED',
      subject: (request) => request.destination,
      handle: async (request) => {
        const report = await tools.testLine(request.destination);
        return { ...report, steps: [...report.steps] };
      },
    }),
  ];
}
