import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createDicomWebClient, type DicomWebOptions } from '../../src/archive/dicomweb.ts';
import type { ArchiveClient } from '../../src/archive/port.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import { Forwarder } from '../../src/forward/forwarder.ts';
import { Verifier, type VerifierOptions } from '../../src/proof/verifier.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { MemorySpool } from '../fixtures/memory-spool.ts';

/** Forwarding and proof together, over the real DICOMweb client, against the sandbox archive. */

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

const quick = { firstMs: 20, capMs: 100, floorMs: 5, retryAfterMsMax: 1000 };
const image = { Rows: 32, Columns: 32, BitsAllocated: 16, NumberOfFrames: 1 };
const slice = (seed: number, studyUID: string, instanceUID = newUid()) =>
  ctSlice({ rows: 32, columns: 32, seed, studyUID, seriesUID: `${studyUID}.1`, instanceUID });
const study = (count: number): MadeInstance[] => {
  const studyUID = newUid();
  return Array.from({ length: count }, (_, seed) => slice(seed, studyUID));
};

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-proof-'));
  cleanUp.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function startArchive(options: { dataDir?: string; port?: number; bearerToken?: string } = {}) {
  const dataDir = options.dataDir ?? (await temporaryDirectory());
  const archive = new SandboxArchive({ host: '127.0.0.1', port: 0, log: silentLog, ...options, dataDir });
  const { url } = await archive.start();
  cleanUp.push(() => archive.stop());
  return { archive, url, dataDir };
}

function connect(options: DicomWebOptions): ArchiveClient {
  const client = createDicomWebClient(options);
  cleanUp.push(() => client.close());
  return client;
}

function startGateway(
  client: ArchiveClient,
  spool: MemorySpool,
  verify: VerifierOptions['destination']['verify'] = 'wado-metadata',
) {
  const common = { client, spool, clock: systemClock, log: silentLog };
  const forwarder = new Forwarder({
    ...common,
    destination: { name: 'cloud', batch: { instancesMax: 8, bytesMax: 1e6 }, parallel: 3 },
    limits: { instanceRetry: quick, destinationRetry: quick, setupRetry: quick },
  });
  const verifier = new Verifier({
    ...common,
    destination: { name: 'cloud', verify, digestSample: 0.25 },
    limits: { poll: quick, refusedPoll: quick, absentPollsMax: 3, absentMsMin: 50 },
  });
  forwarder.start();
  verifier.start();
  cleanUp.push(
    () => forwarder.stop(),
    () => verifier.stop(),
  );
  return { forwarder, verifier };
}

const everyState = (spool: MemorySpool, state: string) => () =>
  spool.states().every((each) => each === state);

