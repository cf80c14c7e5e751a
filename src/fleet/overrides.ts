import { isDeepStrictEqual } from 'node:util';
import { GantryError } from '../base/errors.ts';
import type { ReportedState } from '../config/remote/documents.ts';
import type { Desk } from './desk.ts';
import { editDevices } from './device-file.ts';
import { isObject } from './fleet-file.ts';
import { mergePatch, parsePointer, valueAt } from './merge.ts';
import { findDevice } from './render.ts';

/** A value set on the page of a box, beside what the git folder says there. */
export interface Override {
  readonly device: string;
  /** JSON pointer (RFC 6901). */
  readonly path: string;
  readonly onBox: unknown;
  /** Null where the folder says nothing. */
  readonly inFolder: unknown;
}

/** What boxes reported, by box and path. @throws GantryError FLEET_DEVICE_UNKNOWN */
export function listOverrides(desk: Desk, reports: Reports, only: string | null): readonly Override[] {
  const devices = only === null ? desk.devices() : [findDevice(desk, only)];
  return devices.flatMap((sourced) => {
    const set = Object.entries(reports.get(sourced.value.id)?.config.localOverrides ?? {});
    if (set.length === 0) return [];
    const { config } = desk.effective(sourced);
    return set.map(([path, onBox]) => {
      const inFolder = valueAt(config, parsePointer(path) ?? []) ?? null;
      return { device: sourced.value.id, path, onBox, inFolder };
    });
  });
}

/**
 * Writes what was set on a box into its Device file, so that the folder says the same; the box gives up its own value
 * once it has the next document.
 * @param paths these only; empty: all that it reported
 * @returns the pointers
 * @throws GantryError FLEET_DEVICE_UNKNOWN, FLEET_OVERRIDES_NONE
 */
export async function adoptOverrides(
  desk: Desk,
  reports: Reports,
  id: string,
  paths: readonly string[],
): Promise<readonly string[]> {
  const device = findDevice(desk, id);
  const chosen = choose(reports, id, paths);
  const layers = desk
    .effective(device)
    .contributions.filter(({ key }) => key === 'config')
    .reduce<unknown>((merged, { settings }) => mergePatch(merged, settings), {});
  const edits = chosen.map(([pointer, onBox]) => {
    const at = parsePointer(pointer) ?? [];
    const below = valueAt(layers, at);
    const value = isDeepStrictEqual(below, onBox) ? undefined : patchTo(below, onBox);
    return { path: ['overrides', ...at] as const, value };
  });
  const adopted = chosen.map(([pointer]) => pointer);
  const clear = device.value.clearOverrides.filter((pointer) => !adopted.includes(pointer));
  await editDevices(desk.folder.directory, [{ device, edits: [...edits, clearEdit(clear)] }]);
  return adopted;
}

/**
 * Has a box forget what was set on it with its next document. Pointers of before that it no longer reports are taken
 * off the list: they would undo what is set there later.
 * @throws GantryError FLEET_DEVICE_UNKNOWN, FLEET_OVERRIDES_NONE
 */
export async function clearOverrides(
  desk: Desk,
  reports: Reports,
  id: string,
  paths: readonly string[],
): Promise<readonly string[]> {
  const device = findDevice(desk, id);
  const chosen = choose(reports, id, paths).map(([pointer]) => pointer);
  const reported = Object.keys(reports.get(id)?.config.localOverrides ?? {});
  const kept = device.value.clearOverrides.filter((pointer) => reported.includes(pointer));
  const clear = [...new Set([...kept, ...chosen])];
  await editDevices(desk.folder.directory, [{ device, edits: [clearEdit(clear)] }]);
  return chosen;
}

type Reports = ReadonlyMap<string, ReportedState>;

function clearEdit(pointers: readonly string[]) {
  return { path: ['clearOverrides'] as const, value: pointers.length === 0 ? undefined : [...pointers] };
}

function choose(reports: Reports, id: string, paths: readonly string[]): [string, unknown][] {
  const set = Object.entries(reports.get(id)?.config.localOverrides ?? {});
  const chosen = paths.length === 0 ? set : set.filter(([pointer]) => paths.includes(pointer));
  if (chosen.length > 0 && (paths.length === 0 || chosen.length === paths.length)) return chosen;
  const known = set.map(([pointer]) => pointer).join(', ') || 'nothing';
  throw new GantryError({
    code: 'FLEET_OVERRIDES_NONE',
    kind: 'permanent',
    message: `"${id}" has not reported ${paths.length === 0 ? 'anything' : 'all of this'} as set on the box.`,
    nextStep: `Collect its report first. Reported so far: ${known}.`,
  });
}

/** The merge patch (RFC 7396) that makes one value of another. */
function patchTo(from: unknown, to: unknown): unknown {
  if (!isObject(from) || !isObject(to)) return to;
  const gone = Object.keys(from).filter((key) => !Object.hasOwn(to, key));
  const changed = Object.entries(to).filter(([key, value]) => !isDeepStrictEqual(from[key], value));
  return Object.fromEntries([
    ...changed.map(([key, value]) => [key, patchTo(from[key], value)] as const),
    ...gone.map((key) => [key, null] as const),
  ]);
}
