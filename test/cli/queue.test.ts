import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { ControlServer } from '../../src/web/control.ts';
import type { Operator, QueueEntryView, QueueFilter } from '../../src/web/operator.ts';
import { gantry, type ProgramRun } from '../e2e/peers.ts';
import { command } from './command.ts';
import { SettableStatus } from '../web/harness.ts';
import { workingReport } from '../web/reports.ts';

const known = '0123456789abcdef0123456789abcdef';
const unknown = 'f'.repeat(32);
const uid = '1.2.840.113619.2.55.3.604688119.971';

function entryOf(number: number): QueueEntryView {
  return {
    objectId: number.toString(16).padStart(32, '0'),
    destination: 'cloud',
    state: 'held',
    modalityName: 'ct1',
    callingAeTitle: 'CT1',
    bytes: 525_312,
    receivedAt: 1_795_513_452_000,
    attempts: 4,
    nextAttemptAt: null,
    reason: { code: 'FORWARD_UNKNOWN', words: 'The archive never said whether it has it.' },
  };
}

/** The operator of a gateway that has five held deliveries and knows one object; remembers what it was asked. */
const asked: unknown[] = [];
const entries = [1, 2, 3, 4, 5].map(entryOf);
const answer = async (question: unknown[], count: number): Promise<number> => {
  asked.push(question);
  return count;
};
const countOf = (chosen: object): number => (JSON.stringify(chosen).includes(known) ? 1 : 0);
const operator: Operator = {
  list: async (filter: QueueFilter) => {
    asked.push(['list', filter]);
    const start = entries.findIndex((one) => `${one.objectId}/${one.destination}` === filter.after) + 1;
    const page = entries.slice(start, start + filter.limit);
    const last = page.at(-1);
    const next =
      start + filter.limit < entries.length && last ? `${last.objectId}/${last.destination}` : null;
    return { entries: page, next };
  },
  retry: (chosen) => answer(['retry', chosen], countOf(chosen)),
  release: (chosen) => answer(['release', chosen], countOf(chosen)),
  discard: (chosen) => answer(['discard', chosen], countOf(chosen)),
  resolve: (objectId, choice) => answer(['resolve', objectId, choice], countOf({ objectId })),
  hurry: (objectIds) => answer(['hurry', objectIds], countOf(objectIds)),
  bandwidth: async () => [
    {
      destination: 'cloud',
      mbitPerSecond: 2,
      because: 'window',
      until: 1_795_513_452_000,
      measuredMbitPerSecond: 1.93456,
    },
  ],
  limitBandwidth: async (...limit) => void asked.push(['limit', ...limit]),
  clearBandwidth: async (name) => void asked.push(['clear', name]),
  forgetAbilities: async (name) => {
    asked.push(['forget', name]);
    return 3;
  },
  scrub: async () => ({ objects: 0, bytes: 0, damaged: [], missing: [], seconds: 0 }),
  receipts: async () => [],
  receipt: async () => ({}),
};

let data = '';
let server: ControlServer;
const run = (...args: string[]): Promise<ProgramRun> => command(...args, '--data', data);

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'gantry-queue-'));
  const path = join(data, 'control.sock');
  server = new ControlServer({ path, operator, status: new SettableStatus(workingReport), log: silentLog });
  await server.start();
});
afterAll(async () => {
  await server.stop();
  await rm(data, { recursive: true });
});
beforeEach(() => {
  asked.length = 0;
});

