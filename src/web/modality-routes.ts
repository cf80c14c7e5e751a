import { z } from 'zod';
import { type ApiRoute, type ApiStream, apiRoute } from './api-route.ts';
import type { ModalityTools } from './tools.ts';

const name = z.string().min(1).max(63);
const time = z.number().describe('Milliseconds since the epoch.');

const attempt = z.object({
  number: z.int().describe('Counts up from 1 since start.'),
  at: time,
  outcome: z.enum(['accepted', 'rejected', 'closed']),
  address: z.string(),
  localAddress: z.string(),
  overTls: z.boolean(),
  callingAeTitle: z.string(),
  calledAeTitle: z.string(),
  modalityName: z.string().nullable(),
  code: z.string(),
  words: z.string(),
  nextStep: z.string().nullable(),
});

const unknownCaller = z.object({
  address: z.string(),
  callingAeTitle: z.string(),
  calledAeTitle: z.string(),
  modalityName: z.string().nullable(),
  firstAt: time,
  lastAt: time,
  attempts: z.int(),
  accepted: z.boolean(),
  code: z.string(),
  words: z.string(),
  summary: z.string(),
});

/** The configuration has the last word on what is valid; this bounds what gets there. */
const change = {
  aeTitle: z.string().min(1).max(64),
  addresses: z.array(z.string().max(64)).max(64).default([]),
  host: z.string().max(253).nullable().optional(),
  port: z.int().min(1).max(65_535).nullable().optional(),
};
type Change = z.output<z.ZodObject<typeof change>>;

const generation = z.object({ generation: z.int() });

const echo = z.object({
  ok: z.boolean(),
  code: z.string(),
  words: z.string(),
  nextStep: z.string().nullable(),
  milliseconds: z.number().nullable(),
});

/** Who calls this box, who may, and whether a device answers. */
export function modalityRoutes(tools: ModalityTools): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/associations',
      role: 'viewer',
      summary: 'The last attempts to open an association, accepted and refused, newest first',
      request: z.object({}),
      response: z.object({ associations: z.array(attempt) }),
      audit: null,
      handle: async () => ({ associations: [...tools.attempts()] }),
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/callers',
      role: 'viewer',
      summary: 'Who tried and is no configured modality, the latest first',
      request: z.object({}),
      response: z.object({ callers: z.array(unknownCaller) }),
      audit: null,
      handle: async () => ({ callers: [...tools.unknownCallers()] }),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/modalities',
      role: 'technician',
      summary: 'Let a device in from now on',
      request: z.object({ name, ...change }),
      response: generation,
      audit: 'MODALITY_ALLOWED',
      subject: ({ name: modality, ...rest }) => subjectOf(modality, rest),
      handle: ({ name: modality, ...rest }) => tools.allow(modality, given(rest)),
    }),
    apiRoute({
      method: 'PUT',
      path: '/api/v1/modalities/:name',
      role: 'technician',
      summary: 'Another device in the place of a modality: its name and history stay',
      request: z.object({ name, ...change }),
      response: generation,
      audit: 'MODALITY_REPLACED',
      subject: ({ name: modality, ...rest }) => subjectOf(modality, rest),
      handle: ({ name: modality, ...rest }) => tools.replace(modality, given(rest)),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/modalities/:name/echo',
      role: 'technician',
      summary: 'C-ECHO to a modality',
      request: z.object({ name }),
      response: echo,
      audit: 'MODALITY_TESTED',
      handle: ({ name: modality }) => tools.echo(modality),
    }),
  ];
}

/** Every attempt as it comes. */
export function attemptStream(tools: ModalityTools): ApiStream {
  return {
    path: '/api/v1/events/associations',
    role: 'technician',
    summary: 'Every attempt to open an association as it comes (event "association")',
    follow: (send) => tools.followAttempts((one) => send('association', one)),
  };
}

/** What was decided, for the audit log: who is let in as what, from where. */
function subjectOf(modality: string, { aeTitle, addresses }: Change): string {
  return `${modality}: ${aeTitle} from ${addresses.join(', ') || 'any address'}`;
}

/** What was not given stays as it is. */
function given({ aeTitle, addresses, host, port }: Change) {
  return {
    aeTitle,
    addresses,
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
  };
}
