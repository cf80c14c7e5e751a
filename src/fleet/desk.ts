import { createHash } from 'node:crypto';
import { parseConfig } from '../config/schema.ts';
import { pathText } from '../config/problems.ts';
import { unknownSettings } from '../config/schema-version.ts';
import { secretReferences } from '../config/secrets.ts';
import { keyIdOf } from '../crypto/jws.ts';
import type { SealMark } from '../crypto/seal-to.ts';
import { type Device, isMeant, type Layer, neverBoth } from './documents.ts';
import type { DocumentSource, FleetProblem, Sourced } from './fleet-file.ts';
import type { FleetFolder } from './fleet-folder.ts';
import { mergePatch, patchedPaths, pointerText, type Settings, valueAt, without } from './merge.ts';

/** Most that a configuration may take as JSON: signed, and in base64, it has to fit what a box takes. */
export const configBytesMax = 44_000;

/** One document that says something about a box, the weakest first; the box's own overrides are the last. */
export interface Contribution {
  /** Name of the layer, or `device`. */
  readonly name: string;
  readonly priority: number | null;
  readonly settings: Settings;
  /** Settings left out for this box, whose version does not know them. */
  readonly omitted: readonly (readonly string[])[];
  readonly source: DocumentSource;
  /** The key of the document under which the settings stand. */
  readonly key: 'config' | 'overrides';
}

/** What the folder says for one box. */
export interface Effective {
  readonly device: Device;
  readonly contributions: readonly Contribution[];
  readonly config: Settings;
  readonly layers: readonly { readonly name: string; readonly sha256: string }[];
  readonly problems: readonly FleetProblem[];
}

/** What a document makes a box do. */
export interface Content {
  readonly schemaVersion: number;
  readonly config: Settings;
  readonly clearOverrides: readonly string[];
  /** Of each secret it brings: which revision, to which key; null where that cannot be told. */
  readonly seals: Readonly<Record<string, SealMark | null>>;
}

export interface Explanation {
  readonly name: string;
  readonly priority: number | null;
  readonly file: string;
  readonly line: number;
  /** What it sets there; `null` takes the value away. */
  readonly value: unknown;
  readonly omitted: boolean;
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** JSON with the keys in order, so that the same settings always give the same text. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Works out, from a git folder, what each box is to have. */
export class Desk {
  readonly folder: FleetFolder;
  readonly #layerHashes = new Map<string, string>();
  readonly #contributions = new Map<string, Contribution>();
  readonly #checked = new Map<string, readonly { path: string; cause: string; suggestion: string }[]>();

  constructor(folder: FleetFolder) {
    this.folder = folder;
    for (const { value } of folder.layers) this.#layerHashes.set(value.name, sha256Hex(canonicalText(value)));
  }

  /** Boxes that are not retired, by id. */
  devices(): readonly Sourced<Device>[] {
    return [...this.folder.devices.values()]
      .filter(({ value }) => !value.retired)
      .toSorted((a, b) => (a.value.id < b.value.id ? -1 : 1));
  }

