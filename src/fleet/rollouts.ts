import { GantryError } from '../base/errors.ts';
import { WeeklyWindows } from '../base/weekly-windows.ts';
import type { ReportedState } from '../config/remote/documents.ts';
import { inBatches } from './batches.ts';
import { type Desk, sha256Hex } from './desk.ts';
import { isMeant, type Rollout } from './documents.ts';
import { contentHash, documentHash, GenerationStore, withDocument } from './generations.ts';
import { valueAt } from './merge.ts';
import { findDevice, makeDocument, restoreDocument, sourceCommit } from './render.ts';
import { countBoxes, decideRollout, planWaves, progressOf, type RolloutCounts } from './rollout-decision.ts';
import {
  findRolloutState,
  isOpen,
  readRolloutState,
  type RolloutState,
  rolloutStates,
  writeRolloutState,
} from './rollout-store.ts';
import { noVault, type OpenVault, sealSecrets } from './seal.ts';

export type Reports = ReadonlyMap<string, ReportedState>;

export interface RolloutReport {
  readonly id: string;
  readonly phase: RolloutState['phase'];
  readonly wave: number;
  readonly waves: number;
  readonly counts: RolloutCounts;
  readonly words: string;
  /** Boxes whose document is new by this command. */
  readonly changed: readonly string[];
}

/** Rollouts of one folder: each command reads the state, does its part and writes it. */
export class Rollouts {
  readonly #desk: Desk;
  readonly #directory: string;
  readonly #generations: GenerationStore;
  readonly #now: Date;
  readonly #openVault: OpenVault;

  /** @param openVault for secrets that have to be sealed */
  constructor(desk: Desk, now: Date, openVault: OpenVault = noVault) {
    this.#desk = desk;
    this.#directory = desk.folder.directory;
    this.#generations = new GenerationStore(this.#directory);
    this.#now = now;
    this.#openVault = openVault;
  }

