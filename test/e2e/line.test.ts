import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BandwidthView } from '../../src/web/operator.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { type RunningOrthanc, startOrthanc } from '../fixtures/orthanc.ts';
import { countAt, instancesAt } from './archive-copies.ts';
import { queueEntries } from './fates.ts';
import { gantry, present, patienceMs, type ProgramRun } from './peers.ts';
import { storeAll } from './store-all.ts';

const ready = present('test/e2e/line.test.ts', 'Orthanc');

function study(): MadeInstance[] {
  const uids = { studyUID: newUid(), seriesUID: newUid() };
  return Array.from({ length: 20 }, (_, seed) => ctSlice({ rows: 128, columns: 128, seed, ...uids }));
}

/** One story, told in order: a line that is shut, opened a little for what is urgent, and let go. */
describe.skipIf(!ready)('the line to an archive', { timeout: patienceMs }, () => {
  let orthanc: RunningOrthanc;
  let directory: TemporaryDirectory;
  let gateway: GatewayProcess;
  const [first, urgent] = [study(), study()];
  const command = (...args: string[]): Promise<ProgramRun> =>
    gantry(...args, '--data', gateway.dataDirectory);

  beforeAll(async () => {
    const started = await startOrthanc({ environment: { TCP_NODELAY: '1' } });
    if (started === null) throw new Error('Orthanc has gone');
    orthanc = started;
    directory = temporaryDirectory();
    gateway = await startGateway(join(directory.path, 'data'), {
      destinations: {
        cloud: {
          type: 'stow',
          url: orthanc.url,
          bandwidth: { mbitPerSecond: 0 },
          batch: { instancesMax: 4 },
        },
      },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    await orthanc?.stop();
    directory?.[Symbol.dispose]();
  });

  test('a limit of 0 sends nothing, and says so', async () => {
    await storeAll(gateway.dicomPort, first);
    await storeAll(gateway.dicomPort, urgent);
    const { destinations } = await gateway.until(({ queue }) => queue.instances === 40);
    expect(destinations['cloud']).toMatchObject({
      queued: 40,
      line: { limitMbitPerSecond: 0, limitBecause: 'setting', limitUntil: null },
    });
    expect((await command('status')).stdout).toContain('nothing is sent (configuration)');
    expect(await countAt(orthanc)).toBe(0);
  });

  test('a study that is hurried goes first, at the limit set by command', async () => {
    const entries = await queueEntries(gateway.dataDirectory, '--limit', '1000');
    const objectId = entries[25]?.objectId ?? '';
    expect(await command('queue', 'hurry', objectId)).toMatchObject({ code: 0, stdout: '20 hurried.\n' });
    expect(await command('bandwidth', 'set', 'cloud', '1')).toEqual({
      code: 0,
      stdout: 'cloud: at most 1 Mbit/s (by command, until it is cleared or the gateway restarts).\n',
      stderr: '',
    });
    await gateway.until(({ totals }) => totals.delivered >= 4);
    const there = (await instancesAt(orthanc)).map(({ SOPInstanceUID }): string => SOPInstanceUID);
    const urgentThere = urgent.filter(({ SOPInstanceUID }) => there.includes(SOPInstanceUID));
    // As long as one of them is missing, nothing else is there.
    expect(urgentThere).toHaveLength(Math.min(20, there.length));
  });

  test('cleared, the configuration counts again; without a limit all of it arrives and is proven', async () => {
    expect((await command('bandwidth', 'clear', 'cloud')).stdout).toBe(
      'cloud: nothing is sent (configuration).\n',
    );
    await command('bandwidth', 'set', 'cloud', 'unlimited');
    await gateway.until(({ totals }) => totals.verified === 40, 100_000);
    expect(await countAt(orthanc)).toBe(40);
    const [view] = JSON.parse((await command('bandwidth', 'show', '--json')).stdout) as BandwidthView[];
    expect(view).toMatchObject({ destination: 'cloud', mbitPerSecond: null, because: 'operator' });
    expect(await command('bandwidth', 'set', 'nowhere', '1')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^DESTINATION_UNKNOWN: [^]*Give one of these: "cloud"/),
    });
  });
});
