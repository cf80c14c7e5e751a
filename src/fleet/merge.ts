import { isObject } from './fleet-file.ts';

export type Settings = Readonly<Record<string, unknown>>;

/** JSON merge patch (RFC 7396). Neither argument is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(Object.hasOwn(merged, key) ? merged[key] : undefined, value);
  }
  return merged;
}

/** The paths at which a patch sets or takes away a value: everything in it that is not an object with keys. */
export function patchedPaths(patch: Settings): readonly (readonly string[])[] {
  return Object.entries(patch).flatMap(([key, value]) => {
    if (!isObject(value) || Object.keys(value).length === 0) return [[key]];
    return patchedPaths(value).map((rest) => [key, ...rest]);
  });
}

/** The settings without the values at the paths; objects that become empty by it are left out too. */
export function without(settings: Settings, paths: readonly (readonly string[])[]): Settings {
  return paths.reduce(removeAt, settings);
}

function removeAt(settings: Settings, path: readonly string[]): Settings {
  const [key, ...rest] = path;
  if (key === undefined || !Object.hasOwn(settings, key)) return settings;
  const { [key]: value, ...others } = settings;
  if (rest.length === 0) return others;
  if (Array.isArray(value)) {
    const items = value.map((item, index) =>
      String(index) === rest[0] && isObject(item) ? removeAt(item, rest.slice(1)) : (item as unknown),
    );
    return { ...settings, [key]: items };
  }
  if (!isObject(value)) return settings;
  const left = removeAt(value, rest);
  return Object.keys(left).length === 0 ? others : { ...settings, [key]: left };
}

/** @throws nothing; what is no pointer (RFC 6901) gives null */
export function parsePointer(text: string): readonly string[] | null {
  if (text === '') return [];
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return null;
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export function pointerText(path: readonly string[]): string {
  return path.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The value at a path, or undefined. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, part) => {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    return (at as Record<string, unknown>)[part];
  }, value);
}
