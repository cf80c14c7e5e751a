import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { type RunningOrthanc, startOrthanc } from '../fixtures/orthanc.ts';
import { countAt, emptyArchive, instancesAt, retrieveDataSet } from './archive-copies.ts';
import { queueEntries } from './fates.ts';
import { present, patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

const ready = present('test/e2e/archive-outage.test.ts', 'Orthanc');
const instancesSent = 200;

describe.skipIf(!ready)('an archive that goes away and comes back', { timeout: patienceMs }, () => {
  let orthanc: RunningOrthanc;
  let directory: TemporaryDirectory;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    const started = await startOrthanc({ environment: { TCP_NODELAY: '1' } });
    if (started === null) throw new Error('Orthanc has gone');
    orthanc = started;
  });
  afterAll(() => orthanc?.stop());
  beforeEach(async () => {
    await emptyArchive(orthanc);
    directory = temporaryDirectory();
    gateway = await startGateway(join(directory.path, 'data'), {
      destinations: { cloud: { type: 'stow', url: orthanc.url, batch: { instancesMax: 10 } } },
    });
  });
  afterEach(async () => {
    await gateway?.stop();
    directory[Symbol.dispose]();
  });

  async function expectAllThere(instances: readonly MadeInstance[]): Promise<void> {
    const { totals, queue, verdict } = await gateway.until(
      (status) => status.totals.verified === instances.length,
      100_000,
    );
    const all = instances.length;
    const none = { quarantined: 0, conflicts: 0, held: 0 };
    expect(totals).toEqual({ received: all, delivered: all, verified: all, ...none });
    expect(queue).toEqual({ studies: 0, instances: 0, bytes: 0, oldestAgeSeconds: 0 });
    expect(verdict).toBe('working');
    expect(await countAt(orthanc)).toBe(all);
    const archived = await instancesAt(orthanc);
    expect(archived.map(({ SOPInstanceUID }) => SOPInstanceUID).toSorted()).toEqual(
      instances.map(({ SOPInstanceUID }) => SOPInstanceUID).toSorted(),
    );
    for (const place of archived) {
      const sent = instances.find(({ SOPInstanceUID }) => SOPInstanceUID === place.SOPInstanceUID);
      expect((await retrieveDataSet(orthanc, place)).equals(sent?.dataSet ?? Buffer.alloc(0))).toBe(true);
    }
  }

  test('gets everything that was sent meanwhile', async () => {
    await orthanc.kill();
    const instances = fourStudies();
    expect(await storeAll(gateway.dicomPort, instances)).toEqual({ 0: instancesSent });

    const waiting = await gateway.until(
      ({ queue, destinations }) =>
        queue.instances === instancesSent && destinations['cloud']?.state === 'down',
    );
    expect(waiting.totals).toMatchObject({ received: instancesSent, delivered: 0, verified: 0 });
    expect(waiting.queue.studies).toBe(4);
    expect(waiting.destinations['cloud']).toMatchObject({
      queued: instancesSent,
      reason: { code: 'ECONNREFUSED', words: expect.stringMatching(/\w+ \w+/) },
    });
    const entries = await queueEntries(gateway.dataDirectory, '--limit', '1000');
    expect(entries.length).toBe(instancesSent);
    expect(new Set(entries.map(({ state }) => state))).toEqual(new Set(['queued']));

    await orthanc.start();
    await expectAllThere(instances);
  });

  test('gets everything once though it was killed while taking it in', async () => {
    const instances = fourStudies();
    const storing = storeAll(gateway.dicomPort, instances);
    await gateway.until(({ totals }) => totals.delivered >= 20);
    await orthanc.kill();
    expect(await storing).toEqual({ 0: instancesSent });
    const { totals } = await gateway.until(
      ({ destinations, totals: { received } }) =>
        received === instancesSent && destinations['cloud']?.state !== 'up',
    );
    expect(totals.delivered).toBeLessThan(instancesSent);

    await orthanc.start();
    await expectAllThere(instances);
  });
});

/** Slices in turn of four studies. */
function fourStudies(): MadeInstance[] {
  const studies = Array.from({ length: 4 }, () => ({ studyUID: newUid(), seriesUID: newUid() }));
  return Array.from({ length: instancesSent }, (_, index) =>
    ctSlice({ rows: 64, columns: 64, seed: index, instanceNumber: index, ...studies[index % 4] }),
  );
}
