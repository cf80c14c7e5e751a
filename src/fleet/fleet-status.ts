import type { ReportedState } from '../config/remote/documents.ts';

/** What central IT knows of a box beside its reports. */
export interface KnownBox {
  readonly labels: Readonly<Record<string, string>>;
  /** The generation it was given last, or null. */
  readonly generation: number | null;
}

/** One box as central IT sees it. Nothing of a patient is in a report, so nothing is here. */
export interface BoxRow {
  readonly device: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `silent`: it has never reported. */
  readonly verdict: string;
  readonly reason: string | null;
  readonly wanted: number | null;
  readonly applied: number | null;
  readonly phase: string | null;
  readonly error: string | null;
  /** It does not run what it was given, or has values set on its own page. */
  readonly drift: boolean;
  /** What was set there, as JSON pointers (RFC 6901). */
  readonly overrides: readonly string[];
  readonly rejected: boolean;
  readonly offline: boolean;
  readonly reportedAt: string | null;
  readonly waitingInstances: number | null;
  readonly parkedInstances: number | null;
  readonly oldestAgeSeconds: number | null;
  readonly diskDaysLeft: number | null;
  /** Days until the first of its certificates ends, rounded down. */
  readonly certificateDays: number | null;
  /** Documents it refused since the report before. */
  readonly refusedDocuments: number;
  readonly freshness: string | null;
  readonly version: string | null;
}

export interface FleetSummary {
  readonly boxes: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly drift: number;
  readonly offline: number;
  readonly rejected: number;
  readonly certificatesEnding: number;
  readonly refusing: number;
}

export interface StatusLimits {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** A box that has not reported for so long is offline. */
  readonly offlineMs: number;
  /** A certificate that ends within so many days is ending. */
  readonly certificateDays: number;
}

const dayMs = 86_400_000;
const rejectedPhases = new Set(['Rejected', 'RolledBack']);

/** Every box that is known or has reported, the worst first. */
export function fleetRows(
  reports: ReadonlyMap<string, ReportedState>,
  known: ReadonlyMap<string, KnownBox>,
  limits: StatusLimits,
): readonly BoxRow[] {
  const devices = new Set([...known.keys(), ...reports.keys()]);
  return [...devices]
    .map((device) => boxRow(device, reports.get(device), known.get(device), limits))
    .toSorted((a, b) => rank(a) - rank(b) || (a.device < b.device ? -1 : 1));
}

function boxRow(
  device: string,
  report: ReportedState | undefined,
  known: KnownBox | undefined,
  { now, offlineMs }: StatusLimits,
): BoxRow {
  const { labels = {}, generation: wanted = null } = known ?? {};
  if (report === undefined) return { ...silent, device, labels, wanted, drift: wanted !== null };
  const { config, verdict, queue, disk, certificates, refused, software, at } = report;
  const overrides = Object.keys(config.localOverrides);
  const behind = config.appliedGeneration < Math.max(wanted ?? 0, config.observedGeneration);
  const ends = certificates.map(({ notAfter }) => Math.floor((Date.parse(notAfter) - now) / dayMs));
  return {
    device,
    labels,
    verdict: verdict.state,
    reason: verdict.reason,
    wanted,
    applied: config.appliedGeneration,
    phase: config.phase,
    error: config.error?.code ?? null,
    drift: behind || overrides.length > 0,
    overrides,
    rejected: rejectedPhases.has(config.phase),
    offline: now - Date.parse(at) > offlineMs,
    reportedAt: at,
    waitingInstances: queue.instances,
    parkedInstances: queue.parked,
    oldestAgeSeconds: queue.oldestAgeSeconds,
    diskDaysLeft: disk.daysLeft,
    certificateDays: ends.length === 0 ? null : Math.min(...ends),
    refusedDocuments: refused.reduce((sum, { count }) => sum + count, 0),
    freshness: config.freshness,
    version: software.version,
  };
}

const silent: Omit<BoxRow, 'device' | 'labels' | 'wanted' | 'drift'> = {
  verdict: 'silent',
  reason: 'It has never reported.',
  applied: null,
  phase: null,
  error: null,
  overrides: [],
  rejected: false,
  offline: true,
  reportedAt: null,
  waitingInstances: null,
  parkedInstances: null,
  oldestAgeSeconds: null,
  diskDaysLeft: null,
  certificateDays: null,
  refusedDocuments: 0,
  freshness: null,
  version: null,
};

function rank({ verdict, offline, rejected, drift }: BoxRow): number {
  if (verdict === 'down') return 0;
  if (rejected) return 1;
  if (verdict === 'degraded') return 2;
  if (offline) return 3;
  return drift ? 4 : 5;
}

const overridesShown = 3;

/** `set on the box: /site/timeZone, …`; null where nothing was. */
export function overrideWords({ overrides }: BoxRow): string | null {
  if (overrides.length === 0) return null;
  const more = overrides.length > overridesShown ? ` and ${overrides.length - overridesShown} more` : '';
  return `set on the box: ${overrides.slice(0, overridesShown).join(', ')}${more}`;
}

/** What rows can be chosen by. */
export const rowKinds = ['drift', 'offline', 'rejected', 'certificates', 'refusing'] as const;
export type RowKind = (typeof rowKinds)[number];

export function isKind(row: BoxRow, kind: RowKind, { certificateDays }: StatusLimits): boolean {
  const kinds: Readonly<Record<RowKind, boolean>> = {
    drift: row.drift,
    offline: row.offline,
    rejected: row.rejected,
    certificates: row.certificateDays !== null && row.certificateDays <= certificateDays,
    refusing: row.refusedDocuments > 0,
  };
  return kinds[kind];
}

export function summarize(rows: readonly BoxRow[], limits: StatusLimits): FleetSummary {
  const count = (kind: RowKind): number => rows.filter((row) => isKind(row, kind, limits)).length;
  const verdicts: Record<string, number> = {};
  for (const { verdict } of rows) verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  return {
    boxes: rows.length,
    verdicts,
    drift: count('drift'),
    offline: count('offline'),
    rejected: count('rejected'),
    certificatesEnding: count('certificates'),
    refusing: count('refusing'),
  };
}
