import { z } from 'zod';
import { type ApiRoute, type ApiStream, apiRoute, fileTypeOf, pathParameters } from './api-route.ts';
import { problemType } from './problem.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string().describe('The cause in plain words.'),
  code: z.string().describe('Stable, never translated: what a person reads out on the phone.'),
  kind: z.enum(['transient', 'ambiguous', 'permanent']),
  nextStep: z.string().describe('What to do next, in plain words.'),
});

/** The document of the API (OpenAPI 3.1.1), from the same descriptions that answer its calls. */
export function openApiRoute(
  routes: readonly ApiRoute[],
  streams: readonly ApiStream[],
  version: string,
): ApiRoute {
  let made: Record<string, unknown> | null = null;
  const own: ApiRoute = apiRoute({
    method: 'GET',
    path: '/api/v1/openapi.json',
    role: 'open',
    summary: 'This document.',
    request: z.strictObject({}),
    response: z.record(z.string(), z.unknown()),
    audit: null,
    handle: async () => (made ??= openApiDocument([...routes, own], streams, version)),
  });
  return own;
}

export function openApiDocument(
  routes: readonly ApiRoute[],
  streams: readonly ApiStream[],
  version: string,
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {
    '/api/v1/status': { get: openOperation('How the box is.', 'application/json') },
    '/api/v1/events': { get: openOperation('The same, live.', 'text/event-stream') },
  };
  for (const route of routes) {
    (paths[templateOf(route.path)] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  for (const { path, role, summary } of streams) {
    (paths[templateOf(path)] ??= {})['get'] = {
      summary,
      ...securityOf(role),
      responses: { 200: { description: 'Events.', content: { 'text/event-stream': {} } }, ...failures },
    };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Gantry',
      version,
      description:
        'Everything the page of a Gantry box does. A program sends its token; a browser has the session cookie, and sends x-csrf-token and its Origin with everything that changes something.',
    },
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name: '__Host-gantry-session' },
      },
      schemas: { Problem: plainSchema(problemSchema, 'output') },
    },
  };
}

const failures = {
  default: {
    description: 'What went wrong (RFC 9457).',
    content: { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } },
  },
};

function openOperation(summary: string, contentType: string): object {
  return {
    summary,
    ...securityOf('open'),
    responses: { 200: { description: 'Done.', content: { [contentType]: {} } }, ...failures },
  };
}

function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}');
}

function securityOf(role: ApiRoute['role']): object {
  if (role === 'open') return { security: [] };
  return { security: [{ token: [] }, { session: [] }], 'x-role': role };
}

function operationOf(route: ApiRoute): object {
  const { properties = {}, required = [] } = plainSchema(route.request, 'input');
  const inPath = pathParameters(route.path);
  const rest = Object.entries(properties).filter(([name]) => !inPath.includes(name));
  const reads = route.method === 'GET' || route.method === 'DELETE';
  const parameter = (place: 'path' | 'query', name: string) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: properties[name] ?? {},
  });
  const body = {
    type: 'object',
    properties: Object.fromEntries(rest),
    required: required.filter((name) => !inPath.includes(name)),
    additionalProperties: false,
  };
  return {
    summary: route.summary,
    ...securityOf(route.role),
    parameters: [
      ...inPath.map((name) => parameter('path', name)),
      ...(reads ? rest.map(([name]) => parameter('query', name)) : []),
    ],
    ...(reads || rest.length === 0
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: { ...successOf(route), ...failures },
  };
}

function successOf({ response }: ApiRoute): object {
  const fileType = fileTypeOf(response);
  if (fileType !== null) return { 200: { description: 'A file.', content: { [fileType]: {} } } };
  const schema = plainSchema(response, 'output');
  if (schema.type === 'null') return { 204: { description: 'Done.' } };
  return { 200: { description: 'Done.', content: { 'application/json': { schema } } } };
}

function plainSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
  });
  return plain;
}
