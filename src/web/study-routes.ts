import { z } from 'zod';
import { type ApiRoute, apiRoute } from './api-route.ts';
import { deliveryStateViews } from './operator.ts';
import type { StudyTools } from './study-view.ts';

const pageMax = 100;
const studyKey = z.string().regex(/^[0-9a-f]{32}$/, 'must be a study key: 32 hexadecimal digits');
const time = z.number().describe('Milliseconds since the epoch.');

const study = z.object({
  studyKey: z.string(),
  modalityNames: z.array(z.string()),
  callingAeTitles: z.array(z.string()),
  bytes: z.number(),
  firstReceivedAt: time,
  lastReceivedAt: time,
  received: z.int(),
  expected: z.int().nullable().describe('Where a storage commitment request says so.'),
  instancesHere: z.int(),
  destinations: z.array(
    z.object({
      destination: z.string(),
      delivered: z.int(),
      verified: z.int(),
      states: z.record(z.enum(deliveryStateViews), z.int()),
      reasons: z.array(z.object({ code: z.string(), words: z.string() })),
    }),
  ),
  receiptNumber: z.int(),
  receiptIsCurrent: z.boolean(),
});

const detail = study.extend({
  timeline: z.array(
    z.object({
      at: time,
      moment: z.enum([
        'first-received',
        'last-received',
        'first-delivered',
        'last-delivered',
        'last-verified',
        'receipt',
      ]),
      destination: z.string().nullable(),
    }),
  ),
});

const shown = z.string().nullable();
const identity = z.object({
  PatientName: shown,
  PatientID: shown,
  PatientBirthDate: shown,
  AccessionNumber: shown,
  StudyDate: shown,
  StudyDescription: shown,
});

/** Studies by their keys; whose they are only when somebody asks, and that is written down. */
export function studyRoutes(tools: StudyTools): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/studies',
      role: 'technician',
      summary: 'Recent studies with what each destination has of them, newest first; no patient data',
      request: z.object({
        limit: z.coerce.number().int().min(1).max(pageMax).default(20),
        after: z.string().min(1).max(100).optional().describe('"next" of the page before.'),
      }),
      response: z.object({ studies: z.array(study), next: z.string().nullable() }),
      audit: null,
      handle: ({ limit, after }) => tools.list(limit, after ?? null),
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/studies/:studyKey',
      role: 'technician',
      summary: 'One study with its timeline; no patient data',
      request: z.object({ studyKey }),
      response: detail,
      audit: null,
      handle: (request) => tools.detail(request.studyKey),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/studies/:studyKey/reveal',
      role: 'technician',
      summary: 'Whose study it is, read from the sealed object: patient data',
      request: z.object({ studyKey }),
      response: identity,
      audit: 'STUDY_REVEALED',
      handle: (request) => tools.reveal(request.studyKey),
    }),
  ];
}
