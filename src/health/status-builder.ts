import type { StaleAddress } from './address-memory.ts';
import type { CompressionReport } from './compression.ts';
import type { Reason } from '../base/errors.ts';
import { safeTo } from './safe-to.ts';
import type {
  DestinationReport,
  MachineReport,
  ModalityReport,
  ProposalReport,
  RefusalReport,
  RejectionReport,
  StatusReport,
} from './status.ts';
import { clockFacts } from './network-report.ts';
import { type DestinationFacts, judge } from './verdict.ts';

/** What the gateway gathers from its rooms. Times are milliseconds since the epoch. */
export interface StatusInputs {
  readonly now: number;
  readonly startedAt: number;
  readonly version: string;
  readonly site: StatusReport['site'];
  readonly config: {
    readonly generation: number;
    readonly origin: 'file' | 'page' | 'central';
    readonly changedAt: number | null;
    readonly undone: readonly string[];
    readonly central?: StatusReport['config']['central'];
  };
  readonly box: StatusReport['box'];
  readonly drain: StatusReport['drain'];
  readonly events: StatusReport['events'];
  /** Why the configuration file given last was not taken; null where it was. */
  readonly configRejected: RejectionReport | null;
  readonly counts: CountsInput;
  readonly intake: {
    readonly open: boolean;
    readonly reason: Reason | null;
    readonly aeTitle: string;
    readonly port: number;
    /** Newest first; bounded by intake. */
    readonly refusals: readonly RefusalInput[];
  } & Omit<StatusReport['intake'], 'refusals'>;
  /** The configured modalities, by name. */
  readonly modalities: Readonly<Record<string, ModalityInput>>;
  /** By AE title: when unknown callers that were accepted were last heard; bounded by intake. */
  readonly unknownCallers: Readonly<Record<string, { readonly lastHeardAt: number }>>;
  /** The configured destinations, by name. */
  readonly destinations: Readonly<Record<string, DestinationInput>>;
  readonly disk: StatusReport['disk'];
  readonly compression: CompressionReport | null;
  readonly staleAddresses: readonly StaleAddress[];
  /** By destination: how far its archive's clock is ahead, null where it does not say. */
  readonly clockOffsetsMs: Readonly<Record<string, number | null>>;
  readonly machine: MachineReport | null;
  readonly web: StatusReport['web'];
  readonly update?: StatusReport['update'];
}

/** The spool's counts (`SpoolCounts`). */
export interface CountsInput {
  readonly queue: StatusReport['queue'];
  readonly totals: StatusReport['totals'];
  readonly destinations: Readonly<Record<string, DestinationCountsInput>>;
  /** By configured name. */
  readonly modalities: Readonly<Record<string, SenderCountsInput>>;
  /** By AE title: unknown callers that were accepted. */
  readonly unknownCallers: Readonly<Record<string, SenderCountsInput>>;
}

export interface SenderCountsInput {
  readonly received: number;
  readonly receivedToday: number;
  readonly lastReceivedAt: number;
}

export type DestinationCountsInput = Pick<
  DestinationReport,
  'queued' | 'delivered' | 'verified' | 'accepted' | 'held' | 'quarantined' | 'conflict' | 'queuedBytes'
>;

export interface RefusalInput extends Omit<RefusalReport, 'at'> {
  readonly at: number;
}

export interface ModalityInput {
  readonly aeTitle: string;
  readonly lastHeardAt: number | null;
  readonly lastRefusal: RefusalInput | null;
}

/** A destination as forwarding, proof and its client see it. */
export interface DestinationInput {
  readonly state: 'untried' | 'up' | 'waiting' | 'down' | 'paused';
  readonly reason: Reason | null;
  /** Whether it has been in order at least once since start. */
  readonly reached: boolean;
  readonly stateSince: number | null;
  readonly nextAttemptAt: number | null;
  readonly lastDeliveredAt: number | null;
  readonly lastVerifiedAt: number | null;
  /** Why reading back does not work at present, null where it does. */
  readonly cannotVerify: Reason | null;
  readonly cannotVerifySince: number | null;
  readonly bytesSent: number;
  readonly tlsDaysLeft: number | null;
  readonly space: DestinationReport['space'];
  readonly testStudyAllowed: boolean;
  readonly line: LineInput;
}