  /**
   * Notes which boxes get which content, in which wave. Nothing is given yet: that is for `step`.
   * @throws GantryError FLEET_ROLLOUT_STARTED, FLEET_ROLLOUT_EMPTY, FLEET_ROLLOUT_OVERLAP, FLEET_INVALID
   */
  async start(id: string, reports: Reports): Promise<RolloutReport> {
    const rollout = this.#rollout(id);
    this.#mustBeValid();
    if ((await findRolloutState(this.#directory, id)) !== null) throw alreadyStarted(id);
    const contents = await this.#contents(rollout);
    if (contents.size === 0) throw nothingToDo(id);
    await this.#mustBeFree([...contents.keys()]);
    const offlineMs = rollout.offlineMinutes * 60_000;
    const devices = [...contents.keys()].map((device) => {
      const at = reports.get(device)?.at;
      const online = at !== undefined && this.#now.getTime() - Date.parse(at) <= offlineMs;
      return { id: device, online, order: sha256Hex(`${id}/${device}`) };
    });
    const waves = planWaves(devices, rollout.waves);
    const boxes = [...waves].map(([device, wave]) => {
      return [device, { wave, content: contents.get(device) ?? '', given: null, excused: false }] as const;
    });
    const state: RolloutState = {
      id,
      phase: 'running',
      reason: null,
      startedAt: this.#now.toISOString(),
      commit: await sourceCommit(this.#directory),
      wave: 0,
      waves: Math.max(...waves.values()) + 1,
      wellSince: null,
      boxes: Object.fromEntries(boxes),
    };
    await writeRolloutState(this.#directory, state);
    return this.#report(rollout, state, reports, `started: ${boxes.length} boxes in ${state.waves} waves`);
  }

  /**
   * Does what is due now, and may be called as often as one likes.
   * @throws GantryError FLEET_ROLLOUT_NOT_STARTED, FLEET_ROLLOUT_CHANGED, FLEET_INVALID
   */
  async step(id: string, reports: Reports): Promise<RolloutReport> {
    const rollout = this.#rollout(id);
    const state = await readRolloutState(this.#directory, id);
    const windows = new Map<string, WeeklyWindows>();
    const decision = decideRollout({
      rollout,
      state,
      reportOf: (device) => reports.get(device),
      mayGive: (device) => this.#mayGive(rollout, device, windows),
      now: this.#now.getTime(),
    });
    if (decision.give.length > 0) this.#mustBeValid();
    const boxes = { ...state.boxes };
    const commit = decision.give.length === 0 ? '' : await sourceCommit(this.#directory);
    this.#mustBeUnchanged(id, decision.give, state);
    await inBatches(decision.give, async (device) => {
      const box = state.boxes[device];
      if (box === undefined) return;
      const generation = await this.#give(device, { id, wave: box.wave }, rollout, commit);
      const verdictBefore = reports.get(device)?.verdict.state ?? null;
      boxes[device] = { ...box, given: { generation, at: this.#now.toISOString(), verdictBefore } };
    });
    const { phase, reason, wave, wellSince, give, words } = decision;
    const after: RolloutState = { ...state, phase, reason, wave, wellSince, boxes };
    await writeRolloutState(this.#directory, after);
    return this.#report(rollout, after, reports, words, give);
  }

  /** @throws GantryError FLEET_ROLLOUT_NOT_STARTED, FLEET_ROLLOUT_OVER */
  async pause(id: string, reports: Reports): Promise<RolloutReport> {
    const state = await this.#openState(id);
    const after: RolloutState = { ...state, phase: 'paused', reason: 'paused by a person' };
    await writeRolloutState(this.#directory, after);
    return this.#report(this.#rollout(id), after, reports, 'paused: nothing more is given');
  }

  /** Goes on; failures so far are taken as looked at. @throws GantryError FLEET_ROLLOUT_NOT_STARTED, FLEET_ROLLOUT_OVER */
  async resume(id: string, reports: Reports): Promise<RolloutReport> {
    const state = await this.#openState(id);
    const rollout = this.#rollout(id);
    const boxes = Object.fromEntries(
      Object.entries(state.boxes).map(([device, box]) => {
        const failed = this.#progress(rollout, device, box, reports) === 'failed';
        return [device, failed && state.phase === 'stopped' ? { ...box, excused: true } : box];
      }),
    );
    const after: RolloutState = { ...state, phase: 'running', reason: null, wellSince: null, boxes };
    await writeRolloutState(this.#directory, after);
    return this.#report(rollout, after, reports, 'running again');
  }

  /**
   * Ends it. Boxes that were given the new document and have not applied it get a higher generation with their old
   * content, so that none takes it up when it comes back; those that have applied it only where `everywhere` says so.
   * Boxes that were not given it are left as they are. The content is not rendered again until the layers change.
   * @throws GantryError FLEET_ROLLOUT_NOT_STARTED, FLEET_ROLLOUT_OVER
   */
  async abort(id: string, reports: Reports, everywhere: boolean): Promise<RolloutReport> {
    const rollout = this.#rollout(id);
    const state = everywhere ? await readRolloutState(this.#directory, id) : await this.#openState(id);
    const takenBack = await inBatches(Object.entries(state.boxes), async ([device, box]) => {
      const progress = this.#progress(rollout, device, box, reports);
      if (progress === 'applied' && !everywhere) return [];
      const before = await this.#generations.read(device);
      const [latest, earlier] = before.documents;
      const isIts = latest?.rollout?.id === id;
      if (isIts && earlier !== undefined) {
        const document = restoreDocument(latest, earlier, this.#now);
        await this.#generations.write(withDocument(before, document, box.content));
        return [device];
      }
      if (!isIts && box.given === null) await this.#generations.write({ ...before, withdrawn: box.content });
      return [];
    });
    const changed = takenBack.flat();
    const after: RolloutState = { ...state, phase: 'aborted', reason: 'aborted by a person' };
    await writeRolloutState(this.#directory, after);
    const words = `aborted: ${changed.length} boxes get their old content back`;
    return this.#report(rollout, after, reports, words, changed);
  }

  /** @throws GantryError FLEET_ROLLOUT_DAMAGED */
  async status(reports: Reports): Promise<readonly RolloutReport[]> {
    const states = await rolloutStates(this.#directory);
    return states.map((state) => {
      const rollout = this.#rollout(state.id);
      const view = { rollout, state, now: this.#now.getTime() };
      const decision = decideRollout({ ...view, reportOf: (id) => reports.get(id), mayGive: () => true });
      return this.#report(rollout, state, reports, decision.words);
    });
  }

  /**
   * A new generation with the content of an earlier one. The content it replaces is not rendered again until the
   * layers change.
   * @param to the generation to go back to; absent: the one before
   * @throws GantryError FLEET_DEVICE_UNKNOWN, FLEET_GENERATION_UNKNOWN
   */
  async rollback(device: string, to?: number): Promise<{ generation: number; restores: number }> {
    findDevice(this.#desk, device);
    const before = await this.#generations.read(device);
    const [latest, previous] = before.documents;
    const wanted =
      to === undefined ? previous : before.documents.slice(1).find(({ generation }) => generation === to);
    if (latest === undefined || wanted === undefined)
      throw noSuchGeneration(device, before.documents.slice(1));
    const document = restoreDocument(latest, wanted, this.#now);
    await this.#generations.write(withDocument(before, document, documentHash(latest)));
    return { generation: document.generation, restores: wanted.generation };
  }

  #rollout(id: string): Rollout {
    const found = this.#desk.folder.rollouts.get(id);
    if (found !== undefined) return found.value;
    throw refusal(
      'FLEET_ROLLOUT_UNKNOWN',
      `There is no rollout "${id}" in the folder.`,
      'Write it in a file under rollouts/, or give the id of one that is there.',
    );
  }

  async #openState(id: string): Promise<RolloutState> {
    const state = await readRolloutState(this.#directory, id);
    if (isOpen(state)) return state;
    throw refusal(
      'FLEET_ROLLOUT_OVER',
      `The rollout "${id}" is over (${state.phase}).`,
      'Use "gantry fleet rollout abort --everywhere" to take it back, or write a new one.',
    );
  }

  #mustBeValid(): void {
    const problems = this.#desk.lint();
    if (problems.length === 0) return;
    throw refusal(
      'FLEET_INVALID',
      `The folder has ${problems.length} problems; nothing was given to any box.`,
      `See them with "gantry fleet lint ${this.#directory}".`,
    );
  }

  /** The content of each box that is meant and does not have it yet. */
  async #contents(rollout: Rollout): Promise<ReadonlyMap<string, string>> {
    const contents = new Map<string, string>();
    for (const sourced of this.#desk.devices()) {
      const { id, labels } = sourced.value;
      if (!isMeant(rollout.target, labels)) continue;
      const content = this.#contentOf(id);
      const [latest] = (await this.#generations.read(id)).documents;
      if (latest === undefined || documentHash(latest) !== content) contents.set(id, content);
    }
    return contents;
  }

  #contentOf(device: string): string {
    const sourced = findDevice(this.#desk, device);
    return contentHash(this.#desk.content(this.#desk.effective(sourced)));
  }

  async #mustBeFree(devices: readonly string[]): Promise<void> {
    const open = (await rolloutStates(this.#directory)).filter(isOpen);
    const other = open.find(({ boxes }) => devices.some((device) => Object.hasOwn(boxes, device)));
    if (other === undefined) return;
    throw refusal(
      'FLEET_ROLLOUT_OVERLAP',
      `The rollout "${other.id}" is not over, and has boxes that are meant here too.`,
      'Let it finish, abort it, or choose other boxes.',
    );
  }

  /** What is given is what was looked at when the rollout was started. */
  #mustBeUnchanged(id: string, devices: readonly string[], { boxes }: RolloutState): void {
    const changed = devices.filter((device) => this.#contentOf(device) !== boxes[device]?.content);
    if (changed.length === 0) return;
    throw refusal(
      'FLEET_ROLLOUT_CHANGED',
      `The folder says something else for ${changed.length} boxes, such as "${changed[0]}", than when the rollout "${id}" was started.`,
      'Bring the layers back as they were, or abort this rollout and start a new one.',
    );
  }

  #mayGive(rollout: Rollout, device: string, cache: Map<string, WeeklyWindows>): boolean {
    const sourced = this.#desk.folder.devices.get(device);
    if (sourced === undefined || sourced.value.retired) return false;
    if (rollout.windows.length === 0) return true;
    const zone = valueAt(this.#desk.effective(sourced).config, ['site', 'timeZone']);
    const timeZone = typeof zone === 'string' ? zone : 'UTC';
    const windows = cache.get(timeZone) ?? new WeeklyWindows(rollout.windows, timeZone);
    cache.set(timeZone, windows);
    return windows.openAt(this.#now.getTime()) !== null;
  }

  /** @returns the generation; that of an interrupted step before, where there is one */
  async #give(
    device: string,
    by: { id: string; wave: number },
    { apply }: Rollout,
    commit: string,
  ): Promise<number> {
    const before = await this.#generations.read(device);
    const [latest] = before.documents;
    if (latest?.rollout?.id === by.id) return latest.generation;
    const effective = this.#desk.effective(findDevice(this.#desk, device));
    const issue = { commit, now: this.#now, rollout: by, when: apply };
    const sealed = await sealSecrets(this.#desk, effective, before, this.#openVault);
    const document = makeDocument(this.#desk, { effective, sealed }, before, issue);
    await this.#generations.write(withDocument(before, document, null));
    return document.generation;
  }

  #progress(rollout: Rollout, device: string, box: RolloutState['boxes'][string], reports: Reports) {
    const { offlineMinutes } = rollout;
    return progressOf(box, reports.get(device), { now: this.#now.getTime(), offlineMinutes });
  }

  #report(
    rollout: Rollout,
    state: RolloutState,
    reports: Reports,
    words: string,
    changed: readonly string[] = [],
  ): RolloutReport {
    const now = this.#now.getTime();
    const counts = countBoxes({ rollout, state, reportOf: (device) => reports.get(device), now });
    const { id, phase, wave, waves } = state;
    return { id, phase, wave: wave + 1, waves, counts, words, changed };
  }
}

function refusal(code: string, message: string, nextStep: string): GantryError {
  return new GantryError({ code, kind: 'permanent', message, nextStep });
}

function alreadyStarted(id: string): GantryError {
  const next = 'Use "step" to go on with it, or give a new rollout another id.';
  return refusal('FLEET_ROLLOUT_STARTED', `The rollout "${id}" was started before.`, next);
}

function nothingToDo(id: string): GantryError {
  const next = 'Change the layers first, or choose other boxes in "target".';
  return refusal('FLEET_ROLLOUT_EMPTY', `No box that "${id}" is meant for would change.`, next);
}

function noSuchGeneration(device: string, documents: readonly { generation: number }[]): GantryError {
  const known = documents.map(({ generation }) => generation).join(', ') || 'none';
  const message = `"${device}" has no such earlier generation that is kept.`;
  return refusal('FLEET_GENERATION_UNKNOWN', message, `Generations to go back to: ${known}.`);
}
