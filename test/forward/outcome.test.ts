import { describe, expect, test } from 'vitest';
import type { FailedInstance, ReferencedInstance, StoreAnswer } from '../../src/archive/port.ts';
import { GantryError, reasonWordsMax } from '../../src/base/errors.ts';
import { withoutUids } from '../../src/base/log.ts';
import type { SOPInstanceUID } from '../../src/dicom/uid.ts';
import { type DestinationVerdict, judge, type Verdict } from '../../src/forward/outcome.ts';
import { isOfService } from '../../src/forward/outcome-words.ts';

const a = '1.2.826.0.1.3680043.2.1' as SOPInstanceUID;
const b = '1.2.826.0.1.3680043.2.2' as SOPInstanceUID;
const c = '1.2.826.0.1.3680043.2.3' as SOPInstanceUID;
const stranger = '1.2.826.0.1.3680043.9.9';

const referenced = (...uids: (string | [string, number])[]): readonly ReferencedInstance[] =>
  uids.map((each) => {
    const [uid, warning] = typeof each === 'string' ? [each, null] : each;
    return { SOPInstanceUID: uid, warningReason: warning };
  });
const failed = (...entries: [string, number | null][]): readonly FailedInstance[] =>
  entries.map(([uid, failureReason]) => ({ SOPInstanceUID: uid, failureReason }));

interface Said {
  readonly status: number;
  readonly body?: 'parsed' | 'empty' | 'unreadable';
  readonly referenced?: readonly ReferencedInstance[];
  readonly failed?: readonly FailedInstance[];
  readonly retryAfterMs?: number;
}

function answered(said: Said): StoreAnswer {
  const lists = { referenced: said.referenced ?? [], failed: said.failed ?? [] };
  const body = said.body ?? (lists.referenced.length + lists.failed.length > 0 ? 'parsed' : 'empty');
  return { kind: 'answered', status: said.status, retryAfterMs: said.retryAfterMs ?? null, body, ...lists };
}

type Kinds = readonly Verdict['kind'][];
type Case = readonly [string, StoreAnswer, readonly SOPInstanceUID[], Kinds, DestinationVerdict['kind']];

function run(cases: readonly Case[]): void {
  test.each(cases)('%s', (_name, answer, uids, kinds, destination) => {
    const judgement = judge(
      answer,
      uids.map((uid) => ({ SOPInstanceUID: uid })),
    );
    expect(judgement.perInstance.map((verdict) => verdict.kind)).toEqual(kinds);
    expect(judgement.destination.kind).toBe(destination);
    for (const told of [...judgement.perInstance, judgement.destination]) {
      if (!('reason' in told)) continue;
      expect(told.reason.code).toMatch(/^[A-Z][A-Z0-9_]+$/);
      expect(told.reason.words.length).toBeGreaterThan(10);
      expect(told.reason.words.length).toBeLessThanOrEqual(reasonWordsMax);
      expect(withoutUids(told.reason.words)).toBe(told.reason.words);
    }
  });
}

