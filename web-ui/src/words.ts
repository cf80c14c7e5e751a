import type {
  DestinationReport,
  ModalityReport,
  RefusalReport,
  StatusReport,
  TlsCertificateReport,
  TlsReport,
  Verdict,
} from '../../src/health/status.ts';
import { ago, clockTime, type Frame, rate } from './format.ts';
import type { Key } from './speech.ts';

/** How a state is shown: each tone has a colour and, so that it does not hang on colour, a shape of its own. */
export type Tone = 'ok' | 'warn' | 'bad' | 'idle';

/** A state in words; `detail` says why or since when. */
export interface StateWords {
  readonly tone: Tone;
  readonly word: string;
  readonly detail: string | null;
}

const verdicts = {
  working: { tone: 'ok', key: 'verdict.working' },
  degraded: { tone: 'warn', key: 'verdict.degraded' },
  down: { tone: 'bad', key: 'verdict.down' },
} as const satisfies Record<Verdict, { tone: Tone; key: Key }>;

/** The verdict at a glance. While an archive is yet to answer for the first time, it is too early to call it working. */
export function verdictWords(
  { verdict, destinations }: StatusReport,
  { speech }: Frame,
): { readonly tone: Tone; readonly word: string } {
  const untried = Object.values(destinations).some(({ state }) => state === 'untried');
  if (verdict === 'working' && untried) return { tone: 'idle', word: speech.say('verdict.starting') };
  const { tone, key } = verdicts[verdict];
  return { tone, word: speech.say(key) };
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
export function intakeWords(report: StatusReport, frame: Frame): StateWords {
  const { intake } = report;
  const { speech } = frame;
  if (!intake.open) {
    const detail = intake.reason === null ? null : causeWords(intake.reason, frame);
    return { tone: 'bad', word: speech.say('path.closed'), detail };
  }
  if (intake.associations >= intake.associationsMax) {
    const detail = speech.say('path.inUse', { part: intake.associations, whole: intake.associationsMax });
    return { tone: 'warn', word: speech.say('path.full'), detail };
  }
  const modalities = Object.values(report.modalities);
  const refused = modalities.filter((one) => isRefused(one)).length;
  if (refused > 0) {
    const word = speech.say('path.refused', { modalities: speech.say('modalities', { n: refused }) });
    return { tone: 'warn', word, detail: speech.say('path.reasonBelow') };
  }
  const heardAt = latest(modalities.map((one) => one.lastHeardAt));
  const refusedAt = latest(intake.refusals.filter(isModalityCall).map((one) => one.at));
  if (refusedAt !== null && refusedAt > (heardAt ?? Number.NEGATIVE_INFINITY)) {
    const detail = speech.say('path.lastRefusedAgo', { ago: ago(refusedAt, frame) });
    return { tone: 'warn', word: speech.say('path.lastRefused'), detail };
  }
  if (heardAt === null)
    return { tone: 'idle', word: speech.say('path.ready'), detail: speech.say('path.nothingCalled') };
  const receivedAt = latest(modalities.map((one) => one.lastReceivedAt));
  const detail =
    receivedAt === null
      ? speech.say('path.noImage')
      : speech.say('path.lastImage', { ago: ago(receivedAt, frame) });
  return { tone: 'ok', word: speech.say(intake.associations > 0 ? 'path.receiving' : 'path.ready'), detail };
}

/** What the gateway gave as a reason, in the reader's language where that is known. */
export function causeWords({ code, words }: { code: string; words: string }, { speech }: Frame): string {
  return speech.byCode(`cause.${code}`) ?? words;
}

/** Whether a device did not get its way: a port scan gives no AE title, and a connection at rest carries no image. */
function isModalityCall({ kind, callingAeTitle }: RefusalReport): boolean {
  return kind !== 'closed' && callingAeTitle.trim() !== '';
}

const refusalKeys = {
  rejected: 'refused.rejected',
  aborted: 'refused.aborted',
  closed: 'refused.closed',
  'refused object': 'refused.object',
  'refused service': 'refused.service',
} as const satisfies Record<RefusalReport['kind'], Key>;

/** What became of a call, in a word or two. */
export function refusalWords(kind: RefusalReport['kind'], { speech }: Frame): string {
  return speech.say(refusalKeys[kind]);
}

const diskKeys = {
  ok: { tone: 'ok', word: 'disk.ok', why: null },
  low: { tone: 'warn', word: 'disk.low', why: null },
  full: { tone: 'bad', word: 'disk.full', why: 'disk.full.why' },
  suspect: { tone: 'bad', word: 'disk.suspect', why: 'disk.suspect.why' },
  missing: { tone: 'bad', word: 'disk.missing', why: 'disk.missing.why' },
} as const satisfies Record<StatusReport['disk']['state'], { tone: Tone; word: Key; why: Key | null }>;

/** The box itself, as far as keeping images goes. */
export function boxWords({ disk }: StatusReport, frame: Frame): StateWords {
  const { tone, word, why } = diskKeys[disk.state];
  const detail = why === null ? roomWords(disk.daysLeft, frame) : frame.speech.say(why);
  return { tone, word: frame.speech.say(word), detail };
}

/** `room for about 9 days`, or null while that is not known. */
export function roomWords(daysLeft: number | null, { speech }: Frame): string | null {
  if (daysLeft === null) return null;
  if (daysLeft < 1) return speech.say('room.under');
  if (daysLeft > 365) return speech.say('room.over');
  return speech.say('room.days', { n: Math.floor(daysLeft) });
}

/** `about 9 days`. */
export function roomShort(daysLeft: number, { speech }: Frame): string {
  if (daysLeft < 1) return speech.say('room.underShort');
  if (daysLeft > 365) return speech.say('room.overShort');
  return speech.say('room.daysShort', { n: Math.floor(daysLeft) });
}

/** From best to worst. */
const destinationStates = ['removed', 'up', 'untried', 'waiting', 'down', 'paused'] as const;

function badness({ state }: DestinationReport): number {
  return destinationStates.indexOf(state);
}

/** Reason codes that say that nothing gets as far as the other side. */
const nearCodes: ReadonlySet<string> = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'PROXY_UNAVAILABLE',
  'PROXY_REFUSED',
  'PROXY_SIGN_IN_REFUSED',
  'FOLDER_NOT_MOUNTED',
]);

