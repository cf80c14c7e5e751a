import type { Reason } from '../base/errors.ts';
import { type About, degraded, type Judgement } from './judgement.ts';
import type {
  DestinationReport,
  ModalityReport,
  RefusalReport,
  RejectionReport,
  StatusReport,
  TlsReport,
} from './status.ts';
import { tlsCertificate, tlsClosed, tlsFilesRejected, tlsRenewal } from './verdict-tls.ts';

/** What the verdict is drawn from. Times are milliseconds since the epoch. */
export interface VerdictFacts {
  readonly now: number;
  readonly timeZone: string;
  readonly intake: {
    readonly open: boolean;
    readonly reason: Reason | null;
    readonly tls: TlsReport | null;
  };
  readonly disk: Pick<StatusReport['disk'], 'state' | 'daysLeft'>;
  readonly configRejected: RejectionReport | null;
  readonly queue: { readonly instances: number };
  readonly totals: Pick<StatusReport['totals'], 'received' | 'quarantined' | 'conflicts' | 'held'>;
  readonly destinations: Readonly<Record<string, DestinationFacts>>;
  readonly modalities: Readonly<Record<string, Pick<ModalityReport, 'lastHeardAt' | 'lastRefusal'>>>;
}

export interface DestinationFacts
  extends Pick<DestinationReport, 'state' | 'reason' | 'queued' | 'delivered' | 'accepted'> {
  /** Whether it has been in order at least once since start. */
  readonly reached: boolean;
  /** Since when it has been in this state, null where that is not known. */
  readonly stateSince: number | null;
  /** Why delivered images cannot be read back, null where they can. */
  readonly cannotVerify: Reason | null;
  /** Since when they cannot, null where that is not known. */
  readonly cannotVerifySince: number | null;
}

/** A line that drops for a moment is no news. */
export const unreachableGraceMs = 120_000;

/**
 * A device that nobody lets in tries again within minutes as long as somebody stands at it. What nothing followed for
 * an hour is history: it stays beside the modality, but a verdict that stayed too would soon be believed by nobody.
 */
export const refusalNewsMs = 3_600_000;

/** The reason code of a destination that a person has paused. */
const pausedByOperator = 'PAUSED_BY_OPERATOR';

/** The first rule that speaks decides; the gravest come first. */
const rules: readonly ((facts: VerdictFacts) => Judgement | null)[] = [
  intakeClosed,
  tlsClosed,
  destinationPaused,
  destinationUnreached,
  destinationSilent,
  destinationRemoved,
  diskLow,
  tlsCertificate,
  tlsFilesRejected,
  configRejected,
  modalityRefused,
  conflicts,
  quarantined,
  held,
  cannotVerify,
  tlsRenewal,
];

/** Says in one sentence how things stand, and what to do about it. */
export function judge(facts: VerdictFacts): Judgement {
  for (const rule of rules) {
    const judgement = rule(facts);
    if (judgement !== null) return judgement;
  }
  return working(facts);
}

function intakeClosed(facts: VerdictFacts): Judgement | null {
  if (facts.intake.open) return null;
  const because: Record<typeof facts.disk.state, [cause: string, nextStep: string]> = {
    full: [
      'the disk is full',
      'Bring the connection to the archive back, or give this box a larger disk; images already received are safe.',
    ],
    suspect: [
      'the disk failed while writing',
      'Call IT: the disk must be checked, and probably replaced. Leave the box switched on.',
    ],
    missing: ['the data disk is not there', 'Call IT: check that the data disk is connected and mounted.'],
    low: [words(facts.intake.reason), 'Call IT and read out this message.'],
    ok: [words(facts.intake.reason), 'Call IT and read out this message.'],
  };
  const [cause, nextStep] = because[facts.disk.state];
  return {
    ...degraded('NOT_RECEIVING', `Not receiving: ${cause}${safeHere(facts, false)}.`, nextStep, {
      cause: facts.intake.reason,
    }),
    verdict: 'down',
  };
}

function destinationPaused(facts: VerdictFacts): Judgement | null {
  const found = find(facts, ({ state }) => state === 'paused');
  if (found === null) return null;
  const [name, destination] = found;
  const said = `Not sending to "${name}": ${words(destination.reason)}${safeHere(facts, true)}.`;
  const about = { name, cause: destination.reason };
  if (destination.reason?.code === pausedByOperator)
    return degraded('PAUSED', said, 'Resume it when the reason for the pause is gone.', about);
  if (destination.reason?.code.endsWith('_UNREADABLE') === true)
    return degraded(
      'SECRET_UNREADABLE',
      said,
      'Call IT: Gantry must be able to read it. Sending resumes by itself once it can.',
      about,
    );
  return degraded(
    'ARCHIVE_SIGN_IN',
    said,
    `Call IT: check the address and the sign-in of "${name}". Sending resumes by itself once they are right.`,
    about,
  );
}