describe('what the answer says of an instance counts', () => {
  run([
    [
      'all stored',
      answered({ status: 200, referenced: referenced(a, b) }),
      [a, b],
      ['stored', 'stored'],
      'ok',
    ],
    ['stored with 202', answered({ status: 202, referenced: referenced(a) }), [a], ['stored'], 'ok'],
    ['stored with 201', answered({ status: 201, referenced: referenced(a) }), [a], ['stored'], 'ok'],
    ['warning 0 is none', answered({ status: 200, referenced: referenced([a, 0]) }), [a], ['stored'], 'ok'],
    [
      'coerced (B000)',
      answered({ status: 202, referenced: referenced([a, 0xb000]) }),
      [a],
      ['storedWithChange'],
      'ok',
    ],
    [
      'dropped (B006)',
      answered({ status: 202, referenced: referenced([a, 0xb006]) }),
      [a],
      ['storedWithChange'],
      'ok',
    ],
    [
      'other class (B007)',
      answered({ status: 202, referenced: referenced([a, 0xb007]) }),
      [a],
      ['storedWithChange'],
      'ok',
    ],
    [
      'a warning of its own',
      answered({ status: 200, referenced: referenced([a, 1]) }),
      [a],
      ['storedWithChange'],
      'ok',
    ],
    [
      'one bad part: 400 though the other is stored (Orthanc)',
      answered({ status: 400, referenced: referenced(a), failed: failed([b, 0xc000]) }),
      [a, b],
      ['stored', 'quarantine'],
      'ok',
    ],
    [
      'all failed: 409 with reasons',
      answered({ status: 409, failed: failed([a, 0xa900], [b, 0x0110]) }),
      [a, b],
      ['quarantine', 'retryThenQuarantine'],
      'ok',
    ],
    [
      'out of resources (A700)',
      answered({ status: 409, failed: failed([a, 0xa700]) }),
      [a],
      ['retry'],
      'backOff',
    ],
    [
      'out of resources (A7FF) for one of two',
      answered({ status: 202, referenced: referenced(a), failed: failed([b, 0xa7ff]) }),
      [a, b],
      ['stored', 'retry'],
      'backOff',
    ],
    [
      'processing failure (0110)',
      answered({ status: 409, failed: failed([a, 0x0110]) }),
      [a],
      ['retryThenQuarantine'],
      'ok',
    ],
    [
      'no reason given',
      answered({ status: 409, failed: failed([a, null]) }),
      [a],
      ['retryThenQuarantine'],
      'ok',
    ],
    [
      'a reason of its own',
      answered({ status: 409, failed: failed([a, 12_345]) }),
      [a],
      ['retryThenQuarantine'],
      'ok',
    ],
    [
      'not authorised for it (0124)',
      answered({ status: 202, failed: failed([a, 0x0124]) }),
      [a],
      ['retryThenQuarantine'],
      'ok',
    ],
    [
      'does not match (A900)',
      answered({ status: 409, failed: failed([a, 0xa900]) }),
      [a],
      ['quarantine'],
      'ok',
    ],
    [
      'does not match (A9FF)',
      answered({ status: 409, failed: failed([a, 0xa9ff]) }),
      [a],
      ['quarantine'],
      'ok',
    ],
    [
      'cannot understand (C000)',
      answered({ status: 409, failed: failed([a, 0xc000]) }),
      [a],
      ['quarantine'],
      'ok',
    ],
    [
      'cannot understand (CFFF)',
      answered({ status: 409, failed: failed([a, 0xcfff]) }),
      [a],
      ['quarantine'],
      'ok',
    ],
    [
      'SOP Class not supported (0122)',
      answered({ status: 409, failed: failed([a, 0x0122]) }),
      [a],
      ['quarantine'],
      'ok',
    ],
    [
      'transfer syntax not supported (C122)',
      answered({ status: 409, failed: failed([a, 0xc122]) }),
      [a],
      ['resendAsReceived'],
      'ok',
    ],
    [
      'exists (Azure 45070)',
      answered({ status: 409, failed: failed([a, 45_070]) }),
      [a],
      ['compareWithArchive'],
      'ok',
    ],
    [
      'duplicate (0111)',
      answered({ status: 409, failed: failed([a, 0x0111]) }),
      [a],
      ['compareWithArchive'],
      'ok',
    ],
    [
      'busy with an earlier copy (Azure 45071)',
      answered({ status: 409, failed: failed([a, 45_071]) }),
      [a],
      ['retry'],
      'ok',
    ],
    ['failed though 200', answered({ status: 200, failed: failed([a, 0xc000]) }), [a], ['quarantine'], 'ok'],
    ['stored though 500', answered({ status: 500, referenced: referenced(a) }), [a], ['stored'], 'backOff'],
    ['stored though 404', answered({ status: 404, referenced: referenced(a) }), [a], ['stored'], 'ok'],
    [
      'stored and refused at the sign-in: only the other is put down to it',
      answered({ status: 403, referenced: referenced(a) }),
      [a, b],
      ['stored', 'notBlamed'],
      'authFault',
    ],
  ]);
});

