import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { entryName } from '../config/values.ts';
import { writeWhole } from './generations.ts';

/**
 * - `running`; `paused` by a person; `stopped` by its error threshold;
 * - `finished`: every wave is open and well; `aborted`: what was not applied has been taken back.
 */
export const rolloutPhases = ['running', 'paused', 'stopped', 'finished', 'aborted'] as const;
export type RolloutPhase = (typeof rolloutPhases)[number];

const instant = z.iso.datetime();

const rolloutBox = z.strictObject({
  wave: z.int().min(0),
  /** Hash of the content it is to get: what was looked at when the rollout was started, and nothing else. */
  content: z.string(),
  given: z
    .strictObject({
      generation: z.int().min(1),
      at: instant,
      /** What the box said of itself then, or null where it had said nothing. */
      verdictBefore: z.string().nullable(),
    })
    .nullable(),
  /** Its failure was looked at by a person, who went on: it counts no more. */
  excused: z.boolean().default(false),
});
export type RolloutBox = z.output<typeof rolloutBox>;

const rolloutState = z.strictObject({
  id: entryName,
  phase: z.enum(rolloutPhases),
  /** Why it is not running, in plain words, or null. */
  reason: z.string().nullable(),
  startedAt: instant,
  commit: z.string(),
  /** The last wave that is open, and how many there are. */
  wave: z.int().min(0),
  waves: z.int().min(1),
  /** Since when everything in the open waves has been well, or null. */
  wellSince: instant.nullable(),
  boxes: z.record(z.string(), rolloutBox),
});
export type RolloutState = z.output<typeof rolloutState>;

/** @throws GantryError FLEET_ROLLOUT_NOT_STARTED, FLEET_ROLLOUT_DAMAGED */
export async function readRolloutState(directory: string, id: string): Promise<RolloutState> {
  const state = await findRolloutState(directory, id);
  if (state !== null) return state;
  throw new GantryError({
    code: 'FLEET_ROLLOUT_NOT_STARTED',
    kind: 'permanent',
    message: `The rollout "${id}" has not been started.`,
    nextStep: `Start it with "gantry fleet rollout start ${directory} ${id}".`,
  });
}

/** @returns null where it was never started. @throws GantryError FLEET_ROLLOUT_DAMAGED */
export async function findRolloutState(directory: string, id: string): Promise<RolloutState | null> {
  let text: string;
  try {
    text = await readFile(statePath(directory, id), 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return null;
    throw damaged(id, cause);
  }
  try {
    const state = rolloutState.parse(JSON.parse(text));
    if (state.id === id) return state;
  } catch (cause) {
    throw damaged(id, cause);
  }
  throw damaged(id);
}

export async function writeRolloutState(directory: string, state: RolloutState): Promise<void> {
  await writeWhole(statePath(directory, state.id), `${JSON.stringify(state, null, 1)}\n`);
}

/** Every rollout that was started, by id. @throws GantryError FLEET_ROLLOUT_DAMAGED */
export async function rolloutStates(directory: string): Promise<readonly RolloutState[]> {
  let names: string[];
  try {
    names = await readdir(join(directory, 'rollouts'));
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return [];
    throw cause;
  }
  const ids = names.filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length));
  return Promise.all(ids.toSorted().map((id) => readRolloutState(directory, id)));
}

export function isOpen({ phase }: RolloutState): boolean {
  return phase === 'running' || phase === 'paused' || phase === 'stopped';
}

/** Boxes for which a rollout that is not over decides what they get. */
export async function heldByRollouts(directory: string): Promise<ReadonlySet<string>> {
  const open = (await rolloutStates(directory)).filter(isOpen);
  return new Set(open.flatMap(({ boxes }) => Object.keys(boxes)));
}

const ending = '.state.json';

function statePath(directory: string, id: string): string {
  return join(directory, 'rollouts', `${id}${ending}`);
}

function damaged(id: string, cause?: unknown): GantryError {
  return new GantryError(
    {
      code: 'FLEET_ROLLOUT_DAMAGED',
      kind: 'permanent',
      message: `The state of the rollout "${id}" cannot be read from rollouts/${id}${ending}.`,
      nextStep: 'Bring the file back with git.',
    },
    { cause },
  );
}
