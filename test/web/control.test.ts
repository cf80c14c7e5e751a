import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { GantryError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { ControlClient } from '../../src/cli/control-client.ts';
import type { QueueEntry } from '../../src/spool/types.ts';
import type { AuditedAction } from '../../src/web/audit-log.ts';
import { ControlServer } from '../../src/web/control.ts';
import type { EnrolTools } from '../../src/web/control-enrol.ts';
import type { Operator, QueueEntryView } from '../../src/web/operator.ts';
import { noConsole, SettableStatus } from './harness.ts';
import { workingReport } from './reports.ts';

const objectId = '0123456789abcdef0123456789abcdef';
const studyKey = 'ab'.repeat(16);

const entry: QueueEntryView = {
  objectId,
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

const cloudLimit = {
  destination: 'cloud',
  mbitPerSecond: 2,
  because: 'window',
  until: 1_795_513_452_000,
  measuredMbitPerSecond: 1.9,
} as const;

/** Remembers what it was asked. */
class RecordingOperator implements Operator {
  readonly asked: unknown[] = [];

  async #answer<T>(question: unknown[], answer: T): Promise<T> {
    this.asked.push(question);
    return answer;
  }

  list: Operator['list'] = (filter) => this.#answer(['list', filter], { entries: [entry], next: 'page-2' });
  retry: Operator['retry'] = (selection) => this.#answer(['retry', selection], 1);
  release: Operator['release'] = (selection) => this.#answer(['release', selection], 2);
  discard: Operator['discard'] = (selection) => this.#answer(['discard', selection], 3);
  resolve: Operator['resolve'] = (id, choice) => this.#answer(['resolve', id, choice], 1);
  hurry: Operator['hurry'] = (ids) => this.#answer(['hurry', ids], 4);
  bandwidth: Operator['bandwidth'] = () => this.#answer(['bandwidth'], [cloudLimit]);
  limitBandwidth: Operator['limitBandwidth'] = (name, mbit) =>
    this.#answer(['limitBandwidth', name, mbit], undefined);
  clearBandwidth: Operator['clearBandwidth'] = (name) => this.#answer(['clearBandwidth', name], undefined);
  forgetAbilities: Operator['forgetAbilities'] = (name) => this.#answer(['forgetAbilities', name], 7);
  scrub: Operator['scrub'] = () =>
    this.#answer(['scrub'], { objects: 5, bytes: 6, damaged: [objectId], missing: [], seconds: 1 });
  receipts: Operator['receipts'] = () =>
    this.#answer(['receipts'], [{ studyKey, number: 2, writtenAt: 1_795_513_452_000, instances: 300 }]);
  receipt: Operator['receipt'] = async (key) => {
    if (key === studyKey) return this.#answer(['receipt', key], { signed: true });
    throw new GantryError({
      code: 'RECEIPT_NOT_FOUND',
      kind: 'permanent',
      message: 'There is no receipt for this study.',
      nextStep: 'List the receipts there are.',
    });
  };
}

let audited: AuditedAction[];
let folder: string;
let path: string;
let operator: RecordingOperator;
let server: ControlServer;
let client: ControlClient;

function createControl(): ControlServer {
  const auth = { reset: async () => 'ABCD-EFGH', makeCode: (name: string) => `code for ${name}` };
  const audit = async (action: AuditedAction) => void audited.push(action);
  const status = new SettableStatus(workingReport);
  const enrol: EnrolTools = {
    request: async () => ({ file: 'request', code: 'AAAA-BBBB', device: 'GANTRY-AAA222' }),
    accept: async (file) => ({ fleet: `of ${file}`, hasWay: false }),
  };
  return new ControlServer({ ...noConsole, path, operator, status, auth, enrol, audit, log: silentLog });
}

beforeEach(async () => {
  audited = [];
  folder = await mkdtemp(join(tmpdir(), 'gantry-control-'));
  path = join(folder, 'control.sock');
  operator = new RecordingOperator();
  server = createControl();
  client = new ControlClient(path);
});

afterEach(async () => {
  await client.close();
  await server.stop();
  await rm(folder, { recursive: true });
});

describe('the control socket', () => {
  test('carries every command and its answer', async () => {
    await server.start();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await client.status()).toEqual(workingReport);
    expect(await client.list({ state: 'held', destination: 'cloud', limit: 7, after: 'page-1' })).toEqual({
      entries: [entry],
      next: 'page-2',
    });
    await client.list();
    expect(await client.retry({ objectIds: [objectId] })).toBe(1);
    expect(await client.retry({})).toBe(1);
    expect(await client.release({ state: 'held' })).toBe(2);
    expect(await client.discard({ destination: 'cloud', state: 'quarantined' })).toBe(3);
    expect(await client.resolve(objectId, 'forward')).toBe(1);
    expect(await client.hurry([objectId])).toBe(4);
    expect(await client.bandwidth()).toEqual([cloudLimit]);
    await client.limitBandwidth('cloud', 0.5);
    await client.limitBandwidth('cloud', null);
    await client.clearBandwidth('cloud');
    expect(await client.forgetAbilities('cloud')).toBe(7);
    expect(await client.forgetAbilities(null)).toBe(7);
    expect(await client.scrub()).toMatchObject({ objects: 5, damaged: [objectId] });
    expect(await client.receipts()).toMatchObject([{ studyKey, instances: 300 }]);
    expect(await client.receipt(studyKey)).toEqual({ signed: true });
    expect(operator.asked).toEqual([
      ['list', { state: 'held', destination: 'cloud', limit: 7, after: 'page-1' }],
      ['list', { state: null, destination: null, limit: 100, after: null }],
      ['retry', { objectIds: [objectId] }],
      ['retry', {}],
      ['release', { state: 'held' }],
      ['discard', { destination: 'cloud', state: 'quarantined' }],
      ['resolve', objectId, 'forward'],
      ['hurry', [objectId]],
      ['bandwidth'],
      ['limitBandwidth', 'cloud', 0.5],
      ['limitBandwidth', 'cloud', null],
      ['clearBandwidth', 'cloud'],
      ['forgetAbilities', 'cloud'],
      ['forgetAbilities', null],
      ['scrub'],
      ['receipts'],
      ['receipt', studyKey],
    ]);
  });

  test('lets the console back in, makes codes for visitors, and writes down what was done', async () => {
    await server.start();
    expect(await client.authReset()).toBe('ABCD-EFGH');
    expect(await client.technicianCode('visitor')).toBe('code for visitor');
    expect(await client.enrolRequest()).toMatchObject({ code: 'AAAA-BBBB', device: 'GANTRY-AAA222' });
    expect(await client.enrolAccept('answer')).toEqual({ fleet: 'of answer', hasWay: false });
    await client.retry({ objectIds: [objectId] });
    await expect(client.technicianCode('<b>')).rejects.toMatchObject({ code: 'CONTROL_BAD_COMMAND' });
    expect(audited).toMatchObject([
      { event: 'CODE_MADE', actor: 'console', address: 'console', subject: 'visitor' },
      { event: 'ENROL_REQUESTED', subject: 'GANTRY-AAA222' },
      { event: 'ENROLLED', subject: 'of answer' },
      { event: 'QUEUE_RETRY', actor: 'console', outcome: 'success' },
    ]);
  });

  test('refuses what does not fit, in words, before the operator is asked', async () => {
    await server.start();
    await expect(client.discard({})).rejects.toMatchObject({
      code: 'CONTROL_BAD_COMMAND',
      message: /must name/,
    });
    await expect(client.retry({ objectIds: ['../../etc'] })).rejects.toMatchObject({
      message: /objectIds\.0: must be an object id/,
    });
    await expect(client.retry({ stat: 'held' } as object)).rejects.toMatchObject({ message: /stat/ });
    await expect(client.limitBandwidth('cloud', -1)).rejects.toMatchObject({ message: /mbitPerSecond/ });
    await expect(client.hurry([])).rejects.toMatchObject({ message: /objectIds/ });
    await expect(client.list({ limit: 100_000 })).rejects.toMatchObject({ message: /limit/ });
    expect(operator.asked).toEqual([]);
    await expect(client.receipt('cd'.repeat(16))).rejects.toMatchObject({
      code: 'RECEIPT_NOT_FOUND',
      kind: 'permanent',
      nextStep: 'List the receipts there are.',
    });
  });

  test('takes the place of a socket left by a killed process, and of nothing else', async () => {
    // A killed process leaves the file of its socket in place; so does this listener, for as long as it runs.
    const killed = createServer().listen({ path });
    await once(killed, 'listening');
    await server.start();
    expect(await client.retry({})).toBe(1);
    await server.stop();
    killed.close();
    await expect(client.status()).rejects.toMatchObject({ code: 'CONTROL_NOT_RUNNING' });

    await writeFile(path, 'mine');
    const blocked = createControl();
    await expect(blocked.start()).rejects.toMatchObject({ code: 'CONTROL_SOCKET', message: /not a socket/ });
    await blocked.stop();
  });

  test('says that no gateway is running', async () => {
    await expect(client.status()).rejects.toMatchObject({
      code: 'CONTROL_NOT_RUNNING',
      message: 'No gateway is running on this data directory.',
    });
  });

  test('shows entries as the spool knows them', () => {
    expectTypeOf<QueueEntry>().toExtend<QueueEntryView>();
    expectTypeOf<QueueEntryView['state']>().toEqualTypeOf<QueueEntry['state']>();
  });
});
