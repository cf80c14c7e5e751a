import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ReportedState } from '../../src/config/remote/documents.ts';
import { decideRollout, planWaves, progressOf, type RolloutView } from '../../src/fleet/rollout-decision.ts';
import type { RolloutBox, RolloutState } from '../../src/fleet/rollout-store.ts';
import { type ReportFacts, reportOf } from './desk-reports.ts';

const now = Date.parse('2026-05-04T12:00:00.000Z');
const minutesAgo = (minutes: number): string => new Date(now - minutes * 60_000).toISOString();
const rules = { soakMinutes: 30, successPercent: 95, errorPercent: 2, offlineMinutes: 60 };

/** Of a box: its wave, whether it was given generation 5, and what it reports. */
interface Case {
  readonly wave?: number;
  readonly given?: boolean;
  readonly excused?: boolean;
  readonly before?: string | null;
  readonly report?: ReportFacts;
}

const applied: Case = { given: true, report: { applied: 5 } };
const failed: Case = { given: true, report: { applied: 4, observed: 5, phase: 'RolledBack' } };
const atIt: Case = { given: true, report: { applied: 4, observed: 5, phase: 'Confirming' } };
const offline: Case = { given: true, report: { applied: 4, at: minutesAgo(61) } };

function rolloutBox({ wave = 0, given = false, excused = false, before = 'working' }: Case): RolloutBox {
  const gift = given ? { generation: 5, at: minutesAgo(10), verdictBefore: before } : null;
  return { wave, content: 'x', given: gift, excused };
}

function view(
  cases: readonly Case[],
  state: Partial<RolloutState> = {},
  more: Partial<RolloutView> = {},
): RolloutView {
  const reports = new Map<string, ReportedState | undefined>(
    cases.map(({ report }, index) => {
      const at = minutesAgo(1);
      return [`BOX-${index}`, report && reportOf(`BOX-${index}`, { at, ...report })] as const;
    }),
  );
  const boxes = Object.fromEntries(cases.map((one, index) => [`BOX-${index}`, rolloutBox(one)]));
  return {
    rollout: rules,
    state: { phase: 'running', reason: null, wave: 0, waves: 2, wellSince: null, boxes, ...state },
    reportOf: (device) => reports.get(device),
    mayGive: () => true,
    now,
    ...more,
  };
}

const many = (count: number, one: Case): Case[] => Array.from({ length: count }, () => one);

describe('how far a box is', () => {
  test.each<[string, Case, string]>([
    ['was not given it', { report: { applied: 4 } }, 'waiting'],
    ['has never reported', { given: true }, 'offline'],
    ['has not seen it yet', { given: true, report: { applied: 4 } }, 'given'],
    ['is confirming', atIt, 'given'],
    [
      'is confirming, and calls it applied already',
      { given: true, report: { applied: 5, phase: 'Confirming' } },
      'given',
    ],
    ['was last heard of before', offline, 'offline'],
    ['has applied it', applied, 'applied'],
    ['has applied it and gone home', { given: true, report: { applied: 5, at: minutesAgo(600) } }, 'applied'],
    ['has applied a later one', { given: true, report: { applied: 6 } }, 'applied'],
    [
      'has applied it and refuses a later one',
      { given: true, report: { applied: 5, observed: 6, phase: 'Rejected' } },
      'applied',
    ],
    ['refused it', { given: true, report: { applied: 4, observed: 5, phase: 'Rejected' } }, 'failed'],
    ['went back', failed, 'failed'],
    [
      'went back and fell silent',
      { given: true, report: { ...failed.report, at: minutesAgo(600) } },
      'failed',
    ],
    [
      'refused an earlier one',
      { given: true, report: { applied: 3, observed: 4, phase: 'Rejected' } },
      'given',
    ],
    ['applied it and is down since', { given: true, report: { applied: 5, verdict: 'down' } }, 'failed'],
    [
      'was down before, too',
      { given: true, before: 'down', report: { applied: 5, verdict: 'down' } },
      'applied',
    ],
  ])('%s', (_what, one, progress) => {
    const report = one.report && reportOf('BOX-0', { at: minutesAgo(1), ...one.report });
    expect(progressOf(rolloutBox(one), report, { now, offlineMinutes: 60 })).toBe(progress);
  });
});

