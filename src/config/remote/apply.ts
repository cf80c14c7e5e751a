import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { GantryError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Config } from '../schema.ts';
import type { SealedByName } from '../secrets.ts';
import type { ConfigStore, TrialDocument } from '../store.ts';
import { applyFailures, failureOf } from './apply-failures.ts';
import type { ChannelKind, ReportPhase } from './documents.ts';
import type { AttemptRecord, RemoteState } from './state.ts';

/** What was found wrong, by what was looked at; null where it is well. Codes only. */
export type Looks = Readonly<Record<string, string | null>>;

/** The running gateway, as far as another configuration touches it. */
export interface ApplyPorts {
  /** Names of the parts that would be changed. */
  plan(config: Config): readonly string[];
  /**
   * Tries what can be tried without touching anything.
   * @param before what is wrong under the settings in use: the new ones need not be better
   * @param sealed secrets that come with the new ones
   * @throws GantryError naming what would not work
   */
  dryRun(config: Config, before: Looks, sealed: SealedByName): Promise<void>;
  /** How everything is that a configuration can break; bounded in time. */
  look(): Promise<Looks>;
  /** Brings all parts under the configuration. @throws what the first part that fails throws */
  follow(config: Config): Promise<void>;
  /** Brings back what can be brought back. @returns what failed */
  followAll(config: Config): Promise<unknown[]>;
}

/** A whole configuration that somebody wants to be in use. */
export interface Candidate extends Omit<TrialDocument, 'id'> {
  /** Names the bytes it was made of. */
  readonly sha256: string;
  /** Of central IT; null for a local one. */
  readonly generation: number | null;
  /** How it came from central IT; null for a local one. */
  readonly via: ChannelKind | null;
  readonly confirmMs: number;
  /**
   * What has to be seen beside that nothing is worse: a person says so, or the way it came by is open again.
   * Null: nothing more.
   */
  readonly confirmedBy: 'operator' | ChannelKind | null;
}

export interface ApplyState {
  readonly phase: 'idle' | 'validating' | 'applying' | 'confirming' | 'reverting';
  readonly generation: number | null;
  readonly source: 'file' | 'central' | null;
  /** Milliseconds since the epoch; null where nothing has to be confirmed. */
  readonly confirmUntil: number | null;
  /** What is worse than before, by its code. */
  readonly worse: Looks;
}

export interface ApplierParts {
  readonly store: ConfigStore;
  readonly state: RemoteState;
  readonly ports: ApplyPorts;
  readonly clock: Clock;
  readonly log: Log;
  /** Between two looks while something is still worse. */
  readonly lookMs?: number;
}

interface Trial {
  readonly candidate: Candidate;
  readonly before: Looks;
  readonly deadlineAt: number;
  worse: Looks;
  /** Ends the trial: true keeps it. */
  readonly decided: PromiseWithResolvers<boolean>;
  readonly channels: Set<ChannelKind>;
  /** Ends the pause before the next look. */
  pause: AbortController;
}

/** What a line of the history is about. */
type Attempted = Pick<AttemptRecord, 'source' | 'generation' | 'sha256'> & {
  readonly via?: ChannelKind | null;
};

const idle: ApplyState = { phase: 'idle', generation: null, source: null, confirmUntil: null, worse: {} };

/**
 * Applies configurations so that a wrong one heals itself: what is tried is in use, and stored nowhere but as "being
 * tried" until it is confirmed. A process that ends before that starts under the old one, by construction.
 */
