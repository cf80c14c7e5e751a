import type {
  DestinationReport,
  ModalityReport,
  RefusalReport,
  StatusReport,
  TlsCertificateReport,
  TlsReport,
  Verdict,
} from '../../src/health/status.ts';
import { ago, clockTime, counted, nouns, number, type TimeFrame } from './format.ts';

/** How a state is shown: each tone has a colour and, so that it does not hang on colour, a shape of its own. */
export type Tone = 'ok' | 'warn' | 'bad' | 'idle';

/** A state in words; `detail` says why or since when. */
export interface StateWords {
  readonly tone: Tone;
  readonly word: string;
  readonly detail: string | null;
}

const verdicts: Readonly<Record<Verdict, { readonly tone: Tone; readonly word: string }>> = {
  working: { tone: 'ok', word: 'Working' },
  degraded: { tone: 'warn', word: 'Needs attention' },
  down: { tone: 'bad', word: 'Not working' },
};

/** The verdict at a glance. While an archive is yet to answer for the first time, it is too early to call it working. */
export function verdictWords({ verdict, destinations }: StatusReport): (typeof verdicts)[Verdict] {
  const untried = Object.values(destinations).some(({ state }) => state === 'untried');
  return verdict === 'working' && untried ? { tone: 'idle', word: 'Starting' } : verdicts[verdict];
}

function timeOf(iso: string | null): number | null {
  return iso === null ? null : Date.parse(iso);
}

function latest(times: readonly (string | null)[]): number | null {
  const known = times.map(timeOf).filter((time) => time !== null);
  return known.length === 0 ? null : Math.max(...known);
}

/** When any archive last confirmed anything, milliseconds since the epoch. */
export function lastConfirmedAt(report: StatusReport): number | null {
  const all = Object.values(report.destinations);
  return latest(all.map((one) => one.lastVerifiedAt)) ?? latest(all.map((one) => one.lastDeliveredAt));
}

/** The way into the box. */
export function intakeWords(report: StatusReport, frame: TimeFrame): StateWords {
  const { intake } = report;
  if (!intake.open) return { tone: 'bad', word: 'Closed', detail: intake.reason?.words ?? null };
  if (intake.associations >= intake.associationsMax) {
    const detail = `${intake.associations} of ${intake.associationsMax} associations are in use`;
    return { tone: 'warn', word: 'Full', detail };
  }
  const modalities = Object.values(report.modalities);
  const refused = modalities.filter((one) => isRefused(one)).length;
  if (refused > 0) {
    return {
      tone: 'warn',
      word: `${counted(refused, nouns.modality, frame)} refused`,
      detail: 'the reason is below',
    };
  }
  const heardAt = latest(modalities.map((one) => one.lastHeardAt));
  const refusedAt = latest(intake.refusals.filter(isModalityCall).map((one) => one.at));
  if (refusedAt !== null && refusedAt > (heardAt ?? Number.NEGATIVE_INFINITY)) {
    return {
      tone: 'warn',
      word: 'Last call refused',
      detail: `${ago(refusedAt, frame)}; the reason is below`,
    };
  }
  if (heardAt === null) return { tone: 'idle', word: 'Ready', detail: 'nothing has called yet' };
  const receivedAt = latest(modalities.map((one) => one.lastReceivedAt));
  const detail = receivedAt === null ? 'no image yet' : `last image ${ago(receivedAt, frame)}`;
  return { tone: 'ok', word: intake.associations > 0 ? 'Receiving' : 'Ready', detail };
}

/** Whether a device did not get its way: a port scan gives no AE title, and a connection at rest carries no image. */
function isModalityCall({ kind, callingAeTitle }: RefusalReport): boolean {
  return kind !== 'closed' && callingAeTitle.trim() !== '';
}

/** What became of a call, in a word or two. */
export const refusalWords: Readonly<Record<RefusalReport['kind'], string>> = {
  rejected: 'Call refused',
  aborted: 'Call cut off',
  closed: 'Connection closed',
  'refused object': 'Image refused',
  'refused service': 'Not offered here',
};

