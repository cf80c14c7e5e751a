import { expect, test } from 'vitest';
import { drain, type DrainSample, withDrainSample } from '../../src/health/drain.ts';
import { EventLog, eventsMax } from '../../src/health/event-log.ts';
import { safeTo, type SafeToFacts } from '../../src/health/safe-to.ts';
import { startOfDay, Today } from '../../src/health/today.ts';
import { buildStatus } from '../../src/health/status-builder.ts';
import { cloudUp, now, statusInputs } from './status-inputs.ts';

const settled: SafeToFacts = {
  associations: 0,
  diskState: 'ok',
  queued: 0,
  totals: { held: 0, quarantined: 0, conflicts: 0 },
  destinations: { cloud: { queued: 0, delivered: 0, accepted: 0 } },
};

test.for([
  ['all proven', {}, 'ALL_IN_ARCHIVE', 'NOTHING_ONLY_HERE', 0],
  ['some wait', { queued: 3 }, 'ALL_ON_DISK', 'ONLY_HERE', 3],
  [
    'one archive has not proven what the other has',
    { destinations: { b: { queued: 0, delivered: 2, accepted: 0 } } },
    'ALL_ON_DISK',
    'ONLY_HERE',
    2,
  ],
  [
    'only accepted, never read back',
    { destinations: { a: { queued: 0, delivered: 0, accepted: 7 } } },
    'ALL_ON_DISK',
    'ONLY_HERE',
    7,
  ],
  ['set aside', { totals: { held: 1, quarantined: 2, conflicts: 1 } }, 'ALL_ON_DISK', 'ONLY_HERE', 4],
  ['a device is connected', { associations: 2 }, 'DEVICE_CONNECTED', 'DEVICE_CONNECTED', 2],
  ['the disk is at fault', { diskState: 'suspect' }, 'DISK_FAULT', 'DISK_FAULT', 0],
] as const)('whether the box may be switched off or its disk replaced: %s', ([, facts, off, disk, count]) => {
  const { switchOff, replaceDisk } = safeTo({ ...settled, ...facts });
  expect([switchOff.code, replaceDisk.code, replaceDisk.count]).toEqual([off, disk, count]);
  expect(replaceDisk.safe).toBe(disk === 'NOTHING_ONLY_HERE');
  expect(switchOff.safe).toBe(off === 'ALL_IN_ARCHIVE' || off === 'ALL_ON_DISK');
});

/** What waits by second, sampled every five. */
function samplesOf(waiting: (second: number) => number, seconds: number): readonly DrainSample[] {
  let samples: readonly DrainSample[] = [];
  for (let second = 0; second <= seconds; second += 5) {
    samples = withDrainSample(samples, {
      at: second * 1000,
      waitingBytes: waiting(second),
      sentBytes: second * 1e6,
    });
  }
  return samples;
}

test('an end is foretold only after a minute, and only while it comes steadily closer', () => {
  const steady = (second: number) => 600e6 - second * 1e6;
  expect(drain(samplesOf(steady, 10))).toEqual({ bytesPerSecond: null, etaSeconds: null });
  expect(drain(samplesOf(steady, 30))).toEqual({ bytesPerSecond: 1e6, etaSeconds: null });
  expect(drain(samplesOf(steady, 300))).toEqual({ bytesPerSecond: 1e6, etaSeconds: 300 });
  const growing = (second: number) => 600e6 + second * 1e6;
  expect(drain(samplesOf(growing, 300)).etaSeconds).toBeNull();
  const stuttering = (second: number) => 600e6 - second * 1e6 + (second > 240 ? (second - 240) * 0.9e6 : 0);
  expect(drain(samplesOf(stuttering, 300)).etaSeconds).toBeNull();
});

test('an end is foretold a minute after the last image came in, also where much came in shortly before', () => {
  // 600 MB come in within 40 s while 1 MB a second leaves.
  const study = (second: number) => Math.min(second, 40) * 15e6 - second * 1e6;
  expect(drain(samplesOf(study, 60)).etaSeconds).toBeNull();
  const { etaSeconds } = drain(samplesOf(study, 105));
  expect(etaSeconds).toBe(495);
  // One image of 0.5 MB every 20 s does not hide it again.
  const trickle = (second: number) => study(second) + Math.floor(Math.max(0, second - 40) / 20) * 0.5e6;
  expect(drain(samplesOf(trickle, 300)).etaSeconds).not.toBeNull();
});

test('counts of today begin at midnight of the site, and with what was received before a restart', () => {
  const noon = Date.UTC(2026, 0, 15, 12, 0);
  expect(new Date(startOfDay(noon, 'Europe/Berlin')).toISOString()).toBe('2026-01-14T23:00:00.000Z');
  const today = new Today('Europe/Berlin');
  today.begin(new Map([['ct1', 100]]), new Map([['ct1', 20]]), noon);
  expect(today.of(new Map([['ct1', 103]]), noon + 1000).get('ct1')).toBe(23);
  const afterMidnight = Date.UTC(2026, 0, 15, 23, 10);
  expect(today.of(new Map([['ct1', 104]]), afterMidnight).get('ct1')).toBe(1);
});

test('events: what changed, once, newest first, and never more than are kept', () => {
  const log = new EventLog('2026-01-15T11:00:00.000Z');
  const down = { ...cloudUp, state: 'down' as const, reason: { code: 'ENOTFOUND', words: 'no such name' } };
  log.observe(buildStatus(statusInputs()));
  for (let look = 0; look < 3; look += 1)
    log.observe(buildStatus(statusInputs({ destinations: { cloud: down } })));
  log.observe(buildStatus(statusInputs()));
  expect(log.events.map(({ code, subject, tone }) => [code, subject, tone])).toEqual([
    ['WORKING_AGAIN', null, 'good'],
    ['ARCHIVE_CONNECTED', 'cloud', 'good'],
    ['ARCHIVE_SILENT', 'cloud', 'warn'],
    ['ENOTFOUND', 'cloud', 'warn'],
    ['GATEWAY_STARTED', null, 'info'],
  ]);
  for (let look = 0; look < eventsMax; look += 1) {
    log.observe(buildStatus(statusInputs({ destinations: { cloud: down } })));
    log.observe(buildStatus(statusInputs()));
  }
  expect(log.events).toHaveLength(eventsMax);
});

test('a modality of ours whose call was refused last is what the verdict speaks of', () => {
  const lastRefusal = {
    at: now - 60_000,
    kind: 'rejected',
    address: '10.4.1.57',
    callingAeTitle: 'CT1',
    calledAeTitle: 'OTHER',
    modalityName: 'ct1',
    proposed: null,
    count: 1,
    code: 'CALLED_AE_TITLE',
    reason: 'The device asked for an AE title that is not that of this gateway.',
    nextStep: 'Correct the called AE title in the device.',
  } as const;
  const refused = statusInputs({ modalities: { ct1: { aeTitle: 'CT1', lastHeardAt: null, lastRefusal } } });
  // Its last image came after that refusal.
  expect(buildStatus(refused).verdict).toBe('working');
  const { counts } = refused;
  const before = { ...counts, modalities: {} };
  expect(buildStatus({ ...refused, counts: before })).toMatchObject({
    verdict: 'degraded',
    code: 'MODALITY_REFUSED',
    about: { name: 'ct1', cause: { code: 'CALLED_AE_TITLE' } },
    nextStep:
      'Correct the called AE title in the device. This is said until "ct1" gets in, or for an hour after its last try.',
  });
});
