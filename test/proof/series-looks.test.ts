import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createDicomWebClient } from '../../src/archive/dicomweb.ts';
import { silentLog } from '../../src/base/log.ts';
import { Verifier } from '../../src/proof/verifier.ts';
import type { ObjectId } from '../../src/spool/types.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { MemorySpool } from '../fixtures/memory-spool.ts';

/* A series of which many instances wait is asked for once; each is judged as if it had been asked for alone. */

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

const image = { Rows: 16, Columns: 12, BitsAllocated: 16, NumberOfFrames: 1 };

function series(count: number, studyUID = newUid()): MadeInstance[] {
  const seriesUID = newUid();
  return Array.from({ length: count }, (_, seed) =>
    ctSlice({ rows: 16, columns: 12, seed, studyUID, seriesUID }),
  );
}

function documentOf(made: MadeInstance, Columns = image.Columns): Record<string, object> {
  const uid = (value: string): object => ({ vr: 'UI', Value: [value] });
  return {
    '00080016': uid(made.SOPClassUID),
    '00080018': uid(made.SOPInstanceUID),
    '0020000D': uid(made.StudyInstanceUID),
    '0020000E': uid(made.SeriesInstanceUID),
    '00280010': { vr: 'US', Value: [image.Rows] },
    '00280011': { vr: 'US', Value: [Columns] },
    '00280100': { vr: 'US', Value: [image.BitsAllocated] },
  };
}

/** What an archive answers, and what it was asked. */
interface Archive {
  readonly url: string;
  readonly documents: Map<string, Record<string, object>>;
  /** Answers a question about a series in place of the archive. */
  onSeries: (response: ServerResponse) => boolean;
  /** Instances that are left out of the answer about their series. */
  readonly notInSeries: Set<string>;
  readonly asked: { series: number; instances: number };
}

async function startArchive(held: readonly MadeInstance[]): Promise<Archive> {
  const asked = { series: 0, instances: 0 };
  const server = createServer((request, response) => {
    const found = /\/series\/([\d.]+)(?:\/instances\/([\d.]+))?\/metadata$/.exec(request.url ?? '');
    const [, seriesUID, instanceUID] = found ?? [];
    if (seriesUID === undefined) {
      response.writeHead(200).end('[]');
      return;
    }
    asked[instanceUID === undefined ? 'series' : 'instances'] += 1;
    if (instanceUID === undefined && archive.onSeries(response)) return;
    const documents = [...archive.documents]
      .filter(([uid, document]) =>
        instanceUID === undefined
          ? JSON.stringify(document['0020000E']).includes(seriesUID) && !archive.notInSeries.has(uid)
          : uid === instanceUID,
      )
      .map(([, document]) => document);
    response.writeHead(documents.length === 0 ? 404 : 200, { 'content-type': 'application/dicom+json' });
    response.end(documents.length === 0 ? '' : JSON.stringify(documents));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(async () => {
    server.close();
    server.closeAllConnections();
  });
  const archive: Archive = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dicom-web/studies`,
    documents: new Map(held.map((made) => [made.SOPInstanceUID, documentOf(made)])),
    onSeries: () => false,
    notInSeries: new Set(),
    asked,
  };
  return archive;
}

/** Has them proven, all of which were delivered at the same time; call again for those that are delivered later. */
function prover(archive: Archive): (made: readonly MadeInstance[]) => Promise<string[]> {
  const clock = new ManualClock();
  const spool = new MemorySpool(clock);
  const client = createDicomWebClient({ url: archive.url });
  const verifier = new Verifier({
    destination: { name: 'cloud', verify: 'wado-metadata', digestSample: 0 },
    client,
    spool,
    clock,
    log: silentLog,
    random: () => 0.5,
  });
  cleanUp.push(
    () => client.close(),
    () => verifier.stop(),
  );
  return async (made) => {
    const ids = made.map((each): ObjectId => {
      const objectId = spool.add(each, { image });
      spool.put(objectId, { state: 'delivered', deliveredAt: clock.now() });
      return objectId;
    });
    verifier.start();
    await spool.until(() =>
      ids.every(
        (id) => !spool.get(id).taken && (spool.get(id).state !== 'delivered' || spool.get(id).polls > 0),
      ),
    );
    return ids.map((id) => spool.get(id).state);
  };
}

const prove = (archive: Archive, made: readonly MadeInstance[]) => prover(archive)(made);

describe('instances of one series that wait for their proof', () => {
  test('are proven by one question about each series', async () => {
    const made = [...series(150), ...series(100), ...series(1)];
    const archive = await startArchive(made);
    expect(new Set(await prove(archive, made))).toEqual(new Set(['verified']));
    expect(archive.asked).toEqual({ series: 2, instances: 1 });
  });

  test('are asked for one by one where few are waiting of many', async () => {
    const made = series(100);
    const archive = await startArchive(made);
    const proven = prover(archive);
    await proven(made.slice(0, 80));
    expect(archive.asked).toEqual({ series: 1, instances: 0 });
    expect(new Set(await proven(made.slice(80, 85)))).toEqual(new Set(['verified']));
    expect(archive.asked).toEqual({ series: 1, instances: 5 });
  });

  test('are asked for together again once many are waiting', async () => {
    const made = series(60);
    const archive = await startArchive(made);
    const proven = prover(archive);
    await proven(made.slice(0, 2));
    expect(new Set(await proven(made.slice(2, 60)))).toEqual(new Set(['verified']));
    expect(archive.asked).toEqual({ series: 2, instances: 0 });
  });

  test('are judged one by one: what is missing in the answer is asked for, what differs is not proven', async () => {
    const made = series(6);
    const [absent, unseen, other] = made as [MadeInstance, MadeInstance, MadeInstance];
    const archive = await startArchive(made);
    archive.documents.delete(absent.SOPInstanceUID);
    archive.notInSeries.add(unseen.SOPInstanceUID);
    archive.documents.set(other.SOPInstanceUID, documentOf(other, 99));
    const states = await prove(archive, made);
    expect(states).toEqual(['delivered', 'verified', 'delivered', 'verified', 'verified', 'verified']);
    expect(archive.asked.series).toBe(1);
  });

  test('named twice in the answer are asked for by themselves', async () => {
    const made = series(3);
    const archive = await startArchive(made);
    archive.onSeries = (response) => {
      const documents = made.flatMap((each) => [documentOf(each, 99), documentOf(each)]);
      response.writeHead(200).end(JSON.stringify(documents));
      return true;
    };
    expect(new Set(await prove(archive, made))).toEqual(new Set(['verified']));
    expect(archive.asked).toEqual({ series: 1, instances: 3 });
  });

  test.each([
    ['is too large', (response: ServerResponse) => response.writeHead(200).end(`[${' '.repeat(5_000_000)}]`)],
    ['is not offered', (response: ServerResponse) => response.writeHead(501).end()],
    ['is refused', (response: ServerResponse) => response.writeHead(403).end()],
    ['is garbled', (response: ServerResponse) => response.writeHead(200).end('[{')],
    ['breaks off', (response: ServerResponse) => response.writeHead(200).write('[{') && response.destroy()],
  ])('are asked for one by one where the answer about the whole %s', async (_, answer) => {
    const made = [...series(4), ...series(4), ...series(4), ...series(4), ...series(4)];
    const archive = await startArchive(made);
    archive.onSeries = (response) => {
      answer(response);
      return true;
    };
    expect(new Set(await prove(archive, made))).toEqual(new Set(['verified']));
    expect(archive.asked.instances).toBe(20);
    // After some it is not tried any more.
    expect(archive.asked.series).toBeLessThanOrEqual(4);
  });
});
