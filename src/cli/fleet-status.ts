import type { Command } from 'commander';
import type { BoxRow, FleetSummary, KnownBox, RowKind, StatusLimits } from '../fleet/fleet-status.ts';
import { parsePort, usage } from './arguments.ts';
import { print } from './fleet-desk.ts';
import { plainTable } from './words.ts';

const hourMs = 3_600_000;
const offlinePresetMs = 24 * hourMs;
const certificateDaysPreset = 30;

interface StatusOptions {
  readonly fleet?: string;
  readonly drift?: boolean;
  readonly offline?: number;
  readonly certDays?: number;
  readonly rejected?: boolean;
  readonly json?: boolean;
  readonly prometheus?: boolean;
}

/** What all boxes say of themselves: a table, a page, or for other tools. */
export function addStatusCommands(fleet: Command): void {
  fleet
    .command('status')
    .description('all boxes by what they reported last, the worst first')
    .argument('<reports...>', 'folders that "gantry fleet collect" wrote')
    .option('--fleet <dir>', 'the git folder: boxes that never reported, and what each was given')
    .option('--drift', 'only boxes that do not run what they were given, or have values set on their page')
    .option('--offline <time>', 'only boxes that have not reported for so long, e.g. 24h', parseTime)
    .option(
      '--cert-days <days>',
      'only boxes with a certificate that ends within so many days',
      parseDayCount,
    )
    .option('--rejected', 'only boxes that refused a configuration or went back')
    .option('--prometheus', 'in the text format of Prometheus')
    .option('--json', 'as JSON')
    .action(status);

  fleet
    .command('dashboard')
    .description('offer a page on all boxes, to be opened in a browser')
    .requiredOption('--reports <dir>', 'folder that "gantry fleet collect" writes')
    .option('--fleet <dir>', 'the git folder: boxes that never reported, and what each was given')
    .option('--port <port>', 'TCP port', parsePort, 8090)
    .option('--host <address>', 'IP address to listen on', '127.0.0.1')
    .option(
      '--offline <time>',
      'a box that has not reported for so long is offline',
      parseTime,
      offlinePresetMs,
    )
    .option(
      '--cert-days <days>',
      'a certificate that ends so soon is shown',
      parseDayCount,
      certificateDaysPreset,
    )
    .action(dashboard);
}

async function status(paths: readonly string[], options: StatusOptions): Promise<void> {
  const [{ readReports }, { fleetRows, isKind, summarize }] = await Promise.all([
    import('../fleet/reports.ts'),
    import('../fleet/fleet-status.ts'),
  ]);
  const { offline = offlinePresetMs, certDays = certificateDaysPreset } = options;
  const limits: StatusLimits = { now: Date.now(), offlineMs: offline, certificateDays: certDays };
  const { reports, unreadable } = await readReports(paths);
  const rows = fleetRows(reports, await known(options.fleet), limits);
  const summary = summarize(rows, limits);
  if (options.prometheus) {
    const { prometheusText } = await import('../fleet/prometheus.ts');
    console.log((await prometheusText(rows, summary)).trimEnd());
    return;
  }
  const kinds = wantedKinds(options);
  const shown =
    kinds.length === 0 ? rows : rows.filter((row) => kinds.some((kind) => isKind(row, kind, limits)));
  if (options.json) print({ summary, unreadable, boxes: shown });
  else await tell(shown, summary, unreadable);
}

function wantedKinds({ drift, offline, certDays, rejected }: StatusOptions): readonly RowKind[] {
  return [
    ...(drift ? (['drift'] as const) : []),
    ...(offline === undefined ? [] : (['offline'] as const)),
    ...(certDays === undefined ? [] : (['certificates'] as const)),
    ...(rejected ? (['rejected'] as const) : []),
  ];
}

async function known(directory: string | undefined): Promise<ReadonlyMap<string, KnownBox>> {
  if (directory === undefined) return new Map();
  const { readFleetFolder } = await import('../fleet/fleet-folder.ts');
  const { knownBoxes } = await import('../fleet/known-boxes.ts');
  return knownBoxes(await readFleetFolder(directory));
}

async function tell(
  rows: readonly BoxRow[],
  { boxes, verdicts, ...counts }: FleetSummary,
  unreadable: readonly string[],
): Promise<void> {
  const states = Object.entries(verdicts).map(([verdict, count]) => `${count} ${verdict}`);
  console.log(
    `${boxes} boxes: ${states.join(', ') || 'none'}. ${counts.drift} not as given, ${counts.offline} offline, ` +
      `${counts.rejected} refused or went back, ${counts.certificatesEnding} with a certificate ending, ` +
      `${counts.refusing} refused documents.`,
  );
  if (unreadable.length > 0)
    console.log(`${unreadable.length} files are no report, such as ${unreadable[0]}.`);
  if (rows.length === 0) return;
  const { overrideWords } = await import('../fleet/fleet-status.ts');
  const table = await plainTable([
    'box',
    'state',
    'generation',
    'configuration',
    'reported',
    'waiting',
    'disk days',
    'cert days',
    'version',
  ]);
  for (const row of rows) {
    const { device, verdict, wanted, applied, phase, error, reportedAt, offline } = row;
    const set = overrideWords(row);
    const own = set === null ? '' : `, ${set}`;
    table.push([
      device,
      verdict,
      wanted === null ? (applied ?? '') : `${applied ?? 'none'} of ${wanted}`,
      phase === null ? '' : `${phase}${error === null ? '' : ` (${error})`}${own}`,
      `${reportedAt?.slice(0, 16) ?? 'never'}${offline ? ' offline' : ''}`,
      row.waitingInstances ?? '',
      row.diskDaysLeft ?? '',
      row.certificateDays ?? '',
      row.version ?? '',
    ]);
  }
  console.log(table.toString());
}

interface DashboardArguments {
  readonly reports: string;
  readonly fleet?: string;
  readonly port: number;
  readonly host: string;
  readonly offline: number;
  readonly certDays: number;
}

async function dashboard({ reports, fleet, offline, certDays, ...at }: DashboardArguments): Promise<void> {
  const { Dashboard } = await import('../fleet/dashboard.ts');
  const { listenToStopSignals } = await import('./stop-signals.ts');
  const stopSignals = listenToStopSignals();
  const options = { ...at, reports: [reports], known: () => known(fleet) };
  const page = new Dashboard({ ...options, offlineMs: offline, certificateDays: certDays });
  const { port } = await page.start();
  console.log(`The fleet: http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}/`);
  await stopSignals.asked();
  await page.stop();
}

/** @throws GantryError USAGE_TIME */
function parseTime(text: string): number {
  const match = /^(\d{1,5})(m|h|d)$/.exec(text);
  const unit = { m: hourMs / 60, h: hourMs, d: 24 * hourMs }[match?.[2] as 'm' | 'h' | 'd'];
  if (match !== null && unit !== undefined) return Number(match[1]) * unit;
  throw usage('USAGE_TIME', 'That is not a length of time.', 'Give e.g. 30m, 24h or 7d.');
}

/** @throws GantryError USAGE_DAYS */
function parseDayCount(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw usage('USAGE_DAYS', 'That is not a number of days.', 'Give e.g. 30.');
}
