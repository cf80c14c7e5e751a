import { type JsonFault, type JsonWalk, positionAt, type TextPosition, walkJson } from './json-text.ts';
import type { ConfigProblem } from './problems.ts';
import { type Config, parseConfig } from './schema.ts';
import { localSecretProblems } from './secrets.ts';

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

/** Checks the text of a configuration file of a box: its JSON, then the document. Never throws. */
export function checkConfigText(text: string): CheckedText {
  const unfit = unfitText(text);
  if (unfit !== null) return { ok: false, problems: [{ path: '', ...unfit, line: 1, column: 1 }] };
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
  const found = parsed.ok ? localSecretProblems(document) : parsed.problems;
  problems.push(...found.map((problem) => locate(plain, walk, problem)));
  if (!parsed.ok || problems.length > 0)
    return { ok: false, problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column) };
  return { ok: true, config: parsed.config, document };
}

/** What is wrong with the text as a whole, whatever stands in it. */
function unfitText(text: string): { cause: string; suggestion: string } | null {
  if (text.length > configCharsMax) {
    return {
      cause: `is longer than ${configCharsMax} characters`,
      suggestion: 'This is hardly a Gantry configuration: check the name of the file.',
    };
  }
  // Read as UTF-8, the byte order mark of UTF-16 is no character, and every other byte of plain text is zero.
  if (/^\uFFFD{2}|^.?\0/s.test(text)) {
    return { cause: 'is not UTF-8 text', suggestion: 'Save the file as UTF-8; this looks like UTF-16.' };
  }
  if (text.replace('\uFEFF', '').trim() === '') {
    return {
      cause: 'is empty',
      suggestion: 'Write a configuration into it; deploy/config.example.json is a place to begin.',
    };
  }
  return null;
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
