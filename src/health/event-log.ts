import type { DestinationReport, EventReport, RefusalReport, StatusReport } from './status.ts';

/** Enough for a bad day; the log file has the rest. */
export const eventsMax = 50;

type Event = Omit<EventReport, 'at'>;

/** Remembers what changed from one status to the next, newest first. In memory: the journal is the lasting record. */
export class EventLog {
  #events: readonly EventReport[];
  #before: StatusReport | null = null;

  /** @param startedAt ISO time */
  constructor(startedAt: string) {
    this.#events = [
      {
        at: startedAt,
        tone: 'info',
        code: 'GATEWAY_STARTED',
        subject: null,
        words: 'The gateway was started.',
      },
    ];
  }

  get events(): readonly EventReport[] {
    return this.#events;
  }

  observe(report: StatusReport): void {
    const before = this.#before;
    this.#before = report;
    const events = before === null ? firstLook(report) : changes(before, report);
    if (events.length === 0) return;
    const stamped = events.map((event) => ({ at: report.time, ...event }));
    this.#events = [...stamped.toReversed(), ...this.#events].slice(0, eventsMax);
  }
}

function firstLook(report: StatusReport): Event[] {
  return report.verdict === 'working' ? [] : [verdictEvent(report)];
}

function changes(before: StatusReport, after: StatusReport): Event[] {
  return [
    ...newRefusals(before, after).map(refusalEvent),
    ...destinationEvents(before, after),
    ...countEvents(before, after),
    ...diskEvents(before, after),
    ...verdictEvents(before, after),
  ];
}

function verdictEvents(before: StatusReport, after: StatusReport): Event[] {
  const same =
    before.verdict === after.verdict && (after.verdict === 'working' || before.code === after.code);
  return same ? [] : [verdictEvent(after)];
}

function verdictEvent({ verdict, code, reason, about }: StatusReport): Event {
  if (verdict === 'working')
    return { tone: 'good', code: 'WORKING_AGAIN', subject: null, words: 'All is well again.' };
  return { tone: verdict === 'down' ? 'bad' : 'warn', code, subject: about.name, words: reason };
}

function refusalKey({ kind, address, callingAeTitle, calledAeTitle, code }: RefusalReport): string {
  return JSON.stringify([kind, address, callingAeTitle, calledAeTitle, code]);
}

/** One that goes on being refused for the same reason is one event, not a flood. */
function newRefusals(before: StatusReport, after: StatusReport): readonly RefusalReport[] {
  const known = new Set(before.intake.refusals.map(refusalKey));
  return after.intake.refusals.filter((one) => !known.has(refusalKey(one)));
}

function refusalEvent({ code, reason, modalityName, callingAeTitle, address }: RefusalReport): Event {
  const title = callingAeTitle.trim();
  return { tone: 'warn', code, subject: modalityName ?? (title === '' ? address : title), words: reason };
}

const destinationTrouble: ReadonlySet<DestinationReport['state']> = new Set(['down', 'paused']);

function destinationEvents(before: StatusReport, after: StatusReport): Event[] {
  return Object.entries(after.destinations).flatMap(([name, one]): Event[] => {
    const was = before.destinations[name]?.state;
    if (was === one.state || was === undefined) return [];
    if (destinationTrouble.has(one.state)) {
      const words = one.reason?.words ?? 'The archive cannot be reached.';
      return [{ tone: 'warn', code: one.reason?.code ?? 'UNKNOWN', subject: name, words }];
    }
    if (one.state !== 'up' || was === 'waiting') return [];
    return [{ tone: 'good', code: 'ARCHIVE_CONNECTED', subject: name, words: 'The archive answers.' }];
  });
}

const counted = [
  ['held', 'IMAGES_HELD', 'Images are held back.'],
  ['quarantined', 'IMAGES_REFUSED', 'Images were refused by the archive for good.'],
  ['conflicts', 'IMAGES_IN_CONFLICT', 'Images arrived under an identity that is taken by others.'],
] as const;

function countEvents(before: StatusReport, after: StatusReport): Event[] {
  return counted.flatMap(([total, code, words]): Event[] =>
    after.totals[total] > before.totals[total] ? [{ tone: 'warn', code, subject: null, words }] : [],
  );
}

const diskWords: Readonly<Record<StatusReport['disk']['state'], string>> = {
  ok: 'The disk has room again.',
  low: 'The disk is nearly full.',
  full: 'The disk is full up to its reserve; new images are refused.',
  suspect: 'The disk failed to keep what was written.',
  missing: 'The disk for images is not there.',
};

function diskEvents(before: StatusReport, after: StatusReport): Event[] {
  const { state } = after.disk;
  if (state === before.disk.state) return [];
  const tone = state === 'ok' ? 'good' : state === 'low' ? 'warn' : 'bad';
  return [{ tone, code: `DISK_${state.toUpperCase()}`, subject: null, words: diskWords[state] }];
}
