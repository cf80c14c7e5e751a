import { z } from 'zod';
import { GantryError } from '../base/errors.ts';
import { ApiFile, type ApiRoute, apiRoute, fileOf } from './api-route.ts';
import { deliveryStateViews, type Operator, type Selection } from './operator.ts';

const objectIdsMax = 1_000;
const queuePageMax = 1_000;
const nothing = z.strictObject({});
const objectId = z.string().regex(/^[0-9a-f]{32}$/, 'must be an object id: 32 hexadecimal digits');
const studyKey = z.string().regex(/^[0-9a-f]{32}$/, 'must be a study key: 32 hexadecimal digits');
const destination = z.string().min(1).max(64);
const state = z.enum(deliveryStateViews);
const objectIds = z.array(objectId).min(1).max(objectIdsMax);
const count = z.object({ count: z.number().describe('Deliveries changed.') });
const reason = z.object({ code: z.string(), words: z.string() });

const selection = z
  .strictObject({
    objectIds: objectIds.optional(),
    destination: destination.optional(),
    state: state.optional(),
  })
  .refine(
    (one) => one.objectIds === undefined || (one.destination === undefined && one.state === undefined),
    {
      error: 'must name either objects, or a destination and state',
    },
  );
/** Nothing is given up by leaving something out. */
const namedSelection = selection.refine((one) => Object.values(one).some((value) => value !== undefined), {
  error: 'must name objects, a state or a destination',
});

const queueEntry = z.object({
  objectId,
  destination: z.string(),
  state,
  modalityName: z.string().nullable(),
  callingAeTitle: z.string().nullable(),
  bytes: z.number(),
  receivedAt: z.number().describe('Milliseconds since the epoch.'),
  attempts: z.number(),
  nextAttemptAt: z.number().nullable(),
  reason: reason.nullable(),
});

const bandwidth = z.object({
  destination: z.string(),
  mbitPerSecond: z.number().nullable().describe('Null: no limit; 0: nothing is sent.'),
  because: z.enum(['operator', 'window', 'setting']),
  until: z.number().nullable(),
  measuredMbitPerSecond: z.number().nullable(),
});

function selectionOf(given: z.output<typeof selection>): Selection {
  const { objectIds: ids, destination: name, state: one } = given;
  if (ids !== undefined) return { objectIds: ids };
  return {
    ...(name === undefined ? {} : { destination: name }),
    ...(one === undefined ? {} : { state: one }),
  };
}

function subjectOf({ objectIds: ids, destination: name, state: one }: z.output<typeof selection>): string {
  if (ids !== undefined) return ids.length === 1 ? (ids[0] ?? '') : `${ids.length} objects`;
  return [name ?? 'all destinations', one ?? 'all states'].join(', ');
}

/** What the operator's commands do, for whoever has signed in. */
export function operatorRoutes(operator: Operator): ApiRoute[] {
  return [
    ...queueRoutes(operator),
    ...scrubRoutes(operator),
    ...receiptRoutes(operator),
    ...lineRoutes(operator),
  ];
}

function queueRoutes(operator: Operator): ApiRoute[] {
  const change = (
    name: 'retry' | 'release' | 'discard',
    summary: string,
    request: z.ZodType<z.output<typeof selection>>,
  ) =>
    apiRoute({
      method: 'POST',
      path: `/api/v1/queue/${name}`,
      role: 'technician',
      summary,
      request,
      response: count,
      audit: `QUEUE_${name.toUpperCase()}`,
      subject: subjectOf,
      handle: async (given) => ({ count: await operator[name](selectionOf(given)) }),
    });
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/queue',
      role: 'technician',
      summary: 'What waits or is parked, oldest first.',
      request: z.strictObject({
        state: state.optional(),
        destination: destination.optional(),
        limit: z.coerce.number().int().min(1).max(queuePageMax).default(100),
        after: z.string().min(1).max(200).optional().describe('"next" of the page before.'),
      }),
      response: z.object({ entries: z.array(queueEntry), next: z.string().nullable() }),
      audit: null,
      handle: async (given) => {
        const page = await operator.list({
          state: given.state ?? null,
          destination: given.destination ?? null,
          limit: given.limit,
          after: given.after ?? null,
        });
        return { entries: [...page.entries], next: page.next };
      },
    }),
    change(
      'retry',
      'Makes waiting and parked deliveries, and the proof of delivered ones, due now.',
      selection,
    ),
    change('release', 'Sends held and quarantined deliveries after all.', selection),
    apiRoute({
      method: 'POST',
      path: '/api/v1/queue/redirect',
      role: 'technician',
      summary: 'Sends what a destination that is not configured any more was to get to another one.',
      request: z.strictObject({ destination, to: destination }),
      response: count,
      audit: 'QUEUE_RELEASE',
      subject: (given) => `${given.destination} to ${given.to}`,
      handle: async (given) => ({
        count: await operator.release({ destination: given.destination }, given.to),
      }),
    }),
    change('discard', 'Gives deliveries up, for good.', namedSelection),
    apiRoute({
      method: 'POST',
      path: '/api/v1/queue/resolve',
      role: 'technician',
      summary: 'Settles a conflict: sends the second object too, or gives it up.',
      request: z.strictObject({ objectId, choice: z.enum(['forward', 'discard']) }),
      response: count,
      audit: 'QUEUE_RESOLVE',
      subject: (given) => `${given.objectId} (${given.choice})`,
      handle: async (given) => ({ count: await operator.resolve(given.objectId, given.choice) }),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/v1/queue/hurry',
      role: 'technician',
      summary: 'Sends the whole studies of these objects before all else.',
      request: z.strictObject({ objectIds }),
      response: count,
      audit: 'QUEUE_HURRY',
      subject: (given) => subjectOf({ objectIds: given.objectIds }),
      handle: async (given) => ({ count: await operator.hurry(given.objectIds) }),
    }),
  ];
}

