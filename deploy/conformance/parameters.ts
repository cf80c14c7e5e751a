import { configJsonSchema } from '../../src/config/schema.ts';

/** What the configuration's schema says of one setting. */
export interface Parameter {
  readonly name: string;
  /** JSON; null where there is none. */
  readonly preset: string | null;
  /** Bounds or choices; empty where any value of its kind will do. */
  readonly bounds: string;
  readonly meaning: string;
}

interface Node {
  readonly default?: unknown;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly oneOf?: readonly Node[];
  readonly anyOf?: readonly Node[];
}

const root = configJsonSchema() as Node;

/** The part of the schema at a path; `*` is any entry of a map. Null where there is none. */
function nodeAt(path: readonly string[]): Node | null {
  let node: Node = root;
  for (const name of path) {
    const inside = withProperties(node);
    const next = name === '*' ? inside.additionalProperties : inside.properties?.[name];
    if (next === undefined || typeof next === 'boolean') return null;
    node = next;
  }
  return node;
}

/** A setting that may be null, or an entry of one kind, is looked into. */
function withProperties(node: Node): Node {
  const choices = node.oneOf ?? node.anyOf ?? [];
  return choices.find(({ properties }) => properties !== undefined) ?? node;
}

/** Whether the configuration has such a part. */
export function isConfigurable(...path: readonly string[]): boolean {
  return nodeAt(path) !== null;
}

/**
 * The settings at a path that have no settings of their own.
 * @throws Error where the schema has no such part: then the statement is wrong about it
 */
export function parameters(...path: readonly string[]): Parameter[] {
  const part = nodeAt(path);
  const properties = part === null ? undefined : withProperties(part).properties;
  if (properties === undefined) throw new Error(`the configuration has no "${path.join('.')}"`);
  return Object.entries(properties)
    .filter(([, node]) => withProperties(node).properties === undefined)
    .map(([name, node]) => ({
      name,
      preset: node.default === undefined ? null : JSON.stringify(node.default),
      bounds: boundsOf(node),
      meaning: node.description ?? '',
    }));
}

/** What the schema says of a part as a whole. */
export function meaningOf(...path: readonly string[]): string {
  return nodeAt(path)?.description ?? '';
}

/** One setting. @throws Error where there is none */
export function parameter(...path: readonly string[]): Parameter {
  const found = parameters(...path.slice(0, -1)).find(({ name }) => name === path.at(-1));
  if (found === undefined) throw new Error(`the configuration has no "${path.join('.')}"`);
  return found;
}

/** The preset of one setting. @throws Error where it is not a number */
export function presetNumber(...path: readonly string[]): number {
  const preset = Number(parameter(...path).preset ?? Number.NaN);
  if (Number.isNaN(preset)) throw new Error(`"${path.join('.')}" has no number for a preset`);
  return preset;
}

function boundsOf(node: Node): string {
  const { minimum, maximum, enum: choices } = node;
  if (choices !== undefined) return choices.map((choice) => JSON.stringify(choice)).join(', ');
  if (node.type === 'boolean') return 'true, false';
  if (minimum === undefined || maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) return '';
  return `${minimum} to ${maximum}`;
}
