import { type JsonFault, type JsonWalk, positionAt, type TextPosition, walkJson } from './json-text.ts';
import type { ConfigProblem } from './problems.ts';
import { type Config, parseConfig } from './schema.ts';

/** A problem and where in the text it stands. */
export interface LocatedProblem extends ConfigProblem, TextPosition {}

export type CheckedText =
  | {
      readonly ok: true;
      readonly config: Config;
      /** The document as it was written, without defaults. */
      readonly document: unknown;
    }
  | { readonly ok: false; readonly problems: readonly LocatedProblem[] };

/** A document for 500 modalities is a tenth of this. */
export const configCharsMax = 1024 * 1024;

/** Checks the text of a configuration file: its JSON, then the document. Never throws. */
export function checkConfigText(text: string): CheckedText {
  if (text.length > configCharsMax) {
    const cause = `is longer than ${configCharsMax} characters`;
    const suggestion = 'This is hardly a Gantry configuration: check the name of the file.';
    return { ok: false, problems: [{ path: '', cause, suggestion, line: 1, column: 1 }] };
  }
  // Some editors begin a file with a byte order mark.
  const plain = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const walk = walkJson(plain);
  let document: unknown;
  try {
    document = JSON.parse(plain);
  } catch {
    const suggestion = 'Check the file with an editor that knows JSON.';
    const unexplained = { offset: 0, path: '', cause: 'not JSON', suggestion };
    return { ok: false, problems: [locateFault(plain, walk.syntax ?? unexplained)] };
  }
  const parsed = parseConfig(document);
  const problems = walk.lostKeys.map((fault) => locateFault(plain, fault));
  if (!parsed.ok) problems.push(...parsed.problems.map((problem) => locate(plain, walk, problem)));
  if (!parsed.ok || problems.length > 0)
    return { ok: false, problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column) };
  return { ok: true, config: parsed.config, document };
}

function locateFault(text: string, fault: JsonFault): LocatedProblem {
  const { path, cause, suggestion } = fault;
  return { path, cause, suggestion, ...positionAt(text, fault.offset) };
}

/** A problem about something missing stands where its nearest existing parent does. */
function locate(text: string, walk: JsonWalk, problem: ConfigProblem): LocatedProblem {
  let path = problem.path;
  while (path !== '' && !walk.offsets.has(path))
    path = path.slice(0, Math.max(0, path.lastIndexOf('.'), path.lastIndexOf('[')));
  return { ...problem, ...positionAt(text, walk.offsets.get(path) ?? 0) };
}

/**
 * The problems for a terminal, one paragraph each:
 *
 *     config.json:12:7  destinations.cloud.url
 *       does not end in "/studies"
 *       → Did you mean "https://archive.example/dicom-web/studies"?
 */
export function formatProblems(fileName: string, problems: readonly LocatedProblem[]): string {
  return problems
    .map(({ path, cause, suggestion, line, column }) => {
      const words = [`${fileName}:${line}:${column}  ${path || 'the document'}`, `  ${cause}`];
      if (suggestion !== '') words.push(`  → ${suggestion}`);
      return words.join('\n');
    })
    .join('\n\n');
}
