import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { part10Header } from '../../src/dicom/part10.ts';
import type { TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { startStorescp } from '../fixtures/dcmtk-scp.ts';
import { ctSlice, type MadeInstance, newUid } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { type RunningOrthanc, startOrthanc } from '../fixtures/orthanc.ts';
import { emptyArchive, instancesAt, retrieveDataSet } from './archive-copies.ts';
import { present, patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

const ready = present('test/e2e/compression.test.ts', 'Orthanc', 'DCMTK');
const jpegLsLossless = '1.2.840.10008.1.2.4.80' as TransferSyntaxUID;
const count = 6;

/** Compressed on the way out: what an archive of today has is smaller, and gives back every pixel. */
describe.skipIf(!ready)('lossless compression on the way to an archive', { timeout: patienceMs }, () => {
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
  });
  afterEach(async () => {
    await gateway?.stop();
    directory[Symbol.dispose]();
  });

  function start(compression: object, verify = 'wado-digest'): Promise<GatewayProcess> {
    return startGateway(join(directory.path, 'data'), {
      compression,
      destinations: { cloud: { type: 'stow', url: orthanc.url, verify } },
    });
  }

  const study = (): MadeInstance[] => {
    const studyUID = newUid();
    return Array.from({ length: count }, (_, seed) => ctSlice({ rows: 128, columns: 128, seed, studyUID }));
  };

  test.each(['wado-digest', 'wado-metadata'])('JPEG-LS, proven by %s', async (verify) => {
    gateway = await start({ mode: 'always', syntaxes: ['jpeg-ls'] }, verify);
    const sent = study();
    expect(await storeAll(gateway.dicomPort, sent)).toEqual({ 0: count });
    const status = await gateway.until(({ totals }) => totals.verified === count);
    expect(status.compression).toMatchObject({ mode: 'always', mismatches: 0 });
    const archived = await instancesAt(orthanc);
    expect(archived).toHaveLength(count);
    for (const place of archived) {
      const made = sent.find((one) => one.SOPInstanceUID === place.SOPInstanceUID);
      if (made === undefined) throw new Error('the archive has another instance');
      const dataSet = await retrieveDataSet(orthanc, place);
      expect(dataSet.length).toBeLessThan(made.dataSet.length);
      expect(sha256(pixelsByDcmtk(made, dataSet))).toBe(sha256(pixelsOf(made.dataSet)));
    }
  });

  /** Read by a decoder that is none of ours. */
  function pixelsByDcmtk(made: MadeInstance, dataSet: Buffer): Buffer {
    const compressed = join(directory.path, 'compressed.dcm');
    const plain = join(directory.path, 'plain.dcm');
    const header = part10Header({ ...made, TransferSyntaxUID: jpegLsLossless });
    writeFileSync(compressed, Buffer.concat([header, dataSet]));
    execFileSync('dcmdjpls', [compressed, plain]);
    return pixelsOf(readFileSync(plain));
  }

  test('an archive that does not know HTJ2K gets what was received, and is not offered it again', async () => {
    const pacs = await startStorescp();
    if (pacs === null) throw new Error('storescp has gone');
    gateway = await startGateway(join(directory.path, 'data'), {
      compression: { mode: 'always', syntaxes: ['htj2k'] },
      destinations: {
        pacs: { type: 'dimse', host: '127.0.0.1', port: pacs.port, aeTitle: 'PACS', verify: 'response' },
      },
    });
    try {
      let before = 0;
      for (const round of [0, 1]) {
        const sent = study();
        await storeAll(gateway.dicomPort, sent);
        const { compression } = await gateway.until(
          ({ totals, queue }) => totals.delivered === count * (round + 1) && queue.instances === 0,
        );
        const passed = compression?.passedThrough['COMPRESSION_NOT_TAKEN'] ?? 0;
        // In the first round at least one was offered; none in the second.
        if (round === 0) expect(passed).toBeLessThan(count);
        // What was refused compressed is restored from what is stored compressed.
        if (round === 0) expect(compression?.atRest.instances).toBeGreaterThan(0);
        else expect(passed - before).toBe(count);
        before = passed;
        const files = readdirSync(pacs.directory).map((name) => readFileSync(join(pacs.directory, name)));
        for (const made of sent) expect(files.some((file) => file.includes(made.dataSet))).toBe(true);
      }
    } finally {
      await pacs.stop();
    }
  });

  test('what waits for the codec when the gateway is killed is sent by the next one', async () => {
    gateway = await start({ mode: 'always', syntaxes: ['jpeg-ls'] });
    const sent = Array.from({ length: 30 }, (_, seed) => ctSlice({ rows: 256, columns: 256, seed }));
    await storeAll(gateway.dicomPort, sent);
    await gateway.kill();
    gateway = await start({ mode: 'always', syntaxes: ['jpeg-ls'] });
    await gateway.until(({ totals }) => totals.verified === sent.length);
    expect(await instancesAt(orthanc)).toHaveLength(sent.length);
  });
});

/** Pixel data is the last element of what these tests send. */
function pixelsOf(dataSet: Buffer): Buffer {
  return dataSet.subarray(-128 * 128 * 2);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
