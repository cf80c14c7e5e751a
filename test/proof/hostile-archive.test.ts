import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { createDicomWebClient } from '../../src/archive/dicomweb.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import { multipartBoundary, multipartParts } from '../../src/dicom/multipart.ts';
import { splitPart10 } from '../../src/dicom/part10.ts';
import { Forwarder } from '../../src/forward/forwarder.ts';
import { Retention } from '../../src/proof/retention.ts';
import { Verifier } from '../../src/proof/verifier.ts';
import type { Spool } from '../../src/spool/spool.ts';
import { type FaultServer, httpServer, referencing } from '../archive/fault-server.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { admit, openSpool, testInstance, writeReceipts } from '../fixtures/open-spool.ts';
import { storedObjects } from '../fixtures/stored-objects.ts';

/** The real spool, forwarder, proof and retention, against archives that lie or break off. */

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

const quick = { firstMs: 5, capMs: 20, floorMs: 1, retryAfterMsMax: 100 };
const image = { Rows: 32, Columns: 32, BitsAllocated: 16, NumberOfFrames: 1 };
/** Whatever was verified by now was verified long ago. */
const inTenYears: Clock = { ...systemClock, now: () => systemClock.now() + 10 * 365 * 86_400_000 };

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-hostile-'));
  cleanUp.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function openedSpool(directory: string): Promise<{ spool: Spool; close: () => Promise<void> }> {
  const { spool, stop } = await openSpool(directory, { quietMs: 0 });
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => (closed ??= stop());
  cleanUp.push(close);
  return { spool, close };
}

async function admitStudy(spool: Spool, count: number): Promise<MadeInstance[]> {
  const studyUID = newUid();
  const made = Array.from({ length: count }, (_, seed) =>
    ctSlice({ rows: 32, columns: 32, seed, studyUID, seriesUID: `${studyUID}.1`, instanceUID: newUid() }),
  );
  for (const each of made) {
    const { admission, found } = testInstance();
    const { SOPClassUID, SOPInstanceUID, TransferSyntaxUID, StudyInstanceUID, SeriesInstanceUID } = each;
    const outcome = await admit(spool, {
      admission: { ...admission, SOPClassUID, SOPInstanceUID, TransferSyntaxUID },
      found: { ...found, StudyInstanceUID, SeriesInstanceUID, image },
      dataSet: each.dataSet,
    });
    expect(outcome).toBe('stored');
  }
  return made;
}

/** Sends and proves until it is stopped. */
function startDestination(spool: Spool, url: string): { stop: () => Promise<void> } {
  const client = createDicomWebClient({ url });
  const shared = { client, spool, clock: systemClock, log: silentLog };
  const forwarder = new Forwarder({
    ...shared,
    destination: { name: 'cloud', batch: { instancesMax: 2, bytesMax: 1e6 }, parallel: 2 },
    limits: { instanceRetry: quick, destinationRetry: quick, setupRetry: quick },
  });
  const verifier = new Verifier({
    ...shared,
    destination: { name: 'cloud', verify: 'wado-metadata', digestSample: 0 },
    limits: { poll: quick, refusedPoll: quick, absentPollsMax: 2, absentMsMin: 10 },
  });
  verifier.start();
  forwarder.start();
  let stopped: Promise<void> | null = null;
  const stopAll = async (): Promise<void> => {
    await forwarder.stop();
    await verifier.stop();
    await client.close();
  };
  const stop = (): Promise<void> => (stopped ??= stopAll());
  cleanUp.push(stop);
  return { stop };
}

async function purge(spool: Spool): Promise<number> {
  // Without its receipt nothing is purged: that must not be the cause.
  await writeReceipts(spool);
  const options = { spool, schedule: '0 3 * * *', timeZone: 'UTC', keepVerifiedHours: 1 };
  return (await new Retention({ ...options, clock: inTenYears, log: silentLog }).runNow()).instances;
}

interface SentPart {
  readonly SOPInstanceUID: string;
  /** SHA-256 of the part as it came over the line. */
  readonly sha256: string;
}

async function partsOf(request: IncomingMessage): Promise<SentPart[]> {
  const boundary = multipartBoundary(request.headers['content-type'] ?? '') ?? '';
  const parts: SentPart[] = [];
  for await (const { content } of multipartParts(request, boundary)) {
    const pieces: Buffer[] = [];
    for await (const piece of content) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    const { SOPInstanceUID } = await splitPart10(Readable.from([bytes]));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    parts.push({ SOPInstanceUID: SOPInstanceUID ?? '', sha256 });
  }
  return parts;
}

type Reads = (request: IncomingMessage, response: ServerResponse) => void;

interface Liar extends FaultServer {
  readonly asked: () => number;
  /** UIDs it said it had stored. */
  readonly claimed: ReadonlySet<string>;
}

/** Answers every store request with "stored", keeps nothing, and answers questions as it is told. */
async function startLiar(reads: Reads): Promise<Liar> {
  let asked = 0;
  const claimed = new Set<string>();
  const server = await httpServer(async (request, response) => {
    response.setHeader('content-type', 'application/dicom+json');
    if (request.method !== 'POST') {
      asked += 1;
      reads(request, response);
      return;
    }
    const parts = await partsOf(request);
    for (const { SOPInstanceUID } of parts) claimed.add(SOPInstanceUID);
    response.end(referencing(...parts.map(({ SOPInstanceUID }) => SOPInstanceUID)));
  });
  cleanUp.push(() => server.stop());
  return { ...server, asked: () => asked, claimed };
}

const asJson = (json: unknown): string => JSON.stringify(json);
const ui = (uid: string) => ({ vr: 'UI', Value: [uid] });

