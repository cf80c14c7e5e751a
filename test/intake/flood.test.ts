import { expect, test } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/health/metrics.ts';
import { buildStatus } from '../../src/health/status-builder.ts';
import { parseAeTitle } from '../../src/dicom/ae-title.ts';
import { refusalCatalogue } from '../../src/intake/refusal-catalogue.ts';
import { type RefusalFacts, RefusalBook } from '../../src/intake/refusals.ts';
import { Tally } from '../../src/intake/tally.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { statusInputs } from '../health/status-inputs.ts';
import { eventually, startIntake } from './intake-harness.ts';
import { associateRequest, echoCommand, RawClient } from './raw-client.ts';

function bookWith(clock: ManualClock): { book: RefusalBook; lines: string[] } {
  const lines: string[] = [];
  return { book: new RefusalBook(clock, createLog('warn', { write: (line) => lines.push(line) })), lines };
}

function refused(change: Partial<RefusalFacts> = {}, code = 'CALLING_AE_TITLE'): RefusalFacts {
  return {
    kind: 'rejected',
    address: '10.0.0.9',
    callingAeTitle: 'FLOOD',
    calledAeTitle: 'GANTRY',
    modalityName: null,
    proposed: null,
    why: { code, message: 'Unknown.', nextStep: 'Add it.' },
    ...change,
  };
}

test('a flood of the same refusal is one entry and few log lines', () => {
  const clock = new ManualClock();
  const { book, lines } = bookWith(clock);
  book.add(refused({ address: '10.0.0.1', callingAeTitle: 'REAL' }, 'CALLED_AE_TITLE'));
  for (let i = 0; i < 10_000; i++) book.add(refused());
  expect(book.list().map(({ callingAeTitle, count }) => [callingAeTitle, count])).toEqual([
    ['FLOOD', 10_000],
    ['REAL', 1],
  ]);
  expect(lines.length).toBe(60);
  expect(book.counts()).toEqual({ CALLED_AE_TITLE: 1, CALLING_AE_TITLE: 10_000 });
});

test('one address that calls itself by ever new names does not push the others out', () => {
  const clock = new ManualClock();
  const { book } = bookWith(clock);
  for (let i = 1; i <= 50; i++) book.add(refused({ address: `10.0.1.${i}`, callingAeTitle: 'REAL' }));
  for (let i = 0; i < 10_000; i++) book.add(refused({ callingAeTitle: `N${i}` }));
  const list = book.list();
  expect(list.filter(({ callingAeTitle }) => callingAeTitle === 'REAL')).toHaveLength(50);
  expect(list.filter(({ address }) => address === '10.0.0.9').map((one) => one.callingAeTitle)).toEqual(
    Array.from({ length: 20 }, (_, at) => `N${9999 - at}`),
  );
});

test('the log says how much it left out, and is clean whatever a peer says', () => {
  const clock = new ManualClock();
  const { book, lines } = bookWith(clock);
  for (let i = 0; i < 200; i++) book.add(refused({ callingAeTitle: `N${i}` }));
  clock.advance(60_000);
  book.add(refused({ address: '10.0.0.2', callingAeTitle: 'Bad\u0007\u00e4title far too long' }));
  expect(lines).toHaveLength(62);
  expect(JSON.parse(lines[60] ?? '')).toMatchObject({ refusals: 140 });
  expect(JSON.parse(lines[61] ?? '')).toMatchObject({ callingAeTitle: 'Bad??title far t' });
  expect(book.list()[0]?.callingAeTitle).toBe('Bad??title far t');
});

