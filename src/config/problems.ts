import type { z } from 'zod';
import { nearestWord } from './nearest-word.ts';

/** One thing wrong with a configuration: where, why, and what to write instead. */
export interface ConfigProblem {
  /** As a person would say it: `destinations.cloud.url`, `modalities.ct1.addresses[0]`; empty for the whole. */
  readonly path: string;
  readonly cause: string;
  readonly suggestion: string;
}

type JsonSchema = z.core.JSONSchema.BaseSchema;
type Issue = z.core.$ZodIssue;

/** Keys of the architecture that this version does not carry out; all it takes, it does. */
const laterKeys = new Set(['compression', 'fleet', 'firmware']);
const laterSections = new Set(['network', 'notify']);

export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/**
 * Turns what zod found into words.
 * @param json the document that was checked
 * @param schema its JSON Schema: where descriptions and known keys are looked up
 */
export function describeIssues(
  issues: readonly Issue[],
  json: unknown,
  schema: JsonSchema,
): readonly ConfigProblem[] {
  return issues.flatMap((issue) => describeIssue(issue, json, schema));
}

function describeIssue(issue: Issue, json: unknown, schema: JsonSchema): ConfigProblem[] {
  const path = pathText(issue.path);
  const known = schemasAt(schema, issue.path, json);
  const described = known.find((part) => part.description !== undefined)?.description;
  const meaning = described === undefined ? '' : `Meaning: ${described}`;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, path, known));
    case 'invalid_type':
      return [wrongType(expectedType(issue.expected, known), path, valueAt(json, issue.path), meaning)];
    case 'too_small':
    case 'too_big':
      return [outOfBounds(issue, path, boundsText(known))];
    case 'invalid_value':
      return [oneOf(path, valueAt(json, issue.path), issue.values.map(String))];
    case 'invalid_union': {
      const values = 'options' in issue ? (issue.options ?? []).map(String) : [];
      return [oneOf(path, valueAt(json, issue.path), values)];
    }
    case 'invalid_key':
      return [
        {
          path,
          cause: issue.issues[0]?.message ?? 'is not a usable name',
          suggestion: 'Use 1 to 63 letters, digits, "-", "_" or ".", starting with a letter or digit.',
        },
      ];
    case 'custom':
      return [{ path, cause: issue.message, suggestion: customSuggestion(issue.params) || meaning }];
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_element':
      break;
  }
  return [{ path, cause: issue.message, suggestion: meaning }];
}

function customSuggestion(params: Record<string, unknown> | undefined): string {
  const suggestion = params?.['suggestion'];
  return typeof suggestion === 'string' ? suggestion : '';
}

function unknownKey(key: string, parent: string, known: readonly JsonSchema[]): ConfigProblem {
  const path = parent === '' ? key : `${parent}.${key}`;
  if (laterKeys.has(path) || laterSections.has(parent))
    return { path, cause: 'is not supported by this version', suggestion: 'Take it out.' };
  const names = [...new Set(known.flatMap((part) => Object.keys(part.properties ?? {})))];
  const near = nearestWord(key, names);
  const suggestion =
    near === null ? `Known here: ${names.join(', ') || 'nothing'}.` : `Did you mean "${near}"?`;
  return { path, cause: 'is not a known setting', suggestion };
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'a text in quotes',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object: { … }',
  record: 'an object: { "name": … }',
  array: 'a list: [ … ]',
};

/** zod says `number` where the setting takes whole numbers and the value is none at all. */
function expectedType(expected: string, known: readonly JsonSchema[]): string {
  return expected === 'number' && known.some(({ type }) => type === 'integer') ? 'int' : expected;
}

function wrongType(expected: string, path: string, value: unknown, meaning: string): ConfigProblem {
  const wanted = typeWords[expected] ?? expected;
  const given = expected === 'int' && typeof value === 'number' ? 'a fraction' : kindOf(value);
  const cause = value === undefined ? 'is missing' : `must be ${wanted}, not ${given}`;
  const suggestion = value === undefined ? `Add ${wanted}. ${meaning}` : meaning;
  return { path, cause, suggestion: suggestion.trim() || `Write ${wanted}.` };
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return 'a text';
  return typeof value === 'number' ? 'a number' : 'true or false';
}

type BoundsIssue = Extract<Issue, { code: 'too_small' | 'too_big' }>;

function outOfBounds(issue: BoundsIssue, path: string, bounds: string): ConfigProblem {
  if (issue.origin === 'string' || issue.origin === 'array') {
    if (issue.code === 'too_small')
      return { path, cause: 'is empty', suggestion: 'Write something, or leave the setting out.' };
    const unit = issue.origin === 'array' ? 'entries' : 'characters';
    return { path, cause: 'is too long', suggestion: `Use at most ${String(issue.maximum)} ${unit}.` };
  }
  const cause = issue.code === 'too_small' ? 'is too small' : 'is too large';
  return { path, cause, suggestion: `Use a number ${bounds}.` };
}

function boundsText(known: readonly JsonSchema[]): string {
  const { minimum, maximum } = known.find((part) => part.minimum !== undefined) ?? {};
  return minimum === undefined || maximum === undefined ? 'in range' : `from ${minimum} to ${maximum}`;
}

function oneOf(path: string, value: unknown, values: readonly string[]): ConfigProblem {
  const [only] = values;
  if (only !== undefined && values.length === 1) {
    const cause = value === undefined ? 'is missing' : `must be "${only}"`;
    return { path, cause, suggestion: `Write "${only}": nothing else is possible here.` };
  }
  const list = values.map((word) => `"${word}"`).join(', ');
  if (value === undefined) return { path, cause: 'is missing', suggestion: `Use one of ${list}.` };
  const near = typeof value === 'string' ? nearestWord(value, values) : null;
  const suggestion = near === null ? `Use one of ${list}.` : `Did you mean "${near}"? Possible: ${list}.`;
  return { path, cause: 'is not one of the possible values', suggestion };
}

function valueAt(json: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return undefined;
    return (value as Record<PropertyKey, unknown>)[part];
  }, json);
}

/** The parts of the schema that speak about the value at `path`; of a union only those its `type` allows. */
function schemasAt(schema: JsonSchema, path: readonly PropertyKey[], json: unknown): readonly JsonSchema[] {
  let parts = alternatives(schema, json);
  path.forEach((part, depth) => {
    const value = valueAt(json, path.slice(0, depth + 1));
    parts = parts.flatMap((parent) => {
      const named = typeof part === 'string' ? ownProperty(parent, part) : undefined;
      const next = named ?? (typeof part === 'number' ? parent.items : parent.additionalProperties);
      return isSchema(next) ? alternatives(next, value) : [];
    });
  });
  return parts;
}

function ownProperty(schema: JsonSchema, name: string): unknown {
  const properties = schema.properties ?? {};
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function alternatives(schema: JsonSchema, value: unknown): JsonSchema[] {
  const options = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(isSchema);
  const fitting = options.filter((option) => {
    const type = ownProperty(option, 'type');
    const given = valueAt(value, ['type']);
    return !isSchema(type) || type.const === undefined || given === undefined || type.const === given;
  });
  return [schema, ...fitting.flatMap((option) => alternatives(option, value))];
}