/** What the archive gives back, or null. */
async function archived(client: ArchiveClient, made: MadeInstance): Promise<Buffer | null> {
  const answer = await client.retrieve(made, new AbortController().signal);
  if (answer.kind !== 'present') return null;
  const chunks: Buffer[] = [];
  for await (const chunk of answer.dataSet()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Stands before the archive and keeps back the answers to the first so many store requests. */
async function startCuttingProxy(
  url: string,
  cutting: number,
): Promise<{ url: string; stores: () => number }> {
  const { port, pathname } = new URL(url);
  let stores = 0;
  const server: Server = createServer((incoming, outgoing) => {
    const options = {
      port,
      path: incoming.url,
      method: incoming.method,
      headers: incoming.headers,
    };
    const onward = request({ host: '127.0.0.1', ...options }, (answer: IncomingMessage) => {
      if (incoming.method === 'POST') stores += 1;
      if (incoming.method === 'POST' && stores <= cutting) {
        answer.resume().on('end', () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  const own = (server.address() as AddressInfo).port;
  return { url: `http://127.0.0.1:${own}${pathname}`, stores: () => stores };
}

describe('against the sandbox archive', () => {
  test('what was received is there, byte for byte, and proven', async () => {
    const { url } = await startArchive();
    const client = connect({ url });
    const spool = new MemorySpool(systemClock);
    const made = [...study(20), ...study(9)];
    for (const each of made) spool.add(each, { image });
    startGateway(client, spool);
    await spool.until(everyState(spool, 'verified'));
    for (const each of made) expect((await archived(client, each))?.equals(each.dataSet)).toBe(true);
    expect(new Set(spool.deliveries.map(({ by }) => by))).toEqual(new Set(['metadata', 'digest']));
  });

  test('down, then up on the same address: everything arrives without a hand', async () => {
    const first = await startArchive();
    await first.archive.stop();
    const client = connect({ url: first.url });
    const spool = new MemorySpool(systemClock);
    for (const each of study(30)) spool.add(each, { image });
    const { forwarder } = startGateway(client, spool);
    await spool.until(() => forwarder.state().state === 'down');
    await startArchive({ dataDir: first.dataDir, port: Number(new URL(first.url).port) });
    await spool.until(everyState(spool, 'verified'));
    expect(spool.deliveries.every(({ attempts }) => attempts === 0)).toBe(true);
  });

  test('a wrong token pauses; a fresh one in its file is taken up', async () => {
    const { url } = await startArchive({ bearerToken: 'right' });
    const tokenFile = join(await temporaryDirectory(), 'token');
    await writeFile(tokenFile, 'wrong', { mode: 0o600 });
    const client = connect({ url, auth: { type: 'bearer', tokenFile } });
    const spool = new MemorySpool(systemClock);
    for (const each of study(5)) spool.add(each, { image });
    const { forwarder } = startGateway(client, spool);
    await spool.until(() => forwarder.state().state === 'paused');
    expect(forwarder.state().reason?.code).toBe('HTTP_401');
    await writeFile(tokenFile, 'right');
    await spool.until(everyState(spool, 'verified'));
    expect(spool.deliveries.every(({ attempts }) => attempts === 0)).toBe(true);
  });

  test('the answer is lost after the archive stored: not sent again, proven by digest', async () => {
    const { url } = await startArchive();
    const proxy = await startCuttingProxy(url, 1);
    const spool = new MemorySpool(systemClock);
    for (const each of study(6)) spool.add(each, { image });
    startGateway(connect({ url: proxy.url }), spool);
    await spool.until(everyState(spool, 'verified'));
    expect(proxy.stores()).toBe(1);
    expect(spool.deliveries.map(({ by }) => by)).toEqual(Array(6).fill('digest'));
  });

  test('already there: equal bytes are verified, other bytes are a conflict and stay on both sides', async () => {
    const { url } = await startArchive();
    const client = connect({ url });
    const [same, ours] = study(2) as [MadeInstance, MadeInstance];
    const theirs = slice(99, ours.StudyInstanceUID, ours.SOPInstanceUID);
    const before = new MemorySpool(systemClock);
    for (const each of [same, theirs]) before.add(each, { image });
    startGateway(client, before);
    await before.until(everyState(before, 'verified'));

    const spool = new MemorySpool(systemClock);
    const ids = [same, ours].map((each) => spool.add(each, { image }));
    startGateway(client, spool);
    await spool.until(() => spool.states().every((state) => state === 'verified' || state === 'conflict'));
    expect(ids.map((id) => [spool.get(id).state, spool.get(id).by])).toEqual([
      ['verified', expect.any(String)],
      ['conflict', null],
    ]);
    expect((await archived(client, ours))?.equals(theirs.dataSet)).toBe(true);
    expect(await spool.purgeVerified(Infinity)).toMatchObject({ instances: 1 });
    await using kept = await spool.open(ids[1] as (typeof ids)[number]);
    expect(kept.facts.SOPInstanceUID).toBe(ours.SOPInstanceUID);
  });

  test('gone from the archive before it was proven: noticed, and sent again', async () => {
    const { url } = await startArchive();
    const client = connect({ url });
    const spool = new MemorySpool(systemClock);
    const ids = study(3).map((each) => spool.add(each, { image }));
    // As after an archive that confirmed and then lost them.
    for (const id of ids) spool.put(id, { state: 'delivered', deliveredAt: systemClock.now() });
    startGateway(client, spool, 'wado-digest');
    await spool.until(everyState(spool, 'verified'));
    expect(spool.deliveries.map(({ by }) => by)).toEqual(['digest', 'digest', 'digest']);
  });
});