/** How fast it is sent to. Mbit/s; null: no limit, 0: nothing is sent. */
export interface LineInput {
  readonly goodputBytesPerSecond: number | null;
  readonly limit: {
    readonly mbitPerSecond: number | null;
    readonly because: 'operator' | 'window' | 'setting';
    readonly until: number | null;
  };
}

/** Callers invent AE titles where unknown ones are accepted: the page lists the latest ones only. */
const unknownCallersMax = 50;

const noCounts: DestinationCountsInput = {
  queued: 0,
  delivered: 0,
  verified: 0,
  accepted: 0,
  held: 0,
  quarantined: 0,
  conflict: 0,
  queuedBytes: 0,
};

/** Named in the counts but not in the configuration: its work stays until an operator decides. */
const removed: Omit<DestinationInput, 'state'> = {
  reason: { code: 'DESTINATION_REMOVED', words: 'no longer in the configuration' },
  reached: false,
  stateSince: null,
  nextAttemptAt: null,
  lastDeliveredAt: null,
  lastVerifiedAt: null,
  cannotVerify: null,
  cannotVerifySince: null,
  bytesSent: 0,
  tlsDaysLeft: null,
  space: null,
  testStudyAllowed: false,
  line: {
    goodputBytesPerSecond: null,
    limit: { mbitPerSecond: null, because: 'setting', until: null },
  },
};

/** Puts the report together and judges it. Pure. */
export function buildStatus(inputs: StatusInputs): StatusReport {
  const { counts, intake, disk } = inputs;
  const destinations = gatherDestinations(inputs);
  const modalities = Object.fromEntries(gatherModalities(inputs));
  const judgement = judge({
    now: inputs.now,
    timeZone: inputs.site.timeZone,
    intake,
    disk,
    configRejected: inputs.configRejected,
    queue: counts.queue,
    totals: counts.totals,
    destinations: Object.fromEntries(destinations),
    modalities,
  });
  return {
    ...judgement,
    safeTo: safeTo({
      associations: intake.associations,
      diskState: disk.state,
      queued: counts.queue.instances,
      totals: counts.totals,
      destinations: Object.fromEntries(destinations),
    }),
    site: inputs.site,
    time: iso(inputs.now),
    startedAt: iso(inputs.startedAt),
    queue: counts.queue,
    drain: inputs.drain,
    totals: counts.totals,
    intake: { ...intake, refusals: intake.refusals.map(refusalReport) },
    modalities: { ...modalities, ...Object.fromEntries(gatherUnknownCallers(inputs)) },
    destinations: Object.fromEntries(destinations.map(([name, facts]) => [name, destinationReport(facts)])),
    disk,
    compression: inputs.compression,
    staleAddresses: inputs.staleAddresses,
    clock: clockReport(inputs),
    machine: inputs.machine,
    box: inputs.box,
    events: inputs.events,
    config: {
      ...inputs.config,
      changedAt: isoOrNull(inputs.config.changedAt),
      rejected: inputs.configRejected,
    },
    web: inputs.web,
    update: inputs.update,
    version: inputs.version,
  };
}

function clockReport({ now, clockOffsetsMs }: StatusInputs): StatusReport['clock'] {
  const { offsetSeconds, trusted } = clockFacts(now, null, clockOffsetsMs);
  return { offsetSeconds, trusted };
}

type GatheredDestination = DestinationFacts & DestinationCountsInput & Omit<DestinationInput, 'state'>;

function gatherDestinations({ destinations, counts }: StatusInputs): [string, GatheredDestination][] {
  const configured = Object.entries(destinations).map(([name, input]): [string, GatheredDestination] => [
    name,
    { ...noCounts, ...own(counts.destinations, name), ...input },
  ]);
  const left = Object.entries(counts.destinations)
    .filter(([name, count]) => !Object.hasOwn(destinations, name) && hasWork(count))
    .map(([name, count]): [string, GatheredDestination] => [
      name,
      { ...count, ...removed, state: 'removed' },
    ]);
  return [...configured, ...left];
}

/** A removed destination that has everything it was to get is history. */
function hasWork({ queued, delivered, held, quarantined, conflict }: DestinationCountsInput): boolean {
  return queued + delivered + held + quarantined + conflict > 0;
}

