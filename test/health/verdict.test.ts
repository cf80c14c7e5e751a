import { describe, expect, test } from 'vitest';
import type { RefusalReport } from '../../src/health/status.ts';
import { Since } from '../../src/health/since.ts';
import {
  type DestinationFacts,
  judge,
  unreachableGraceMs,
  type VerdictFacts,
} from '../../src/health/verdict.ts';

const now = Date.UTC(2026, 0, 15, 12, 0);
const minuteMs = 60_000;

const up: DestinationFacts = {
  state: 'up',
  reason: null,
  queued: 0,
  delivered: 0,
  accepted: 0,
  reached: true,
  stateSince: null,
  cannotVerify: null,
  cannotVerifySince: null,
};
const timeout = { code: 'ETIMEDOUT', words: 'The archive did not answer.' };
const unauthorised = { code: 'AUTH', words: 'TLS: the archive refused the sign-in' };

const calm: VerdictFacts = {
  now,
  timeZone: 'Europe/Berlin',
  intake: { open: true, reason: null, tls: null },
  disk: { state: 'ok', daysLeft: null },
  configRejected: null,
  queue: { instances: 0 },
  totals: { received: 500, quarantined: 0, conflicts: 0, held: 0 },
  destinations: { cloud: up },
  modalities: {},
};

function with412(destination: Partial<DestinationFacts>): VerdictFacts {
  return {
    ...calm,
    queue: { instances: 412 },
    destinations: { cloud: { ...up, queued: 412, ...destination } },
  };
}

describe('working', () => {
  test('everything confirmed', () => {
    expect(judge(calm)).toEqual({
      verdict: 'working',
      // When it was last confirmed stands beside it, on the page and in the report.
      reason: 'Everything received is in the archive.',
      nextStep: null,
      code: 'ALL_VERIFIED',
      about: { name: null, cause: null, count: null, at: null },
    });
  });

  test('on their way', () => {
    expect(judge(with412({ queued: 400, delivered: 12 })).reason).toBe(
      '412 images are on their way to the archive.',
    );
    const one = { ...calm, queue: { instances: 1 }, destinations: { cloud: { ...up, queued: 1 } } };
    expect(judge(one).reason).toBe('1 image is on its way to the archive.');
  });

  test('never claims that everything is in the archive while something is not', () => {
    expect(judge({ ...calm, queue: { instances: 3 } }).reason).toBe(
      '3 images are on their way to the archive.',
    );
    const delivered = { ...calm, destinations: { a: up, b: { ...up, delivered: 2 } } };
    expect(judge(delivered).reason).toBe('2 images are on their way to the archive.');
  });

  test('an archive that is not read back has accepted, not proven', () => {
    const accepted = { ...up, accepted: 5 };
    const facts = { ...calm, queue: { instances: 5 }, destinations: { cloud: accepted } };
    expect(judge(facts).reason).toBe('The archive has accepted everything received.');
  });

  test('a new box', () => {
    const fresh = { ...calm, totals: { ...calm.totals, received: 0 } };
    expect(judge(fresh)).toMatchObject({
      verdict: 'working',
      reason: 'Ready; no image has been received yet.',
    });
    const untried = { cloud: { ...up, state: 'untried' as const, reached: false } };
    expect(judge({ ...fresh, destinations: untried })).toMatchObject({
      verdict: 'working',
      reason: 'Ready to receive; whether "cloud" can be reached is being tried.',
    });
  });

  test('a line that dropped a moment ago, or that nothing waits for, is no trouble', () => {
    const short = with412({ state: 'down', reason: timeout, stateSince: now - unreachableGraceMs });
    expect(judge(short).verdict).toBe('working');
    const idle = { ...up, state: 'down' as const, reason: timeout, stateSince: now - 60 * minuteMs };
    expect(judge({ ...calm, destinations: { cloud: idle } }).verdict).toBe('working');
  });
});

