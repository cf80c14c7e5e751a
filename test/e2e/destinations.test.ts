import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { folderMarker } from '../../src/archive/folder.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { startDcmqrscp, startStorescp, type RunningScp } from '../fixtures/dcmtk-scp.ts';
import { ctSlice, type MadeInstance, newUid, usMultiframe } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { type RunningOrthanc, startOrthanc } from '../fixtures/orthanc.ts';
import { readDataSet } from '../fixtures/send-files.ts';
import { instancesAt, retrieveDataSet } from './archive-copies.ts';
import { queueEntries } from './fates.ts';
import { gantry, patienceMs, present } from './peers.ts';
import { storeAll } from './store-all.ts';

const ready = present('test/e2e/destinations.test.ts', 'DCMTK', 'Orthanc');

describe.skipIf(!ready)('several destinations', { timeout: patienceMs }, () => {
  const stops: (() => Promise<unknown>)[] = [];
  let directory: TemporaryDirectory;
  let data: string;

  beforeEach(() => {
    directory = temporaryDirectory();
    data = join(directory.path, 'data');
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
    directory[Symbol.dispose]();
  });

  async function start(config: object): Promise<GatewayProcess> {
    const gateway = await startGateway(data, config);
    stops.push(() => gateway.stop());
    return gateway;
  }
  async function orthanc(): Promise<RunningOrthanc> {
    const running = await startOrthanc({ environment: { TCP_NODELAY: '1' } });
    if (running === null) throw new Error('Orthanc has gone');
    stops.push(() => running.stop());
    return running;
  }
  async function scp(starting: Promise<RunningScp | null>): Promise<RunningScp> {
    const running = await starting;
    if (running === null) throw new Error('DCMTK has gone');
    stops.push(() => running.stop());
    return running;
  }
  async function folder(): Promise<string> {
    const path = join(directory.path, 'nas');
    await mkdir(path);
    await writeFile(join(path, folderMarker), '');
    return path;
  }
  const pacs = (port: number, more: object = {}): object => ({
    type: 'dimse',
    host: '127.0.0.1',
    port,
    aeTitle: 'PACS',
    ...more,
  });

  test('get by routes what is theirs, byte for byte, each with a state of its own', async () => {
    const cloud = await orthanc();
    const qr = await scp(startDcmqrscp());
    const plain = await scp(startStorescp());
    const nas = await folder();
    const gateway = await start({
      destinations: {
        cloud: { type: 'stow', url: cloud.url },
        pacs: pacs(qr.port),
        plain: pacs(plain.port, { verify: 'response' }),
        nas: { type: 'folder', path: nas, layout: '{callingAe}/{modality}/{instance}.dcm' },
      },
      routes: {
        default: { to: ['cloud'] },
        ct: { modalityCodes: ['CT'], to: ['cloud', 'pacs', 'nas'] },
        scanner: { callingAeTitles: ['CT1'], modalityCodes: ['CT'], to: ['plain'] },
      },
    });
    const ct = study(6);
    const us = usMultiframe({ seed: 1, frames: 2, rows: 32, columns: 32 });
    expect(await storeAll(gateway.dicomPort, [...ct, us])).toEqual({ 0: 7 });

    const { destinations } = await gateway.until(({ destinations: now }) => {
      const { cloud: a, pacs: b, plain: c, nas: d } = now;
      return a?.verified === 7 && b?.verified === 6 && c?.accepted === 6 && d?.verified === 6;
    });
    expect(destinations['pacs']).toMatchObject({ state: 'up', queued: 0, quarantined: 0, held: 0 });
    expect((await instancesAt(cloud)).length).toBe(7);
    for (const made of ct) {
      expect(await retrieveDataSet(cloud, made)).toEqual(made.dataSet);
      expect(await readDataSet(join(nas, 'CT1', 'CT', `${made.SOPInstanceUID}.dcm`))).toEqual(made.dataSet);
    }
    expect(await dataSetsIn(plain.directory)).toEqual(sorted(ct));
    expect((await dataSetsIn(qr.directory)).length).toBe(6);
    expect(await readdir(nas, { recursive: true })).not.toContainEqual(expect.stringMatching(/\.part$/));
  });

  test('a PACS that refuses the transfer syntax: quarantined there with the reason, verified elsewhere', async () => {
    const implicitOnly = await scp(startStorescp('--implicit'));
    const nas = await folder();
    const gateway = await start({
      destinations: {
        pacs: pacs(implicitOnly.port, { verify: 'response' }),
        nas: { type: 'folder', path: nas },
      },
    });
    const explicit = study(2);
    const implicit = [ctSlice({ rows: 32, columns: 32, seed: 9, encoding: 'implicit-le' })];
    await storeAll(gateway.dicomPort, [...explicit, ...implicit]);
    const { destinations } = await gateway.until(
      ({ destinations: { pacs: a, nas: b } }) =>
        a?.quarantined === 2 && a.accepted === 1 && b?.verified === 3,
    );
    expect(destinations['pacs']?.state).toBe('up');
    const [entry] = await queueEntries(data, '--state', 'quarantined');
    expect(entry?.reason).toMatchObject({
      code: 'DIMSE_C122',
      words: expect.stringMatching(/transfer syntax/),
    });
  });

  test('a PACS that aborts in the middle of every object loses nothing; another gets it all', async () => {
    const broken = await scp(startStorescp('--abort-during'));
    const nas = await folder();
    const gateway = await start({
      destinations: {
        pacs: pacs(broken.port, { verify: 'response' }),
        nas: { type: 'folder', path: nas },
      },
    });
    const instances = [ctSlice({ rows: 1024, columns: 1024, seed: 3 })];
    await storeAll(gateway.dicomPort, instances);
    const { destinations } = await gateway.until(
      ({ destinations: { pacs: a, nas: b } }) => a?.reason !== null && b?.verified === 1,
    );
    expect(destinations['pacs']).toMatchObject({ queued: 1, delivered: 0, accepted: 0 });
    expect(['up', 'down', 'untried']).toContain(destinations['pacs']?.state);
  });

  test('a folder whose volume is away gets nothing on the disk below, and everything once it is back', async () => {
    const nas = await folder();
    const away = `${nas}-away`;
    const gateway = await start({ destinations: { nas: { type: 'folder', path: nas } } });
    await gateway.until(({ destinations }) => destinations['nas']?.state === 'up');
    await rename(nas, away);
    await mkdir(nas);
    const instances = study(3);
    await storeAll(gateway.dicomPort, instances);
    const down = await gateway.until(
      ({ destinations: { nas: now } }) => now?.state === 'down' && now.queued === 3,
    );
    expect(down.destinations['nas']).toMatchObject({
      queued: 3,
      reason: { code: 'FOLDER_NOT_MOUNTED', words: expect.stringMatching(/not mounted/) },
    });
    expect(await readdir(nas)).toEqual([]);

    await rename(nas, `${nas}-empty`);
    await rename(away, nas);
    await gateway.until(({ totals }) => totals.verified === 3);
    for (const made of instances) {
      const path = join(nas, made.StudyInstanceUID, made.SeriesInstanceUID, `${made.SOPInstanceUID}.dcm`);
      expect(await readDataSet(path)).toEqual(made.dataSet);
    }
  });

  test('other bytes under a name in the folder are never overwritten', async () => {
    const nas = await folder();
    const [made] = study(1);
    if (made === undefined) throw new Error('no instance');
    const place = join(nas, made.StudyInstanceUID, made.SeriesInstanceUID);
    await mkdir(place, { recursive: true });
    const file = join(place, `${made.SOPInstanceUID}.dcm`);
    const theirs = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.from('something else')]);
    await writeFile(file, theirs);
    const gateway = await start({ destinations: { nas: { type: 'folder', path: nas } } });
    await storeAll(gateway.dicomPort, [made]);
    const { destinations } = await gateway.until(
      ({ destinations: { nas: now } }) => (now?.conflict ?? 0) + (now?.delivered ?? 0) + (now?.held ?? 0) > 0,
    );
    expect(destinations['nas']?.verified).toBe(0);
    expect(await readFile(file)).toEqual(theirs);
  });

  test('a removed destination parks its work visibly, and gets it once it is configured again', async () => {
    const nas = await folder();
    const gone = { type: 'folder', path: join(directory.path, 'not-there') };
    const stays = { type: 'folder', path: nas };
    const first = await start({ destinations: { nas: stays, gone } });
    const instances = study(2);
    await storeAll(first.dicomPort, instances);
    await first.until(({ destinations }) => destinations['nas']?.verified === 2);
    await first.stop();

    const without = await start({ destinations: { nas: stays } });
    const { destinations, totals } = await without.status();
    expect(destinations['gone']).toMatchObject({
      state: 'removed',
      queued: 2,
      reason: { code: 'DESTINATION_REMOVED' },
    });
    expect(totals.verified).toBe(0);
    const entries = await queueEntries(data, '--destination', 'gone');
    expect(entries.map(({ state }) => state)).toEqual(['queued', 'queued']);
    await without.stop();

    await mkdir(gone.path);
    await writeFile(join(gone.path, folderMarker), '');
    const back = await start({ destinations: { nas: stays, gone } });
    await back.until(({ totals: now }) => now.verified === 2);
    expect((await readdir(gone.path)).length).toBe(2);
  });

  test('what a removed destination was to get can be given up by an operator', async () => {
    const nas = await folder();
    const gone = { type: 'folder', path: join(directory.path, 'not-there') };
    const stays = { type: 'folder', path: nas };
    const first = await start({ destinations: { nas: stays, gone } });
    await storeAll(first.dicomPort, study(2));
    await first.until(({ destinations }) => destinations['nas']?.verified === 2);
    await first.stop();

    const without = await start({ destinations: { nas: stays } });
    expect((await gantry('queue', 'discard', '--data', data, '--destination', 'gone')).code).toBe(0);
    const { verdict } = await without.until(({ totals }) => totals.verified === 2);
    expect(verdict).toBe('working');
  });

  test('what a removed destination was to get is sent to another one, and stays on record', async () => {
    const nas = await folder();
    const gone = { type: 'folder', path: join(directory.path, 'not-there') };
    const stays = { type: 'folder', path: nas };
    const first = await start({ destinations: { nas: stays, gone } });
    const instances = study(2);
    await storeAll(first.dicomPort, instances);
    await first.until(({ destinations }) => destinations['nas']?.verified === 2);
    await first.stop();

    const other = join(directory.path, 'other');
    await mkdir(other);
    await writeFile(join(other, folderMarker), '');
    const without = await start({ destinations: { nas: stays, other: { type: 'folder', path: other } } });
    const release = (to: string) =>
      gantry('queue', 'release', '--data', data, '--destination', 'gone', '--to', to);
    const wrong = await release('nowhere');
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('"nas", "other"');
    expect(await release('other')).toMatchObject({ code: 0, stdout: '2 changed.\n' });
    const { verdict, destinations } = await without.until(({ totals }) => totals.verified === 2);
    expect(verdict).toBe('working');
    expect(destinations['other']).toMatchObject({ verified: 2 });
    const files = await readdir(other, { recursive: true });
    expect(files.filter((name) => name.endsWith('.dcm'))).toHaveLength(2);
    const entries = await queueEntries(data, '--destination', 'gone');
    expect(entries.map(({ state, reason }) => `${state} ${reason?.code}`)).toEqual([
      'discarded SENT_ELSEWHERE',
      'discarded SENT_ELSEWHERE',
    ]);
    expect(without.lines.join('\n')).toMatch(/"command":"QUEUE_RELEASE","count":2,"subject":"other"/);
    // Nothing is left of it; and what a configured one has is not moved.
    expect(await release('other')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Nothing matched'),
    });
    expect((await gantry('queue', 'release', '--data', data, '--all', '--to', 'other')).stdout).toContain(
      'Nothing matched',
    );
  });
});

function study(instances: number): MadeInstance[] {
  const [studyUID, seriesUID] = [newUid(), newUid()];
  return Array.from({ length: instances }, (_, seed) =>
    ctSlice({ rows: 64, columns: 64, seed, instanceNumber: seed, studyUID, seriesUID }),
  );
}

function sorted(instances: readonly MadeInstance[]): string[] {
  return instances.map(({ dataSet }) => dataSet.toString('base64')).toSorted();
}

/** The data sets of the files that a receiver of DCMTK wrote. */
async function dataSetsIn(path: string): Promise<string[]> {
  const names = (await readdir(path)).filter((name) => name !== 'index.dat');
  const sets = await Promise.all(names.map((name) => readDataSet(join(path, name))));
  return sets.map((set) => set.toString('base64')).toSorted();
}
