import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError } from '../base/errors.ts';
import { type DesiredConfig, desiredConfig, wireVersion } from '../config/remote/documents.ts';
import { inBatches } from './batches.ts';
import type { Desk, Effective } from './desk.ts';
import type { Device } from './documents.ts';
import type { FleetProblem, Sourced } from './fleet-file.ts';
import {
  contentHash,
  documentHash,
  GenerationStore,
  type Generations,
  withDocument,
  writeWhole,
} from './generations.ts';
import { heldByRollouts } from './rollout-store.ts';
import { noVault, type OpenVault, sealSecrets } from './seal.ts';

/**
 * What became of the document of a box:
 * - `new`: a higher generation with other content; `kept`: the content is the same;
 * - `waiting`: a rollout decides when it gets the new content; `withdrawn`: the new content was taken back.
 */
export type RenderChange = 'new' | 'kept' | 'waiting' | 'withdrawn';

export interface Rendered {
  readonly device: string;
  readonly change: RenderChange;
  readonly generation: number;
  readonly document: DesiredConfig;
}

export interface RenderOptions {
  /** Only this box. */
  readonly device?: string;
  /** A new generation even where the content is the same. */
  readonly again?: boolean;
  readonly now: Date;
  /** For secrets that have to be sealed. */
  readonly openVault?: OpenVault;
}

export type RenderOutcome =
  | { readonly ok: true; readonly rendered: readonly Rendered[] }
  | { readonly ok: false; readonly problems: readonly FleetProblem[] };

/**
 * Gives every box the document the folder says. Nothing at all is written where anything is wrong.
 * @throws GantryError FLEET_DEVICE_UNKNOWN, FLEET_GENERATIONS_DAMAGED, FLEET_ROLLOUT_DAMAGED, FLEET_SECRETS_*
 */
export async function renderFleet(desk: Desk, options: RenderOptions): Promise<RenderOutcome> {
  const devices = options.device === undefined ? desk.devices() : [findDevice(desk, options.device)];
  const problems = desk.lint();
  if (problems.length > 0) return { ok: false, problems };
  const store = new GenerationStore(desk.folder.directory);
  const held = await heldByRollouts(desk.folder.directory);
  const commit = await sourceCommit(desk.folder.directory);
  const { again = false, openVault = noVault, now } = options;
  const made = await inBatches(devices, async (sourced): Promise<Made> => {
    const effective = desk.effective(sourced);
    const before = await store.read(sourced.value.id);
    const change = changeOf(desk, effective, before, held, again);
    const [latest] = before.documents;
    if (change !== 'new' && latest !== undefined) return { sourced, before, change, document: latest };
    const sealed = await sealSecrets(desk, effective, before, openVault);
    const document = makeDocument(desk, { effective, sealed }, before, { commit, now });
    return { sourced, before, change: 'new', document };
  });
  const tooLarge = made.flatMap(sizeProblems);
  if (tooLarge.length > 0) return { ok: false, problems: tooLarge };
  const rendered = await inBatches(made, async ({ before, change, document }): Promise<Rendered> => {
    if (change === 'new') await store.write(withDocument(before, document, null));
    return { device: document.device, change, generation: document.generation, document };
  });
  return { ok: true, rendered };
}

interface Made {
  readonly sourced: Sourced<Device>;
  readonly before: Generations;
  readonly change: RenderChange;
  readonly document: DesiredConfig;
}

/** As it is signed, in base64 and with some signatures, a document has to fit what a box takes. */
const payloadBytesMax = 47_000;

function sizeProblems({ sourced, change, document }: Made): FleetProblem[] {
  const bytes = Buffer.byteLength(JSON.stringify(document));
  if (change !== 'new' || bytes <= payloadBytesMax) return [];
  const cause = `renders to a document of ${bytes} bytes, sealed secrets included; at most ${payloadBytesMax} fit`;
  return [sourced.source.problem('', cause, 'Take out what this box does not need.')];
}