  effective({ value: device, source }: Sourced<Device>): Effective {
    const layers = this.folder.layers.filter(({ value }) => isMeant(value.target, device.labels));
    const contributions = layers.map((layer) => this.#contribution(layer, device.schemaVersion));
    const { overrides, ifUnknown, schemaVersion } = device;
    const omitted = unknownSettings(overrides, schemaVersion);
    const own = { name: 'device', priority: null, source, key: 'overrides' } as const;
    contributions.push({ ...own, settings: without(overrides, omitted), omitted });
    const config = contributions.reduce<unknown>((merged, { settings }) => mergePatch(merged, settings), {});
    const effective = {
      device,
      contributions,
      config: config as Settings,
      layers: layers.map(({ value: { name } }) => ({ name, sha256: this.#layerHashes.get(name) ?? '' })),
    };
    const refusing = new Set(
      layers.filter(({ value }) => value.ifUnknown === 'refuse').map(({ value }) => value.name),
    );
    if (ifUnknown === 'refuse') refusing.add('device');
    const unknown = contributions
      .filter(({ name }) => refusing.has(name))
      .flatMap((one) => one.omitted.map((path) => unknownProblem(one, path, schemaVersion)));
    const problems = [
      ...unknown,
      ...this.#configProblems(effective, source),
      ...this.#secretProblems(effective, source),
    ];
    return { ...effective, problems };
  }

  /** What a box is to have. */
  content({ device, config }: Pick<Effective, 'device' | 'config'>): Content {
    const { schemaVersion, clearOverrides, keys } = device;
    const names = secretReferences(config).map(({ name }) => name);
    const key = keys === undefined ? '' : keyIdOf(keys.seal);
    const seals = [...new Set(names)].map(
      (name) => [name, { key, revision: this.folder.secrets.get(name) ?? '' }] as const,
    );
    return { schemaVersion, config, clearOverrides, seals: Object.fromEntries(seals) };
  }

  /** Everything that is wrong, of all boxes; a problem that many boxes have is there once. */
  lint(): readonly FleetProblem[] {
    const problems = [...this.folder.problems, ...layerConflicts(this.folder.layers)];
    const shared = new Map<string, { problem: FleetProblem; boxes: string[] }>();
    for (const sourced of this.devices()) {
      for (const problem of this.effective(sourced).problems) {
        const key = [problem.file, problem.line, problem.column, problem.path, problem.cause].join('\n');
        const entry = shared.get(key) ?? { problem, boxes: [] };
        entry.boxes.push(sourced.value.id);
        shared.set(key, entry);
      }
    }
    for (const { problem, boxes } of shared.values()) {
      const more = boxes.length === 1 ? '' : ` and ${boxes.length - 1} more`;
      problems.push({ ...problem, cause: `${problem.cause} (for ${boxes[0]}${more})` });
    }
    return problems.toSorted((a, b) =>
      a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1,
    );
  }

  /** Who says something about a setting of a box, the one that counts last. */
  explain(sourced: Sourced<Device>, path: readonly string[]): readonly Explanation[] {
    return this.effective(sourced).contributions.flatMap((one) => {
      const omitted = one.omitted.some((left) => left.every((part, depth) => path[depth] === part));
      const value = valueAt(one.settings, path);
      if (value === undefined && !omitted) return [];
      const at = one.source.positionOf(pathText([one.key, ...path])) ?? { line: 1 };
      const { name, priority, source } = one;
      return [{ name, priority, file: source.file, line: at.line, value: value ?? null, omitted }];
    });
  }

  #contribution({ value, source }: Sourced<Layer>, schemaVersion: number): Contribution {
    const key = `${schemaVersion} ${value.name}`;
    const known = this.#contributions.get(key);
    if (known !== undefined) return known;
    const { name, priority, config } = value;
    const omitted = unknownSettings(config, schemaVersion);
    const settings = without(config, omitted);
    const made: Contribution = { name, priority, source, key: 'config', settings, omitted };
    this.#contributions.set(key, made);
    return made;
  }

  #configProblems(
    { config, contributions }: Omit<Effective, 'problems'>,
    device: DocumentSource,
  ): readonly FleetProblem[] {
    const text = canonicalText(config);
    const hash = sha256Hex(text);
    let found = this.#checked.get(hash);
    if (found === undefined) {
      const parsed = parseConfig(config);
      found = parsed.ok ? [] : parsed.problems;
      this.#checked.set(hash, found);
    }
    const problems = found.map(({ path, cause, suggestion }) =>
      located(contributions, device, path, cause, suggestion),
    );
    const bytes = Buffer.byteLength(text);
    if (bytes <= configBytesMax) return problems;
    const cause = `renders to a configuration of ${bytes} bytes; at most ${configBytesMax} fit`;
    return [...problems, device.problem('', cause, 'Take out what this box does not need.')];
  }

  #secretProblems(
    { config, contributions, device: { keys } }: Omit<Effective, 'problems'>,
    device: DocumentSource,
  ): readonly FleetProblem[] {
    return secretReferences(config).flatMap(({ name, path }) => {
      const at = (cause: string, suggestion: string) =>
        located(contributions, device, pathText(path), cause, suggestion);
      if (!this.folder.secrets.has(name))
        return [at(`names the secret "${name}", which is not there`, `gantry fleet secrets set ${name}`)];
      if (keys?.seal.crv === 'X25519') return [];
      const enrol = 'Enrol the box: its Device file gets its keys then.';
      return [at('names a secret, and the box has no key to seal it to', enrol)];
    });
  }
}

/** A problem of the whole configuration, standing where the strongest document sets the value or its parent. */
function located(
  contributions: readonly Contribution[],
  device: DocumentSource,
  path: string,
  cause: string,
  suggestion: string,
): FleetProblem {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.'), at.lastIndexOf('[')))) {
    const setter = contributions.findLast(({ source, key }) => source.positionOf(`${key}.${at}`) !== null);
    if (setter !== undefined) return setter.source.problem(`${setter.key}.${path}`, cause, suggestion);
  }
  return { ...device.problem('', cause, suggestion), path };
}

function unknownProblem(
  { source, key }: Contribution,
  path: readonly string[],
  version: number,
): FleetProblem {
  return source.problem(
    pathText([key, ...path]),
    `is not known to version ${version} of the configuration schema, which boxes it is meant for report`,
    'Write "ifUnknown: omit" to leave it out for those, update them, or choose other boxes.',
  );
}

/** Two layers of one priority that may meet on a box and set the same value: which counts would be an accident. */
function layerConflicts(layers: readonly Sourced<Layer>[]): readonly FleetProblem[] {
  const paths = new Map(layers.map(({ value }) => [value.name, patchedPaths(value.config)] as const));
  return layers.flatMap((layer, index) =>
    layers.slice(index + 1).flatMap((other) => {
      const apart = other.value.priority !== layer.value.priority;
      if (apart || neverBoth(layer.value.target, other.value.target)) return [];
      const theirs = paths.get(layer.value.name) ?? [];
      const shared = (paths.get(other.value.name) ?? []).filter((path) =>
        theirs.some((one) => startsWith(one, path) || startsWith(path, one)),
      );
      return shared.map((path) =>
        other.source.problem(
          pathText(['config', ...path]),
          `${pointerText(path)} is also set by layer "${layer.value.name}" (${layer.source.file}), of the same priority ${layer.value.priority}`,
          'Give one of the two another priority, or targets that no box can meet both of.',
        ),
      );
    }),
  );
}

function startsWith(path: readonly string[], start: readonly string[]): boolean {
  return start.every((part, depth) => path[depth] === part);
}