const diskWords = {
  ok: { tone: 'ok', word: 'Keeping images safe', detail: null },
  low: { tone: 'warn', word: 'Disk filling up', detail: null },
  full: { tone: 'bad', word: 'Disk full', detail: 'no new image fits' },
  suspect: { tone: 'bad', word: 'Disk fault', detail: 'writing to the disk failed' },
  missing: { tone: 'bad', word: 'Disk missing', detail: 'the disk for images is not there' },
} as const satisfies Record<StatusReport['disk']['state'], StateWords>;

/** The box itself, as far as keeping images goes. */
export function boxWords({ disk }: StatusReport, frame: TimeFrame): StateWords {
  const words = diskWords[disk.state];
  return { ...words, detail: words.detail ?? roomWords(disk.daysLeft, frame) };
}

/** `room for about 9 days`, or null while that is not known. */
export function roomWords(daysLeft: number | null, frame: TimeFrame): string | null {
  if (daysLeft === null) return null;
  if (daysLeft < 1) return 'room for less than a day';
  if (daysLeft > 365) return 'room for more than a year';
  return `room for about ${counted(Math.floor(daysLeft), nouns.day, frame)}`;
}

/** From best to worst. */
const destinationStates = ['removed', 'up', 'untried', 'waiting', 'down', 'paused'] as const;

function badness({ state }: DestinationReport): number {
  return destinationStates.indexOf(state);
}

/** The way to the archives: the worst of those in use. */
export function lineWords(report: StatusReport, frame: TimeFrame): StateWords {
  const used = Object.values(report.destinations).filter((one) => one.state !== 'removed');
  const worst = used.toSorted((a, b) => badness(b) - badness(a))[0];
  if (worst === undefined)
    return { tone: 'bad', word: 'No archive set up', detail: 'images stay on this box' };
  const words = destinationWords(worst, frame);
  if (used.length === 1 || worst.state === 'up') return words;
  const same = used.filter((one) => one.state === worst.state).length;
  return { ...words, word: `${words.word} (${same} of ${used.length})` };
}

/** The reason code of a destination that a person has paused: it alone does not go on by itself. */
const pausedByOperator = 'PAUSED_BY_OPERATOR';

export function destinationWords(one: DestinationReport, frame: TimeFrame): StateWords {
  const nextAt = timeOf(one.nextAttemptAt);
  const again = nextAt === null ? 'being tried again' : `tried again at ${clockTime(nextAt, frame)}`;
  const words = {
    untried: { tone: 'idle', word: 'Being tried', detail: 'no answer yet' },
    up: { tone: 'ok', word: one.queued > 0 ? 'Sending' : 'Connected', detail: null },
    waiting: { tone: 'warn', word: 'Waiting to try again', detail: again },
    down: { tone: 'bad', word: 'Not reachable', detail: again },
    paused:
      one.reason?.code === pausedByOperator
        ? { tone: 'bad', word: 'Paused', detail: 'until IT resumes it' }
        : { tone: 'bad', word: 'Not sending', detail: again },
    removed: { tone: 'idle', word: 'Removed from the settings', detail: null },
  } as const satisfies Record<DestinationReport['state'], StateWords>;
  return words[one.state];
}

/** Whether the last thing heard of a modality was refused. */
export function isRefused({ lastHeardAt, lastRefusal }: ModalityReport): boolean {
  if (lastRefusal === null) return false;
  return lastHeardAt === null || Date.parse(lastRefusal.at) >= Date.parse(lastHeardAt);
}