/** The way out, in two pieces: to the network, and from there to the archive that fares worst. */
export interface WayOut {
  readonly near: StateWords;
  readonly far: StateWords;
}

export function wayOut(report: StatusReport, frame: Frame): WayOut {
  const { speech } = frame;
  const used = Object.values(report.destinations).filter((one) => one.state !== 'removed');
  const worst = used.toSorted((a, b) => badness(b) - badness(a))[0];
  const unknown: StateWords = { tone: 'idle', word: speech.say('path.notReached'), detail: null };
  if (worst === undefined) {
    const far = { word: speech.say('path.noArchive'), detail: speech.say('path.stayHere') };
    return { near: { ...unknown, word: speech.say('unknown') }, far: { tone: 'bad', ...far } };
  }
  const words = destinationWords(worst, frame);
  const same = used.filter((one) => one.state === worst.state).length;
  const some = { word: words.word, part: same, whole: used.length };
  const far =
    used.length === 1 || worst.state === 'up' ? words : { ...words, word: speech.say('path.some', some) };
  const reached: StateWords = { tone: 'ok', word: speech.say('path.open'), detail: null };
  if (worst.state === 'untried') return { near: { ...unknown, word: speech.say('archive.untried') }, far };
  if (worst.state === 'up' || worst.reason === null || !nearCodes.has(worst.reason.code))
    return { near: reached, far };
  // Some other archive is reached: the line itself is in order.
  if (used.some((one) => one.state === 'up')) return { near: reached, far };
  const detail = causeWords(worst.reason, frame);
  return { near: { tone: far.tone, word: speech.say('path.broken'), detail }, far: unknown };
}

/** The reason code of a destination that a person has paused: it alone does not go on by itself. */
export const pausedByOperator = 'PAUSED_BY_OPERATOR';

export function destinationWords(one: DestinationReport, frame: Frame): StateWords {
  const { speech } = frame;
  const nextAt = timeOf(one.nextAttemptAt);
  const again =
    nextAt === null
      ? speech.say('archive.beingTried')
      : speech.say('archive.triedAt', { time: clockTime(nextAt, frame) });
  const words = {
    untried: ['idle', 'archive.untried', speech.say('archive.untried.why')],
    up: ['ok', one.queued > 0 ? 'archive.sending' : 'archive.connected', null],
    waiting: ['warn', 'archive.waiting', again],
    down: ['bad', 'archive.down', again],
    paused:
      one.reason?.code === pausedByOperator
        ? ['bad', 'archive.paused', speech.say('archive.paused.why')]
        : ['bad', 'archive.notSending', again],
    removed: ['idle', 'archive.removed', null],
  } as const satisfies Record<DestinationReport['state'], readonly [Tone, Key, string | null]>;
  const [tone, key, detail] = words[one.state];
  return { tone, word: speech.say(key), detail };
}