test('20,000 refusals of every kind, from everywhere and by every name, leave no more than a hundred do', async () => {
  const clock = new ManualClock();
  const { book, lines } = bookWith(clock);
  const tally = new Tally(clock);
  const reasons = refusalCatalogue.flatMap(({ refusals }) => refusals);
  const kinds = ['rejected', 'aborted', 'closed', 'refused object', 'refused service'] as const;
  const names = (what: string): string[] => Array.from({ length: 9 }, (_, at) => `${what} ${at}`);
  const flood = 20_000;
  for (let i = 0; i < flood; i++) {
    const why = reasons[i % reasons.length] ?? reasons[0]!;
    book.add({
      ...refused({
        kind: kinds[i % kinds.length] ?? 'rejected',
        address: `10.${i % 7}.${(i >> 8) & 255}.${i & 255}`,
        callingAeTitle: `${'X'.repeat(50)}${i}`.slice(-40),
        calledAeTitle: `T${i % 5000}`,
        modalityName: i % 3 === 0 ? `modality-${i % 400}` : null,
        proposed: { contexts: 128, sopClasses: names('class'), transferSyntaxes: names('syntax') },
      }),
      why,
    });
    const aeTitle = parseAeTitle(`N${i}`);
    if (aeTitle !== null) tally.heard({ aeTitle, modalityName: null, priority: 'routine' });
    if (i % 4000 === 0) clock.advance(60_000);
  }
  const real = parseAeTitle('CT1');
  if (real !== null) tally.heard({ aeTitle: real, modalityName: 'ct', priority: 'routine' });

  expect(book.list()).toHaveLength(100);
  expect(JSON.stringify(book.list()).length).toBeLessThan(100_000);
  expect(Object.keys(book.counts())).toHaveLength(reasons.length);
  expect(Object.values(book.counts()).reduce((sum, count) => sum + count)).toBe(flood);
  expect(lines.length).toBeLessThanOrEqual(6 * 61);
  expect(tally.unknownSenders().size).toBe(200);
  expect([...tally.modalities().keys()]).toEqual(['ct']);

  const inputs = statusInputs();
  const unknownCallers = Object.fromEntries(tally.unknownSenders());
  const intake = { ...inputs.intake, refusals: book.list(), refusalCounts: book.counts() };
  const report = buildStatus({ ...inputs, intake, unknownCallers });
  expect(Object.keys(report.modalities)).toHaveLength(51);
  const metrics = new Metrics({
    status: () => report,
    counters: { forwardedInstances: () => ({}), storeResponses: () => ({}), longPdus: () => 0 },
    configuredModalities: () => ['ct1'],
  });
  const series = (await metrics.text()).split('\n').filter((line) => line.startsWith('gantry_association'));
  expect(series.filter((line) => line.includes('{'))).toHaveLength(reasons.length);
  expect(series.join('\n')).not.toMatch(/N\d|XX|10\.\d/);
});

test('what modalities were refused last is remembered for as many as can be configured', () => {
  const { book } = bookWith(new ManualClock());
  for (let i = 0; i < 1500; i++) book.add(refused({ modalityName: `m${i}` }));
  expect(book.lastOf('m499')).toBeNull();
  expect(book.lastOf('m500')).toMatchObject({ modalityName: 'm500' });
});

test('a flood on the wire: the book, the log and the slots stay small, and a device gets through', async () => {
  const { port, listener, logLines } = await startIntake();
  const addresses = Array.from({ length: 20 }, (_, at) => `127.0.0.${at + 2}`);
  const openings = (i: number): Buffer[] => [
    associateRequest({ calling: `NOBODY${i}` }),
    associateRequest({ called: `BOX${i}` }),
    Buffer.from(`GET /${i} HTTP/1.1\r\n\r\n`),
    Buffer.from('16030100c801', 'hex'),
    echoCommand(i),
  ];
  const flood = 1000;
  for (let at = 0; at < flood; at += addresses.length) {
    await Promise.all(
      addresses.map(async (from, lane) => {
        const client = await RawClient.connect(port, { from });
        const bytes = openings(at + lane)[(at / addresses.length + lane) % 5] ?? Buffer.alloc(6);
        client.send(bytes);
        while ((await client.next()) !== null);
      }),
    );
  }
  const { refusals, refusalCounts } = listener.stats();
  expect(refusals).toHaveLength(100);
  expect(Object.values(refusalCounts).reduce((sum, count) => sum + count)).toBe(flood);
  expect(Object.keys(refusalCounts).toSorted()).toEqual([
    'CALLED_AE_TITLE',
    'CALLING_AE_TITLE',
    'FIRST_PDU_UNEXPECTED',
    'HTTP_ON_DICOM_PORT',
    'TLS_ON_DICOM_PORT',
  ]);
  expect(logLines.length).toBeLessThan(200);
  await eventually(() => listener.stats().idleConnections === 0);
  const client = await RawClient.associate(port);
  client.send(echoCommand());
  expect((await client.response()).status).toBe(0);
});
