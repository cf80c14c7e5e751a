import { type FailureText } from './base/errors.ts';
import { WeeklyWindows } from './base/weekly-windows.ts';
import type { ApplyState } from './config/remote/apply.ts';
import type { ChannelState } from './config/remote/channels/port.ts';
import { judgeFreshness } from './config/remote/freshness.ts';
import { fleetRefusals, type FleetRefusalCode } from './config/remote/refusals.ts';
import type { RemoteMemory } from './config/remote/state.ts';
import type { Config } from './config/schema.ts';
import type { Store } from './gateway-store.ts';
import type { CentralReport, ChannelReport, RejectionReport } from './health/status.ts';

/** When changes that are to wait for it are made, by the clock of the site. */
export function applyWindows({ remote, site }: Config): WeeklyWindows {
  return new WeeklyWindows(remote.applyWindows, site.timeZone);
}

interface CentralFacts {
  readonly store: Store;
  readonly clockTrusted: boolean;
  /** Null before everything has started. */
  readonly apply: ApplyState | null;
  readonly channels: readonly ChannelState[];
}

/** What the status says of the configuration between this box and central IT. */
export function centralReport({ store, clockTrusted, apply, channels }: CentralFacts): CentralReport {
  const { current, remote, clock } = store;
  const memory = remote.value;
  const { enrolment, applied } = memory;
  const now = clock.now();
  return {
    fleet: enrolment?.fleet ?? null,
    generation: applied?.generation ?? null,
    via: applied?.via ?? null,
    phase: apply?.phase ?? 'idle',
    confirmUntil: isoOrNull(apply?.confirmUntil ?? null),
    overrides: current.changes.map((path) => path.join('.')),
    waiting: waitingOf(memory, current.config, now),
    failed: failedOf(memory),
    disbelieved: enrolment && disbelievedOf(memory),
    freshness:
      enrolment &&
      judgeFreshness(memory.timestamp, {
        trust: enrolment.trust.document,
        lastGeneration: memory.seen?.generation ?? 0,
        now: clockTrusted ? now : null,
      }),
    channels: channels.map(channelReport),
  };
}

function waitingOf({ waiting }: RemoteMemory, config: Config, now: number): CentralReport['waiting'] {
  if (waiting === null) return null;
  const { generation, when } = waiting;
  const windows = applyWindows(config);
  const closed = when === 'window' && windows.openAt(now) === null;
  return { generation, when, opensAt: closed ? isoOrNull(windows.nextChange(now)) : null };
}

function failedOf({ history }: RemoteMemory): CentralReport['failed'] {
  const last = history.at(-1);
  if (last === undefined || last.error === null) return null;
  const { at, source, generation, error } = last;
  const phase = last.phase === 'Rejected' ? 'refused' : 'gone back';
  return { at: new Date(at).toISOString(), phase, source, generation, problem: problemOf(error) };
}

function disbelievedOf({ refusals }: RemoteMemory): CentralReport['disbelieved'] {
  const [last] = refusals.toSorted((a, b) => b.at - a.at);
  if (last === undefined) return null;
  const { code, at, count } = last;
  const known = Object.hasOwn(fleetRefusals, code) ? fleetRefusals[code as FleetRefusalCode] : null;
  const text = known ?? { message: 'The document was not taken.', nextStep: '' };
  return { at: new Date(at).toISOString(), count, problem: problemOf({ code, ...text }) };
}

function channelReport({ kind, contactAt, nextAt, failure }: ChannelState): ChannelReport {
  return {
    kind,
    contactAt: isoOrNull(contactAt),
    nextAt: isoOrNull(nextAt),
    problem: failure && problemOf(failure),
  };
}

function problemOf({
  code,
  message,
  nextStep,
}: Pick<FailureText, 'code' | 'message' | 'nextStep'>): RejectionReport {
  return { code, words: message, nextStep };
}

function isoOrNull(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