export class Applier {
  readonly #parts: ApplierParts;
  readonly #listeners = new Set<() => void>();
  #state: ApplyState = idle;
  #trial: Trial | null = null;
  #running: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
  }

  get state(): ApplyState {
    return this.#trial === null ? this.#state : { ...this.#state, worse: this.#trial.worse };
  }

  /** Calls back when something has changed. @returns ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To be called once at start: notes what became of a trial that the end of the process cut off. */
  async recover(): Promise<void> {
    const { store, state, log } = this.#parts;
    const { pending } = state.value;
    if (pending === null) return;
    const kept = store.keptTrial() === pending.sha256;
    if (!kept) log.warn({ code: applyFailures.interrupted.code }, applyFailures.interrupted.message);
    await this.#note(pending, kept ? null : failureOf(applyFailures.interrupted));
  }

  /**
   * Validates, plans, tries and puts in use. Resolves once it is in use and waits for its confirmation.
   * @throws GantryError APPLY_UNDER_WAY, and whatever says why it is not in use; the one before is, then
   */
  async begin(candidate: Candidate): Promise<ApplyState> {
    if (this.#state.phase !== 'idle') throw new GantryError(applyFailures.underWay);
    const { generation, source } = candidate;
    const facts = { generation, source, worse: {} };
    this.#become({ ...facts, phase: 'validating', confirmUntil: null });
    try {
      const before = await this.#prepare(candidate);
      const confirmUntil = this.#parts.clock.now() + candidate.confirmMs;
      await this.#markPending(candidate, confirmUntil);
      this.#become({ ...facts, phase: 'applying', confirmUntil });
      await this.#use(candidate, before, confirmUntil);
    } catch (error) {
      if (this.#trial === null) this.#become(idle);
      throw error;
    }
    return this.state;
  }

  /** Resolves once nothing is being tried any more. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** @throws GantryError APPLY_NOTHING */
  async confirm(): Promise<void> {
    this.#require().decided.resolve(true);
    await this.#running;
  }

  /** @throws GantryError APPLY_NOTHING */
  async rollback(): Promise<void> {
    this.#require().decided.resolve(false);
    await this.#running;
  }

  /** Notes that something was not even tried. */
  async refuse(facts: Attempted, error: unknown): Promise<void> {
    await this.#note(facts, failureOf(error), 'Rejected');
  }

  /** A way to central IT works under the configuration that is being tried. */
  channelBack(via: ChannelKind): void {
    const trial = this.#trial;
    if (trial === null || trial.channels.has(via)) return;
    trial.channels.add(via);
    trial.pause.abort();
  }

  /** Lets what was refused or went back be tried again. */
  async forgive(): Promise<void> {
    await this.#parts.state.change(({ history }) => ({
      refusedSha256: [],
      history: history.map((one) => (one.error === null ? one : { ...one, sha256: forgiven })),
    }));
  }

  /** The process ends: what is being tried is not in use at the next start. */
  stop(): void {
    this.#stopped = true;
    this.#trial?.decided.resolve(false);
  }

  async #prepare(candidate: Candidate): Promise<Looks> {
    const { ports, log } = this.#parts;
    try {
      const before = await ports.look();
      const parts = ports.plan(candidate.config);
      log.info(
        { event: 'config-plan', generation: candidate.generation, parts },
        'what another configuration changes',
      );
      await ports.dryRun(candidate.config, before, candidate.sealed);
      return before;
    } catch (error) {
      await this.#note(this.#record(candidate), failureOf(error), 'Rejected');
      throw error;
    }
  }

  async #markPending(candidate: Candidate, deadlineAt: number): Promise<void> {
    const pending = { ...this.#record(candidate), deadlineAt };
    await this.#parts.state.change(() => ({ pending }));
  }

  async #use(candidate: Candidate, before: Looks, deadlineAt: number): Promise<void> {
    const { store, ports } = this.#parts;
    const decided = Promise.withResolvers<boolean>();
    const trial: Trial = {
      candidate,
      before,
      deadlineAt,
      worse: {},
      decided,
      channels: new Set(),
      pause: new AbortController(),
    };
    this.#trial = trial;
    store.tryOut({ ...candidate, id: candidate.sha256 });
    try {
      await ports.follow(candidate.config);
    } catch (error) {
      this.#running = this.#revert(trial, failureOf(error));
      await this.#running;
      throw error;
    }
    // Only what is reached from now on proves anything.
    trial.channels.clear();
    this.#become({ ...this.#state, phase: 'confirming' });
    this.#running = this.#confirmOrRevert(trial).catch((error: unknown) =>
      this.#parts.log.error(
        { code: 'APPLY_INTERNAL', error },
        'a configuration being tried could not be settled',
      ),
    );
  }

  async #confirmOrRevert(trial: Trial): Promise<void> {
    const { clock } = this.#parts;
    const over = new AbortController();
    const late = delay(Math.max(0, trial.deadlineAt - clock.now()), 'late' as const, { signal: over.signal });
    late.catch(() => undefined);
    const seen = this.#watch(trial, over.signal);
    const outcome = await Promise.race([trial.decided.promise, seen, late]);
    over.abort();
    if (this.#stopped) return;
    if (outcome === true) return this.#keep(trial);
    await this.#revert(trial, outcome === false ? applyFailures.rolledBack : notConfirmed(trial));
  }

  /** Resolves once nothing is worse and the way it came by is open; never where a person has to say so. */
  async #watch(trial: Trial, signal: AbortSignal): Promise<boolean> {
    const { ports, lookMs = 1_000 } = this.#parts;
    const { confirmedBy } = trial.candidate;
    for (;;) {
      const now = await ports.look();
      trial.worse = worseThan(trial.before, now);
      const back = confirmedBy === null || (confirmedBy !== 'operator' && trial.channels.has(confirmedBy));
      if (back && Object.keys(trial.worse).length === 0) return true;
      if (signal.aborted) return false;
      trial.pause = new AbortController();
      const ends = AbortSignal.any([signal, trial.pause.signal]);
      await delay(lookMs, undefined, { signal: ends }).catch(() => undefined);
    }
  }

  async #keep(trial: Trial): Promise<void> {
    const { store, log } = this.#parts;
    try {
      await store.keepTrial();
    } catch (error) {
      log.error({ code: 'APPLY_NOT_KEPT', error }, 'a confirmed configuration could not be stored');
      return this.#revert(trial, failureOf(error));
    }
    this.#trial = null;
    await this.#note(this.#record(trial.candidate), null);
    log.info({ event: 'config-applied', generation: trial.candidate.generation }, 'configuration confirmed');
    this.#become(idle);
  }

  async #revert(trial: Trial, error: AttemptRecord['error']): Promise<void> {
    const { store, ports, log } = this.#parts;
    this.#become({ ...this.#state, phase: 'reverting' });
    log.warn({ code: error?.code, worse: trial.worse }, 'back to the configuration before');
    store.dropTrial();
    while (!this.#stopped) {
      const failures = await ports.followAll(store.current().config);
      if (failures.length === 0) break;
      log.error({ code: 'APPLY_REVERT', errors: failures }, 'a part does not go back yet; trying again');
      await delay(revertAgainMs, undefined, { ref: false });
    }
    this.#trial = null;
    await this.#note(this.#record(trial.candidate), error, 'RolledBack');
    this.#become(idle);
  }

  /** What became of it, durably. @param phase where there is an error */
  async #note(
    { source, generation, sha256, via = null }: Attempted,
    error: AttemptRecord['error'],
    phase: ReportPhase = 'RolledBack',
  ): Promise<void> {
    const { state, clock, log } = this.#parts;
    const at = clock.now();
    const record = {
      at,
      source,
      generation,
      sha256,
      error,
      phase: error === null ? 'Applied' : phase,
    } as const;
    const applied = error === null && generation !== null ? { generation, sha256, at, via } : null;
    await state
      .change((value) => ({
        pending: null,
        history: [...value.history, record],
        ...(error === null ? {} : { refusedSha256: [...value.refusedSha256, sha256] }),
        ...(applied === null ? {} : { applied }),
      }))
      // At the next start it is found out again what became of it.
      .catch((cause: unknown) =>
        log.error({ code: 'APPLY_NOT_NOTED', error: cause }, 'the outcome was not noted'),
      );
  }

  #record({ source, generation, sha256, via }: Candidate) {
    return { source, generation, sha256, via, since: this.#parts.clock.now() };
  }

  #require(): Trial {
    if (this.#trial === null || this.#state.phase !== 'confirming')
      throw new GantryError(applyFailures.nothing);
    return this.#trial;
  }

  #become(state: ApplyState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

const revertAgainMs = 2_000;
/** In the place of a hash that may come again. */
const forgiven = '0'.repeat(64);

/** Names what has to be told apart: the same settings in other words are other bytes. */
export function documentSha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What is not well now and was, or was not there before. */
function worseThan(before: Looks, now: Looks): Looks {
  return Object.fromEntries(
    Object.entries(now).filter(([what, code]) => code !== null && (before[what] ?? null) === null),
  );
}

function notConfirmed({ worse, candidate }: Trial): AttemptRecord['error'] {
  const [first] = Object.entries(worse);
  if (first !== undefined) {
    const [what, code] = first;
    return {
      code: code ?? applyFailures.late.code,
      path: null,
      message: `Worse than before: ${what} (${code}).`,
      nextStep: 'Correct the settings that this depends on, and give a new configuration.',
    };
  }
  return failureOf(candidate.confirmedBy === 'operator' ? applyFailures.unconfirmed : applyFailures.late);
}
