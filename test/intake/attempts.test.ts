import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  type Attempt,
  AttemptBook,
  type AttemptFacts,
  attemptsMax,
  attemptsPerAddressMax,
  unknownCallersMax,
  unknownCallersPerAddressMax,
} from '../../src/intake/attempts.ts';
import { present, runProgram } from '../e2e/peers.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { eventually, intakeOptions, startIntake } from './intake-harness.ts';

const ready = present('test/intake/attempts.test.ts', 'DCMTK');

function echo(port: number, calling: string, called = 'GANTRY') {
  return runProgram('echoscu', ['-aet', calling, '-aec', called, '127.0.0.1', String(port)]);
}

const facts: AttemptFacts = {
  outcome: 'rejected',
  address: '10.4.1.57',
  localAddress: '10.4.1.9',
  overTls: false,
  callingAeTitle: 'CT9',
  calledAeTitle: 'GANTRY',
  modalityName: null,
  why: { code: 'CALLING_AE_TITLE', message: 'Nobody of that name.', nextStep: 'Add it.' },
};

describe.skipIf(!ready)('attempts by echoscu', () => {
  test('accepted and refused ones are kept and told as they come, with code and words', async () => {
    const { listener, port } = await startIntake();
    const told: Attempt[] = [];
    const end = listener.followAttempts((attempt) => told.push(attempt));

    expect((await echo(port, 'CT1')).code).toBe(0);
    expect((await echo(port, 'CT1', 'GANTRYX')).code).not.toBe(0);
    expect((await echo(port, 'CT9')).code).not.toBe(0);
    end();
    await echo(port, 'CT9');

    expect(listener.attempts()).toMatchObject([
      { number: 4, outcome: 'rejected', callingAeTitle: 'CT9' },
      {
        number: 3,
        outcome: 'rejected',
        address: '127.0.0.1',
        localAddress: '127.0.0.1',
        overTls: false,
        callingAeTitle: 'CT9',
        calledAeTitle: 'GANTRY',
        modalityName: null,
        code: 'CALLING_AE_TITLE',
        words: 'The calling AE title belongs to no configured modality.',
      },
      {
        number: 2,
        outcome: 'rejected',
        modalityName: 'ct',
        calledAeTitle: 'GANTRYX',
        code: 'CALLED_AE_TITLE',
      },
      { number: 1, outcome: 'accepted', modalityName: 'ct', code: 'ACCEPTED', nextStep: null },
    ]);
    expect(told).toEqual(listener.attempts().slice(1).toReversed());
  });

  test('unknown callers are one entry each, until they are configured', async () => {
    const { listener, port } = await startIntake();
    for (const title of ['CT9', 'MR9', 'CT9', 'CT9', 'CT1']) await echo(port, title);
    expect(listener.unknownCallers()).toMatchObject([
      { callingAeTitle: 'CT9', attempts: 3, summary: '127.0.0.1 tried 3 times as CT9.', accepted: false },
      { callingAeTitle: 'MR9', attempts: 1, summary: '127.0.0.1 tried once as MR9.' },
    ]);
    listener.reconfigure({
      ...intakeOptions,
      modalities: { ct9: { aeTitle: 'CT9', addresses: ['127.0.0.1'], priority: 'routine' } },
    });
    expect(listener.unknownCallers()).toMatchObject([{ callingAeTitle: 'MR9' }]);
    expect((await echo(port, 'CT9')).code).toBe(0);
    expect(listener.unknownCallers()).toHaveLength(1);
  });

  test('a known AE title from another address is told with the modality it may be', async () => {
    const { listener, port } = await startIntake({
      modalities: { ct: { aeTitle: 'CT1', addresses: ['10.9.9.9'], priority: 'routine' } },
    });
    await echo(port, 'CT1');
    expect(listener.unknownCallers()).toMatchObject([
      { callingAeTitle: 'CT1', modalityName: 'ct', code: 'CALLING_ADDRESS' },
    ]);
  });
});

test('a connection that never asks for an association is an attempt too', async () => {
  const { listener, port } = await startIntake();
  connect(port, '127.0.0.1').end('GET / HTTP/1.1\r\n\r\n');
  await eventually(() => listener.attempts().length > 0);
  expect(listener.attempts()).toMatchObject([
    { outcome: 'closed', address: '127.0.0.1', callingAeTitle: '' },
  ]);
  expect(listener.unknownCallers()).toEqual([]);
});

describe('bounds', () => {
  test('one address has its share only, and all of it an end', () => {
    const book = new AttemptBook(new ManualClock());
    book.add({ ...facts, address: '10.0.0.1' });
    for (let count = 0; count < 1000; count += 1) book.add(facts);
    expect(book.list()).toHaveLength(attemptsPerAddressMax + 1);
    for (let count = 0; count < 1000; count += 1) book.add({ ...facts, address: `10.1.0.${count}` });
    expect(book.list()).toHaveLength(attemptsMax);
    expect(book.list()[0]?.number).toBe(2001);
  });

  test('invented AE titles push out neither other callers nor memory', () => {
    const book = new AttemptBook(new ManualClock());
    book.add({ ...facts, address: '10.0.0.1' });
    for (let count = 0; count < 500; count += 1) book.add({ ...facts, callingAeTitle: `X${count}` });
    expect(book.unknownCallers()).toHaveLength(unknownCallersPerAddressMax + 1);
    for (let count = 0; count < 500; count += 1) book.add({ ...facts, address: `10.1.0.${count}` });
    expect(book.unknownCallers()).toHaveLength(unknownCallersMax);
  });

  test('what a peer calls itself is made printable', () => {
    const book = new AttemptBook(new ManualClock());
    book.add({ ...facts, callingAeTitle: '\u001b[31m<b>ÄÖ' });
    expect(book.list()[0]?.callingAeTitle).toBe('?[31m<b>??');
  });
});