describe('what it does not say is not guessed', () => {
  run([
    [
      'in neither list',
      answered({ status: 200, referenced: referenced(a) }),
      [a, b],
      ['stored', 'unknown'],
      'ok',
    ],
    [
      'in neither list of a 202',
      answered({ status: 202, failed: failed([a, 0xc000]) }),
      [a, b],
      ['quarantine', 'unknown'],
      'ok',
    ],
    [
      'in neither list of a 409',
      answered({ status: 409, failed: failed([a, 0xc000]) }),
      [a, b],
      ['quarantine', 'unknown'],
      'ok',
    ],
    ['only strangers', answered({ status: 200, referenced: referenced(stranger) }), [a], ['unknown'], 'ok'],
    [
      'strangers beside',
      answered({ status: 200, referenced: referenced(stranger, a) }),
      [a],
      ['stored'],
      'ok',
    ],
    [
      'a stranger failed',
      answered({ status: 202, referenced: referenced(a), failed: failed([stranger, 0xc000]) }),
      [a],
      ['stored'],
      'ok',
    ],
    [
      'in both lists',
      answered({ status: 202, referenced: referenced(a, b), failed: failed([a, 0xc000]) }),
      [a, b],
      ['unknown', 'stored'],
      'ok',
    ],
    ['referenced twice', answered({ status: 200, referenced: referenced(a, a) }), [a], ['stored'], 'ok'],
    [
      'referenced twice, warned once',
      answered({ status: 200, referenced: referenced(a, [a, 0xb000]) }),
      [a],
      ['storedWithChange'],
      'ok',
    ],
    [
      'failed twice',
      answered({ status: 409, failed: failed([a, 0xa700], [a, 0xc000]) }),
      [a],
      ['retry'],
      'backOff',
    ],
    ['sent twice', answered({ status: 200, referenced: referenced(a) }), [a, a], ['stored', 'stored'], 'ok'],
    ['empty lists', answered({ status: 200, body: 'parsed' }), [a, b], ['unknown', 'unknown'], 'ok'],
    ['200 with an empty body', answered({ status: 200 }), [a], ['unknown'], 'ok'],
    [
      '200 with a cut body',
      answered({ status: 200, body: 'unreadable' }),
      [a, b],
      ['unknown', 'unknown'],
      'ok',
    ],
    ['202 with an empty body', answered({ status: 202 }), [a], ['unknown'], 'ok'],
    ['204', answered({ status: 204 }), [a], ['unknown'], 'ok'],
  ]);
});

describe('the status counts for what the answer leaves open', () => {
  const plain = (status: number, body: 'empty' | 'unreadable' = 'empty'): StoreAnswer =>
    answered({ status, body });
  run([
    ['300', plain(300), [a], ['notBlamed'], 'configFault'],
    ['301', plain(301), [a], ['notBlamed'], 'configFault'],
    ['302 with a page', plain(302, 'unreadable'), [a, b], ['notBlamed', 'notBlamed'], 'configFault'],
    ['307', plain(307), [a], ['notBlamed'], 'configFault'],
    ['308', plain(308), [a], ['notBlamed'], 'configFault'],
    ['401', plain(401), [a, b], ['notBlamed', 'notBlamed'], 'authFault'],
    ['403 with a page', plain(403, 'unreadable'), [a], ['notBlamed'], 'authFault'],
    ['407', plain(407), [a], ['notBlamed'], 'authFault'],
    ['404', plain(404), [a], ['notBlamed'], 'configFault'],
    ['405', plain(405), [a], ['notBlamed'], 'configFault'],
    ['501', plain(501), [a], ['notBlamed'], 'configFault'],
    ['400', plain(400), [a, b], ['split', 'split'], 'ok'],
    ['400 alone', plain(400, 'unreadable'), [a], ['split'], 'ok'],
    ['409', plain(409), [a, b], ['split', 'split'], 'ok'],
    ['409 alone: Google has it', plain(409, 'unreadable'), [a], ['compareWithArchive'], 'ok'],
    ['415', plain(415), [a, b], ['split', 'split'], 'ok'],
    ['422', plain(422), [a], ['split'], 'ok'],
    ['413', plain(413), [a, b, c], ['halve', 'halve', 'halve'], 'ok'],
    ['413 alone', plain(413, 'unreadable'), [a], ['quarantine'], 'ok'],
    ['408', plain(408), [a], ['retry'], 'backOff'],
    ['425', plain(425), [a], ['retry'], 'backOff'],
    ['429', plain(429), [a, b], ['retry', 'retry'], 'backOff'],
    ['500', plain(500, 'unreadable'), [a], ['retry'], 'backOff'],
    ['502', plain(502), [a], ['retry'], 'backOff'],
    ['503', plain(503), [a], ['retry'], 'backOff'],
    ['504', plain(504), [a], ['retry'], 'backOff'],
    ['507', plain(507), [a], ['retry'], 'backOff'],
    ['599', plain(599), [a], ['retry'], 'backOff'],
  ]);

  test('a named time is passed on', () => {
    const { destination } = judge(answered({ status: 503, retryAfterMs: 9000 }), [{ SOPInstanceUID: a }]);
    expect(destination).toMatchObject({ kind: 'backOff', retryAfterMs: 9000 });
  });

  test("the words of a single instance that is too large are the table's", () => {
    const { perInstance } = judge(plain(413), [{ SOPInstanceUID: a }]);
    expect(perInstance[0]).toMatchObject({ reason: { words: 'too large for this archive (HTTP 413)' } });
  });
});

