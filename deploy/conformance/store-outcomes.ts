import type { StoreAnswer } from '../../src/archive/port.ts';
import type { SOPInstanceUID } from '../../src/dicom/uid.ts';
import { type DestinationVerdict, judge, type Verdict } from '../../src/forward/outcome.ts';
import { forwarderLimits } from '../../src/forward/settle.ts';
import { blocks, code, duration, hex4, paragraph, sentence, table } from './markdown.ts';

/*
 * What a store response comes to: not written down a second time, but asked of the code that judges real ones.
 */

const uid = '1.2.3' as SOPInstanceUID;

const verdictWords: Readonly<Record<Verdict['kind'], string>> = {
  stored: 'delivered; proof follows (5.3.3)',
  storedWithChange: 'delivered with a warning, which is shown and counted; proof follows',
  retry: `sent again later; held after ${forwarderLimits.attemptsMax} attempts`,
  retryThenQuarantine: `sent again later; quarantined after ${forwarderLimits.attemptsMax} attempts over at least ${duration(forwarderLimits.passingFailureMsMin)}`,
  quarantine: 'quarantined: kept, shown, not sent again until an operator decides',
  resendAsReceived: 'quarantined: there is no other form of it to send',
  compareWithArchive:
    'compared byte for byte with what the archive has: equal is verified, different is a conflict',
  unknown: `the archive is asked, or the same bytes are sent again; held after ${forwarderLimits.attemptsMax} such outcomes`,
  split: `sent again in smaller batches; alone, held after ${forwarderLimits.attemptsMax} attempts`,
  halve: 'sent again, half as many at a time',
  notBlamed: 'queued again; counts as no attempt',
};

const destinationWords: Readonly<Record<DestinationVerdict['kind'], string>> = {
  ok: '',
  backOff: 'sending slows down; a Retry-After is heeded',
  authFault: 'sending pauses; credentials are read afresh',
  configFault: 'sending pauses until a person has changed something',
};

interface Example {
  readonly seen: string;
  readonly answer: StoreAnswer;
}

function answered(
  status: number,
  over: Partial<Extract<StoreAnswer, { kind: 'answered' }>> = {},
): StoreAnswer {
  return {
    kind: 'answered',
    status,
    retryAfterMs: null,
    body: 'parsed',
    referenced: [],
    failed: [],
    ...over,
  };
}

const warnings = [0xb000, 0xb006, 0xb007];
const failures = [0xa700, 0xa900, 0xc000, 0xc122, 0x0110, 0x0111, 0x0122, 0x0124, 45_070, 45_071];
const refusing = [301, 400, 401, 403, 404, 405, 407, 408, 409, 413, 415, 429, 500, 503, 507];

const perInstance: readonly Example[] = [
  {
    seen: 'in the Referenced SOP Sequence',
    answer: answered(200, { referenced: [{ SOPInstanceUID: uid, warningReason: null }] }),
  },
  ...warnings.map((warningReason) => ({
    seen: `the same, Warning Reason ${hex4(warningReason)}`,
    answer: answered(202, { referenced: [{ SOPInstanceUID: uid, warningReason }] }),
  })),
  ...failures.map((failureReason) => ({
    seen: `Failure Reason ${hex4(failureReason)}${failureReason > 40_000 && failureReason < 0xb000 ? ` (${failureReason})` : ''}`,
    answer: answered(202, { failed: [{ SOPInstanceUID: uid, failureReason }] }),
  })),
  {
    seen: 'a failure without a reason',
    answer: answered(202, { failed: [{ SOPInstanceUID: uid, failureReason: null }] }),
  },
  {
    seen: 'in both sequences',
    answer: answered(202, {
      referenced: [{ SOPInstanceUID: uid, warningReason: null }],
      failed: [{ SOPInstanceUID: uid, failureReason: 0x0110 }],
    }),
  },
  { seen: 'success, the instance is not mentioned', answer: answered(200) },
  { seen: 'success without a body', answer: answered(204, { body: 'empty' }) },
  { seen: 'success with a body that cannot be read', answer: answered(200, { body: 'unreadable' }) },
];

const perRequest: readonly Example[] = [
  ...refusing.map((status) => ({ seen: `HTTP ${status}`, answer: answered(status, { body: 'empty' }) })),
  {
    seen: 'no connection (refused, DNS, TLS)',
    answer: { kind: 'failed', phase: 'unsent', code: 'ECONNREFUSED' },
  },
  { seen: 'the connection broke half-way', answer: { kind: 'failed', phase: 'partial', code: 'ECONNRESET' } },
  {
    seen: 'no answer after the last byte',
    answer: { kind: 'failed', phase: 'unanswered', code: 'UND_ERR_HEADERS_TIMEOUT' },
  },
];

export function storeOutcomes(): string {
  const batch = [{ SOPInstanceUID: uid }, { SOPInstanceUID: '1.2.4' as SOPInstanceUID }];
  const verdict = (answer: StoreAnswer, items: readonly { SOPInstanceUID: SOPInstanceUID }[]): string =>
    verdictWords[judge(answer, items).perInstance[0]?.kind ?? 'unknown'];
  const destination = (answer: StoreAnswer): string =>
    destinationWords[judge(answer, batch.slice(0, 1)).destination.kind];
  return blocks(
    '### 7.5 Store responses (STOW-RS, as user agent)',
    paragraph(
      'What the archive says of an instance in its response counts, whatever the HTTP status; the status counts for those it',
      `says nothing about. Attempts follow each other after ${duration(forwarderLimits.instanceRetry.firstMs)}, doubling up to ${duration(forwarderLimits.instanceRetry.capMs)}, with jitter. While a destination is at fault as a whole, no attempt`,
      'counts against an instance. Nothing is ever given up: held and quarantined instances stay until an operator decides.',
    ),
    '**Table 7-8. What the response says of an instance** (PS3.18 10.5.3 and Annex I)',
    table(
      ['Seen', 'The instance is', 'The destination'],
      perInstance.map(({ seen, answer }) => [
        sentence(seen),
        sentence(verdict(answer, batch.slice(0, 1))),
        sentenceOrNothing(destination(answer)),
      ]),
    ),
    paragraph(
      `Failure Reasons ${code('A7xx')}, ${code('A9xx')} and ${code('Cxxx')} (but C122) are judged like A700, A900 and C000; any other like 0110.`,
      'Azure uses 45070 and 45071; Google says "already exists" in a private element, which is judged like 0111.',
    ),
    '**Table 7-9. What is left to the HTTP status, or to the line**',
    table(
      ['Seen', 'One instance in the request', 'Several', 'The destination'],
      perRequest.map(({ seen, answer }) => [
        seen,
        sentence(verdict(answer, batch.slice(0, 1))),
        sentence(verdict(answer, batch)),
        sentenceOrNothing(destination(answer)),
      ]),
    ),
  );
}

function sentenceOrNothing(text: string): string {
  return text === '' ? '' : sentence(text);
}