describe('a step', () => {
  test('gives the first wave, and no other', () => {
    const decision = decideRollout(view([{}, { wave: 1 }]));
    expect(decision).toMatchObject({ phase: 'running', wave: 0, give: ['BOX-0'], wellSince: null });
  });

  test('waits while the box is at it', () => {
    const decision = decideRollout(view([atIt, { wave: 1 }]));
    expect(decision).toMatchObject({ phase: 'running', wave: 0, give: [], wellSince: null });
    expect(decision.words).toContain('0 of 1 boxes reached');
  });

  test('begins to soak once all is well, and notes since when', () => {
    const decision = decideRollout(view([applied, { wave: 1 }]));
    expect(decision).toMatchObject({ wave: 0, give: [], wellSince: new Date(now).toISOString() });
    expect(decision.words).toBe('wave 1 is well; 30 min to go');
  });

  test('soaks on', () => {
    const decision = decideRollout(view([applied, { wave: 1 }], { wellSince: minutesAgo(29) }));
    expect(decision).toMatchObject({ wave: 0, give: [], wellSince: minutesAgo(29) });
  });

  test('opens the next wave after the soak', () => {
    const decision = decideRollout(view([applied, { wave: 1 }], { wellSince: minutesAgo(30) }));
    expect(decision).toMatchObject({ phase: 'running', wave: 1, give: ['BOX-1'], wellSince: null });
  });

  test('begins the soak anew where something was not well in between', () => {
    const decision = decideRollout(view([applied, atIt, { wave: 1 }], { wellSince: minutesAgo(29) }));
    expect(decision.wellSince).toBeNull();
  });

  test('finishes after the last wave; who is offline takes it later', () => {
    const state = { wave: 1, wellSince: minutesAgo(30) };
    const decision = decideRollout(view([applied, { ...offline, wave: 1 }], state));
    expect(decision).toMatchObject({ phase: 'finished', give: [] });
    expect(decision.words).toBe('finished; 1 that are offline take it when they come back');
  });

  test('opens nothing on the word of boxes that are all offline', () => {
    const decision = decideRollout(view([offline, { wave: 1 }], { wellSince: minutesAgo(600) }));
    expect(decision).toMatchObject({ phase: 'running', wave: 0, give: [], wellSince: null });
    expect(decision.words).toContain('no box that was given it is online');
  });

  test.each([
    ['the only box', [failed], 'stopped'],
    ['3 of 100 at a threshold of 2 %', [...many(3, failed), ...many(97, atIt)], 'stopped'],
    ['2 of 100', [...many(2, failed), ...many(98, atIt)], 'running'],
    [
      '2 of 100 of which 50 are offline',
      [...many(2, failed), ...many(48, atIt), ...many(50, offline)],
      'stopped',
    ],
    ['one that a person has looked at', [{ ...failed, excused: true }, applied], 'running'],
  ])('failures of %s', (_what, cases, phase) => {
    const decision = decideRollout(view([...cases, { wave: 1 }]));
    expect(decision.phase).toBe(phase);
    expect(decision.give).toEqual([]);
    if (phase === 'stopped') expect(decision.reason).toContain('more than 2 %');
  });

  test('a threshold of 100 % never stops', () => {
    const rollout = { ...rules, errorPercent: 100 };
    expect(decideRollout(view([failed], {}, { rollout })).phase).toBe('running');
  });

  test.each([
    ['94 of 100', 94, null],
    ['95 of 100', 95, new Date(now).toISOString()],
  ])('success of %s at a threshold of 95 %', (_what, count, wellSince) => {
    const decision = decideRollout(view([...many(count, applied), ...many(100 - count, atIt)]));
    expect(decision.wellSince).toBe(wellSince);
  });

  test('waits for windows, and for no other boxes', () => {
    const mayGive = (device: string): boolean => device === 'BOX-1';
    const decision = decideRollout(view([{}, {}, { wave: 1 }], {}, { mayGive }));
    expect(decision).toMatchObject({ give: ['BOX-1'], wave: 0, wellSince: null });
    expect(decision.words).toContain('1 wait for the maintenance window');
  });

  test('a wave is not over while a box of it waits for its window', () => {
    const decision = decideRollout(
      view([applied, {}, { wave: 1 }], { wellSince: minutesAgo(99) }, { mayGive: () => false }),
    );
    expect(decision).toMatchObject({ wave: 0, give: [], wellSince: null });
  });

  test.each(['paused', 'stopped', 'finished', 'aborted'] as const)('does nothing when %s', (phase) => {
    const state = { phase, wellSince: minutesAgo(99) };
    const decision = decideRollout(view([applied, {}, { wave: 1 }, failed], state));
    expect(decision).toMatchObject({ phase, wave: 0, give: [], wellSince: minutesAgo(99) });
  });
});

