import { configJsonSchema } from './schema.ts';

/** The text of `deploy/gantry.schema.json`, which editors use to complete and check a configuration. */
export function schemaFileText(): string {
  const { $schema, ...rest } = configJsonSchema();
  const schema = { $schema, title: 'Gantry configuration', ...rest };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
