/** Words longer than this are not compared: the cost grows with the product of both lengths. */
const charsMax = 64;

/**
 * The known word that was probably meant: one that begins like it, or differs in few letters.
 * @returns null where none is near
 */
export function nearestWord(word: string, known: readonly string[]): string | null {
  const given = word.slice(0, charsMax).toLowerCase();
  const distances = known.map((name) => {
    const candidate = name.toLowerCase();
    const begins = given.length >= 3 && (candidate.startsWith(given) || given.startsWith(candidate));
    return { name, distance: begins ? 1 : levenshtein(given, candidate) };
  });
  const [best] = distances.toSorted((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(1, Math.floor(given.length / 3)) ? best.name : null;
}

/** Single-letter insertions, deletions and replacements between two words. */
function levenshtein(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 0; row < a.length; row++) {
    const current = [row + 1];
    for (let column = 0; column < b.length; column++) {
      const replace = (previous[column] ?? 0) + (a[row] === b[column] ? 0 : 1);
      current.push(Math.min(replace, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
