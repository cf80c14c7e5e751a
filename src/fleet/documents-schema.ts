import { z } from 'zod';
import { configJsonSchema } from '../config/schema.ts';
import { type DocumentKind, documentKinds, documentShapes } from './documents.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

const cache = new Map<DocumentKind, JsonSchema>();

/** Draft 7, what may be written in a document of this kind; made once. */
export function shapeJsonSchema(kind: DocumentKind): JsonSchema {
  const known = cache.get(kind);
  if (known !== undefined) return known;
  const schema = z.toJSONSchema(documentShapes[kind], { io: 'input', target: 'draft-7' });
  cache.set(kind, schema);
  return schema;
}

/** The text of `deploy/gantry-fleet.schema.json`, which editors use to complete and check the files of a fleet. */
export function fleetSchemaText(): string {
  const kinds = documentKinds.map((kind) => {
    const { $schema: _, ...schema } = shapeJsonSchema(kind);
    const properties = { ...schema.properties };
    for (const name of ['config', 'overrides']) {
      const described = properties[name];
      if (typeof described === 'object')
        properties[name] = {
          allOf: [{ $ref: '#/definitions/settings' }],
          description: described.description ?? '',
        };
    }
    return { ...schema, properties };
  });
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A document of a Gantry fleet',
    oneOf: kinds,
    definitions: { settings: partly(configJsonSchema()) },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** The schema of a part of the configuration: nothing has to be there, and each setting can be taken away by null. */
function partly(schema: JsonSchema): JsonSchema {
  const { required: _, default: __, $schema: ___, ...rest } = schema;
  const part: JsonSchema = { ...rest };
  if (schema.properties) {
    part.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, child]) => [name, orNull(child)]),
    );
  }
  if (typeof schema.additionalProperties === 'object')
    part.additionalProperties = orNull(schema.additionalProperties);
  // Of several alternatives more than one may fit a part, which need not hold what tells them apart.
  const alternatives = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  if (alternatives.length > 0) part.anyOf = alternatives.map((option) => partly(option));
  delete part.oneOf;
  return part;
}

function orNull(schema: boolean | JsonSchema): boolean | JsonSchema {
  if (typeof schema === 'boolean') return schema;
  const { description, ...rest } = partly(schema);
  const meaning = description === undefined ? {} : { description };
  return { ...meaning, anyOf: [rest, { type: 'null' }] };
}
