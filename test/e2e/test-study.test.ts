import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GantryError } from '../../src/base/errors.ts';
import { filesBelow } from '../fixtures/data-directory.ts';
import { type RunningOrthanc, startOrthanc } from '../fixtures/orthanc.ts';
import { gatewayBench } from '../fixtures/running-gateway.ts';
import { instancesAt } from './archive-copies.ts';
import { patienceMs, present, runProgram } from './peers.ts';

const withOrthanc = present('test/e2e/test-study.test.ts', 'Orthanc');
const withDcmtk = present('test/e2e/test-study.test.ts', 'DCMTK');

async function orthanc(): Promise<RunningOrthanc> {
  const started = await startOrthanc({ environment: { TCP_NODELAY: '1' } });
  if (started === null) throw new Error('Orthanc has gone');
  onTestFinished(() => started.stop());
  return started;
}

describe('a test study', { timeout: patienceMs }, () => {
  test.skipIf(!withOrthanc)(
    'is not sent where that is not allowed: nothing reaches the archive',
    async () => {
      const archive = await orthanc();
      const gateway = await gatewayBench().start({
        destinations: { cloud: { type: 'stow', url: archive.url } },
      });
      const code = await gateway.tools.destinations
        .sendTestStudy('cloud')
        .catch((error: unknown) => (error as GantryError).code);
      expect(code).toBe('TEST_STUDY_NOT_ALLOWED');
      expect(await instancesAt(archive)).toEqual([]);
    },
  );

  test.skipIf(!withOrthanc)('is taken and given back equal; what stays is said, and is there', async () => {
    const archive = await orthanc();
    const bench = gatewayBench();
    const gateway = await bench.start({
      destinations: { cloud: { type: 'stow', url: archive.url, allowTestStudy: true } },
    });
    const report = await gateway.tools.destinations.sendTestStudy('cloud');
    expect(report).toMatchObject({
      stored: true,
      readBack: 'equal',
      PatientID: 'GANTRY-TEST',
      stays: expect.stringContaining('One image of one study stays at the archive') as string,
    });
    expect(await instancesAt(archive)).toMatchObject([{ StudyInstanceUID: report.StudyInstanceUID }]);
    expect(bench.logLines.join('')).not.toContain(report.StudyInstanceUID);
    expect((await gateway.status()).totals.received).toBe(0);
  });

  test.skipIf(!withDcmtk)('is a DICOM file that DCMTK reads, labelled as what it is', async () => {
    const bench = gatewayBench();
    const nas = { type: 'folder', path: bench.folder, allowTestStudy: true };
    const gateway = await bench.start({ destinations: { nas } });
    expect(await gateway.tools.destinations.sendTestStudy('nas')).toMatchObject({ readBack: 'equal' });
    const [file = ''] = filesBelow(bench.folder).filter(
      (path) => path !== join(bench.folder, '.gantry-folder'),
    );
    const dump = await runProgram('dcmdump', ['-q', file]);
    expect(dump.code).toBe(0);
    expect(dump.stdout).toContain('GANTRY^TEST');
    expect(dump.stdout).toContain('NOT A PATIENT');
    expect(dump.stdout).toMatch(/\(7fe0,0010\) OB .*# 65536, 1 PixelData/);
    expect(readFileSync(file).length).toBeGreaterThan(65_536);
  });

  test('that the archive refuses is said to be refused', async () => {
    const bench = gatewayBench();
    const gateway = await bench.start({
      destinations: { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies', allowTestStudy: true } },
    });
    expect(await gateway.tools.destinations.sendTestStudy('cloud')).toMatchObject({
      stored: false,
      words: expect.stringContaining('ECONNREFUSED') as string,
    });
  });
});
