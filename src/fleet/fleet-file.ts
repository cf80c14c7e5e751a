import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type ParsedNode } from 'yaml';
import type { z } from 'zod';
import type { LocatedProblem } from '../config/check.ts';
import type { TextPosition } from '../config/json-text.ts';
import { nearestWord } from '../config/nearest-word.ts';
import { describeIssues, pathText } from '../config/problems.ts';
import {
  type Device,
  type DocumentKind,
  documentKinds,
  documentShapes,
  type FleetDocument,
  type Layer,
  type Rollout,
} from './documents.ts';
import { shapeJsonSchema } from './documents-schema.ts';

/** A problem, and the file of the git folder it stands in. */
export interface FleetProblem extends LocatedProblem {
  readonly file: string;
}

export type FleetDocuments = FleetDocument | Layer | Device | Rollout;

/** One document, and where it was read from. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: DocumentSource;
}

export const fileCharsMax = 32 * 1024 * 1024;
const aliasesMax = 100;
const depthMax = 32;

/** One document of a file. What stands where is found out only when it is asked for: there may be thousands. */
export class DocumentSource {
  /** Its path within the git folder. */
  readonly file: string;
  readonly #text: string;
  readonly #index: number;
  #positions: ReadonlyMap<string, TextPosition> | undefined;

  constructor(file: string, text: string, index: number) {
    this.file = file;
    this.#text = text;
    this.#index = index;
  }

  /** @param path as `pathText` writes it. @returns where it stands, or null where the document does not have it */
  positionOf(path: string): TextPosition | null {
    this.#positions ??= positionsOf(this.#text, this.#index);
    return this.#positions.get(path) ?? null;
  }

  /** A problem, standing where its path does, or its nearest parent that is there. */
  problem(path: string, cause: string, suggestion: string): FleetProblem {
    let at = path;
    while (at !== '' && this.positionOf(at) === null)
      at = at.slice(0, Math.max(0, at.lastIndexOf('.'), at.lastIndexOf('[')));
    return { file: this.file, path, cause, suggestion, ...(this.positionOf(at) ?? { line: 1, column: 1 }) };
  }
}

export interface ParsedFile {
  readonly documents: readonly Sourced<FleetDocuments>[];
  readonly problems: readonly FleetProblem[];
}

/**
 * Reads the documents of one file: YAML 1.2, several divided by `---`, or JSON. Never throws.
 * @param file its path within the git folder
 */
export function parseFleetFile(file: string, text: string): ParsedFile {
  if (text.length > fileCharsMax) {
    const words = { cause: 'is too long', suggestion: `Use at most ${fileCharsMax} characters a file.` };
    return { documents: [], problems: [{ file, path: '', ...words, line: 1, column: 1 }] };
  }
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const documents: Sourced<FleetDocuments>[] = [];
  const problems: FleetProblem[] = [];
  for (const [index, document] of [...parsed].entries()) {
    const source = new DocumentSource(file, text, index);
    const faults = [...document.errors, ...document.warnings];
    if (faults.length > 0) {
      for (const fault of faults) {
        const { line, col } = lines.linePos(fault.pos[0]);
        const suggestion = 'Check the indentation, the quotes and the brackets there.';
        problems.push({ file, path: '', cause: yamlCause(fault.message), suggestion, line, column: col });
      }
      continue;
    }
    if (document.contents === null) continue;
    const checked = checkDocument(source, () => document.toJS({ maxAliasCount: aliasesMax }));
    if ('problems' in checked) problems.push(...checked.problems);
    else documents.push({ value: checked.value, source });
  }
  return { documents, problems };
}

/** The parser's words without what stands in the file: that could be a secret in the wrong place. */
function yamlCause(message: string): string {
  const plain = message.split('\n')[0]?.replaceAll(/"[^"]*"|'[^']*'/g, 'something') ?? '';
  return `not YAML or JSON: ${plain}`;
}

type Checked = { readonly value: FleetDocuments } | { readonly problems: readonly FleetProblem[] };

function checkDocument(source: DocumentSource, read: () => unknown): Checked {
  let value: unknown;
  try {
    value = read();
  } catch {
    const problem = source.problem('', 'has more aliases than are read', 'Write the values out.');
    return { problems: [problem] };
  }
  const unfit = unfitKey(value, []);
  if (unfit !== null) return { problems: [source.problem(unfit, 'is not usable here', 'Take it out.')] };
  const kind = isObject(value) ? value['kind'] : undefined;
  if (!isKind(kind)) {
    const near = typeof kind === 'string' ? nearestWord(kind, documentKinds) : null;
    const all = documentKinds.map((name) => `"${name}"`).join(', ');
    const suggestion = near === null ? `Write one of ${all}.` : `Did you mean "${near}"? Possible: ${all}.`;
    return { problems: [source.problem('kind', 'is not a kind of document', suggestion)] };
  }
  const shape: z.ZodType<FleetDocuments> = documentShapes[kind];
  const result = shape.safeParse(value);
  if (result.success) return { value: result.data };
  return {
    problems: describeIssues(result.error.issues, value, shapeJsonSchema(kind)).map(
      ({ path, cause, suggestion }) => source.problem(path, cause, suggestion),
    ),
  };
}

function isKind(kind: unknown): kind is DocumentKind {
  return documentKinds.includes(kind as DocumentKind);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @returns the path of the first key that no document may have, or of what lies too deep; or null */
function unfitKey(value: unknown, path: readonly PropertyKey[]): string | null {
  if (typeof value !== 'object' || value === null) return null;
  if (path.length >= depthMax) return pathText(path);
  for (const [key, child] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    const unfit = key === '__proto__' ? pathText(at) : unfitKey(child, at);
    if (unfit !== null) return unfit;
  }
  return null;
}

function positionsOf(text: string, index: number): ReadonlyMap<string, TextPosition> {
  const lines = new LineCounter();
  const document = [...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })][index];
  const positions = new Map<string, TextPosition>();
  const note = (path: readonly PropertyKey[], offset: number): void => {
    const { line, col } = lines.linePos(offset);
    if (!positions.has(pathText(path))) positions.set(pathText(path), { line, column: col });
  };
  const walk = (node: unknown, path: readonly PropertyKey[]): void => {
    if (path.length >= depthMax) return;
    if (isMap<ParsedNode, ParsedNode | null>(node)) {
      for (const { key, value } of node.items) {
        const at = [...path, isScalar(key) ? String(key.value) : ''];
        note(at, key.range[0]);
        walk(value, at);
      }
    } else if (isSeq<ParsedNode>(node)) {
      for (const [item, value] of node.items.entries()) {
        note([...path, item], value.range[0]);
        walk(value, [...path, item]);
      }
    }
  };
  const contents = document?.contents;
  if (contents) note([], contents.range[0]);
  walk(contents, []);
  return positions;
}