export function modalityWords(one: ModalityReport, frame: TimeFrame): StateWords {
  const heardAt = timeOf(one.lastHeardAt);
  const refusedAt = timeOf(one.lastRefusal?.at ?? null);
  if (one.lastRefusal !== null && refusedAt !== null && isRefused(one)) {
    return { tone: 'warn', word: refusalWords[one.lastRefusal.kind], detail: ago(refusedAt, frame) };
  }
  if (heardAt === null) return { tone: 'idle', word: 'Never heard', detail: null };
  return { tone: 'ok', word: 'Heard', detail: ago(heardAt, frame) };
}

/** One kind of image that is set aside: how many, what that means, what to do. */
export interface ParkedWords {
  readonly count: number;
  readonly word: string;
  readonly meaning: string;
  readonly todo: string;
}

export function parkedWords({ totals }: StatusReport): ParkedWords[] {
  const kinds: ParkedWords[] = [
    {
      count: totals.held,
      word: 'Held',
      meaning: 'Sending them did not work out, and trying again by itself will not help.',
      todo: 'IT looks at the reason with `gantry queue ls --state held` and then releases them.',
    },
    {
      count: totals.quarantined,
      word: 'Refused by the archive',
      meaning: 'The archive said no for good. They are kept on this box.',
      todo: 'IT asks the archive why, with the reasons from `gantry queue ls --state quarantined`.',
    },
    {
      count: totals.conflicts,
      word: 'Same identity, other content',
      meaning: 'Another image with the same identity was there first. Both are kept; this one was not sent.',
      todo: 'IT decides with `gantry queue resolve` which one is right.',
    },
  ];
  return kinds.filter((kind) => kind.count > 0);
}

/** How many images are set aside, whatever for. */
export function parkedCount({ totals: { held, quarantined, conflicts } }: StatusReport): number {
  return held + quarantined + conflicts;
}

/** Days a server certificate still has. */
export function certificateWords(daysLeft: number, frame: TimeFrame): StateWords {
  if (daysLeft <= 0) return { tone: 'bad', word: 'expired', detail: null };
  const word = `${counted(Math.floor(daysLeft), nouns.day, frame)} left`;
  return { tone: daysLeft <= 7 ? 'warn' : 'ok', word, detail: null };
}

/** How fast it goes to an archive, and why not faster; null where nothing is known of either. */
export function sendingWords(one: DestinationReport, frame: TimeFrame): string | null {
  const { measuredMbitPerSecond, limitMbitPerSecond, limitBecause, limitUntil } = one.line;
  const measured =
    measuredMbitPerSecond === null ? [] : [`measured ${number(measuredMbitPerSecond, frame)} Mbit/s`];
  const by = limitBecause === 'operator' ? ' by command' : '';
  const until = limitUntil === null ? '' : ` until ${clockTime(Date.parse(limitUntil), frame)}`;
  const least = limitMbitPerSecond === null ? '' : `${number(limitMbitPerSecond, frame)} Mbit/s`;
  const limit = limitMbitPerSecond === 0 ? 'nothing is sent' : `at most ${least}`;
  const limits = limitMbitPerSecond === null ? [] : [`${limit}${by}${until}`];
  const words = [...measured, ...limits].join('; ');
  return words === '' ? null : words;
}

/** The way in with TLS. */
export function tlsWords({ open, problem }: TlsReport): StateWords {
  if (!open) return { tone: 'bad', word: 'Closed', detail: 'without TLS it is open' };
  return problem === null
    ? { tone: 'ok', word: 'Open', detail: null }
    : { tone: 'warn', word: 'Open', detail: 'a changed file is not in use' };
}

/** How things stand with this box's own certificate. */
export function ownCertificateWords({ life, daysLeft }: TlsCertificateReport, frame: TimeFrame): StateWords {
  if (life === 'expired') return { tone: 'bad', word: 'expired', detail: null };
  if (life === 'early') return { tone: 'bad', word: 'not valid yet', detail: 'is the date right?' };
  const detail = `${counted(daysLeft, nouns.day, frame)} left`;
  return life === 'renew'
    ? { tone: 'warn', word: 'to be renewed', detail }
    : { tone: 'ok', word: 'valid', detail };
}