describe('no answer', () => {
  const broken = (phase: 'unsent' | 'partial' | 'unanswered', code: string): StoreAnswer => ({
    kind: 'failed',
    phase,
    code,
  });
  const source = (error: unknown): StoreAnswer => ({ kind: 'source-failed', error });
  const damaged = new GantryError({
    code: 'OBJECT_DAMAGED',
    kind: 'permanent',
    message: 'the stored object is damaged',
    nextStep: 'send it again',
  });
  run([
    ['refused', broken('unsent', 'ECONNREFUSED'), [a, b], ['notBlamed', 'notBlamed'], 'backOff'],
    ['no such name', broken('unsent', 'ENOTFOUND'), [a], ['notBlamed'], 'backOff'],
    ['certificate over', broken('unsent', 'CERT_HAS_EXPIRED'), [a], ['notBlamed'], 'backOff'],
    ['a code nobody knows', broken('unsent', 'ERR_SSL_SOMETHING'), [a], ['notBlamed'], 'backOff'],
    ['reset half-way', broken('partial', 'ECONNRESET'), [a, b], ['retry', 'retry'], 'backOff'],
    ['stalled half-way', broken('partial', 'SEND_STALLED'), [a], ['retry'], 'backOff'],
    [
      'reset after the last byte',
      broken('unanswered', 'ECONNRESET'),
      [a, b],
      ['unknown', 'unknown'],
      'backOff',
    ],
    ['silence', broken('unanswered', 'UND_ERR_HEADERS_TIMEOUT'), [a], ['unknown'], 'backOff'],
    ['token file gone', broken('unsent', 'TOKEN_FILE_UNREADABLE'), [a], ['notBlamed'], 'authFault'],
    ['client secret refused', broken('unsent', 'OAUTH_REFUSED'), [a], ['notBlamed'], 'authFault'],
    ['token service down', broken('unsent', 'OAUTH_UNAVAILABLE'), [a], ['notBlamed'], 'backOff'],
    ['authority file gone', broken('unsent', 'CA_FILE_UNREADABLE'), [a], ['notBlamed'], 'configFault'],
    ['proxy refuses', broken('unsent', 'PROXY_REFUSED'), [a], ['notBlamed'], 'configFault'],
    ['proxy down', broken('unsent', 'PROXY_UNAVAILABLE'), [a], ['notBlamed'], 'backOff'],
    ['ended by us before', broken('unsent', 'ABORTED'), [a], ['notBlamed'], 'ok'],
    ['ended by us half-way', broken('partial', 'ABORTED'), [a], ['notBlamed'], 'ok'],
    ['ended by us too late', broken('unanswered', 'ABORTED'), [a], ['unknown'], 'ok'],
    ['one damaged object among others', source(damaged), [a, b], ['split', 'split'], 'ok'],
    ['a damaged object', source(damaged), [a], ['quarantine'], 'ok'],
    ['an object that cannot be read now', source(new Error('EIO')), [a], ['retryThenQuarantine'], 'ok'],
  ]);
});