/** Never in order since start: said at once, as it may be the settings, and whoever made them is still here. */
function destinationUnreached(facts: VerdictFacts): Judgement | null {
  const found = find(facts, ({ state, reached }) => (state === 'down' || state === 'waiting') && !reached);
  if (found === null) return null;
  const [name, { reason }] = found;
  return degraded(
    'ARCHIVE_NOT_REACHED',
    `No connection to "${name}" yet: ${words(reason)}${safeHere(facts, true)}.`,
    `Check the Internet line, then the address and the certificates set for "${name}". It is tried again by itself.`,
    { name, cause: reason },
  );
}

/** Out of reach, or asking to be left alone, for longer than a moment while something waits. */
function destinationSilent(facts: VerdictFacts): Judgement | null {
  const found = find(
    facts,
    ({ state, stateSince, queued, delivered }) =>
      (state === 'down' || state === 'waiting') && queued + delivered > 0 && graceOver(stateSince, facts),
  );
  if (found === null) return null;
  const [name, { reason, stateSince }] = found;
  const since = stateSince === null ? '' : ` since ${timeText(stateSince, facts)}`;
  return degraded(
    'ARCHIVE_SILENT',
    `Not sending to "${name}"${since}: ${words(reason)}${safeHere(facts, true)}.`,
    `Check the Internet line, then ask IT whether "${name}" is running. Sending resumes by itself.`,
    { name, cause: reason, at: stateSince },
  );
}

function destinationRemoved(facts: VerdictFacts): Judgement | null {
  const found = find(facts, ({ state, queued, delivered }) => state === 'removed' && queued + delivered > 0);
  if (found === null) return null;
  const [name, destination] = found;
  const waiting = destination.queued + destination.delivered;
  return degraded(
    'DESTINATION_REMOVED',
    `${images(waiting)} ${waiting === 1 ? 'waits' : 'wait'} for "${name}", which is no longer configured.`,
    `Put "${name}" back into the configuration, or discard them with "gantry queue discard".`,
    { name, count: waiting },
  );
}

function diskLow(facts: VerdictFacts): Judgement | null {
  if (facts.disk.state === 'ok') return null;
  return degraded(
    'DISK_LOW',
    `The disk is nearly full${roomText(facts)}.`,
    'Call IT: keep verified images for fewer hours ("keepVerifiedHours"), or give this box a larger disk.',
  );
}

function configRejected({ configRejected: rejected }: VerdictFacts): Judgement | null {
  return rejected === null
    ? null
    : degraded('CONFIG_REJECTED', rejected.words, rejected.nextStep, { cause: rejected });
}

/** A modality of ours that cannot send: whoever stands at it looks here first. */
function modalityRefused({ now, modalities }: VerdictFacts): Judgement | null {
  for (const [name, one] of Object.entries(modalities)) {
    const refusal = one.lastRefusal;
    if (refusal?.kind !== 'rejected' || !isRefusedNow(one) || !isRecent(refusal, now)) continue;
    const cause = { code: refusal.code, words: refusal.reason };
    return degraded(
      'MODALITY_REFUSED',
      `"${name}" called and was refused: ${words(cause)}.`,
      `${refusal.nextStep} This is said until "${name}" gets in, or for an hour after its last try.`,
      { name, cause, at: Date.parse(refusal.at) },
    );
  }
  return null;
}

function isRecent({ at }: RefusalReport, now: number): boolean {
  return now - Date.parse(at) < refusalNewsMs;
}

function isRefusedNow({ lastHeardAt, lastRefusal }: VerdictFacts['modalities'][string]): boolean {
  if (lastRefusal === null) return false;
  return lastHeardAt === null || Date.parse(lastRefusal.at) >= Date.parse(lastHeardAt);
}

function conflicts(facts: VerdictFacts): Judgement | null {
  const count = facts.totals.conflicts;
  if (count === 0) return null;
  return degraded(
    'CONFLICTS',
    `${images(count)} arrived under an identity that is already taken by a different image; both are kept.`,
    'Call IT: list them with "gantry queue ls" and decide with "gantry queue resolve".',
    { count },
  );
}

function quarantined(facts: VerdictFacts): Judgement | null {
  const count = facts.totals.quarantined;
  if (count === 0) return null;
  return degraded(
    'QUARANTINED',
    `${images(count)} ${were(count)} refused by the archive and ${are(count)} kept on this box.`,
    'Call IT: see why with "gantry queue ls", then "gantry queue retry" or "gantry queue discard".',
    { count },
  );
}

