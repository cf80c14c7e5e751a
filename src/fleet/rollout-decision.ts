import type { ReportedState } from '../config/remote/documents.ts';
import type { Rollout } from './documents.ts';
import type { RolloutBox, RolloutPhase, RolloutState } from './rollout-store.ts';

/**
 * - `waiting`: not given it yet; `given`: online, and still at it; `offline`: given it, and silent for long;
 * - `applied`, and no worse than before; `failed`: refused it, went back, or is down since.
 */
export type BoxProgress = 'waiting' | 'given' | 'offline' | 'applied' | 'failed';

export type RolloutCounts = Readonly<Record<BoxProgress | 'excused', number>>;

/** What a step of a rollout looks at. */
export interface RolloutView {
  readonly rollout: Pick<Rollout, 'soakMinutes' | 'successPercent' | 'errorPercent' | 'offlineMinutes'>;
  readonly state: Pick<RolloutState, 'phase' | 'reason' | 'wave' | 'waves' | 'wellSince' | 'boxes'>;
  readonly reportOf: (device: string) => ReportedState | undefined;
  /** Whether a box may be given something at this time. */
  readonly mayGive: (device: string) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface RolloutDecision {
  readonly phase: RolloutPhase;
  readonly reason: string | null;
  readonly wave: number;
  readonly wellSince: string | null;
  /** Boxes that get their new document with this step. */
  readonly give: readonly string[];
  /** As they were before this step. */
  readonly counts: RolloutCounts;
  /** Where it stands and what it waits for, in plain words. */
  readonly words: string;
}

const minuteMs = 60_000;

/** How far a box is, by what it reported last. A failure that it reported before it fell silent stays one. */
export function progressOf(
  { given }: Pick<RolloutBox, 'given'>,
  report: ReportedState | undefined,
  { now, offlineMinutes }: { now: number; offlineMinutes: number },
): BoxProgress {
  if (given === null) return 'waiting';
  if (report === undefined) return 'offline';
  const { observedGeneration, appliedGeneration, phase } = report.config;
  const under = observedGeneration === given.generation ? phase : null;
  if (under === 'Rejected' || under === 'RolledBack') return 'failed';
  if (appliedGeneration >= given.generation && under !== 'Applying' && under !== 'Confirming') {
    return report.verdict.state === 'down' && given.verdictBefore !== 'down' ? 'failed' : 'applied';
  }
  return now - Date.parse(report.at) > offlineMinutes * minuteMs ? 'offline' : 'given';
}

/** Decides one step of a rollout. Given the same view it decides the same; asked again after it, nothing more. */
export function decideRollout(view: RolloutView): RolloutDecision {
  const { rollout, state } = view;
  const counts = countBoxes(view);
  const { phase, reason, wave, wellSince } = state;
  const stay = { phase, reason, wave, wellSince, give: [], counts };
  if (phase !== 'running') return { ...stay, words: reason ?? phase };
  const reached = counts.applied + counts.failed + counts.given;
  const failedShare = reached === 0 ? 0 : (100 * counts.failed) / reached;
  if (failedShare > rollout.errorPercent) {
    const words = `${counts.failed} of ${reached} boxes reached refused it, went back or are down since: more than ${rollout.errorPercent} %`;
    return { ...stay, phase: 'stopped', reason: words, words };
  }
  const open = Object.entries(state.boxes).filter(([, box]) => box.wave <= wave && box.given === null);
  if (open.length > 0) {
    const give = open.map(([device]) => device).filter((device) => view.mayGive(device));
    const later = open.length - give.length;
    const windows = later === 0 ? '' : `; ${later} wait for the maintenance window of their site`;
    return { ...stay, wellSince: null, give, words: `wave ${wave + 1}: given to ${give.length}${windows}` };
  }
  if (counts.applied === 0 || (100 * counts.applied) / reached < rollout.successPercent) {
    const words =
      reached === 0
        ? `wave ${wave + 1}: no box that was given it is online`
        : `wave ${wave + 1}: ${counts.applied} of ${reached} boxes reached have applied it; ${rollout.successPercent} % are needed`;
    return { ...stay, wellSince: null, words };
  }
  return soak(view, stay);
}

/** All that was reached is well: waits until it has been so for long enough, then opens the next wave or ends. */
function soak(view: RolloutView, stay: Omit<RolloutDecision, 'words'>): RolloutDecision {
  const { rollout, state, now } = view;
  const since = state.wellSince ?? new Date(now).toISOString();
  const left = Date.parse(since) + rollout.soakMinutes * minuteMs - now;
  if (left > 0) {
    const words = `wave ${state.wave + 1} is well; ${Math.ceil(left / minuteMs)} min to go`;
    return { ...stay, wellSince: since, words };
  }
  if (state.wave + 1 >= state.waves) {
    const { offline } = stay.counts;
    const rest = offline === 0 ? '' : `; ${offline} that are offline take it when they come back`;
    return { ...stay, phase: 'finished', wellSince: since, words: `finished${rest}` };
  }
  const wave = state.wave + 1;
  const next = decideRollout({ ...view, state: { ...state, wave, wellSince: null } });
  return { ...next, counts: stay.counts };
}

export function countBoxes({ rollout, state, reportOf, now }: Omit<RolloutView, 'mayGive'>): RolloutCounts {
  const counts = { waiting: 0, given: 0, offline: 0, applied: 0, failed: 0, excused: 0 };
  for (const [device, box] of Object.entries(state.boxes)) {
    const progress = progressOf(box, reportOf(device), { now, offlineMinutes: rollout.offlineMinutes });
    counts[progress === 'failed' && box.excused ? 'excused' : progress] += 1;
  }
  return counts;
}

/**
 * Puts boxes into waves: those that are online first, otherwise in an order that is the same each time but has
 * nothing to do with their names.
 * @param sizes boxes in all after each wave: a number, or a share such as `5 %`
 * @returns the wave of each box from 0 on, without gaps: a wave that adds no box is none
 */
export function planWaves(
  devices: readonly { readonly id: string; readonly online: boolean; readonly order: string }[],
  sizes: readonly (number | string)[],
): ReadonlyMap<string, number> {
  const sorted = devices.toSorted(
    (a, b) => Number(b.online) - Number(a.online) || (a.order < b.order ? -1 : 1),
  );
  const waves = new Map<string, number>();
  let wave = 0;
  for (const size of sizes) {
    const share =
      typeof size === 'number' ? size : Math.ceil((Number.parseFloat(size) / 100) * sorted.length);
    const added = sorted.slice(waves.size, share);
    for (const { id } of added) waves.set(id, wave);
    if (added.length > 0) wave += 1;
  }
  return waves;
}