test('a huge answer is judged in one go', () => {
  const count = 50_000;
  const uids = Array.from({ length: count }, (_, index) => `2.25.${index}` as SOPInstanceUID);
  const answer = answered({
    status: 202,
    referenced: referenced(...uids.filter((_, index) => index % 2 === 0)),
    failed: failed(
      ...uids.filter((_, index) => index % 2 === 1).map((uid): [string, number] => [uid, 0xc000]),
    ),
  });
  const { perInstance } = judge(
    answer,
    uids.map((uid) => ({ SOPInstanceUID: uid })),
  );
  expect(perInstance.filter(({ kind }) => kind === 'stored')).toHaveLength(count / 2);
  expect(perInstance.filter(({ kind }) => kind === 'quarantine')).toHaveLength(count / 2);
});

test("the archive's own number is among the words", () => {
  const answer = answered({ status: 409, failed: failed([a, 45_070]) });
  const [verdict] = judge(answer, [{ SOPInstanceUID: a }]).perInstance;
  expect(verdict).toMatchObject({
    reason: {
      code: 'STOW_B00E',
      words: 'the archive already has an instance of this UID (failure reason 45070)',
    },
  });
});

describe('reasons are named after the service that gave them', () => {
  const codes = [0xa700, 0x0111, 0x0122, 0x0124, 0x0110, 0xa900, 0xc000, 0xc122, null] as const;
  const dimse = 'A700 0111 0122 0124 0110 A900 C000 C122 NO_REASON'.split(' ').map((code) => `DIMSE_${code}`);
  const folder = 'FULL OTHER_FILE 0122 0124 0110 A900 C000 C122 NO_REASON'
    .split(' ')
    .map((code) => `FOLDER_${code}`);

  test.each([
    ['DIMSE', dimse, /HTTP|failure reason/],
    ['FOLDER', folder, /HTTP|failure reason/],
  ] as const)('%s, and judged as those of STOW-RS', (service, named, strange) => {
    for (const [index, code] of codes.entries()) {
      const said = answered({ status: 200, failed: failed([a, code]) });
      const [verdict] = judge({ ...said, service } as StoreAnswer, [{ SOPInstanceUID: a }]).perInstance;
      expect(verdict?.kind).toBe(judge(said, [{ SOPInstanceUID: a }]).perInstance[0]?.kind);
      if (verdict === undefined || !('reason' in verdict)) throw new Error('no reason');
      expect(verdict.reason.code).toBe(named[index]);
      expect(verdict.reason.words).not.toMatch(strange);
      expect(verdict.reason.words.length).toBeLessThanOrEqual(reasonWordsMax);
      expect(isOfService(verdict.reason)).toBe(true);
    }
    const silent = { ...answered({ status: 200, referenced: referenced(b) }), service } as StoreAnswer;
    const [, unmentioned] = judge(silent, [{ SOPInstanceUID: b }, { SOPInstanceUID: a }]).perInstance;
    expect(unmentioned).toMatchObject({ kind: 'unknown', reason: { code: `${service}_NOT_MENTIONED` } });
    const changed = { ...answered({ status: 200, referenced: referenced([a, 0xb000]) }), service };
    const [warned] = judge(changed, [{ SOPInstanceUID: a }]).perInstance;
    expect(warned).toMatchObject({ kind: 'storedWithChange', reason: { code: `${service}_B000` } });
  });

  test('what ended an association or kept a folder away is not of the service', () => {
    for (const code of ['DIMSE_BUSY', 'DIMSE_ABORTED', 'FOLDER_NOT_MOUNTED', 'ECONNREFUSED', 'HTTP_409'])
      expect(isOfService({ code, words: '' })).toBe(false);
  });
});