test('since: a state begins when it is first seen, again after another, and never in the future', () => {
  const since = new Since();
  expect(since.of('cloud', 'down', 100)).toBe(100);
  expect(since.of('cloud', 'down', 200)).toBe(100);
  expect(since.of('other', 'down', 200)).toBe(200);
  expect(since.of('cloud', 'up', 300)).toBe(300);
  expect(since.of('cloud', 'down', 400)).toBe(400);
  expect(since.of('cloud', 'down', 50)).toBe(50);
});

describe('degraded', () => {
  const longDown = { state: 'down' as const, reason: timeout, stateSince: now - 30 * minuteMs };

  test('an archive out of reach: since when, why, and how many images are safe here for how long', () => {
    const facts = { ...with412(longDown), disk: { state: 'ok' as const, daysLeft: 9.7 } };
    expect(judge(facts)).toMatchObject({
      verdict: 'degraded',
      reason:
        'Not sending to "cloud" since 12:30: the archive did not answer; 412 images are safe on this box, with room for about 9 days.',
      nextStep: expect.stringContaining('Internet line') as string,
    });
    expect(judge({ ...with412({ ...longDown, state: 'waiting' }) }).verdict).toBe('degraded');
  });

  test('the day is said where it is not today', () => {
    const yesterday = with412({ ...longDown, stateSince: now - 24 * 60 * minuteMs });
    expect(judge(yesterday).reason).toContain('since 14 Jan, 13:00:');
  });

  test('a refused modality is spoken of until it gets in, or for an hour after its last try', () => {
    const refusal = {
      kind: 'rejected',
      code: 'CALLED_AE_TITLE',
      reason: 'The device asked for an AE title that is not that of this gateway.',
      nextStep: 'Correct it in the device.',
    } as const;
    const verdictOf = (refusedMinutesAgo: number, heardMinutesAgo: number | null) => {
      const iso = (minutes: number) => new Date(now - minutes * minuteMs).toISOString();
      const lastRefusal = { ...refusal, at: iso(refusedMinutesAgo) } as unknown as RefusalReport;
      const lastHeardAt = heardMinutesAgo === null ? null : iso(heardMinutesAgo);
      return judge({ ...calm, modalities: { ct1: { lastHeardAt, lastRefusal } } });
    };
    expect(verdictOf(59, null)).toMatchObject({
      verdict: 'degraded',
      code: 'MODALITY_REFUSED',
      nextStep: expect.stringContaining(
        'This is said until "ct1" gets in, or for an hour after its last try.',
      ) as string,
    });
    expect(verdictOf(59, 200).code).toBe('MODALITY_REFUSED');
    expect(verdictOf(59, 58).verdict).toBe('working');
    expect(verdictOf(60, null).verdict).toBe('working');
  });

  test('images that are set aside are safe on this box too', () => {
    const facts = with412(longDown);
    const totals = { ...calm.totals, held: 3, quarantined: 2, conflicts: 1 };
    expect(judge({ ...facts, totals }).reason).toContain('; 418 images are safe on this box.');
    const parkedOnly = { ...facts, queue: { instances: 0 }, totals: { ...totals, held: 0, conflicts: 0 } };
    expect(judge(parkedOnly).reason).toContain('; 2 images are safe on this box.');
  });

  test.each<[name: string, change: Partial<VerdictFacts>, reason: RegExp, nextStep: RegExp]>([
    [
      'never reached, even with nothing waiting and from the first moment',
      { destinations: { cloud: { ...up, state: 'down', reached: false, reason: timeout, stateSince: now } } },
      /^No connection to "cloud" yet: the archive did not answer\.$/,
      /the address and the certificates set for "cloud".* tried again by itself/,
    ],
    [
      'a file of the configuration that cannot be read',
      {
        destinations: {
          cloud: {
            ...up,
            state: 'paused',
            reached: false,
            reason: { code: 'TOKEN_FILE_UNREADABLE', words: 'the token file /etc/t cannot be read' },
          },
        },
      },
      /^Not sending to "cloud": the token file \/etc\/t cannot be read\.$/,
      /must be able to read it.*by itself/,
    ],
    [
      'a changed configuration that was not taken',
      {
        configRejected: {
          code: 'CONFIG_INVALID',
          words: 'The changed configuration file is not valid; the one before stays in use.',
          nextStep: 'Check it with "gantry check-config FILE".',
        },
      },
      /^The changed configuration file is not valid; the one before stays in use\.$/,
      /gantry check-config FILE/,
    ],
    [
      'paused, even with nothing waiting',
      { destinations: { a: up, cloud: { ...up, state: 'paused', reason: unauthorised } } },
      /^Not sending to "cloud": TLS: the archive refused the sign-in\.$/,
      /sign-in of "cloud"/,
    ],
    [
      'paused by an operator',
      {
        destinations: {
          cloud: {
            ...up,
            state: 'paused',
            reason: { code: 'PAUSED_BY_OPERATOR', words: 'Paused by an operator.' },
          },
        },
      },
      /^Not sending to "cloud": paused by an operator\.$/,
      /^Resume it/,
    ],
    [
      'a removed destination with work',
      { destinations: { old: { ...up, state: 'removed', queued: 1, delivered: 1 } } },
      /^2 images wait for "old", which is no longer configured\.$/,
      /Put "old" back/,
    ],
    [
      'little space',
      { disk: { state: 'low', daysLeft: 0.4 } },
      /nearly full, with room for less than a day/,
      /keepVerifiedHours/,
    ],
    ['a conflict', { totals: { ...calm.totals, conflicts: 1 } }, /^1 image arrived/, /queue resolve/],
    [
      'refused images',
      { totals: { ...calm.totals, quarantined: 2 } },
      /^2 images were refused/,
      /queue retry/,
    ],
    [
      'held images',
      { totals: { ...calm.totals, held: 1200 } },
      /^1,200 images are held back/,
      /queue release/,
    ],
    [
      'no right to read back',
      {
        destinations: {
          cloud: { ...up, delivered: 7, cannotVerify: { code: 'READ_REFUSED', words: 'read-back refused' } },
        },
      },
      /^Sent to "cloud", but it cannot be checked there: read-back refused\.$/,
      /right to read back/,
    ],
  ])('%s', (_, change, reason, nextStep) => {
    const judgement = judge({ ...calm, ...change });
    expect(judgement.verdict).toBe('degraded');
    expect(judgement.reason).toMatch(reason);
    expect(judgement.nextStep).toMatch(nextStep);
  });

  test('a read-back that failed a moment ago is no trouble yet', () => {
    const refused = { code: 'X', words: 'Timeout.' };
    const facts = (cannotVerifySince: number): VerdictFacts => ({
      ...calm,
      destinations: { cloud: { ...up, delivered: 7, cannotVerify: refused, cannotVerifySince } },
    });
    expect(judge(facts(now - 60_000)).verdict).toBe('working');
    expect(judge(facts(now - 3 * 60_000)).reason).toContain('cannot be checked there: timeout.');
  });

  test('the gravest is said first', () => {
    const everything: VerdictFacts = {
      ...with412(longDown),
      intake: { open: false, reason: { code: 'SPOOL_DISK_FULL', words: 'no space' }, tls: null },
      disk: { state: 'full', daysLeft: 0 },
      totals: { received: 500, quarantined: 1, conflicts: 1, held: 1 },
    };
    expect(judge(everything).reason).toMatch(/^Not receiving/);
    expect(judge({ ...everything, intake: calm.intake }).reason).toMatch(/^Not sending/);
    expect(judge({ ...everything, intake: calm.intake, destinations: { cloud: up } }).reason).toMatch(/disk/);
  });
});

test.each([
  ['full', 'the disk is full', /larger disk/],
  ['suspect', 'the disk failed while writing', /Leave the box switched on/],
  ['missing', 'the data disk is not there', /mounted/],
  ['ok', 'the keys cannot be written', /read out/],
] as const)('down: intake closed with the disk %s', (state, cause, nextStep) => {
  const judgement = judge({
    ...with412({}),
    intake: { open: false, reason: { code: 'X', words: 'the keys cannot be written.' }, tls: null },
    disk: { state, daysLeft: null },
  });
  expect(judgement).toMatchObject({
    verdict: 'down',
    reason: `Not receiving: ${cause}; 412 images are safe on this box.`,
    nextStep: expect.stringMatching(nextStep) as string,
  });
});
