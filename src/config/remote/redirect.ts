import { isDeepStrictEqual } from 'node:util';
import { type SealedByName, secretReferences } from '../secrets.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Settings of a destination that cannot send an image anywhere else. All others count, those of later versions too.
 */
const harmless = new Set([
  'verify',
  'digestSample',
  'batch',
  'parallel',
  'bandwidth',
  'allowTestStudy',
  'http2',
  'layout',
]);

/**
 * Settings that send patient data elsewhere (destinations, routes, the audit record, remote configuration itself) and
 * differ between two documents. A destination that is taken away sends nothing.
 * @param before the document in use, null where there is none
 * @returns JSON pointers (RFC 6901), sorted
 */
export function redirectChanges(before: Json | null, after: Json): string[] {
  const changed: string[] = [];
  const old = member(before, 'destinations');
  for (const [name, entry] of Object.entries(asObject(member(after, 'destinations')))) {
    const was = asObject(member(old, name));
    const is = asObject(entry);
    for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
      if (!harmless.has(key) && !isDeepStrictEqual(member(was, key), member(is, key)))
        changed.push(pointerOf(['destinations', name, key]));
    }
  }
  for (const section of ['routes', 'audit', 'remote']) {
    // A section that is empty says the same as one that is left out.
    if (!isDeepStrictEqual(asObject(member(before, section)), asObject(member(after, section))))
      changed.push(pointerOf([section]));
  }
  return changed.toSorted();
}

/**
 * Secrets that decide where patient data goes and are others than before: many an archive tells its customers apart
 * by nothing else. They are sealed anew only where they have changed.
 * @returns JSON pointers (RFC 6901) into the document of the box, sorted
 */
export function secretRedirects(
  before: SealedByName,
  after: { config: Json; sealed: SealedByName },
): string[] {
  const { destinations, remote } = after.config;
  const names = new Set(secretReferences({ destinations, remote }).map(({ name }) => name));
  return [...names]
    .filter((name) => member(before, name) !== member(after.sealed, name))
    .map((name) => pointerOf(['sealed', name]))
    .toSorted();
}

/** A JSON pointer (RFC 6901). */
export function pointerOf(path: readonly string[]): string {
  return path.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function member(value: unknown, key: string): unknown {
  const object = asObject(value);
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