function destinationReport(facts: GatheredDestination): DestinationReport {
  return {
    state: facts.state,
    reason: facts.reason ?? facts.cannotVerify,
    lastDeliveredAt: isoOrNull(facts.lastDeliveredAt),
    lastVerifiedAt: isoOrNull(facts.lastVerifiedAt),
    nextAttemptAt: isoOrNull(facts.nextAttemptAt),
    queued: facts.queued,
    delivered: facts.delivered,
    verified: facts.verified,
    accepted: facts.accepted,
    held: facts.held,
    quarantined: facts.quarantined,
    conflict: facts.conflict,
    queuedBytes: facts.queuedBytes,
    bytesSent: facts.bytesSent,
    tlsDaysLeft: facts.tlsDaysLeft,
    space: facts.space,
    testStudyAllowed: facts.testStudyAllowed,
    line: lineReport(facts.line),
  };
}

function lineReport({ goodputBytesPerSecond, limit }: LineInput): DestinationReport['line'] {
  const { mbitPerSecond, because, until } = limit;
  const measured = goodputBytesPerSecond === null ? null : megabits(goodputBytesPerSecond);
  return {
    measuredMbitPerSecond: measured,
    limitMbitPerSecond: mbitPerSecond,
    limitBecause: because,
    limitUntil: isoOrNull(until),
  };
}

/** With three digits that mean something. */
function megabits(bytesPerSecond: number): number {
  return Number(((bytesPerSecond * 8) / 1e6).toPrecision(3));
}

function gatherModalities({ modalities, counts }: StatusInputs): [string, ModalityReport][] {
  return Object.entries(modalities).map(([name, input]) => [
    name,
    senderReport(input, own(counts.modalities, name), true),
  ]);
}

/** The latest ones, of what the ledger counts and what intake has heard: some only try the connection. */
function gatherUnknownCallers({
  modalities,
  unknownCallers,
  counts,
}: StatusInputs): [string, ModalityReport][] {
  const aeTitles = [...new Set([...Object.keys(unknownCallers), ...Object.keys(counts.unknownCallers)])];
  const callers = aeTitles.map((aeTitle) => {
    const count = own(counts.unknownCallers, aeTitle);
    const heardAt = own(unknownCallers, aeTitle)?.lastHeardAt ?? null;
    const latest = Math.max(heardAt ?? 0, count?.lastReceivedAt ?? 0);
    return { aeTitle, count, heardAt, latest };
  });
  return callers
    .toSorted((a, b) => b.latest - a.latest)
    .slice(0, unknownCallersMax)
    .map(({ aeTitle, count, heardAt }) => [
      Object.hasOwn(modalities, aeTitle) ? `${aeTitle} (unknown caller)` : aeTitle,
      senderReport({ aeTitle, lastHeardAt: heardAt, lastRefusal: null }, count, false),
    ]);
}

function senderReport(
  input: ModalityInput,
  count: SenderCountsInput | undefined,
  configured: boolean,
): ModalityReport {
  const lastReceivedAt = count?.lastReceivedAt ?? null;
  const heard = Math.max(input.lastHeardAt ?? 0, lastReceivedAt ?? 0);
  return {
    configured,
    aeTitle: input.aeTitle,
    // Intake forgets at a restart, the ledger does not.
    lastHeardAt: heard > 0 ? iso(heard) : null,
    lastReceivedAt: isoOrNull(lastReceivedAt),
    received: count?.received ?? 0,
    receivedToday: count?.receivedToday ?? 0,
    lastRefusal: input.lastRefusal === null ? null : refusalReport(input.lastRefusal),
  };
}

/** Member by member: what intake may come to know beyond this does not get onto the open page by itself. */
function refusalReport(refusal: RefusalInput): RefusalReport {
  const { at, kind, address, callingAeTitle, calledAeTitle, modalityName } = refusal;
  const { proposed, code, reason, nextStep, count } = refusal;
  return {
    at: iso(at),
    kind,
    address,
    callingAeTitle,
    calledAeTitle,
    modalityName,
    proposed: proposed === null ? null : proposalReport(proposed),
    code,
    reason,
    nextStep,
    count,
  };
}

function proposalReport({ contexts, sopClasses, transferSyntaxes }: ProposalReport): ProposalReport {
  return { contexts, sopClasses, transferSyntaxes };
}

/** A name is a key somebody chose: `constructor` must not find what objects inherit. */
function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

function isoOrNull(time: number | null): string | null {
  return time === null ? null : iso(time);
}
