import { expect, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { Note } from '../../src/base/note.ts';
import { scheduleDigest } from '../../src/health/digest.ts';
import { type Notice, Notifier, toldNote } from '../../src/health/notifier.ts';
import { buildStatus } from '../../src/health/status-builder.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { statusInputs } from './status-inputs.ts';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

test('the digest comes at its time of day at the site, also when the clocks change, and is no alarm', async () => {
  // The schedule goes by the clock of the process: 06:59 in Berlin, the day before summer time begins.
  vi.useFakeTimers({ now: Date.UTC(2026, 2, 28, 5, 59) });
  onTestFinished(() => void vi.useRealTimers());
  const got: Notice[] = [];
  const note = await Note.open({ read: async () => null, write: async () => {} }, toldNote, () => {});
  const notifier = new Notifier({
    status: async () => buildStatus(statusInputs({ now: Date.now() })),
    channels: [{ name: 'webhook', send: async (notice) => void got.push(notice) }],
    note,
    clock: new ManualClock(),
    log: silentLog,
    holdMs: 0,
  });
  const end = scheduleDigest({
    schedule: '0 7 * * *',
    timeZone: 'Europe/Berlin',
    notifier,
    log: silentLog,
  });

  await vi.advanceTimersByTimeAsync(minuteMs - 1_000);
  expect(got).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000 + 2 * dayMs);
  expect(got.map(({ kind, at }) => [kind, at])).toEqual([
    ['digest', '2026-03-28T06:00:00.000Z'],
    ['digest', '2026-03-29T05:00:00.000Z'],
    ['digest', '2026-03-30T05:00:00.000Z'],
  ]);
  expect(got[0]).toMatchObject({ site: 'North Clinic', verdict: 'working', reason: expect.any(String) });
  // What is told on a schedule counts as nothing told: an alarm that follows is a start, and none is used up.
  expect(note.value).toEqual(toldNote.empty);

  await end();
  await vi.advanceTimersByTimeAsync(3 * dayMs);
  expect(got).toHaveLength(3);
});
