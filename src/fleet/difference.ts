import { isDeepStrictEqual } from 'node:util';
import { isObject } from './fleet-file.ts';
import { canonicalText, type Content } from './desk.ts';
import { pointerText } from './merge.ts';

export interface Difference {
  /** JSON pointer. */
  readonly path: string;
  /** Absent where there was nothing. */
  readonly before?: unknown;
  /** Absent where there is nothing any more. */
  readonly after?: unknown;
}

/** What differs between two configurations, by setting; lists are compared as a whole. */
export function differences(
  before: unknown,
  after: unknown,
  path: readonly string[] = [],
): readonly Difference[] {
  if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].toSorted().flatMap((key) => {
      const old = Object.hasOwn(before, key) ? before[key] : undefined;
      return differences(old, Object.hasOwn(after, key) ? after[key] : undefined, [...path, key]);
    });
  }
  if (before === undefined && isObject(after) && Object.keys(after).length > 0)
    return differences({}, after, path);
  if (after === undefined && isObject(before) && Object.keys(before).length > 0)
    return differences(before, {}, path);
  if ((before === undefined) === (after === undefined) && canonicalText([before]) === canonicalText([after]))
    return [];
  const sides = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
  return [{ path: pointerText(path), ...sides }];
}

/** Names of the secrets that would be sealed anew: another value, another key of the box, or not there before. */
export function changedSecrets(before: Content['seals'], after: Content['seals']): string[] {
  return Object.keys(after)
    .filter((name) => !Object.hasOwn(before, name) || !isDeepStrictEqual(before[name], after[name]))
    .toSorted();
}