const scrubView = z.object({
  running: z.boolean(),
  failed: z.string().nullable().describe('Code of what stopped the last one.'),
  report: z
    .object({
      objects: z.number(),
      bytes: z.number(),
      damaged: z.array(z.string()),
      missing: z.array(z.string()),
      seconds: z.number(),
    })
    .nullable()
    .describe('What the last one found since the gateway started.'),
});

/** A scrub takes as long as the disk needs, which is longer than a request should: it is started, then asked for. */
function scrubRoutes(operator: Operator): ApiRoute[] {
  let latest: z.output<typeof scrubView> = { running: false, failed: null, report: null };
  const scrub = async () => {
    try {
      const report = await operator.scrub();
      const [damaged, missing] = [[...report.damaged], [...report.missing]];
      latest = { running: false, failed: null, report: { ...report, damaged, missing } };
    } catch (error) {
      const failed = error instanceof GantryError ? error.code : 'HTTP_INTERNAL';
      latest = { ...latest, running: false, failed };
    }
  };
  return [
    apiRoute({
      method: 'POST',
      path: '/api/v1/scrub',
      role: 'technician',
      summary: 'Begins to read and verify every stored object.',
      request: nothing,
      response: scrubView,
      audit: 'SCRUB',
      handle: async () => {
        if (!latest.running) {
          latest = { ...latest, running: true };
          void scrub();
        }
        return latest;
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/scrub',
      role: 'technician',
      summary: 'Whether stored objects are being verified, and what was found last.',
      request: nothing,
      response: scrubView,
      audit: null,
      handle: async () => latest,
    }),
  ];
}

function receiptRoutes(operator: Operator): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/receipts',
      role: 'technician',
      summary: 'The latest receipt of each study, by the key that stands for the study.',
      request: nothing,
      response: z.object({
        receipts: z.array(
          z.object({
            studyKey,
            number: z.number(),
            writtenAt: z.number().describe('Milliseconds since the epoch.'),
            instances: z.number(),
          }),
        ),
      }),
      audit: null,
      handle: async () => ({ receipts: [...(await operator.receipts())] }),
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/studies/:studyKey/receipt',
      role: 'technician',
      summary: 'A signed receipt, as a file. It names the study: treat it as patient data.',
      request: z.strictObject({ studyKey }),
      response: fileOf('application/json; charset=utf-8'),
      audit: 'RECEIPT_READ',
      handle: async (given) => {
        const receipt = await operator.receipt(given.studyKey);
        const text = `${JSON.stringify(receipt, null, 2)}\n`;
        return new ApiFile(`receipt-${given.studyKey.slice(0, 8)}.json`, Buffer.from(text));
      },
    }),
  ];
}

function lineRoutes(operator: Operator): ApiRoute[] {
  return [
    apiRoute({
      method: 'DELETE',
      path: '/api/v1/abilities/:destination',
      role: 'technician',
      summary: 'Lets it be learned anew which transfer syntaxes a destination takes.',
      request: z.strictObject({ destination }),
      response: count,
      audit: 'ABILITIES_FORGOTTEN',
      subject: (given) => given.destination,
      handle: async (given) => ({ count: await operator.forgetAbilities(given.destination) }),
    }),
    apiRoute({
      method: 'GET',
      path: '/api/v1/bandwidth',
      role: 'technician',
      summary: 'The rate limit of each destination, and what was measured.',
      request: nothing,
      response: z.object({ destinations: z.array(bandwidth) }),
      audit: null,
      handle: async () => ({ destinations: [...(await operator.bandwidth())] }),
    }),
    apiRoute({
      method: 'PUT',
      path: '/api/v1/bandwidth/:destination',
      role: 'technician',
      summary: 'Limits a destination until the limit is removed or the gateway restarts.',
      request: z.strictObject({
        destination,
        mbitPerSecond: z
          .number()
          .min(0)
          .max(100_000)
          .nullable()
          .describe('Null: no limit; 0: nothing is sent.'),
      }),
      response: z.null(),
      audit: 'BANDWIDTH_SET',
      subject: (given) => `${given.destination}: ${given.mbitPerSecond ?? 'no limit'}`,
      handle: async (given) => {
        await operator.limitBandwidth(given.destination, given.mbitPerSecond);
        return null;
      },
    }),
    apiRoute({
      method: 'DELETE',
      path: '/api/v1/bandwidth/:destination',
      role: 'technician',
      summary: 'The limit of the configuration counts again.',
      request: z.strictObject({ destination }),
      response: z.null(),
      audit: 'BANDWIDTH_CLEARED',
      handle: async (given) => {
        await operator.clearBandwidth(given.destination);
        return null;
      },
    }),
  ];
}
