import type { Notice } from './notifier.ts';

const subjects: Readonly<Record<Notice['kind'], (notice: Notice) => string>> = {
  start: ({ verdict }) => (verdict === 'down' ? 'not receiving' : 'needs attention'),
  worse: () => 'not receiving',
  end: () => 'all is well again',
  digest: ({ verdict }) => `today: ${verdict}`,
};

/** One line, free of line breaks. */
export function noticeSubject(notice: Notice): string {
  return `Gantry at ${notice.site}: ${subjects[notice.kind](notice)}`.replaceAll(/\s+/g, ' ');
}

export function noticeText(notice: Notice): string {
  const { kind, reason, nextStep, since, at, queue, totals, version } = notice;
  const parked = totals.held + totals.quarantined + totals.conflicts;
  return [
    reason,
    ...(nextStep === null ? [] : [`What to do: ${nextStep}`]),
    '',
    ...(kind === 'digest' ? [] : [`${kind === 'end' ? 'It had begun' : 'Since'}: ${since}`]),
    `As of: ${at}`,
    `Waiting to be sent or proven: ${queue.instances} images of ${queue.studies} studies`,
    `Held, refused or in conflict: ${parked} images`,
    `Received in all: ${totals.received}; proven to be in the archive: ${totals.verified}`,
    '',
    `Gantry ${version}. No patient data is in this message.`,
    '',
  ].join('\n');
}
