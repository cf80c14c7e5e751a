import { existsSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runDemo } from '../../src/demo/demo.ts';
import { phantomKinds } from '../../src/demo/phantom.ts';
import { RoundProgress } from '../../src/demo/round-progress.ts';
import { megabytes, roundTable, timesInWords, total } from '../../src/demo/round-table.ts';
import { headerBytes, standIn, Transcript } from './stand-in.ts';

const srClass = '1.2.840.10008.5.1.4.1.1.88.11';
const running = new AbortController().signal;

describe('one round of the demo', () => {
  it('ends with 0 once all is verified, tells what was counted, and leaves nothing behind', async () => {
    const { ports, stopped, directories } = standIn(() => 'verify');
    const out = new Transcript();
    await expect(runDemo(ports, { once: true, out, signal: running })).resolves.toBe(0);
    expect(out.text).toContain('http://127.0.0.1:8080/');
    expect(out.text).toMatch(/CT series +│ +40 of 40 │ +40 │ +40 │/);
    expect(out.text).toMatch(/all +│ +43 of 43 │ +43 │ +43 │/);
    expect(out.text).toContain('All 43 objects were received, delivered and verified');
    expect(stopped).toEqual([
      { what: 'gateway', directoryThere: true },
      { what: 'archive', directoryThere: true },
    ]);
    expect(directories.map((directory) => existsSync(directory))).toEqual([false, false]);
  });

  it.each([
    { behaviour: 'refuse', words: 'structured report: the gateway answered A700 (no space left)' },
    { behaviour: 'quarantine', words: '1 of 43 objects were parked by the gateway: The archive does not' },
  ] as const)(
    'ends with 1 and the reason where the gateway does $behaviour',
    async ({ behaviour, words }) => {
      const { ports } = standIn(({ SOPClassUID }) => (SOPClassUID === srClass ? behaviour : 'verify'));
      const out = new Transcript();
      await expect(runDemo(ports, { once: true, out, signal: running })).resolves.toBe(1);
      expect(out.text).toContain(words);
    },
  );

  it('ends with 1 and what is missing when time is up', async () => {
    const { ports } = standIn(({ SOPClassUID }) => (SOPClassUID === srClass ? 'lose' : 'verify'));
    const out = new Transcript();
    await expect(runDemo(ports, { once: true, timeoutMs: 4000, out, signal: running })).resolves.toBe(1);
    // On a slow machine it may not even have been sent by then.
    expect(out.text).toMatch(
      /not complete after 4 s; (?:.*; )?structured report: 1 of 1 not (?:at the archive|received)\. The gateway says: /,
    );
  });

  it('ends with 1 where it is stopped before it is complete', async () => {
    const { ports, directories } = standIn(() => 'lose');
    const out = new Transcript();
    const stopping = new AbortController();
    const ended = runDemo(ports, { once: true, out, signal: stopping.signal });
    await out.until('the phantom sends');
    stopping.abort();
    await expect(ended).resolves.toBe(1);
    expect(out.text).toContain('stopped before it was complete');
    expect(directories.map((directory) => existsSync(directory))).toEqual([false, false]);
  });
});

it('the demo stays up, offers a storescu line, sends again on Enter and stops with 0', async () => {
  const { ports } = standIn(() => 'verify');
  const out = new Transcript();
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const stopping = new AbortController();
  const ended = runDemo(ports, { once: false, out, input, signal: stopping.signal });
  await out.until('Enter sends another round');
  expect(out.text).toMatch(/no patient data: .* unencrypted.*\n.*storescu -v -aec GANTRY 127\.0\.0\.1 \d+ /);
  input.write('\n');
  await out.until('Round 2: the phantom sends');
  stopping.abort();
  await expect(ended).resolves.toBe(0);
});

describe('the books of a round', () => {
  const progress = new RoundProgress({
    'CT series': 3,
    'ultrasound clip': 1,
    'digital X-ray': 1,
    'structured report': 1,
  });
  progress.sending('2.25.1', 'CT series', 1000);
  progress.sending('2.25.2', 'CT series', 2000);
  progress.sending('2.25.3', 'CT series', 4000);
  progress.sending('2.25.4', 'digital X-ray', 8000);
  progress.received('2.25.1', 100);
  progress.received('2.25.2', 200);
  progress.stored('2.25.1', 1000 + headerBytes, 1100);
  progress.stored('2.25.1', 1000 + headerBytes, 9000);
  progress.stored('2.25.2', 2000 + headerBytes, 150);
  progress.stored('2.25.3', 4000 + headerBytes, 500);
  progress.stored('2.25.77', 1, 500);

  it('count what was answered and what arrived, repeated bytes but not repeated objects', () => {
    expect(progress.tally('CT series')).toEqual({
      kind: 'CT series',
      objects: 3,
      received: 2,
      delivered: 3,
      bytesIn: 3000,
      bytesOut: 8000 + 4 * headerBytes,
      // The second was there before its answer was read, the third has no answer yet.
      timesToArchiveMs: [1000, 0],
    });
    expect(total(progress.tallies())).toMatchObject({ objects: 6, received: 2, delivered: 3, bytesIn: 3000 });
  });

  it('claim no verified instance by kind that the status report did not count', () => {
    const row = (kind: string): string =>
      roundTable({ progress, durationMs: 0, gatewayBytesSent: null })
        .split('\n')
        .find((line) => line.includes(kind)) ?? '';
    expect(row('CT series')).toMatch(/2 of 3 │ +3 │ +0 │ +0\.50 s, longest 1\.00 s │/);
    progress.verifiedSoFar(2);
    expect(row('CT series')).toMatch(/2 of 3 │ +3 │ +not known │/);
    expect(row('all')).toMatch(/2 of 6 │ +3 │ +2 │/);
    progress.verifiedSoFar(6);
    expect(phantomKinds.map((kind) => / not known /.test(row(kind)))).not.toContain(true);
    expect(progress.done).toBe(true);
  });

  it('put numbers into words', () => {
    expect(timesInWords([])).toBe('-');
    expect(timesInWords([120])).toBe('0.12 s');
    expect(timesInWords([3000, 1000, 2000])).toBe('2.00 s, longest 3.00 s');
    expect(megabytes(1054)).toBe('1.1 kB');
    expect(megabytes(18_432_738)).toBe('18.4 MB');
  });
});