const anyCase: fc.Arbitrary<Case> = fc.record({
  wave: fc.constantFrom(0, 1, 2),
  given: fc.boolean(),
  report: fc.oneof(
    fc.record({
      applied: fc.constantFrom(4, 5, 6),
      observed: fc.constantFrom(4, 5, 6),
      phase: fc.constantFrom(
        'Applied' as const,
        'Confirming' as const,
        'Rejected' as const,
        'RolledBack' as const,
      ),
      at: fc.constantFrom(minutesAgo(1), minutesAgo(100)),
    }),
    fc.constant({}),
  ),
});

test('whatever boxes say, a step gives only to boxes of open waves that have not been given it, one wave on at most', () => {
  fc.assert(
    fc.property(
      fc.array(anyCase, { maxLength: 20 }),
      fc.constantFrom(0, 1, 2),
      fc.boolean(),
      (cases, wave, well) => {
        const state = { wave, waves: 3, wellSince: well ? minutesAgo(99) : null };
        const before = view(cases, state);
        const decision = decideRollout(before);
        for (const device of decision.give) {
          const box = before.state.boxes[device];
          expect(box?.given).toBeNull();
          expect(box?.wave).toBeLessThanOrEqual(decision.wave);
        }
        expect(decision.wave - wave).toBeGreaterThanOrEqual(0);
        expect(decision.wave - wave).toBeLessThanOrEqual(1);
        if (decision.phase !== 'running') expect(decision.give).toEqual([]);
      },
    ),
    { numRuns: 1000 },
  );
});

describe('waves', () => {
  const boxes = (count: number, online = true) =>
    Array.from({ length: count }, (_, index) => ({
      id: `B${index}`,
      online,
      order: String(index).padStart(6, '0'),
    }));
  const sizesOf = (waves: ReadonlyMap<string, number>): number[] => {
    const sizes: number[] = [];
    for (const wave of waves.values()) sizes[wave] = (sizes[wave] ?? 0) + 1;
    return sizes;
  };

  test.each([
    [1000, [1, '5 %', '25 %', '100 %'], [1, 49, 200, 750]],
    [20, [1, '5 %', '25 %', '100 %'], [1, 4, 15]],
    [1, [1, '5 %', '25 %', '100 %'], [1]],
    [3, ['100 %'], [3]],
    [10, [2, 5], [2, 3]],
    [10, [50, '100 %'], [10]],
    [1000, ['0.1 %', '100 %'], [1, 999]],
  ])('%i boxes by %j', (count, sizes, expected) => {
    expect(sizesOf(planWaves(boxes(count), sizes))).toEqual(expected);
  });

  test('those that are online come first', () => {
    const all = [...boxes(3, false), { id: 'ON', online: true, order: 'zzz' }];
    expect(planWaves(all, [1, '100 %']).get('ON')).toBe(0);
  });
});