function changeOf(
  desk: Desk,
  { config, device }: Effective,
  { documents: [latest], withdrawn }: Generations,
  held: ReadonlySet<string>,
  again: boolean,
): RenderChange {
  if (latest === undefined) return 'new';
  const content = contentHash(desk.content({ config, device }));
  if (content === documentHash(latest)) return again ? 'new' : 'kept';
  if (content === withdrawn) return 'withdrawn';
  const byRollout = desk.folder.fleet?.value.changes === 'rollout';
  return byRollout || held.has(device.id) ? 'waiting' : 'new';
}

export interface Issue {
  readonly commit: string;
  readonly now: Date;
  readonly rollout?: { readonly id: string; readonly wave: number };
  readonly when?: 'now' | 'window' | 'manual';
}

interface Filled {
  readonly effective: Effective;
  /** The secrets that it names, sealed to the box. */
  readonly sealed: Readonly<Record<string, string>>;
}

/** The next generation of a box, with what the folder says now. */
export function makeDocument(
  desk: Desk,
  { effective: { config, device, layers }, sealed }: Filled,
  { documents: [latest] }: Generations,
  { commit, now, rollout, when = 'now' }: Issue,
): DesiredConfig {
  const fleet = desk.folder.fleet?.value;
  return desiredConfig.parse({
    apiVersion: wireVersion,
    kind: 'DesiredConfig',
    fleet: fleet?.name,
    device: device.id,
    generation: (latest?.generation ?? 0) + 1,
    issuedAt: now.toISOString(),
    schemaVersion: device.schemaVersion,
    source: { commit, layers },
    ...(rollout === undefined ? {} : { rollout }),
    apply: { when, confirmWithinSeconds: fleet?.confirmWithinSeconds },
    ...(device.clearOverrides.length === 0 ? {} : { clearOverrides: device.clearOverrides }),
    config,
    sealed,
  });
}

/** The next generation of a box, with the content of an earlier one. */
export function restoreDocument(latest: DesiredConfig, earlier: DesiredConfig, now: Date): DesiredConfig {
  const { rollout: _, ...content } = earlier;
  return desiredConfig.parse({
    ...content,
    generation: latest.generation + 1,
    issuedAt: now.toISOString(),
    restores: earlier.generation,
  });
}

/** @throws GantryError FLEET_DEVICE_UNKNOWN */
export function findDevice(desk: Desk, id: string): Sourced<Device> {
  const found = desk.folder.devices.get(id);
  if (found !== undefined && !found.value.retired) return found;
  throw new GantryError({
    code: 'FLEET_DEVICE_UNKNOWN',
    kind: 'permanent',
    message: found === undefined ? `There is no box "${id}" in the folder.` : `"${id}" is retired.`,
    nextStep: 'Give the id of a file under devices/, exactly as it is written there.',
  });
}

/**
 * Writes the exact bytes that are signed, one file per box. A file of the same generation is left as it is:
 * secrets may have been sealed into it, which come out otherwise each time.
 * @returns how many files were written
 */
export async function writePayloads(out: string, rendered: readonly Rendered[]): Promise<number> {
  const isWritten = await inBatches(rendered, async ({ device, generation, document }) => {
    const path = join(out, `${device}.json`);
    if ((await generationIn(path)) === generation) return false;
    await writeWhole(path, JSON.stringify(document));
    return true;
  });
  return isWritten.filter(Boolean).length;
}

async function generationIn(path: string): Promise<unknown> {
  try {
    return (JSON.parse(await readFile(path, 'utf8')) as { generation?: unknown } | null)?.generation;
  } catch {
    // Not there, or no longer whole: it is written anew.
    return undefined;
  }
}

/** The commit of the folder, with `-changed` where files of central IT are not committed; `none` without git. */
export async function sourceCommit(directory: string): Promise<string> {
  const commit = (await git(directory, ['rev-parse', 'HEAD']))?.trim();
  if (commit === undefined || !/^[0-9a-f]{40,50}$/.test(commit)) return 'none';
  const changes = await git(directory, ['status', '--porcelain', '--', 'fleet.*', 'layers', 'devices']);
  return changes === '' ? commit : `${commit}-changed`;
}

function git(directory: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const options = { cwd: directory, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
    execFile('git', [...args], options, (error, stdout) => resolve(error === null ? stdout : null));
  });
}
