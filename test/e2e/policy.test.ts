import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Receipt } from '../../src/proof/receipt.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, type MadeInstance, newUid, srDocument } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { type RunningOrthanc, startOrthanc } from '../fixtures/orthanc.ts';
import { storedObjects, unfinishedObjects } from '../fixtures/stored-objects.ts';
import { countAt, emptyArchive } from './archive-copies.ts';
import { queueEntries } from './fates.ts';
import { gantry, present, patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

const ready = present('test/e2e/policy.test.ts', 'Orthanc');

describe.skipIf(!ready)('proof and retention', { timeout: patienceMs }, () => {
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
    directory = temporaryDirectory();
    await emptyArchive(orthanc);
  });
  afterEach(async () => {
    await gateway?.stop();
    directory[Symbol.dispose]();
  });

  const start = async (verify: string, spool: object = {}): Promise<void> => {
    gateway = await startGateway(join(directory.path, 'data'), {
      spool,
      modalities: { ct1: { aeTitle: 'CT1', settleSeconds: 1 } },
      destinations: { cloud: { type: 'stow', url: orthanc.url, verify, digestSample: 0 } },
    });
  };

  /** Waits for a receipt of so many instances, as `receipts show` prints it. */
  async function receiptOf(instances: number): Promise<Receipt> {
    const data = gateway.dataDirectory;
    for (;;) {
      const { stdout } = await gantry('receipts', 'ls', '--data', data);
      const study = /│ ([0-9a-f]{32}) /.exec(stdout)?.[1];
      if (study === undefined) continue;
      const shown = await gantry('receipts', 'show', study, '--data', data);
      expect(shown.code, shown.stderr).toBe(0);
      const { content } = JSON.parse(shown.stdout) as { content: Receipt };
      if (content.instances.length === instances) return content;
    }
  }

  test('an image the archive had with other pixels, and calls stored, is a conflict and is kept', async () => {
    const uids = { studyUID: newUid(), seriesUID: newUid(), instanceUID: newUid() };
    const theirs = ctSlice({ rows: 32, columns: 32, seed: 1, ...uids });
    const ours = ctSlice({ rows: 32, columns: 32, seed: 2, ...uids });
    await storeAll(orthanc.dicomPort, [theirs]);
    expect(await countAt(orthanc)).toBe(1);
    await start('wado-metadata', { keepVerifiedHours: 0, purgeSchedule: '* * * * * *' });
    await storeAll(gateway.dicomPort, [ours]);
    const { totals } = await gateway.until((status) => status.totals.conflicts === 1);
    expect(totals).toMatchObject({ received: 1, verified: 0 });
    expect(storedObjects(gateway.dataDirectory)).toHaveLength(1);
  });

  test.each([
    ['response', 'accepted', null],
    ['qido', 'verified', 'qido'],
    ['wado-metadata', 'verified', 'metadata'],
    ['wado-digest', 'verified', 'digest'],
  ] as const)('policy %s: a study ends as %s', async (verify, state, provenBy) => {
    await start(verify);
    const study = smallStudy();
    await storeAll(gateway.dicomPort, study);
    const { totals, destinations, verdict } = await gateway.until(
      (status) => status.destinations['cloud']?.[state] === study.length,
    );
    expect(verdict).toBe('working');
    expect(totals).toMatchObject({
      received: study.length,
      delivered: study.length,
      verified: state === 'verified' ? study.length : 0,
    });
    expect(destinations['cloud']).toMatchObject({ queued: 0, delivered: 0, held: 0, [state]: study.length });
    expect(await countAt(orthanc)).toBe(study.length);

    const receipt = await receiptOf(study.length);
    expect(receipt.StudyInstanceUID).toBe(study[0]?.StudyInstanceUID);
    for (const { deliveries } of receipt.instances) {
      expect(deliveries).toMatchObject([{ destination: 'cloud', state, provenBy, reasonCode: null }]);
    }
  });

  test('what the archive has is deleted here in time, nothing else is, and none of it is forgotten', async () => {
    await start('wado-metadata', { keepVerifiedHours: 0, purgeSchedule: '* * * * * *' });
    const study = smallStudy();
    const [first] = study;
    const other = { ...identityOf(first), seed: 99 };
    const conflicting = ctSlice({ rows: 16, columns: 16, ...other });
    await storeAll(gateway.dicomPort, [...study, conflicting]);
    await gateway.until(({ totals }) => totals.verified === study.length && totals.conflicts === 1);
    const data = gateway.dataDirectory;
    await until(() => storedObjects(data).length === 1);
    const [kept] = await queueEntries(data);
    expect(storedObjects(data)[0]?.id).toBe(kept?.objectId);
    expect(kept?.state).toBe('conflict');

    const receipt = await receiptOf(study.length + 1);
    const states = receipt.instances.map(({ deliveries }) => deliveries[0]?.state);
    expect(states).toEqual([...study.map(() => 'verified'), 'conflict']);

    const sentBefore = (await gateway.status()).destinations['cloud']?.bytesSent;
    expect(await storeAll(gateway.dicomPort, study)).toEqual({ 0: study.length });
    expect(unfinishedObjects(data)).toEqual([]);
    expect(storedObjects(data)).toHaveLength(1);
    const after = await gateway.status();
    expect(after.totals).toMatchObject({ received: study.length + 1, verified: study.length });
    expect(after.destinations['cloud']?.bytesSent).toBe(sentBefore);

    expect(await gateway.stop()).toBe(0);
    await start('wado-metadata', { keepVerifiedHours: 0, purgeSchedule: '* * * * * *' });
    expect((await gateway.status()).totals).toMatchObject({
      received: study.length + 1,
      verified: study.length,
      conflicts: 1,
    });
    // A late image joins the study: a new receipt carries the purged ones over.
    await storeAll(gateway.dicomPort, [ctSlice({ rows: 16, columns: 16, seed: 7, ...studyOf(first) })]);
    const late = await receiptOf(study.length + 2);
    expect(late.supersedes).toBe(receipt.number);
    expect(late.undescribed).toBe(0);
  });

  test('what the archive only says it has is never deleted here', async () => {
    await start('response', { keepVerifiedHours: 0, purgeSchedule: '* * * * * *' });
    const study = smallStudy();
    await storeAll(gateway.dicomPort, study);
    await gateway.until(({ destinations }) => destinations['cloud']?.accepted === study.length);
    await until(() => gateway.lines.filter((line) => line.includes('retention run finished')).length >= 3);
    expect(storedObjects(gateway.dataDirectory)).toHaveLength(study.length);
  });
});

/** Three slices and a report. */
function smallStudy(): MadeInstance[] {
  const study = { studyUID: newUid(), seriesUID: newUid() };
  const slices = [1, 2, 3].map((seed) => ctSlice({ rows: 64, columns: 64, seed, ...study }));
  return [...slices, srDocument({ studyUID: study.studyUID })];
}

function studyOf(instance: MadeInstance | undefined): { studyUID: string; seriesUID: string } {
  return { studyUID: instance?.StudyInstanceUID ?? '', seriesUID: instance?.SeriesInstanceUID ?? '' };
}

function identityOf(instance: MadeInstance | undefined) {
  return { ...studyOf(instance), instanceUID: instance?.SOPInstanceUID ?? '' };
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 50));
}
