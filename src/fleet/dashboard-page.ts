import {
  type BoxRow,
  type FleetSummary,
  isKind,
  overrideWords,
  type RowKind,
  rowKinds,
  type StatusLimits,
} from './fleet-status.ts';

export const rowsPerPage = 100;

export interface DashboardQuery {
  /** Words that a box must have in its id, labels, version or state; all of them. */
  readonly q: string;
  readonly show: RowKind | 'all';
  /** From 1 on. */
  readonly page: number;
}

const kindWords: Readonly<Record<RowKind, string>> = {
  drift: 'not what was given',
  offline: 'offline',
  rejected: 'refused or gone back',
  certificates: 'certificate ending',
  refusing: 'refused documents',
};

/** @param query as it came from the address; what is not usable counts as not given */
export function readQuery(query: Readonly<Record<string, unknown>>): DashboardQuery {
  const text = (name: string): string => {
    const value = query[name];
    return typeof value === 'string' ? value.slice(0, 200) : '';
  };
  const show = rowKinds.find((kind) => kind === text('show')) ?? 'all';
  return { q: text('q').trim(), show, page: /^[1-9]\d{0,5}$/.test(text('page')) ? Number(text('page')) : 1 };
}

export function chooseRows(
  rows: readonly BoxRow[],
  { q, show }: DashboardQuery,
  limits: StatusLimits,
): readonly BoxRow[] {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (show !== 'all' && !isKind(row, show, limits)) return false;
    if (words.length === 0) return true;
    const labels = Object.entries(row.labels).map(([name, value]) => `${name}=${value}`);
    const { device, verdict, phase, error, version } = row;
    const text = [device, verdict, phase, error, version, ...labels].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The whole page: complete without JavaScript, and without anything from elsewhere. */
export function dashboardHtml(
  rows: readonly BoxRow[],
  summary: FleetSummary,
  query: DashboardQuery,
  limits: StatusLimits,
): string {
  const chosen = chooseRows(rows, query, limits);
  const pages = Math.max(1, Math.ceil(chosen.length / rowsPerPage));
  const page = Math.min(query.page, pages);
  const shown = chosen.slice((page - 1) * rowsPerPage, page * rowsPerPage);
  const time = new Date(limits.now).toISOString();
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gantry fleet</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header><h1>Gantry fleet</h1><p>${summary.boxes} boxes, as reported until <time datetime="${time}">${time.slice(0, 16).replace('T', ' ')} UTC</time></p></header>
<main>
${summaryHtml(summary)}
${searchHtml(query)}
<h2>Boxes</h2>
<p>${chosen.length} of ${summary.boxes} boxes, the worst first${pages > 1 ? `; page ${page} of ${pages}` : ''}.</p>
${tableHtml(shown)}
${pagesHtml(query, page, pages)}
</main>
</body>
</html>
`;
}

function summaryHtml({
  verdicts,
  drift,
  offline,
  rejected,
  certificatesEnding,
  refusing,
}: FleetSummary): string {
  const states = Object.entries(verdicts).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const counts: Record<RowKind, number> = {
    drift,
    offline,
    rejected,
    certificates: certificatesEnding,
    refusing,
  };
  const stateItems = states.map(
    ([verdict, count]) =>
      `<li><a href="${address({ q: verdict })}"><b>${count}</b> ${escape(verdict)}</a></li>`,
  );
  const kindItems = rowKinds.map(
    (kind) => `<li><a href="${address({ show: kind })}"><b>${counts[kind]}</b> ${kindWords[kind]}</a></li>`,
  );
  return `<h2>At a glance</h2>
<ul class="counts" aria-label="What boxes say of themselves">${stateItems.join('')}</ul>
<ul class="counts" aria-label="What needs a look">${kindItems.join('')}</ul>`;
}

function searchHtml({ q, show }: DashboardQuery): string {
  const option = (value: string, words: string): string =>
    `<option value="${value}"${value === show ? ' selected' : ''}>${words}</option>`;
  const options = [option('all', 'every box'), ...rowKinds.map((kind) => option(kind, kindWords[kind]))];
  return `<form method="get" action="/" role="search">
<label for="q">Id, label, version or state</label> <input id="q" name="q" type="search" value="${escape(q)}" maxlength="200">
<label for="show">Show</label> <select id="show" name="show">${options.join('')}</select>
<button type="submit">Search</button>
</form>`;
}

function tableHtml(rows: readonly BoxRow[]): string {
  if (rows.length === 0) return '<p>No box is like that.</p>';
  const heads = [
    'Box',
    'State',
    'Generation',
    'Configuration',
    'Reported',
    'Waiting',
    'Disk',
    'Certificate',
    'Version',
  ];
  const head = heads.map((words) => `<th scope="col">${words}</th>`).join('');
  return `<div class="scroll" role="region" aria-label="Boxes" tabindex="0"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${rows.map(rowHtml).join('\n')}
</tbody>
</table></div>`;
}

function rowHtml(row: BoxRow): string {
  const labels = Object.entries(row.labels).map(([name, value]) => `${name}=${value}`);
  const given = row.wanted === null ? '' : ` of ${row.wanted}`;
  const generation = row.applied === null ? `none${given}` : `${row.applied}${given}`;
  const notes = [
    row.phase,
    row.error,
    overrideWords(row),
    row.refusedDocuments > 0 ? `refused ${row.refusedDocuments} documents` : null,
    row.freshness === null || row.freshness === 'fresh' ? null : row.freshness,
  ].filter((note) => note !== null);
  const days = (value: number | null): string => (value === null ? '–' : `${Math.floor(value)} days`);
  const reported = row.reportedAt === null ? 'never' : `${row.reportedAt.slice(0, 16).replace('T', ' ')} UTC`;
  const cells = [
    `<span class="state ${/^[a-z]+$/.test(row.verdict) ? row.verdict : 'other'}">${escape(row.verdict)}</span> ${escape(row.reason ?? '')}`,
    generation,
    escape(notes.join(', ')),
    `${reported}${row.offline ? ' (offline)' : ''}`,
    row.waitingInstances === null ? '–' : `${row.waitingInstances}`,
    days(row.diskDaysLeft),
    days(row.certificateDays),
    escape(row.version ?? '–'),
  ];
  const name = `${escape(row.device)}<br><small>${escape(labels.join(' '))}</small>`;
  return `<tr><th scope="row">${name}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function pagesHtml(query: DashboardQuery, page: number, pages: number): string {
  if (pages === 1) return '';
  const link = (to: number, words: string): string =>
    to < 1 || to > pages ? '' : `<a href="${address({ ...query, page: to })}">${words}</a>`;
  const links = [link(page - 1, 'Page before'), link(page + 1, 'Next page')].filter(Boolean);
  return `<nav aria-label="Pages">${links.join(' ')}</nav>`;
}

function address(query: Partial<DashboardQuery>): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== '' && value !== 'all') parts.set(name, String(value));
  const text = parts.toString();
  return escape(text === '' ? '/' : `/?${text}`);
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

export const dashboardCss = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 90rem; padding: 1rem; color: #1b1b1b; background: #fff; }
a { color: #0b4f9e; }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; list-style: none; }
.counts a { display: block; padding: .5rem 1rem; border: 1px solid #767676; border-radius: .5rem; }
.counts b { font-size: 1.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .4rem .6rem; border-bottom: 1px solid #767676; text-align: left; vertical-align: top; }
input, select, button { font: inherit; padding: .3rem .6rem; min-height: 2.5rem; }
.state { font-weight: bold; }
.down, .silent { color: #a40000; }
.degraded { color: #7a4a00; }
.working { color: #0a5c1e; }
@media (prefers-color-scheme: dark) {
  body { color: #f0f0f0; background: #161616; }
  a { color: #8ec2ff; }
  .down, .silent { color: #ff9a9a; }
  .degraded { color: #ffc66d; }
  .working { color: #7ddf94; }
}
`;
