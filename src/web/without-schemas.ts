/*
 * The API is checked with zod. Fastify loads its compilers of JSON Schema, some megabytes, unless it is given others:
 * these are never called.
 */

function noCompiler(): never {
  throw new Error('a route has a JSON Schema of fastify: the API checks with zod');
}

/** For the `schemaController` of every fastify server. */
export const withoutSchemas = {
  compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler },
} as const;
