import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { DestinationReport } from '../../src/health/status.ts';
import { ControlServer } from '../../src/web/control.ts';
import type { Operator } from '../../src/web/operator.ts';
import { noConsole, SettableStatus } from '../web/harness.ts';
import { exampleDestination, workingReport, minutesBefore } from '../web/reports.ts';
import { command } from './command.ts';

const status = new SettableStatus(workingReport);
let data = '';
let server: ControlServer;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'gantry-status-'));
  const path = join(data, 'control.sock');
  // The command asks for the status alone.
  server = new ControlServer({ ...noConsole, path, operator: {} as Operator, status, log: silentLog });
  await server.start();
});
afterAll(async () => {
  await server.stop();
  await rm(data, { recursive: true });
});

test.each<[state: DestinationReport['state'], words: string]>([
  ['untried', 'being tried, no answer yet'],
  ['up', 'connected'],
  ['waiting', 'waiting to try again'],
  ['down', 'not reachable'],
  ['paused', 'not sending'],
  ['removed', 'removed from the settings'],
])('a destination that is %s: %s', async (state, words) => {
  status.report = { ...workingReport, destinations: { cloud: { ...exampleDestination, state } } };
  const { code, stdout } = await command('status', '--data', data);
  expect(code).toBe(0);
  expect(cellsOf(stdout, 'cloud')).toEqual([
    'cloud',
    words,
    '0',
    '0',
    '48213',
    exampleDestination.lastVerifiedAt,
    'measured 5.8 Mbit/s',
    '',
  ]);
});

test('a destination that has confirmed nothing says so', async () => {
  const cloud: DestinationReport = { ...exampleDestination, lastVerifiedAt: null };
  status.report = { ...workingReport, destinations: { cloud } };
  const { stdout } = await command('status', '--data', data);
  expect(cellsOf(stdout, 'destination')[5]).toBe('last confirmed');
  expect(cellsOf(stdout, 'cloud')[5]).toBe('not since the start');
});

test('a limit says how much, why and until when', async () => {
  const line = {
    measuredMbitPerSecond: null,
    limitMbitPerSecond: 0,
    limitBecause: 'window',
    limitUntil: minutesBefore(-10),
  } as const;
  status.report = { ...workingReport, destinations: { cloud: { ...exampleDestination, line } } };
  const { stdout } = await command('status', '--data', data);
  expect(cellsOf(stdout, 'cloud')[6]).toBe(
    `not measured yet; nothing is sent (window of the configuration, until ${minutesBefore(-10)})`,
  );
});

/** The cells of the row that begins with the given one. */
function cellsOf(table: string, first: string): string[] {
  const rows = table.split('\n').map((line) =>
    line
      .split('│')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return rows.find((row) => row[0] === first) ?? [];
}
