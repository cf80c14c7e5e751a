import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tags } from '../../src/dicom/tags.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import {
  ctSlice,
  type DataElement,
  element,
  encodeDataSet,
  type MadeInstance,
  newUid,
} from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { type RunningOrthanc, startOrthanc } from '../fixtures/orthanc.ts';
import { storedObjects } from '../fixtures/stored-objects.ts';
import { countAt, instancesAt } from './archive-copies.ts';
import { queueEntries } from './fates.ts';
import { gantry, present, patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

const ready = present('test/e2e/poison.test.ts', 'Orthanc');

describe.skipIf(!ready)('an instance the archive does not take', { timeout: patienceMs }, () => {
  const archive = temporaryDirectory();
  const failing = join(archive.path, 'failing');
  const forgetting = join(archive.path, 'forgetting');
  let orthanc: RunningOrthanc;
  let directory: TemporaryDirectory;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    const filter = join(archive.path, 'filter.lua');
    writeFileSync(filter, archiveRules(failing, forgetting));
    const started = await startOrthanc({
      environment: { TCP_NODELAY: '1' },
      configuration: { LuaScripts: [filter] },
    });
    if (started === null) throw new Error('Orthanc has gone');
    orthanc = started;
  });
  afterAll(async () => {
    await orthanc?.stop();
    archive[Symbol.dispose]();
  });
  beforeEach(async () => {
    directory = temporaryDirectory();
    gateway = await startGateway(join(directory.path, 'data'), {
      destinations: { cloud: { type: 'stow', url: orthanc.url } },
    });
  });
  afterEach(async () => {
    await gateway?.stop();
    directory[Symbol.dispose]();
  });

  /** Runs a queue command on the running gateway. */
  async function queue(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await gantry('queue', ...args, '--data', gateway.dataDirectory);
    expect(code, stderr).toBe(0);
    return stdout;
  }

  test('is parked with the archive’s words, the good ones around it arrive, and an operator decides', async () => {
    const study = { studyUID: newUid(), seriesUID: newUid() };
    const good = Array.from({ length: 20 }, (_, index) =>
      ctSlice({ rows: 64, columns: 64, seed: index, ...study }),
    );
    const [refused, spoiling] = [withoutSeries(study.studyUID), withoutLegibleClass(study.studyUID)];
    const before = await countAt(orthanc);
    const sent = [...good.slice(0, 7), refused, ...good.slice(7, 14), spoiling, ...good.slice(14)];
    expect(await storeAll(gateway.dicomPort, sent)).toEqual({ 0: 22 });

    const settled = await gateway.until(
      ({ queue: { instances }, totals }) => instances === 0 && totals.received >= 22,
      90_000,
    );
    expect(settled.totals).toEqual({
      received: 22,
      delivered: 20,
      verified: 20,
      quarantined: 1,
      held: 1,
      conflicts: 0,
    });
    expect(settled.verdict).toBe('degraded');
    expect(settled.reason).toBe('1 image was refused by the archive and is kept on this box.');
    expect(await countAt(orthanc)).toBe(before + good.length);
    const atArchive = new Set((await instancesAt(orthanc)).map(({ SOPInstanceUID }) => SOPInstanceUID));
    expect(good.every(({ SOPInstanceUID }) => atArchive.has(SOPInstanceUID))).toBe(true);

    const data = gateway.dataDirectory;
    const [quarantined] = await queueEntries(data, '--state', 'quarantined');
    expect(quarantined?.reason).toEqual({
      code: 'STOW_C000',
      words: 'the archive cannot understand it (failure reason 49152)',
    });
    const [held] = await queueEntries(data, '--state', 'held');
    expect(held?.reason).toEqual({
      code: 'HTTP_400',
      words: 'the archive found the request malformed (HTTP 400)',
    });
    expect(await queue('ls', '--state', 'held')).toContain(
      'HTTP_400: the archive found the request malformed',
    );

    // Released it is tried again, refused again, and parked again; nothing else is touched.
    expect(await queue('release', quarantined?.objectId ?? '')).toBe('1 changed.\n');
    await gateway.until(({ totals, queue: { instances } }) => instances === 0 && totals.quarantined === 1);
    const [again] = await queueEntries(data, '--state', 'quarantined');
    expect(again).toMatchObject({ objectId: quarantined?.objectId, reason: { code: 'STOW_C000' } });

    expect(await queue('discard', '--state', 'quarantined')).toBe('1 changed.\n');
    expect(await queue('discard', held?.objectId ?? '')).toBe('1 changed.\n');
    const done = await gateway.until(({ verdict }) => verdict === 'working');
    expect(done.totals).toMatchObject({ verified: 20, quarantined: 0, held: 0 });
    expect(storedObjects(data)).toHaveLength(20);
  });

  test('goes out once the archive takes it after all', async () => {
    const slice = ctSlice({ rows: 32, columns: 32, seed: 1 });
    writeFileSync(failing, '');
    await storeAll(gateway.dicomPort, [slice]);
    const parked = await gateway.until(({ totals }) => totals.held + totals.quarantined === 1, 90_000);
    expect(parked.queue.instances).toBe(0);
    rmSync(failing);
    expect(await queue('release', '--all')).toBe('1 changed.\n');
    const { totals } = await gateway.until(({ totals: { verified } }) => verified === 1);
    expect(totals).toMatchObject({ received: 1, held: 0, quarantined: 0 });
  });

  test('is not believed to be there because the archive says so', async () => {
    writeFileSync(forgetting, '');
    const before = await countAt(orthanc);
    await storeAll(gateway.dicomPort, [ctSlice({ rows: 32, columns: 32, seed: 3 })]);
    await gateway.until(({ totals }) => totals.delivered === 1);
    for (let reason = ''; reason !== 'NOT_VISIBLE_YET'; ) {
      const [entry] = await queueEntries(gateway.dataDirectory, '--state', 'delivered');
      reason = entry?.reason?.code ?? '';
    }
    rmSync(forgetting);
    const { totals, queue: waiting } = await gateway.status();
    expect(totals).toMatchObject({ received: 1, delivered: 1, verified: 0 });
    expect(waiting.instances).toBe(1);
    expect(await countAt(orthanc)).toBe(before);
    expect(storedObjects(gateway.dataDirectory)).toHaveLength(1);
  });
});

