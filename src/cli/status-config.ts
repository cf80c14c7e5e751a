import type { CentralReport, ChannelReport, StatusReport } from '../health/status.ts';

/** Which configuration is in use, what becomes of a new one, and how central IT is reached. */
export function configLines({ config, site }: StatusReport): string[] {
  const { generation, origin, central } = config;
  const origins = {
    file: 'from a file',
    page: 'from a file, changed on the page',
    central: `from central IT (number ${central?.generation ?? 'unknown'} there)`,
  } as const;
  return [
    `Configuration: generation ${generation}, ${origins[origin]}.`,
    ...(central === undefined ? [] : centralLines(central, site.timeZone)),
  ];
}

function centralLines(central: CentralReport, timeZone: string): string[] {
  const { fleet, overrides, channels, freshness, phase, confirmUntil, waiting, failed, disbelieved } =
    central;
  const at = (time: string) => clock(time, timeZone);
  return [
    ...(phase === 'idle'
      ? []
      : [
          `New configuration: ${phase}${confirmUntil === null ? '' : `, undone at ${at(confirmUntil)} unless confirmed`}.`,
        ]),
    ...(waiting === null
      ? []
      : [`Number ${waiting.generation} of central IT waits${waitsFor(waiting, at)}.`]),
    ...(failed === null ? [] : [`Not in use (${failed.phase} ${at(failed.at)}): ${trouble(failed.problem)}`]),
    ...(disbelieved === null
      ? []
      : [
          `Not believed (${disbelieved.count} times, last ${at(disbelieved.at)}): ${trouble(disbelieved.problem)}`,
        ]),
    ...(overrides.length === 0 ? [] : [`Set on this box: ${overrides.join(', ')}.`]),
    ...(fleet === null ? [] : [`Fleet ${fleet}; newest configuration: ${freshness ?? 'unknown'}.`]),
    ...channels.map((channel) => channelLine(channel, at)),
  ];
}

function waitsFor(
  { when, opensAt }: NonNullable<CentralReport['waiting']>,
  at: (time: string) => string,
): string {
  if (when === 'manual') return ' until "gantry config apply"';
  return opensAt === null ? ' for its turn' : ` until ${at(opensAt)}`;
}

function trouble({ code, words, nextStep }: { code: string; words: string; nextStep: string }): string {
  return [`${code}: ${words}`, nextStep].filter(Boolean).join(' ');
}

function channelLine(
  { kind, contactAt, nextAt, problem }: ChannelReport,
  at: (time: string) => string,
): string {
  const reached = contactAt === null ? 'no contact yet' : `last reached ${at(contactAt)}`;
  const next = nextAt === null ? '' : `, next ${at(nextAt)}`;
  return `Central IT by ${kind}: ${reached}${next}${problem === null ? '.' : `; ${trouble(problem)}`}`;
}

/** `24 Nov, 10:42` by the clock of the site. */
function clock(time: string, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZone,
  }).format(new Date(time));
}
