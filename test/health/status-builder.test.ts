import { expect, test } from 'vitest';
import { buildStatus } from '../../src/health/status-builder.ts';
import { cloudUp, noDeliveries, now, statusInputs } from './status-inputs.ts';

const refusal = {
  at: now - 60_000,
  kind: 'rejected',
  address: '10.4.1.57',
  callingAeTitle: 'CT2',
  calledAeTitle: 'OTHER',
  modalityName: 'ct2',
  proposed: {
    contexts: 2,
    sopClasses: ['CT Image Storage', 'Verification'],
    transferSyntaxes: ['Explicit VR Little Endian'],
  },
  count: 9,
  code: 'CALLED_AE_TITLE',
  reason: 'CT2 called us OTHER; we are GANTRY',
  nextStep: 'Set GANTRY as called AE title.',
} as const;

test('puts counts and states together under the configured names', () => {
  const report = buildStatus(statusInputs());
  expect(report).toMatchObject({
    verdict: 'working',
    reason: '3 images are on their way to the archive.',
    time: '2026-01-15T12:00:00.000Z',
    startedAt: '2026-01-15T11:00:00.000Z',
    queue: { instances: 3 },
    config: { generation: 4, changedAt: '2026-01-15T11:00:00.000Z', rejected: null },
    version: '1.2.3',
  });
  expect(report.destinations['cloud']).toEqual({
    state: 'up',
    reason: null,
    queued: 2,
    delivered: 1,
    verified: 27,
    accepted: 0,
    held: 0,
    quarantined: 0,
    conflict: 0,
    queuedBytes: 2000,
    bytesSent: 12_345,
    tlsDaysLeft: 60,
    space: null,
    testStudyAllowed: false,
    line: {
      measuredMbitPerSecond: 5.8,
      limitMbitPerSecond: 2,
      limitBecause: 'window',
      limitUntil: '2026-01-15T13:00:00.000Z',
    },
    lastDeliveredAt: '2026-01-15T11:59:58.000Z',
    lastVerifiedAt: '2026-01-15T11:59:59.000Z',
    nextAttemptAt: null,
  });
});

test('a rejected configuration is in the report beside the generation in use', () => {
  const configRejected = { code: 'CONFIG_INVALID', words: 'It is not valid.', nextStep: 'Correct it.' };
  const report = buildStatus(statusInputs({ configRejected }));
  expect(report).toMatchObject({
    verdict: 'degraded',
    reason: 'It is not valid.',
    nextStep: 'Correct it.',
    config: { generation: 4, changedAt: '2026-01-15T11:00:00.000Z', rejected: configRejected },
  });
});

test('a modality keeps what the ledger knows of it; an unknown caller stands under its AE title', () => {
  const { modalities } = buildStatus(
    statusInputs({ modalities: { ct1: { aeTitle: 'CT1', lastHeardAt: null, lastRefusal: refusal } } }),
  );
  expect(modalities['ct1']).toMatchObject({
    received: 25,
    // Not heard since the restart: the last image still counts as heard.
    lastHeardAt: '2026-01-15T11:59:55.000Z',
    lastRefusal: { at: '2026-01-15T11:59:00.000Z', reason: refusal.reason },
  });
  expect(modalities['ct1']?.configured).toBe(true);
  expect(modalities['STRANGER']).toMatchObject({
    configured: false,
    aeTitle: 'STRANGER',
    received: 5,
    lastRefusal: null,
  });
});

test('an unknown caller that calls itself by the name of a modality is not mistaken for it', () => {
  const inputs = statusInputs();
  const unknownCallers = { ct1: { received: 900, receivedToday: 0, lastReceivedAt: now - 4000 } };
  const { modalities } = buildStatus({
    ...inputs,
    counts: { ...inputs.counts, unknownCallers },
    unknownCallers: { ct1: { lastHeardAt: now } },
  });
  expect(Object.keys(modalities)).toEqual(['ct1', 'ct1 (unknown caller)']);
  expect(modalities['ct1']).toMatchObject({ configured: true, received: 25, aeTitle: 'CT1' });
  expect(modalities['ct1']?.lastHeardAt).toBe('2026-01-15T11:59:59.000Z');
  expect(modalities['ct1 (unknown caller)']).toMatchObject({ configured: false, received: 900 });
});

test('an unknown caller that only tried the connection is shown', () => {
  const { modalities } = buildStatus(
    statusInputs({ unknownCallers: { NEWCT: { lastHeardAt: now - 2000 }, STRANGER: { lastHeardAt: now } } }),
  );
  expect(modalities['NEWCT']).toEqual({
    configured: false,
    aeTitle: 'NEWCT',
    lastHeardAt: '2026-01-15T11:59:58.000Z',
    lastReceivedAt: null,
    received: 0,
    receivedToday: 0,
    lastRefusal: null,
  });
  expect(modalities['STRANGER']).toMatchObject({ received: 5, lastHeardAt: '2026-01-15T12:00:00.000Z' });
});

test('of a refusal only what the open page may show is passed on', () => {
  const proposed = { ...refusal.proposed, uids: ['1.2.3'] };
  const fuller = { ...refusal, proposed, studyDate: '20260115' };
  const inputs = statusInputs();
  const report = buildStatus({ ...inputs, intake: { ...inputs.intake, refusals: [fuller] } });
  expect(report.intake.refusals).toEqual([{ ...refusal, at: '2026-01-15T11:59:00.000Z' }]);
});

test('unknown callers that invent AE titles do not grow the report', () => {
  const inputs = statusInputs();
  const invented = Array.from(
    { length: 1000 },
    (_, at) => [`X${at}`, { received: 1, receivedToday: 0, lastReceivedAt: at }] as const,
  );
  const unknownCallers = Object.fromEntries(invented);
  const report = buildStatus({ ...inputs, counts: { ...inputs.counts, unknownCallers } });
  const names = Object.keys(report.modalities);
  expect(names).toHaveLength(51);
  expect(names).toContain('ct1');
  expect(names).toContain('X999');
  expect(names).not.toContain('X0');
});

test('a destination that is no longer configured is shown as long as it has work', () => {
  const inputs = statusInputs();
  const destinations = {
    ...inputs.counts.destinations,
    old: { ...noDeliveries, queued: 4 },
    done: { ...noDeliveries, verified: 9 },
  };
  const report = buildStatus({ ...inputs, counts: { ...inputs.counts, destinations } });
  expect(Object.keys(report.destinations)).toEqual(['cloud', 'old']);
  expect(report.destinations['old']).toMatchObject({
    state: 'removed',
    queued: 4,
    reason: { code: 'DESTINATION_REMOVED' },
  });
  expect(report).toMatchObject({ verdict: 'degraded', reason: expect.stringContaining('"old"') as string });
});

test('a destination with an inherited name gets no inherited counts', () => {
  const report = buildStatus(statusInputs({ destinations: { constructor: cloudUp } }));
  expect(report.destinations['constructor']).toMatchObject({ queued: 0, verified: 0 });
});
