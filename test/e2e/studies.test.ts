import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { GantryError } from '../../src/base/errors.ts';
import { filesBelow } from '../fixtures/data-directory.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { gatewayBench } from '../fixtures/running-gateway.ts';
import { patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

function study(images: number): MadeInstance[] {
  const uids = { studyUID: newUid(), seriesUID: newUid() };
  return Array.from({ length: images }, (_, seed) =>
    ctSlice({ rows: 16, columns: 16, seed: seed + 1, ...uids }),
  );
}

describe('studies', { timeout: patienceMs }, () => {
  test('newest first, page by page, with what each destination has, when, and the receipt', async () => {
    const bench = gatewayBench();
    const second = join(bench.directory, 'second');
    mkdirSync(second);
    writeFileSync(join(second, '.gantry-folder'), '');
    const gateway = await bench.start({
      modalities: { ct1: { aeTitle: 'CT1', settleSeconds: 1 } },
      destinations: { nas: { type: 'folder', path: bench.folder }, second: { type: 'folder', path: second } },
    });
    await gateway.tools.destinations.pause('second', 'anna');
    await storeAll(gateway.ports.dicom, study(3));
    await bench.until(({ destinations }) => destinations['nas']?.verified === 3);
    await storeAll(gateway.ports.dicom, study(2));
    await bench.until(({ destinations }) => destinations['nas']?.verified === 5);

    const { studies } = gateway.tools;
    const { studies: listed, next } = await studies.list(10, null);
    expect(next).toBeNull();
    expect(listed).toMatchObject([
      { received: 2, expected: null, modalityNames: ['ct1'], callingAeTitles: ['CT1'], instancesHere: 2 },
      {
        received: 3,
        destinations: [
          { destination: 'nas', delivered: 3, verified: 3, states: { verified: 3, queued: 0 } },
          { destination: 'second', delivered: 0, verified: 0, states: { queued: 3 } },
        ],
      },
    ]);
    const first = await studies.list(1, null);
    expect(first.studies).toEqual([listed[0]]);
    expect((await studies.list(1, first.next)).studies).toEqual([listed[1]]);

    await gateway.tools.destinations.resume('second');
    const { studyKey } = listed[1] ?? { studyKey: '' };
    await bench.until(({ totals }) => totals.verified === 5);
    for (;;) {
      const { receiptNumber } = await studies.detail(studyKey);
      if (receiptNumber > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { timeline, receiptIsCurrent } = await studies.detail(studyKey);
    expect(receiptIsCurrent).toBe(true);
    expect(timeline.map(({ moment, destination }) => `${moment} ${destination ?? ''}`.trim())).toEqual(
      expect.arrayContaining([
        'first-received',
        'first-delivered nas',
        'last-verified nas',
        'last-verified second',
        'receipt',
      ]),
    );
    expect(timeline.map(({ at }) => at)).toEqual(timeline.map(({ at }) => at).toSorted((a, b) => a - b));
    expect(await gateway.operator.receipt(studyKey)).toHaveProperty('jws');
  });

  test('whose it is is read from the sealed object when asked, and stands nowhere else', async () => {
    const bench = gatewayBench();
    const gateway = await bench.start();
    const [slice] = study(1);
    if (slice === undefined) throw new Error('no slice');
    await storeAll(gateway.ports.dicom, [slice]);
    await bench.until(({ totals }) => totals.verified === 1);
    const { studies } = gateway.tools;
    const list = await studies.list(10, null);
    const { studyKey = '' } = list.studies[0] ?? {};
    const detail = await studies.detail(studyKey);
    const identity = await studies.reveal(studyKey);
    expect(identity.PatientName).toMatch(/\w/);
    expect(identity.PatientID).toMatch(/\w/);

    const needles = [identity.PatientName, identity.PatientID, slice.StudyInstanceUID].map(String);
    const open = JSON.stringify([list, detail, bench.logLines, await gateway.status()]);
    const kept = filesBelow(join(bench.directory, 'data')).map((file) => readFileSync(file));
    expect(kept.length).toBeGreaterThan(3);
    for (const needle of needles) {
      expect(open).not.toContain(needle);
      expect(kept.some((bytes) => bytes.includes(needle))).toBe(false);
    }
  });

  test('unknown ones, and pages that are none, are said to be', async () => {
    const bench = gatewayBench();
    const { studies } = (await bench.start()).tools;
    const codeOf = (error: unknown) => (error as GantryError).code;
    expect(await studies.detail('0'.repeat(32)).catch(codeOf)).toBe('STUDY_UNKNOWN');
    expect(await studies.reveal('0'.repeat(32)).catch(codeOf)).toBe('STUDY_UNKNOWN');
    expect(await studies.list(1, "1-'; DROP TABLE study").catch(codeOf)).toBe('STUDY_PAGE');
  });
});