function held(facts: VerdictFacts): Judgement | null {
  const count = facts.totals.held;
  if (count === 0) return null;
  return degraded(
    'HELD',
    `${images(count)} ${are(count)} held back and ${are(count)} safe on this box.`,
    'Call IT: see why with "gantry queue ls", then "gantry queue release" or "gantry queue discard".',
    { count },
  );
}

function cannotVerify(facts: VerdictFacts): Judgement | null {
  const found = find(
    facts,
    ({ cannotVerify: reason, cannotVerifySince: since, delivered }) =>
      reason !== null && delivered > 0 && graceOver(since, facts),
  );
  if (found === null) return null;
  const [name, destination] = found;
  return degraded(
    'CANNOT_VERIFY',
    `Sent to "${name}", but it cannot be checked there: ${words(destination.cannotVerify)}.`,
    `Call IT: this box needs the right to read back from "${name}". Until then its images are kept here.`,
    { name, cause: destination.cannotVerify },
  );
}

function allWell(code: string, reason: string, about: About = {}): Judgement {
  return { ...degraded(code, reason, '', about), verdict: 'working', nextStep: null };
}

function working(facts: VerdictFacts): Judgement {
  const destinations = Object.values(facts.destinations);
  if (facts.totals.received === 0) {
    const [untried] = find(facts, ({ state }) => state === 'untried') ?? [];
    return untried === undefined
      ? allWell('READY', 'Ready; no image has been received yet.')
      : allWell('READY_UNTRIED', `Ready to receive; whether "${untried}" can be reached is being tried.`, {
          name: untried,
        });
  }
  const onTheirWay = destinations.map(({ queued, delivered }) => queued + delivered);
  const unproven = destinations.some(({ accepted }) => accepted > 0);
  // Of an archive that only has to answer, `accepted` is the end: such images stay counted in the queue.
  const waiting = Math.max(unproven ? 0 : facts.queue.instances, ...onTheirWay);
  if (waiting > 0)
    return allWell(
      'ON_THE_WAY',
      `${images(waiting)} ${are(waiting)} on ${waiting === 1 ? 'its' : 'their'} way to the archive.`,
      { count: waiting },
    );
  return unproven
    ? allWell('ALL_ACCEPTED', 'The archive has accepted everything received.')
    : allWell('ALL_VERIFIED', 'Everything received is in the archive.');
}

function find(
  facts: VerdictFacts,
  test: (destination: DestinationFacts) => boolean,
): [name: string, destination: DestinationFacts] | null {
  return Object.entries(facts.destinations).find(([, destination]) => test(destination)) ?? null;
}

function safeHere(facts: VerdictFacts, withRoom: boolean): string {
  const { queue, totals } = facts;
  const count = queue.instances + totals.held + totals.quarantined + totals.conflicts;
  if (count === 0) return '';
  return `; ${images(count)} ${are(count)} safe on this box${withRoom ? roomText(facts) : ''}`;
}

function roomText({ disk }: VerdictFacts): string {
  if (disk.daysLeft === null) return '';
  if (disk.daysLeft < 1) return ', with room for less than a day';
  const days = Math.floor(disk.daysLeft);
  return `, with room for about ${days} ${days === 1 ? 'day' : 'days'}`;
}

function images(count: number): string {
  return count === 1 ? '1 image' : `${count.toLocaleString('en')} images`;
}

function are(count: number): string {
  return count === 1 ? 'is' : 'are';
}

function were(count: number): string {
  return count === 1 ? 'was' : 'were';
}

/** A reason as part of a sentence: without its full stop, and beginning small unless it begins with a name. */
function words(reason: Reason | null): string {
  const text = (reason?.words ?? '').replace(/[.\s]+$/, '');
  if (text === '') return 'the cause is not known';
  return /^[A-Z][a-z ]/.test(text) ? `${text.charAt(0).toLowerCase()}${text.slice(1)}` : text;
}

function graceOver(since: number | null, { now }: VerdictFacts): boolean {
  return since === null || now - since > unreachableGraceMs;
}

/** The time of day at the site; with the day where that is not today. */
function timeText(at: number, { now, timeZone }: VerdictFacts): string {
  const format = (options: Intl.DateTimeFormatOptions, time: number) =>
    new Intl.DateTimeFormat('en-GB', { timeZone, ...options }).format(time);
  const time = format({ hour: '2-digit', minute: '2-digit' }, at);
  const day: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' };
  return format(day, at) === format(day, now) ? time : `${format(day, at)}, ${time}`;
}