/** Rules of the archive's own: while one file exists it fails, while the other does it says "stored" and is not. */
function archiveRules(failing: string, forgetting: string): string {
  return `local function exists(path)
    local file = io.open(path)
    if file then file:close() end
    return file ~= nil
  end
  function ReceivedInstanceFilter(dicom, origin, info)
    if exists(${JSON.stringify(failing)}) then error("failing") end
    return not exists(${JSON.stringify(forgetting)})
  end`;
}

/** Without its Series Instance UID: Orthanc refuses it for itself, with a failure reason. */
function withoutSeries(studyUID: string): MadeInstance {
  const model = ctSlice({ rows: 16, columns: 16, seed: 1, studyUID });
  return bare(model, [element(tags.SOPClassUID, 'UI', model.SOPClassUID)]);
}

/** Its SOP Class UID is of VR UN: Orthanc answers 400 for the whole request, and names no instance. */
function withoutLegibleClass(studyUID: string): MadeInstance {
  const model = ctSlice({ rows: 16, columns: 16, seed: 2, studyUID });
  const { SOPClassUID, SeriesInstanceUID } = model;
  return bare(model, [
    element(tags.SOPClassUID, 'UN', Buffer.from(SOPClassUID.padEnd(26, '\0'))),
    element(tags.SeriesInstanceUID, 'UI', SeriesInstanceUID),
  ]);
}

function bare(model: MadeInstance, own: readonly DataElement[]): MadeInstance {
  const elements = [
    element(tags.SOPInstanceUID, 'UI', model.SOPInstanceUID),
    element(tags.Modality, 'CS', 'CT'),
    element(tags.PatientID, 'LO', 'FIXTURE-1'),
    element(tags.StudyInstanceUID, 'UI', model.StudyInstanceUID),
    ...own,
  ].toSorted((a, b) => a.tag - b.tag);
  return { ...model, dataSet: encodeDataSet(elements, 'explicit-le') };
}
