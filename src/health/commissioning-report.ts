import type { LineReport } from './line-test.ts';
import type { EchoReport } from './modality-echo.ts';
import type { NetworkReport } from './network-report.ts';
import type { StatusReport } from './status.ts';

export interface CommissioningFacts {
  readonly status: StatusReport;
  readonly boxId: string;
  readonly network: NetworkReport;
  /** By modality; null where it has no address to be called at. */
  readonly echoes: Readonly<Record<string, EchoReport | null>>;
  readonly lines: readonly LineReport[];
}

const origins = { file: 'from a file', page: 'changed on the page', central: 'from central IT' } as const;

type Row = readonly [what: string, value: string];

/** A page to be printed and signed when the box is handed over: what it is, and what of it was seen to work. */
export function commissioningReport(facts: CommissioningFacts): string {
  const { status, boxId } = facts;
  const sections = [
    section('The box', boxRows(status, boxId)),
    section('Network', networkRows(facts.network)),
    section('Enter this in each modality', intakeRows(facts)),
    section('Modalities', modalityRows(facts)),
    section('Archives', facts.lines.map(lineRow)),
    section('Handed over', [
      ['by', ''],
      ['to', ''],
      ['date and signature', ''],
    ]),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Commissioning report: ${escaped(status.site.name)}</title>
<style>
body { font: 11pt/1.4 sans-serif; max-width: 48em; margin: 2em auto; padding: 0 1em; }
h2 { font-size: 1.1em; margin: 1.5em 0 0.3em; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #888; padding: 0.3em 0.5em; text-align: left; vertical-align: top; }
th { width: 14em; font-weight: normal; }
tr { break-inside: avoid; }
</style>
</head>
<body>
<h1>Commissioning report</h1>
<p>${escaped(status.site.name)}, ${escaped(localTime(status.time, status))}. No patient data.</p>
<p><strong>${escaped(status.verdict)}</strong>: ${escaped(status.reason)}</p>
${sections.join('\n')}
</body>
</html>
`;
}

function section(title: string, rows: readonly Row[]): string {
  const body = rows
    .map(([what, value]) => `<tr><th scope="row">${escaped(what)}</th><td>${escaped(value)}</td></tr>`)
    .join('\n');
  return `<h2>${escaped(title)}</h2>\n<table>\n${body || '<tr><td>none</td></tr>'}\n</table>`;
}

function boxRows({ version, config, disk, intake }: StatusReport, boxId: string): Row[] {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(0)} GB`;
  const certificate = intake.tls?.certificate ?? null;
  return [
    ['Box', boxId],
    ['Software', `Gantry ${version}`],
    ['Settings', `generation ${config.generation}, ${origins[config.origin]}`],
    ['Disk', `${gigabytes(disk.freeBytes)} free of ${gigabytes(disk.totalBytes)}, ${disk.state}`],
    ...(certificate === null ? [] : [['DICOM TLS certificate (SHA-256)', certificate.sha256] as const]),
  ];
}

function networkRows({ cards, gateway, dnsServers, timeServers, clock }: NetworkReport): Row[] {
  const cardRows = cards.map(({ name, link, addresses }): Row => {
    const told = addresses.map(({ address, prefix, assigned }) => `${address}/${prefix} (${assigned})`);
    return [name, link ? told.join(', ') || 'no address' : 'no cable'];
  });
  const trust = clock.trusted === null ? 'nobody vouches for it' : clock.trusted ? 'agrees' : 'is wrong';
  return [
    ...cardRows,
    ['Gateway', gateway?.address ?? 'none'],
    ['Name servers', dnsServers.join(', ') || 'none'],
    ['Time servers', timeServers.join(', ') || 'none known'],
    ['Clock', trust],
  ];
}

function intakeRows({ status: { intake }, network }: CommissioningFacts): Row[] {
  const addresses = network.cards.flatMap(({ addresses: list }) => list.map(({ address }) => address));
  return [
    ['AE title', intake.aeTitle],
    ['Address', addresses.join(' or ')],
    ['Port', String(intake.port)],
    ...(intake.tls?.open === true ? [['Port with TLS', String(intake.tls.port)] as const] : []),
  ];
}

function modalityRows({ status, echoes }: CommissioningFacts): Row[] {
  return Object.entries(status.modalities)
    .filter(([, { configured }]) => configured)
    .map(([name, modality]) => {
      const { aeTitle, received, lastReceivedAt, lastHeardAt } = modality;
      const heard =
        lastReceivedAt !== null
          ? `${received} images, last ${localTime(lastReceivedAt, status)}`
          : lastHeardAt !== null
            ? `called ${localTime(lastHeardAt, status)}, no image yet`
            : 'never heard';
      const echo = Object.hasOwn(echoes, name) ? echoes[name] : null;
      return [
        `${name} (${aeTitle})`,
        `${heard}. From here: ${echo?.words ?? 'not called, as its address is not set.'}`,
      ];
    });
}

function lineRow({ destination, steps, failed }: LineReport): Row {
  const step = steps.find((one) => one.step === failed);
  const words =
    step === undefined
      ? `Every step works: ${steps
          .filter(({ state }) => state === 'ok')
          .map((one) => one.step)
          .join(', ')}.`
      : `Fails at ${step.step} (${step.code}): ${step.words} ${step.nextStep ?? ''}`;
  return [destination, words];
}

function localTime(iso: string, { site }: StatusReport): string {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone: site.timeZone,
    dateStyle: 'medium',
    timeStyle: 'short',
  }).format(Date.parse(iso));
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
