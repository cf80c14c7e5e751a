import schemaV1 from './schema-v1.json' with { type: 'json' };
import { configJsonSchema } from './schema.ts';

/**
 * Version of the configuration document of this software. It rises where a setting is added that an earlier
 * version does not know; a box reports its own, so that central IT sends nothing that it would refuse.
 */
export const configSchemaVersion = 2;

/**
 * What each earlier version knew, frozen: paths whose parts are keys, `*` for any key and `[]` for any item.
 * What the present schema has beyond the last of them came with {@link configSchemaVersion}.
 */
const frozen: ReadonlyMap<number, readonly string[]> = new Map([[1, schemaV1.paths]]);

type JsonSchema = ReturnType<typeof configJsonSchema>;

/** @returns every path the present schema knows, sorted */
export function presentPaths(): readonly string[] {
  const paths = new Set<string>();
  collect(configJsonSchema(), [], paths);
  return [...paths].toSorted();
}

function collect(schema: boolean | JsonSchema, path: readonly string[], paths: Set<string>): void {
  if (typeof schema === 'boolean') return;
  if (path.length > 0) paths.add(path.join('/'));
  for (const part of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])])
    collect(part, path, paths);
  for (const [name, child] of Object.entries(schema.properties ?? {})) collect(child, [...path, name], paths);
  const { additionalProperties: more, items } = schema;
  if (typeof more === 'object') collect(more, [...path, '*'], paths);
  if (typeof items === 'object' && !Array.isArray(items)) collect(items, [...path, '[]'], paths);
}

/** The paths of one version as a tree of keys. */
interface Known {
  readonly parts: ReadonlyMap<string, Known>;
}

const trees = new Map<number, Known>();

function treeOf(version: number): Known {
  const ready = trees.get(version);
  if (ready !== undefined) return ready;
  const root = { parts: new Map<string, Known>() };
  for (const path of frozen.get(version) ?? presentPaths()) {
    let at = root;
    for (const part of path.split('/')) {
      const next = (at.parts.get(part) ?? { parts: new Map() }) as typeof root;
      at.parts.set(part, next);
      at = next;
    }
  }
  trees.set(version, root);
  return root;
}

/**
 * Settings of a document that a version of the schema does not know though the present one does. Settings that
 * nobody knows are left to the check of the document.
 * @param version as a box reports it; one above the present is taken as the present
 * @returns paths, the outermost of each
 */
export function unknownSettings(document: unknown, version: number): readonly (readonly string[])[] {
  if (version >= configSchemaVersion) return [];
  const unknown: string[][] = [];
  const walk = (value: unknown, then: Known, now: Known, path: readonly string[]): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      const part = Array.isArray(value) ? '[]' : key;
      const present = now.parts.get(part) ?? now.parts.get('*');
      const past = then.parts.get(part) ?? then.parts.get('*');
      if (present === undefined) continue;
      if (past === undefined) unknown.push([...path, key]);
      else walk(child, past, present, [...path, key]);
    }
  };
  walk(document, treeOf(version), treeOf(configSchemaVersion), []);
  return unknown;
}
