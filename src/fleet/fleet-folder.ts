import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { batched } from './batches.ts';
import type { Device, FleetDocument, Layer, Rollout } from './documents.ts';
import { fleetFiles } from './files.ts';
import { type FleetDocuments, type FleetProblem, parseFleetFile, type Sourced } from './fleet-file.ts';
import { readSecretIndex } from './secret-index.ts';

/** Everything that central IT wrote, as far as it can be read, and what is wrong with the rest. */
export interface FleetFolder {
  readonly directory: string;
  readonly fleet: Sourced<FleetDocument> | null;
  /** The lowest priority first; of one priority, by name. */
  readonly layers: readonly Sourced<Layer>[];
  /** By id, retired ones too. */
  readonly devices: ReadonlyMap<string, Sourced<Device>>;
  readonly rollouts: ReadonlyMap<string, Sourced<Rollout>>;
  /** The revision of each secret in `secrets.age`, by name. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly problems: readonly FleetProblem[];
}

const damagedIndex: FleetProblem = {
  file: fleetFiles.secretIndex,
  path: '',
  cause: 'is not what "gantry fleet secrets" wrote',
  suggestion: 'Bring it back with git, or set any secret: it is written anew then.',
  line: 1,
  column: 1,
};

const documentFolders = ['layers', 'devices', 'rollouts'];
const filesMax = 100_000;

/**
 * Reads `fleet.yaml` and what lies under `layers/`, `devices/` and `rollouts/` (`.yaml`, `.yml`, `.json`).
 * What these commands write themselves (`*.state.json`, `generations/`) is left out.
 * @throws GantryError FLEET_FOLDER_UNREADABLE
 */
export async function readFleetFolder(directory: string): Promise<FleetFolder> {
  const problems: FleetProblem[] = [];
  const found: Sourced<FleetDocuments>[] = [];
  const files = batched(await documentFiles(directory), async (file) =>
    parseFleetFile(file, await readText(join(directory, file))),
  );
  for await (const parsed of files) {
    problems.push(...parsed.problems);
    found.push(...parsed.documents);
  }
  const fleets = named<FleetDocument>(found, 'Fleet', () => 'the fleet', problems);
  const layers = named<Layer>(found, 'Layer', ({ name }) => name, problems);
  const [fleet = null] = fleets.values();
  if (fleet === null && !problems.some(({ file }) => file.startsWith('fleet.'))) {
    const words = { cause: 'is missing', suggestion: 'Write it, or let "gantry fleet init" do so.' };
    problems.push({ file: 'fleet.yaml', path: '', ...words, line: 1, column: 1 });
  }
  const secrets = await readSecretIndex(directory);
  if (secrets === null) problems.push(damagedIndex);
  return {
    directory,
    fleet,
    secrets: secrets ?? new Map(),
    layers: [...layers.values()].toSorted(
      ({ value: a }, { value: b }) => a.priority - b.priority || (a.name < b.name ? -1 : 1),
    ),
    devices: named<Device>(found, 'Device', ({ id }) => id, problems),
    rollouts: named<Rollout>(found, 'Rollout', ({ id }) => id, problems),
    problems,
  };
}

/** The documents of one kind by their name; a second one of a name is a problem that names both files. */
function named<T extends FleetDocuments>(
  all: readonly Sourced<FleetDocuments>[],
  kind: T['kind'],
  nameOf: (document: T) => string,
  problems: FleetProblem[],
): ReadonlyMap<string, Sourced<T>> {
  const result = new Map<string, Sourced<T>>();
  for (const entry of all) {
    if (entry.value.kind !== kind) continue;
    const one = entry as Sourced<T>;
    const name = nameOf(one.value);
    const first = result.get(name);
    if (first === undefined) {
      result.set(name, one);
    } else {
      const path = ['id', 'name'].find((key) => key in one.value) ?? '';
      const cause = `${kind} "${name}" is there twice: also in ${first.source.file}`;
      problems.push(one.source.problem(path, cause, 'Take one of the two away, or give it another name.'));
    }
  }
  return result;
}

async function documentFiles(directory: string): Promise<string[]> {
  const files: string[] = [];
  const isDocument = (name: string): boolean =>
    /\.(?:ya?ml|json)$/.test(name) && !name.endsWith('.state.json');
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(join(directory, folder), { withFileTypes: true });
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (folder !== '' || documentFolders.includes(entry.name)) await walk(path);
      } else if (isDocument(entry.name) && (folder !== '' || entry.name.startsWith('fleet.'))) {
        files.push(path);
        if (files.length > filesMax) throw unreadable(directory, `more than ${filesMax} files`);
      }
    }
  };
  try {
    await walk('');
  } catch (cause) {
    if (cause instanceof GantryError) throw cause;
    throw unreadable(directory, systemErrorCode(cause) ?? 'error', cause);
  }
  return files;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, systemErrorCode(cause) ?? 'error', cause);
  }
}

function unreadable(path: string, why: string, cause?: unknown): GantryError {
  return new GantryError(
    {
      code: 'FLEET_FOLDER_UNREADABLE',
      kind: 'permanent',
      message: `The folder of the fleet cannot be read (${why}).`,
      nextStep: `Check the path ${path} and its permissions; "gantry fleet init" makes a new one.`,
    },
    { cause },
  );
}