/** UIDs out of a path or query: what a liar that knows nothing can echo. */
function echo({ url = '' }: IncomingMessage): Record<string, unknown> {
  const [, study] = /studies\/([\d.]+)/.exec(url) ?? [];
  const [, series] = /series\/([\d.]+)/.exec(url) ?? [];
  const [, instance] = /(?:instances\/|SOPInstanceUID=)([\d.]+)/.exec(url) ?? [];
  return {
    '00080016': ui('1.2.840.10008.5.1.4.1.1.2'),
    ...(instance !== undefined && { '00080018': ui(instance) }),
    ...(study !== undefined && { '0020000D': ui(study) }),
    ...(series !== undefined && { '0020000E': ui(series) }),
  };
}

const liars: readonly (readonly [string, Reads])[] = [
  ['knows nothing of it: 404', (_, response) => response.writeHead(404).end()],
  ['answers with nothing: 204', (_, response) => response.writeHead(204).end()],
  ['answers with an empty list', (_, response) => response.end('[]')],
  ['answers with an empty body', (_, response) => response.end()],
  ['answers with a page', (_, response) => response.end('<html>Welcome</html>')],
  ['cannot be read: 500', (_, response) => response.writeHead(500).end()],
  ['may not be read: 403', (_, response) => response.writeHead(403).end()],
  ['breaks off each answer', (_, response) => response.destroy()],
  ['says "stored" to questions too', (_, response) => response.end(referencing('1.2.3'))],
  [
    'lists it and cannot show it',
    (request, response) => {
      if (/metadata/.test(request.url ?? '')) response.writeHead(404).end();
      else response.end(asJson([echo(request)]));
    },
  ],
  ['shows the UIDs and nothing of the image', (request, response) => response.end(asJson([echo(request)]))],
  [
    'shows another image under its UIDs',
    (request, response) => response.end(asJson([{ ...echo(request), '00280010': { vr: 'US', Value: [8] } }])),
  ],
  [
    'breaks off what would be a proof',
    (request, response) => {
      const text = asJson([echo(request)]);
      response.setHeader('content-length', String(text.length));
      response.write(text.slice(0, -1), () => response.destroy());
    },
  ],
];

test.each(liars)(
  'an archive that claims to have stored all and %s: nothing is purged',
  async (_name, reads) => {
    const directory = await temporaryDirectory();
    const { spool, close } = await openedSpool(directory);
    const made = await admitStudy(spool, 3);
    const liar = await startLiar(reads);
    const destination = startDestination(spool, liar.url);
    await vi.waitFor(() => {
      expect(liar.claimed).toEqual(new Set(made.map(({ SOPInstanceUID }) => SOPInstanceUID)));
      expect(liar.asked()).toBeGreaterThan(8);
    }, 20_000);
    expect(await purge(spool)).toBe(0);
    await destination.stop();
    expect(await purge(spool)).toBe(0);
    await close();
    expect(storedObjects(directory)).toHaveLength(made.length);
  },
);

test('the same with an archive that keeps its word: all is purged, and is there', async () => {
  const directory = await temporaryDirectory();
  const { spool, close } = await openedSpool(directory);
  const made = await admitStudy(spool, 3);
  const archive = new SandboxArchive({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    dataDir: await temporaryDirectory(),
  });
  const { url } = await archive.start();
  cleanUp.push(() => archive.stop());
  startDestination(spool, url);
  let purged = 0;
  await vi.waitFor(async () => {
    purged += await purge(spool);
    expect(purged).toBe(3);
  }, 20_000);
  const client = createDicomWebClient({ url });
  cleanUp.push(() => client.close());
  for (const each of made) {
    const answer = await client.retrieve(each, new AbortController().signal);
    if (answer.kind !== 'present') throw new Error(answer.kind);
    const pieces: Buffer[] = [];
    for await (const piece of answer.dataSet()) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(each.dataSet)).toBe(true);
  }
  await close();
});

test('after a restart the same bytes are sent again, part by part', async () => {
  const directory = await temporaryDirectory();
  const sent: SentPart[] = [];
  // Claims to have stored all and loses it at once, so that it is sent for ever.
  const server = await httpServer(async (request, response) => {
    if (request.method !== 'POST') {
      response.writeHead(200, { 'content-type': 'application/dicom+json' }).end('[]');
      return;
    }
    const parts = await partsOf(request);
    sent.push(...parts);
    response.end(referencing(...parts.map(({ SOPInstanceUID }) => SOPInstanceUID)));
  });
  cleanUp.push(() => server.stop());

  const rounds: Map<string, Set<string>>[] = [];
  let made: MadeInstance[] = [];
  for (let round = 0; round < 3; round += 1) {
    const { spool, close } = await openedSpool(directory);
    if (round === 0) made = await admitStudy(spool, 5);
    sent.length = 0;
    const destination = startDestination(spool, server.url);
    const hashes = (): Map<string, Set<string>> =>
      Map.groupBy(sent, ({ SOPInstanceUID }) => SOPInstanceUID)
        .entries()
        .reduce(
          (all, [uid, parts]) => all.set(uid, new Set(parts.map(({ sha256 }) => sha256))),
          new Map<string, Set<string>>(),
        );
    await vi.waitFor(() => expect(hashes().size).toBe(5), 20_000);
    await destination.stop();
    await close();
    rounds.push(hashes());
  }
  for (const { SOPInstanceUID } of made) {
    const all = new Set(rounds.flatMap((round) => [...(round.get(SOPInstanceUID) ?? ['never sent'])]));
    expect([...all]).toEqual([expect.stringMatching(/^[\da-f]{64}$/)]);
  }
});
