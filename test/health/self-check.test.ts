import { expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { type SelfCheckParts, type SelfCheckReport, selfCheck } from '../../src/health/self-check.ts';
import { serviceManager } from '../../src/health/service-manager.ts';
import { Watchdog } from '../../src/health/watchdog.ts';
import { until } from '../fixtures/until.ts';

const well: SelfCheckParts = {
  associate: async () => null,
  isFull: () => false,
  spool: async () => null,
  ledger: async () => ({}),
};

test.each<[what: string, parts: Partial<SelfCheckParts>, ok: boolean, alive: boolean, code: string | null]>([
  ['all is well', {}, true, true, null],
  ['the port is silent', { associate: async () => 'ANSWER_LATE' }, false, false, 'ANSWER_LATE'],
  [
    'the port is full',
    { associate: async () => 'ECONNRESET', isFull: () => true },
    false,
    true,
    'CONNECTIONS_FULL',
  ],
  [
    'the disk is full',
    { spool: async () => ({ code: 'SPOOL_DISK_FULL', words: 'full' }) },
    false,
    true,
    'SPOOL_DISK_FULL',
  ],
  ['the disk fails', { spool: () => Promise.reject(new Error('EIO')) }, false, true, 'SELF_CHECK_FAILED'],
  [
    'the ledger fails',
    { ledger: () => Promise.reject(new Error('gone')) },
    false,
    false,
    'SELF_CHECK_FAILED',
  ],
])('%s: whether images are taken, and whether a new start would help', async (_, parts, ok, alive, code) => {
  const report = await selfCheck({ ...well, ...parts });
  expect({ ok: report.ok, alive: report.alive }).toEqual({ ok, alive });
  expect(report.steps.flatMap((step) => step.code ?? [])).toEqual(code === null ? [] : [code]);
});

function answer(alive: boolean): SelfCheckReport {
  return { ok: alive, alive, steps: [{ step: 'ledger', ok: alive, code: 'SELF_CHECK_LATE', words: '' }] };
}

test('a gateway that does not answer itself is not spoken for', async () => {
  const told: string[] = [];
  const checked: boolean[] = [];
  const answers = [true, true, false, false];
  const watchdog = new Watchdog({
    manager: { watchdogMs: 30, tell: async (message) => void told.push(message ?? '') },
    check: async () => {
      const alive = answers[checked.length] ?? false;
      checked.push(alive);
      return answer(alive);
    },
    words: async () => 'working',
    log: silentLog,
  });
  watchdog.start();
  await until(() => checked.length > answers.length);
  expect(told).toEqual(['READY=1', 'WATCHDOG=1']);
  await watchdog.stop();
  expect(told.at(-1)).toBe('STOPPING=1');
});

test('ready is said only after an answer, and what cannot be told stops nothing', async () => {
  const told: (readonly string[])[] = [];
  const watchdog = new Watchdog({
    manager: {
      watchdogMs: 30,
      tell: (...messages) => {
        told.push(messages);
        return Promise.reject(new Error('no systemd-notify'));
      },
    },
    check: async () => answer(true),
    words: () => Promise.reject(new Error('no ledger')),
    log: silentLog,
  });
  watchdog.start();
  await until(() => told.length >= 2);
  await watchdog.stop();
  expect(told[0]).toEqual(['READY=1', 'STATUS=running']);
  expect(told[1]).toEqual(['WATCHDOG=1', 'STATUS=running']);
});

test('the time comes from the environment, and only where it is meant for this process', () => {
  const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '90000000' };
  expect(serviceManager({})).toBeNull();
  expect(serviceManager(env)?.watchdogMs).toBe(90_000);
  expect(serviceManager({ ...env, WATCHDOG_PID: '1' })?.watchdogMs).toBeNull();
  expect(serviceManager({ NOTIFY_SOCKET: '/run/x' })?.watchdogMs).toBeNull();
});