describe('a command that was not given as it must be', () => {
  test.each<[name: string, args: string[], code: string, help: RegExp]>([
    [
      'a limit that is none',
      ['queue', 'ls', '--limit', 'many'],
      'USAGE_LIMIT',
      /from 1 to 1000.*\n.*--limit 50/,
    ],
    ['a limit too high', ['queue', 'ls', '--limit', '1001'], 'USAGE_LIMIT', /from 1 to 1000/],
    ['a limit of 0', ['queue', 'ls', '--limit', '0'], 'USAGE_LIMIT', /from 1 to 1000/],
    ['a place in no listing', ['queue', 'ls', '--after', known], 'USAGE_AFTER', /name of a destination/],
    ['no object id', ['queue', 'retry', known, uid], 'USAGE_OBJECT_ID', /32 digits.*\n.*"gantry queue ls"/],
    ['nothing to resolve', ['queue', 'resolve', uid, 'forward'], 'USAGE_OBJECT_ID', /"gantry queue ls"/],
    ['no choice', ['queue', 'resolve', known, 'perhaps'], 'USAGE_CHOICE', /"forward" or "discard"/],
    ['no object to hurry', ['queue', 'hurry', uid], 'USAGE_OBJECT_ID', /"gantry queue ls"/],
    ['no limit', ['bandwidth', 'set', 'cloud', 'fast'], 'USAGE_BANDWIDTH', /0 to 100000 nor "unlimited"/],
    ['a limit below 0', ['bandwidth', 'set', 'cloud', '-2'], 'USAGE_BANDWIDTH', /megabits a second/],
    ['no study key', ['receipts', 'show', uid], 'USAGE_STUDY_KEY', /"gantry receipts ls"/],
    [
      'nothing chosen',
      ['queue', 'release'],
      'USAGE',
      /--destination, or --all\.\n.*gantry queue release --help/,
    ],
    [
      'no discard chosen',
      ['queue', 'discard'],
      'USAGE',
      /ids, --state or --destination\.\n.*queue discard --help/,
    ],
    ['ids and a state', ['queue', 'discard', known, '--state', 'held'], 'USAGE', /not both/],
  ])('%s: exit 2, in words, before the gateway is asked', async (_, args, code, help) => {
    const { code: exitCode, stdout, stderr } = await run(...args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.startsWith(`${code}: `), stderr).toBe(true);
    expect(stderr).toMatch(help);
    expect(stderr).not.toContain(uid);
    expect(asked).toEqual([]);
  });

  test('everything may be sent again, but not discarded', async () => {
    const { code, stderr } = await gantry('queue', 'discard', '--all', '--data', data);
    expect(stderr).toContain("unknown option '--all'");
    expect(code).toBe(2);
    expect(asked).toEqual([]);
    await run('queue', 'retry', '--all');
    expect(asked).toEqual([['retry', {}]]);
  });

  test('the gateway finding fault with it is the same: exit 2', async () => {
    const { code, stderr } = await run('queue', 'retry', '--destination', 'x'.repeat(65));
    expect(stderr).toContain('CONTROL_BAD_COMMAND: destination');
    expect(code).toBe(2);
  });
});

describe('nothing matched', () => {
  const words = 'Nothing matched: see `gantry queue ls`.\n';

  test.each([['retry'], ['release'], ['discard']])('%s of a named object: exit 1', async (name) => {
    expect(await run('queue', name, unknown)).toEqual({ code: 1, stdout: '', stderr: words });
    expect(asked).toEqual([[name, { objectIds: [unknown] }]]);
  });

  test('resolve: exit 1', async () => {
    expect(await run('queue', 'resolve', unknown, 'forward')).toEqual({ code: 1, stdout: '', stderr: words });
  });

  test('a state that nothing is in: exit 0', async () => {
    expect(await run('queue', 'release', '--state', 'held')).toEqual({ code: 0, stdout: words, stderr: '' });
  });

  test('what does match is counted', async () => {
    const changed = { code: 0, stdout: '1 changed.\n', stderr: '' };
    expect(await run('queue', 'discard', known)).toEqual(changed);
    expect(await run('queue', 'resolve', known, 'discard')).toMatchObject({ stdout: '1 resolved.\n' });
  });
});

test('queue ls pages through: each listing says how to go on', async () => {
  const seen: string[] = [];
  let after: string[] = [];
  for (let page = 1; page <= 3; page += 1) {
    const { code, stdout, stderr } = await run('queue', 'ls', '--json', '--limit', '2', ...after);
    expect(code).toBe(0);
    seen.push(...(JSON.parse(stdout) as QueueEntryView[]).map(({ objectId }) => objectId));
    const next = /--after (\S+)\n/.exec(stderr)?.[1];
    expect(next === undefined).toBe(page === 3);
    after = next === undefined ? [] : ['--after', next];
  }
  expect(seen).toEqual(entries.map(({ objectId }) => objectId));
});

describe('the line', () => {
  const inForce = 'at most 2 Mbit/s (window of the configuration, until 2026-11-24T09:44:12.000Z)';

  test('shows the limit in force, why, until when, and what was measured', async () => {
    const { code, stdout } = await run('bandwidth', 'show');
    expect(code).toBe(0);
    expect(stdout).toContain(inForce);
    expect(stdout).toContain('measured 1.93 Mbit/s');
  });

  test.each<[args: string[], question: unknown[]]>([
    [
      ['set', 'cloud', '0.5'],
      ['limit', 'cloud', 0.5],
    ],
    [
      ['set', 'cloud', '0'],
      ['limit', 'cloud', 0],
    ],
    [
      ['set', 'cloud', 'unlimited'],
      ['limit', 'cloud', null],
    ],
    [
      ['clear', 'cloud'],
      ['clear', 'cloud'],
    ],
  ])('bandwidth %j asks the gateway and says what counts now', async (args, question) => {
    expect(await run('bandwidth', ...args)).toEqual({ code: 0, stdout: `cloud: ${inForce}.\n`, stderr: '' });
    expect(asked).toEqual([question]);
  });

  test('a study is hurried by an object of it', async () => {
    expect(await run('queue', 'hurry', known)).toMatchObject({ code: 0, stdout: '1 hurried.\n' });
    expect(asked).toEqual([['hurry', [known]]]);
  });
});
