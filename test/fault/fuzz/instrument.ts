import { registerHooks } from 'node:module';
import { parseSync } from 'vite';

/*
 * Counts which branches of the product are taken, input by input. Loaded before the code under test: it changes the
 * source as it is read, putting a counter into every block and every branch of an expression.
 *
 * Of the ready-made fuzzers for Node, Jazzer.js needs a glibc newer than Debian 12's (version 4) or an install
 * script that downloads its binary (version 2), and jsfuzz is no longer kept; V8's own precise coverage costs
 * milliseconds an input, which is more than the input itself. What follows costs nanoseconds a branch.
 */

/** Counters, one a branch; wrapping at 256. */
export const hits = new Uint8Array(1 << 16);
let branches = 0;

/** Branches that have a counter: known once everything is loaded. */
export function branchCount(): number {
  return branches;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Text to be put in at a place; of several at one place the later ones go inside. */
interface Insertion {
  readonly at: number;
  readonly text: string;
  readonly closes: boolean;
}

const counterName = '__fuzzHits';
const underTest = /\/src\/(?:intake|dicom|archive)\/[\w-]+\.ts$/;

/** From here on, modules under test that are loaded carry counters. */
export function instrumentModules(): void {
  Object.assign(globalThis, { [counterName]: hits });
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      if (!underTest.test(url) || loaded.source === undefined || loaded.source === null) return loaded;
      const text = Buffer.from(loaded.source as Uint8Array).toString('utf8');
      return { ...loaded, source: instrumented(url, text) };
    },
  });
}

/** The source with counters; lines keep their numbers. */
function instrumented(url: string, text: string): string {
  const { program } = parseSync(url, text, { lang: 'ts' });
  const insertions: Insertion[] = [];
  visit(program as unknown as Node, insertions);
  const ordered = insertions
    .map((each, order) => ({ ...each, order }))
    .toSorted(
      (a, b) =>
        a.at - b.at ||
        Number(b.closes) - Number(a.closes) ||
        (a.closes ? b.order - a.order : a.order - b.order),
    );
  let result = '';
  let at = 0;
  for (const { at: place, text: put } of ordered) {
    result += text.slice(at, place) + put;
    at = place;
  }
  return result + text.slice(at);
}

function visit(node: Node, insertions: Insertion[]): void {
  mark(node, insertions);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, insertions);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

function mark(node: Node, insertions: Insertion[]): void {
  const child = (name: string): Node | null => {
    const value = node[name];
    return isNode(value) ? value : null;
  };
  switch (node.type) {
    case 'BlockStatement':
    case 'FunctionBody':
      insertions.push({ at: node.start + 1, text: `${counter()};`, closes: false });
      break;
    case 'IfStatement':
      wrapStatement(child('consequent'), insertions);
      wrapStatement(child('alternate'), insertions);
      break;
    case 'ForStatement':
    case 'ForOfStatement':
    case 'WhileStatement':
      wrapStatement(child('body'), insertions);
      break;
    case 'SwitchCase': {
      const [first] = node['consequent'] as Node[];
      if (first !== undefined) insertions.push({ at: first.start, text: `${counter()};`, closes: false });
      break;
    }
    case 'ConditionalExpression':
      wrapExpression(child('consequent'), insertions);
      wrapExpression(child('alternate'), insertions);
      break;
    case 'LogicalExpression':
      wrapExpression(child('right'), insertions);
      break;
    case 'ArrowFunctionExpression':
      if (node['expression'] === true) wrapExpression(child('body'), insertions);
      break;
    default:
  }
}

function counter(): string {
  branches += 1;
  if (branches >= hits.length) throw new RangeError('more branches than counters');
  return `${counterName}[${branches}]++`;
}

function wrapStatement(statement: Node | null, insertions: Insertion[]): void {
  if (statement === null || statement.type === 'BlockStatement') return;
  insertions.push({ at: statement.start, text: `{${counter()};`, closes: false });
  insertions.push({ at: statement.end, text: '}', closes: true });
}

function wrapExpression(expression: Node | null, insertions: Insertion[]): void {
  if (expression === null) return;
  insertions.push({ at: expression.start, text: `(${counter()},`, closes: false });
  insertions.push({ at: expression.end, text: ')', closes: true });
}
