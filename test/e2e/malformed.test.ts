import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { sendFiles } from '../fixtures/send-files.ts';
import { unfinishedObjects } from '../fixtures/stored-objects.ts';
import { corpusFiles } from './corpus-files.ts';
import { present, patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

const ready = present('test/e2e/malformed.test.ts', 'the DICOM corpus');

const truncated = [0xc000, 'Data set ends in the middle of an element'] as const;
const unreadable = [0xc000, 'Data set cannot be read'] as const;
/** Broken in a way that leaves the data set's structure and its UIDs legible: kept as it came. */
const stored = [0x0000, null] as const;

/** What each broken file is answered when it is sent byte for byte: status and Error Comment. */
const answers: Readonly<Record<string, readonly [status: number, comment: string | null]>> = {
  'malformed/3gb-bulk-data-truncated': unreadable,
  'malformed/CTImageStorage_bad_meta.dcm': stored,
  'malformed/ExplVR_BigEndNoMeta.dcm': stored,
  'malformed/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm': stored,
  'malformed/GH179B.dcm': truncated,
  'malformed/GH364.dcm': [0xc000, 'An item or delimiter stands outside a sequence'],
  'malformed/MR_truncated.dcm': truncated,
  'malformed/badVR.dcm': stored,
  'malformed/bad_sequence.dcm': unreadable,
  'malformed/emri_small_jpeg_2k_lossless_too_short.dcm': truncated,
  'malformed/invalid-vr-length-test.dcm': stored,
  'malformed/meta_missing_tsyntax.dcm': [0xa900, 'The data set has no SOP Instance or SOP Class UID'],
  'malformed/no-meta-length-test.dcm': stored,
  'malformed/no_meta.dcm': truncated,
  'malformed/rtplan_truncated.dcm': truncated,
};

describe.skipIf(!ready)('a malformed file', { timeout: patienceMs }, () => {
  const files = ready ? corpusFiles().filter(({ name }) => name.startsWith('malformed/')) : [];
  let directory: TemporaryDirectory;
  let gateway: GatewayProcess;
  let storedSoFar = 0;

  beforeAll(async () => {
    directory = temporaryDirectory();
    gateway = await startGateway(join(directory.path, 'data'), {
      destinations: { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    directory?.[Symbol.dispose]();
  });

  test('is listed here with its answer', () => {
    expect(files.map(({ name }) => name)).toEqual(Object.keys(answers));
  });

  test.each(files)('$name: one clear answer, and the door stays open', async (file) => {
    const [sent] = await sendFiles({ port: gateway.dicomPort }, [file]);
    expect([sent?.response?.status, sent?.response?.errorComment]).toEqual(answers[file.name]);

    const healthy = ctSlice({ rows: 16, columns: 16, seed: 1 });
    expect(await storeAll(gateway.dicomPort, [healthy])).toEqual({ 0: 1 });
    storedSoFar += answers[file.name] === stored ? 2 : 1;
    const { intake } = await gateway.until(
      ({ intake: { associations }, totals }) => associations === 0 && totals.received === storedSoFar,
    );
    if (answers[file.name] !== stored) expect(intake.refusals[0]?.reason).not.toBe('');
    expect(unfinishedObjects(gateway.dataDirectory)).toEqual([]);
    expect(gateway.process.exitCode).toBeNull();
  });

  test('does not reach the log as a failure of ours', () => {
    expect(gateway.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});
