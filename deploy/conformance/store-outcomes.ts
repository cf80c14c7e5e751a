import type { StoreAnswer } from '../../src/archive/port.ts';
import type { SOPInstanceUID } from '../../src/dicom/uid.ts';
import { type Judgement, judge, type Verdict } from '../../src/forward/outcome.ts';
import { type FaultKind, faultOf, forwarderLimits, Settler } from '../../src/forward/settle.ts';
import type { ForwardItem, ForwardSettlement, ObjectId, UidKey } from '../../src/spool/types.ts';
import { blocks, code, duration, hex4, paragraph, sentence, table } from './markdown.ts';

/*
 * What a store response comes to: not written down a second time, but asked of the code that judges and settles
 * real ones.
 */

type Answered = Extract<StoreAnswer, { kind: 'answered' }>;

interface Example {
  readonly seen: string;
  readonly answer: StoreAnswer;
}

const uid = '1.2.3' as SOPInstanceUID;
const one = [{ SOPInstanceUID: uid }];
const several = [{ SOPInstanceUID: uid }, { SOPInstanceUID: '1.2.4' as SOPInstanceUID }];

function answered(status: number, over: Partial<Answered> = {}): Answered {
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

function referenced(warningReason: number | null): Answered['referenced'] {
  return [{ SOPInstanceUID: uid, warningReason }];
}

function failed(failureReason: number | null): Answered['failed'] {
  return [{ SOPInstanceUID: uid, failureReason }];
}

const warningReasons = [0xb000, 0xb006, 0xb007];
const failureReasons = [0xa700, 0xa900, 0xc000, 0xc122, 0x0110, 0x0111, 0x0122, 0x0124];
/** Not in the standard. */
const azureReasons = [45_070, 45_071];
const refusals = [
  301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 407, 408, 409, 410, 413, 415, 421, 422, 425, 429,
  500, 501, 502, 503, 504, 505, 507,
];

const aboutInstance: readonly Example[] = [
  { seen: 'In the Referenced SOP Sequence', answer: answered(200, { referenced: referenced(null) }) },
  ...warningReasons.map((reason) => ({
    seen: `The same, Warning Reason ${hex4(reason)}`,
    answer: answered(202, { referenced: referenced(reason) }),
  })),
  ...failureReasons.map((reason) => ({
    seen: `Failure Reason ${hex4(reason)}`,
    answer: answered(202, { failed: failed(reason) }),
  })),
  ...azureReasons.map((reason) => ({
    seen: `Failure Reason ${reason} (Azure)`,
    answer: answered(202, { failed: failed(reason) }),
  })),
  { seen: 'A failure without a reason', answer: answered(202, { failed: failed(null) }) },
  {
    seen: 'In both sequences',
    answer: answered(202, { referenced: referenced(null), failed: failed(0x0110) }),
  },
  { seen: 'Success, the instance is not mentioned', answer: answered(200) },
  { seen: 'Success without a body', answer: answered(204, { body: 'empty' }) },
  { seen: 'Success with a body that cannot be read', answer: answered(200, { body: 'unreadable' }) },
];

const aboutRequest: readonly Example[] = [
  ...refusals.map((status) => ({ seen: `HTTP ${status}`, answer: answered(status, { body: 'empty' }) })),
  {
    seen: 'No connection (refused, DNS, TLS)',
    answer: { kind: 'failed', phase: 'unsent', code: 'ECONNREFUSED' },
  },
  {
    seen: 'The connection broke half-way',
    answer: { kind: 'failed', phase: 'partial', code: 'ECONNRESET' },
  },
  {
    seen: 'No answer after the last byte',
    answer: { kind: 'failed', phase: 'unanswered', code: 'UND_ERR_HEADERS_TIMEOUT' },
  },
];

const now = 1e12;
const settler = new Settler(forwarderLimits, { now: () => now, monotonic: () => now }, () => 0.5);

/** Where an instance ends that has come to the same verdict again and again. */
function settlementOf(verdict: Verdict, around: { batch: number; since: number }): ForwardSettlement['to'] {
  const item: ForwardItem = {
    objectId: 'example' as ObjectId,
    destination: 'example',
    studyKey: 'example' as UidKey,
    form: 'received',
    sentId: 'example' as ObjectId,
    bytes: 1,
    priority: 'routine',
    archiveHad: false,
    attempts: forwarderLimits.attemptsMax,
    unknowns: forwarderLimits.attemptsMax,
    firstAttemptAt: around.since,
  };
  // Having one already is a matter of proof, not of attempts.
  const fresh = verdict.kind === 'compareWithArchive' ? { ...item, attempts: 0, unknowns: 0 } : item;
  return settler.settle(fresh, verdict, { batchInstances: around.batch, destinationFault: false }).to;
}

const settledWords: Readonly<Record<Exclude<ForwardSettlement['to'], 'queued'>, string>> = {
  delivered: 'delivered; proof follows (5.3.3)',
  held: 'held',
  quarantined: 'quarantined',
  conflict: 'parked as a conflict',
};

/** What is done first about a verdict that is not the last word. */
const firstWords: Readonly<Partial<Record<Verdict['kind'], string>>> = {
  storedWithChange: 'delivered, the warning is shown and counted; proof follows (5.3.3)',
  compareWithArchive:
    'compared byte for byte with what the archive has: equal is verified, other is a conflict',
  retry: 'sent again later',
  retryThenQuarantine: 'sent again later',
  unknown: 'the archive is asked, or the same bytes are sent again',
  split: 'sent again in smaller requests',
  halve: 'sent again, half as many at a time',
  notBlamed: 'sent again; counts as no attempt',
};

function instanceWords(answer: StoreAnswer, items: readonly { SOPInstanceUID: SOPInstanceUID }[]): string {
  const judgement = judge(answer, items);
  const verdict = judgement.perInstance[0];
  if (verdict === undefined) throw new Error('no verdict');
  const batch = items.length;
  const to = settlementOf(verdict, { batch, since: 0 });
  // There is nothing smaller to send than one.
  const first = firstWords[verdict.kind === 'split' && batch === 1 ? 'retry' : verdict.kind];
  if (first === undefined || to === 'queued' || to === 'delivered') {
    return sentence(first ?? settledWords[to === 'queued' ? 'held' : to]);
  }
  const fault = faultIn(answer, judgement);
  if (fault?.opensAfter === 1) return sentence(`${first}, until it gets through`);
  const lasting = settlementOf(verdict, { batch, since: now }) === 'queued';
  const over = lasting ? ` over at least ${duration(forwarderLimits.passingFailureMsMin)}` : '';
  const meanwhile = fault === null ? '' : ', if others get through meanwhile';
  return sentence(
    `${first}; ${settledWords[to]} after ${forwarderLimits.attemptsMax} attempts${over}${meanwhile}`,
  );
}

function faultIn(answer: StoreAnswer, { destination }: Judgement): ReturnType<typeof faultOf> {
  return faultOf(destination, answer.kind === 'failed' && answer.phase === 'unsent', forwarderLimits);
}

const faultWords: Readonly<Record<FaultKind, string>> = {
  busy: 'paused, then tried with one instance at a time',
  down: 'paused, then tried with one instance at a time',
  'sign-in': 'paused; credentials are read afresh, and it is tried again',
  setup: `paused; tried again every ${duration(forwarderLimits.setupRetry.firstMs)} to ${duration(forwarderLimits.setupRetry.capMs)}, since a person has to change something`,
};

function destinationWords(answer: StoreAnswer): string {
  const fault = faultIn(answer, judge(answer, one));
  if (fault === null) return '';
  const after = fault.opensAfter > 1 ? `after ${fault.opensAfter} of these in a row ` : '';
  return sentence(after + faultWords[fault.kind]);
}

export function storeOutcomes(): string {
  const { instanceRetry } = forwarderLimits;
  return blocks(
    '### 7.5 Store responses (STOW-RS, as user agent)',
    paragraph(
      'What the archive says of an instance in its response counts, whatever the HTTP status; the status counts for those it',
      `says nothing about. Attempts follow each other after ${duration(instanceRetry.firstMs)}, doubling up to ${duration(instanceRetry.capMs)}, with jitter; a Retry-After is heeded, up to`,
      `${duration(instanceRetry.retryAfterMsMax)}. While a destination is paused, no attempt counts against an instance. Nothing is given up: held and`,
      'quarantined instances are kept and shown until an operator decides.',
    ),
    '**Table 7-8. What the response says of an instance** (PS3.18 10.5.3 and Annex I)',
    grouped(['Seen', 'The instance', 'The destination'], aboutInstance, ({ answer }) => [
      instanceWords(answer, one),
      destinationWords(answer),
    ]),
    paragraph(
      `Failure Reasons ${code('A7xx')}, ${code('A9xx')} and ${code('Cxxx')} are judged like A700, A900 and C000; others like 0110. Google's "already exists",`,
      'in a private element, is judged like 0111.',
    ),
    '**Table 7-9. What is left to the HTTP status, or to the line**',
    grouped(
      ['Seen', 'The instance, alone in the request', 'One of several', 'The destination'],
      aboutRequest,
      ({ answer }) => [instanceWords(answer, one), instanceWords(answer, several), destinationWords(answer)],
    ),
  );
}

/** What comes to the same is one row. */
function grouped(
  head: readonly string[],
  examples: readonly Example[],
  outcome: (example: Example) => readonly string[],
): string {
  const groups = Map.groupBy(examples, (example) => outcome(example).join('\n'));
  const rows = [...groups.values()].map((group) => {
    const [first, ...rest] = group;
    if (first === undefined) throw new Error('an empty group');
    const http = rest.filter(({ seen }) => seen.startsWith('HTTP ')).map(({ seen }) => seen.slice(5));
    const others = rest.filter(({ seen }) => !seen.startsWith('HTTP ')).map(({ seen }) => seen);
    return [[[first.seen, ...http].join(', '), ...others].join('; '), ...outcome(first)];
  });
  return table(head, rows);
}
