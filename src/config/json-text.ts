import { pathText } from './problems.ts';

/** Where in the text something stands; both count from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

export interface JsonFault {
  readonly offset: number;
  readonly path: string;
  readonly cause: string;
  readonly suggestion: string;
}

/** What a walk over a JSON text finds beside its value. */
export interface JsonWalk {
  /** Offset of each value, by its path as {@link pathText} writes it; of a member, the offset of its key. */
  readonly offsets: ReadonlyMap<string, number>;
  /** The first syntax error, or null. */
  readonly syntax: JsonFault | null;
  /** Keys that JSON.parse would drop silently: given twice in one object, or `__proto__`. */
  readonly lostKeys: readonly JsonFault[];
}

export function positionAt(text: string, offset: number): TextPosition {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}

interface Frame {
  readonly kind: 'object' | 'list';
  readonly path: PropertyKey[];
  readonly keys: Set<string>;
  /** The member or item being read. */
  at: PropertyKey;
}

type Expecting = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma' | 'end';

/** The document needs six levels; what a walk remembers grows with depth. */
const depthMax = 32;

const token = /"(?:[^"\\\n]|\\.)*"?|[{}[\],:]|[^\s{}[\],:"]+/g;
const scalar = /^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)$/;

/**
 * Walks a JSON text (RFC 8259) token by token, so that a problem can be shown where it stands. The value itself
 * is JSON.parse's business; this neither builds nor judges it.
 */
export function walkJson(text: string): JsonWalk {
  const walker = new Walker();
  for (const match of text.matchAll(token)) {
    walker.take(match[0], match.index);
    if (walker.syntax !== null) return walker;
  }
  walker.finish(text.trimEnd().length);
  return walker;
}

class Walker implements JsonWalk {
  readonly offsets = new Map<string, number>();
  readonly lostKeys: JsonFault[] = [];
  syntax: JsonFault | null = null;
  readonly #stack: Frame[] = [];
  #expecting: Expecting = 'value';

  take(word: string, offset: number): void {
    const frame = this.#stack.at(-1);
    switch (this.#expecting) {
      case 'key':
      case 'key or }':
        if (word === '}' && this.#expecting === 'key or }') this.#close();
        else if (isString(word) && frame) this.#key(frame, word, offset);
        else this.#fail(offset, `a key in quotes is expected, not ${shown(word)}`, word);
        return;
      case 'colon':
        if (word === ':') this.#expecting = 'value';
        else this.#fail(offset, `":" expected after the key, not ${shown(word)}`, word);
        return;
      case 'comma':
        if (word === ',' && frame) this.#next(frame);
        else if (frame && word === (frame.kind === 'object' ? '}' : ']')) this.#close();
        else this.#fail(offset, `"," expected before ${shown(word)}`, word);
        return;
      case 'end':
        this.#fail(offset, `nothing more expected, but there is ${shown(word)}`, word);
        return;
      case 'value':
      case 'value or ]':
        this.#value(word, offset);
    }
  }

  finish(offset: number): void {
    if (this.#expecting !== 'end') this.#fail(offset, 'the text ends too early', '');
  }

  #value(word: string, offset: number): void {
    if (word === ']' && this.#expecting === 'value or ]') {
      this.#close();
      return;
    }
    const path = this.#path();
    const name = pathText(path);
    if (!this.offsets.has(name)) this.offsets.set(name, offset);
    if (word === '{' || word === '[') {
      if (this.#stack.length === depthMax) {
        this.#fail(offset, 'nested too deeply', word);
        return;
      }
      const kind = word === '{' ? 'object' : 'list';
      this.#stack.push({ kind, path, keys: new Set(), at: 0 });
      this.#expecting = kind === 'object' ? 'key or }' : 'value or ]';
    } else if (isString(word) || scalar.test(word)) {
      this.#ended();
    } else {
      this.#fail(offset, `a value is expected, not ${shown(word)}`, word);
    }
  }

  #key(frame: Frame, word: string, offset: number): void {
    const name = unquoted(word);
    const path = pathText([...frame.path, name]);
    if (frame.keys.has(name))
      this.lostKeys.push({ offset, path, cause: 'is written twice', suggestion: 'Remove one of the two.' });
    if (name === '__proto__')
      this.lostKeys.push({ offset, path, cause: 'is not a usable name', suggestion: 'Take it out.' });
    frame.keys.add(name);
    frame.at = name;
    this.offsets.set(path, offset);
    this.#expecting = 'colon';
  }

  #next(frame: Frame): void {
    if (frame.kind === 'list') frame.at = Number(frame.at) + 1;
    this.#expecting = frame.kind === 'list' ? 'value' : 'key';
  }

  #close(): void {
    this.#stack.pop();
    this.#ended();
  }

  #ended(): void {
    this.#expecting = this.#stack.length === 0 ? 'end' : 'comma';
  }

  #path(): PropertyKey[] {
    const frame = this.#stack.at(-1);
    return frame ? [...frame.path, frame.at] : [];
  }

  #fail(offset: number, cause: string, word: string): void {
    this.syntax = {
      offset,
      path: '',
      cause: `not JSON: ${cause}`,
      suggestion: hint(word),
    };
  }
}

function isString(word: string): boolean {
  return word.length >= 2 && word.startsWith('"') && word.endsWith('"') && validString(word);
}

function validString(word: string): boolean {
  try {
    JSON.parse(word);
    return true;
  } catch {
    return false;
  }
}

function unquoted(word: string): string {
  return String(JSON.parse(word));
}

/** A secret could stand in the wrong place: of anything that is not punctuation, only its kind is repeated. */
function shown(word: string): string {
  if (/^[{}[\],:]$/.test(word)) return `"${word}"`;
  return word.startsWith('"') ? 'a text in quotes' : 'something else';
}

function hint(word: string): string {
  if (word.startsWith('//') || word.startsWith('/*') || word.startsWith('#'))
    return 'JSON has no comments: take this one out.';
  if (word.startsWith("'")) return 'Use double quotes.';
  if (word === '}' || word === ']') return 'Take out the comma before it, or add what is missing.';
  if (word === '') return 'Close every "{", "[" and quote.';
  if (word.startsWith('"') && !isString(word))
    return 'The text in quotes is not closed, or has a bad "\\" in it.';
  return 'Compare with the line above: a comma, a quote or a bracket is missing there or here.';
}
