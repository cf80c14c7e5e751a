import { afterEach, describe, expect, test } from 'vitest';
import type { PingAnswer } from '../../src/archive/port.ts';
import { silentLog } from '../../src/base/log.ts';
import { Forwarder } from '../../src/forward/forwarder.ts';
import { ctSlice, newUid } from '../fixtures/dicom-objects.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { answered, MemoryArchive } from '../fixtures/memory-archive.ts';
import { MemorySpool } from '../fixtures/memory-spool.ts';

const minuteMs = 60_000;
const running: Forwarder[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

function setUp() {
  const clock = new ManualClock();
  const spool = new MemorySpool(clock);
  const archive = new MemoryArchive();
  const forwarder = new Forwarder({
    destination: { name: 'cloud', batch: { instancesMax: 10, bytesMax: 1e8 }, parallel: 2 },
    client: archive,
    spool,
    clock,
    log: silentLog,
    random: () => 0.5,
  });
  running.push(forwarder);
  /** Time passes, and everybody looks again. */
  const pass = (ms: number): void => {
    clock.advance(ms);
    spool.announce();
  };
  const shows = (state: string): Promise<void> =>
    expect.poll(() => forwarder.state().state, { timeout: 5000, interval: 5 }).toBe(state);
  const pinged = (times: number): Promise<void> =>
    expect.poll(() => archive.pings, { timeout: 5000, interval: 5 }).toBe(times);
  /** A moment in which another question would have been asked, were one due. */
  const settled = async (): Promise<void> => {
    spool.announce();
    await new Promise((resolve) => setTimeout(resolve, 60));
  };
  return { clock, spool, archive, forwarder, pass, shows, pinged, settled };
}

const http = (status: number): PingAnswer => ({ kind: 'answered', status, retryAfterMs: null });
const slice = (seed: number) => ctSlice({ rows: 8, columns: 8, seed, studyUID: newUid() });

test('before the first answer nothing is claimed; with nothing to send a question brings it', async () => {
  const { archive, forwarder, pinged, shows, settled } = setUp();
  const asked = Promise.withResolvers<PingAnswer>();
  archive.onPing = () => asked.promise;
  expect(forwarder.state()).toMatchObject({ state: 'untried', reached: false, reason: null });
  forwarder.start();
  await pinged(1);
  await settled();
  expect(forwarder.state()).toMatchObject({ state: 'untried', nextAttemptAt: null });
  asked.resolve(http(200));
  await shows('up');
  expect(forwarder.state().reached).toBe(true);
  expect(archive.pings).toBe(1);
});

describe('what the first answer shows', () => {
  test.each<[PingAnswer, state: string, code: string | null, words: RegExp]>([
    [http(204), 'up', null, /^$/],
    // No search is offered: it answered all the same.
    [http(404), 'up', null, /^$/],
    [http(405), 'up', null, /^$/],
    [http(501), 'up', null, /^$/],
    [http(400), 'up', null, /^$/],
    [http(401), 'paused', 'HTTP_401', /wants a valid sign-in/],
    [http(403), 'paused', 'HTTP_403', /refuses this sign-in/],
    [http(302), 'paused', 'HTTP_302', /redirects are not followed/],
    [http(500), 'down', 'HTTP_500', /internal failure/],
    [{ kind: 'answered', status: 503, retryAfterMs: 90_000 }, 'waiting', 'HTTP_503', /out of service/],
    [{ kind: 'failed', code: 'ECONNREFUSED' }, 'down', 'ECONNREFUSED', /nothing listens/],
    [
      { kind: 'failed', code: 'SELF_SIGNED_CERT_IN_CHAIN' },
      'down',
      'SELF_SIGNED_CERT_IN_CHAIN',
      /authority of the archive is not trusted/,
    ],
    [
      { kind: 'failed', code: 'TOKEN_FILE_UNREADABLE', file: '/etc/gantry/token' },
      'paused',
      'TOKEN_FILE_UNREADABLE',
      /^the token file \/etc\/gantry\/token cannot be read$/,
    ],
    [
      { kind: 'failed', code: 'CA_FILE_UNREADABLE', file: '/etc/gantry/ca.pem' },
      'paused',
      'CA_FILE_UNREADABLE',
      /authority file \/etc\/gantry\/ca\.pem cannot be read/,
    ],
  ])('%j: %s', async (answer, state, code, words) => {
    const { clock, archive, forwarder, shows } = setUp();
    archive.onPing = () => answer;
    forwarder.start();
    await shows(state);
    const shown = forwarder.state();
    expect(shown.reason?.code ?? null).toBe(code);
    expect(shown.reason?.words ?? '').toMatch(words);
    expect(shown.reached).toBe(code === null);
    if (code !== null) expect(shown.nextAttemptAt).toBeGreaterThan(clock.now());
    expect(archive.refreshes).toBe(/TOKEN|40[13]/.test(code ?? '') ? 1 : 0);
  });
});

test('asked again one question a step, and right again without an image', async () => {
  const { clock, archive, forwarder, pass, pinged, shows, settled } = setUp();
  archive.onPing = () => ({ kind: 'failed', code: 'ENOTFOUND' });
  forwarder.start();
  await shows('down');
  for (let step = 2; step <= 4; step += 1) {
    const waitMs = (forwarder.state().nextAttemptAt ?? 0) - clock.now();
    pass(waitMs - 1);
    await settled();
    expect(archive.pings).toBe(step - 1);
    pass(1);
    await pinged(step);
    await shows('down');
  }
  archive.onPing = () => http(200);
  forwarder.resume();
  await shows('up');
  expect(forwarder.state()).toMatchObject({ reason: null, nextAttemptAt: null, reached: true });
});

describe('work comes first', () => {
  test('what waits at start is sent, not asked about', async () => {
    const { spool, archive, forwarder, shows, settled } = setUp();
    const id = spool.add(slice(1));
    forwarder.start();
    await spool.until(() => spool.get(id).state === 'delivered');
    await shows('up');
    await settled();
    expect(archive.pings).toBe(0);
  });

  test('an unanswered question holds nothing up, and its failure is no news after an image got there', async () => {
    const { spool, archive, forwarder, pinged, settled } = setUp();
    const asked = Promise.withResolvers<PingAnswer>();
    archive.onPing = () => asked.promise;
    forwarder.start();
    await pinged(1);
    const id = spool.add(slice(1));
    await spool.until(() => spool.get(id).state === 'delivered');
    asked.resolve({ kind: 'failed', code: 'ANSWER_LATE' });
    await settled();
    expect(forwarder.state()).toMatchObject({ state: 'up', reason: null });
  });

  test('an archive that does not answer the question gets images all the same', async () => {
    const { spool, archive, forwarder, pass, shows } = setUp();
    archive.onPing = () => http(403);
    forwarder.start();
    await shows('paused');
    const id = spool.add(slice(1));
    pass(minuteMs);
    await spool.until(() => spool.get(id).state === 'delivered');
    await shows('up');
    // From then on that it may not be searched says nothing; a sign-in that has run out does.
    pass(7 * minuteMs);
    await expect.poll(() => archive.pings).toBeGreaterThan(1);
    await shows('up');
    archive.onPing = () => http(401);
    pass(7 * minuteMs);
    await shows('paused');
  });

  test('what a store request met is not lifted by a question', async () => {
    const { spool, archive, forwarder, pass, requests } = withRequests();
    archive.onStore = () => answered(404, { empty: true });
    const id = spool.add(slice(1));
    forwarder.start();
    await requests(1);
    expect(forwarder.state()).toMatchObject({ state: 'paused', reason: { code: 'HTTP_404' } });
    spool.get(id).state = 'held';
    for (let round = 0; round < 5; round += 1) {
      pass(20 * minuteMs);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(archive.pings).toBe(0);
    expect(forwarder.state()).toMatchObject({ state: 'paused', reason: { code: 'HTTP_404' } });
  });

  test('an archive that was out of reach, with nothing left to send to it, is asked', async () => {
    const { spool, archive, forwarder, pass, requests } = withRequests();
    archive.onStore = () => ({ kind: 'failed', phase: 'unsent', code: 'ECONNREFUSED' });
    const id = spool.add(slice(1));
    forwarder.start();
    await requests(1);
    expect(forwarder.state().state).toBe('down');
    spool.get(id).state = 'held';
    pass(minuteMs);
    await expect.poll(() => forwarder.state().state).toBe('up');
    expect(archive.pings).toBe(1);
  });

  function withRequests() {
    const parts = setUp();
    const { spool, archive } = parts;
    const requests = (count: number): Promise<void> =>
      spool.until(() => archive.requests.length >= count && spool.deliveries.every(({ taken }) => !taken));
    return { ...parts, requests };
  }
});

test('a long silence is broken by a question; reading counts as hearing', async () => {
  const { clock, archive, forwarder, pass, pinged, settled } = setUp();
  forwarder.start();
  await pinged(1);
  pass(299_000);
  await settled();
  expect(archive.pings).toBe(1);
  archive.answeredAt = clock.monotonic();
  pass(299_000);
  await settled();
  expect(archive.pings).toBe(1);
  pass(2000);
  await pinged(2);
});

test('a pause by an operator asks nothing; stopping ends a question under way', async () => {
  const { archive, forwarder, pinged, settled } = setUp();
  let signalOf: AbortSignal | null = null;
  archive.onPing = (signal) => {
    signalOf = signal;
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ kind: 'failed', code: 'ABORTED' }));
    });
  };
  forwarder.pause();
  forwarder.start();
  await settled();
  expect(archive.pings).toBe(0);
  forwarder.resume();
  await pinged(1);
  await forwarder.stop();
  expect((signalOf as AbortSignal | null)?.aborted).toBe(true);
  expect(forwarder.state().state).toBe('untried');
});