/** Whether the last thing heard of a modality was refused. */
export function isRefused({ lastHeardAt, lastRefusal }: ModalityReport): boolean {
  if (lastRefusal === null) return false;
  return lastHeardAt === null || Date.parse(lastRefusal.at) >= Date.parse(lastHeardAt);
}

export function modalityWords(one: ModalityReport, frame: Frame): StateWords {
  const heardAt = timeOf(one.lastHeardAt);
  const refusedAt = timeOf(one.lastRefusal?.at ?? null);
  if (one.lastRefusal !== null && refusedAt !== null && isRefused(one)) {
    return { tone: 'warn', word: refusalWords(one.lastRefusal.kind, frame), detail: ago(refusedAt, frame) };
  }
  if (heardAt === null) return { tone: 'idle', word: frame.speech.say('modality.neverHeard'), detail: null };
  return { tone: 'ok', word: frame.speech.say('modality.heard'), detail: ago(heardAt, frame) };
}

/** How many images are set aside, whatever for. */
export function parkedCount({ totals: { held, quarantined, conflicts } }: StatusReport): number {
  return held + quarantined + conflicts;
}

/** Days a server certificate still has. */
export function certificateWords(daysLeft: number, { speech }: Frame): StateWords {
  if (daysLeft <= 0) return { tone: 'bad', word: speech.say('certificate.expired'), detail: null };
  const word = speech.say('certificate.left', { n: Math.floor(daysLeft) });
  return { tone: daysLeft <= 7 ? 'warn' : 'ok', word, detail: null };
}

export function mbitWords(mbitPerSecond: number, frame: Frame): string {
  return frame.speech.say('line.mbit', { n: rate(mbitPerSecond, frame) });
}

/** Why it does not go faster to an archive; null where nothing limits it. */
export function limitWords({ line }: DestinationReport, frame: Frame): string | null {
  const { limitMbitPerSecond, limitBecause, limitUntil } = line;
  const { speech } = frame;
  if (limitMbitPerSecond === null) return null;
  const bare =
    limitMbitPerSecond === 0
      ? speech.say('line.nothing')
      : speech.say('line.most', { mbit: mbitWords(limitMbitPerSecond, frame) });
  const limit = limitBecause === 'operator' ? speech.say('line.byCommand', { limit: bare }) : bare;
  const until = timeOf(limitUntil);
  return until === null ? limit : speech.say('line.until', { limit, time: clockTime(until, frame) });
}

/** The way in with TLS. */
export function tlsWords({ open, problem }: TlsReport, { speech }: Frame): StateWords {
  if (!open) return { tone: 'bad', word: speech.say('tls.closed'), detail: speech.say('tls.closed.why') };
  const word = speech.say('tls.open');
  return problem === null
    ? { tone: 'ok', word, detail: null }
    : { tone: 'warn', word, detail: speech.say('tls.open.why') };
}

/** How things stand with this box's own certificate. */
export function ownCertificateWords({ life, daysLeft }: TlsCertificateReport, { speech }: Frame): StateWords {
  if (life === 'expired') return { tone: 'bad', word: speech.say('certificate.expired'), detail: null };
  if (life === 'early')
    return { tone: 'bad', word: speech.say('tls.early'), detail: speech.say('tls.early.why') };
  const detail = speech.say('certificate.left', { n: daysLeft });
  return life === 'renew'
    ? { tone: 'warn', word: speech.say('tls.renew'), detail }
    : { tone: 'ok', word: speech.say('tls.valid'), detail };
}

/** Whether the box's clock is right, by what the archives say. */
export function clockWords({ clock }: StatusReport, { speech }: Frame): StateWords {
  if (clock.trusted === null) return { tone: 'idle', word: speech.say('box.clockUnknown'), detail: null };
  if (clock.trusted) return { tone: 'ok', word: speech.say('box.clockGood'), detail: null };
  const worst = Object.entries(clock.offsetSeconds).toSorted(([, a], [, b]) => Math.abs(b) - Math.abs(a))[0];
  const values = { n: Math.abs(worst?.[1] ?? 0), names: worst?.[0] ?? '' };
  return { tone: 'bad', word: speech.say('box.clockBad', values), detail: null };
}
