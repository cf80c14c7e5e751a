/**
 * Reads JSON in which no object names a member twice. Of two, `JSON.parse` silently keeps the last; where the
 * first was the news of a failure, it would be lost (RFC 8259 §4 leaves open what a reader does).
 * @throws SyntaxError where the text is not JSON or names a member twice
 */
export function parseStrictJson(text: string): unknown {
  const json: unknown = JSON.parse(text);
  if (repeatsMember(text)) throw new SyntaxError('a member is named twice');
  return json;
}

/** @param text valid JSON */
function repeatsMember(text: string): boolean {
  /** The members met so far of each object that is open; null for a list. */
  const open: (Set<string> | null)[] = [];
  const interesting = /["{}[\]]/g;
  for (let found = interesting.exec(text); found !== null; found = interesting.exec(text)) {
    const [mark] = found;
    if (mark === '{') open.push(new Set());
    else if (mark === '[') open.push(null);
    else if (mark !== '"') open.pop();
    else {
      const end = endOfString(text, found.index);
      interesting.lastIndex = end;
      const members = open.at(-1);
      if (members === null || members === undefined || !isName(text, end)) continue;
      // Tags in upper and lower case, or written with escapes, are the same member.
      const name = (JSON.parse(text.slice(found.index, end)) as string).toUpperCase();
      if (members.has(name)) return true;
      members.add(name);
    }
  }
  return false;
}

/** @returns the position behind the closing quote of the string that begins at `start` */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Whether a string that ends before `at` is the name of a member, not a value. */
function isName(text: string, at: number): boolean {
  let next = at;
  while (/\s/.test(text.charAt(next))) next += 1;
  return text[next] === ':';
}
