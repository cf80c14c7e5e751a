import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { plainTable } from '../../src/cli/words.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { type RunningOrthanc, startOrthanc } from '../fixtures/orthanc.ts';
import { sendFiles } from '../fixtures/send-files.ts';
import { countAt, emptyArchive, instancesAt, retrieveDataSet } from './archive-copies.ts';
import { type CorpusFile, corpusFiles } from './corpus-files.ts';
import { dcmsend, storescu } from './dcmtk-senders.ts';
import { type Fate, fatesOf, type SentFile } from './fates.ts';
import { present, patienceMs } from './peers.ts';

const suite = 'test/e2e/corpus.test.ts';
const ready = present(suite, 'the DICOM corpus', 'Orthanc');
const readyForDcmtk = present(`${suite}, the part with DCMTK,`, 'the DICOM corpus', 'Orthanc', 'DCMTK');

const uidMissing = 'A900 The data set has no SOP Instance or SOP Class UID';
const takenHere = 'conflict CONFLICT_HERE';

/** What the archive does not take although a sender may send it: Orthanc 1.10.1 and its DICOMweb plugin 1.7. */
const notTaken = {
  // A SOP Class UID of VR UN: it calls the whole request malformed and names no instance.
  'ct/CTImage_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm': 'held HTTP_400',
  'odd/explicit_VR-UN.dcm': 'held HTTP_400',
  // No Study Instance UID: a patient's image that lost it, and two that are no patient's.
  'sc/HTJ2KLossless_08_RGB.dcm': 'quarantined STOW_C000',
  'other/NeurosurgeryPlan.dcm': 'quarantined STOW_C000',
  'other/hotiron.dcm': 'quarantined STOW_C000',
  // An empty Study Instance UID: answered 200, and the instance is not mentioned.
  'sm/wsi_140frames.dcm': 'held STOW_NOT_MENTIONED',
} as const;

/** Everything that does not end as verified when the files go out in the manifest's order, byte for byte. */
const exceptionsRaw: Readonly<Record<string, string>> = {
  ...notTaken,
  'ct/CTImage_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm': takenHere,
  'ct/CTImage_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57.dcm': takenHere,
  'mr/MR_small_implicit.dcm': takenHere,
  'mr/MR_small_padded.dcm': takenHere,
  'mr/same-uid-4ts/nist_beta_b_mr_01_1.2.840.10008.1.2.4.70.dcm': takenHere,
  'mr/same-uid-4ts/nist_beta_b_mr_01_1.2.840.10008.1.2.4.80.dcm': takenHere,
  'mr/same-uid-4ts/nist_beta_b_mr_01_1.2.840.10008.1.2.4.90.dcm': takenHere,
  'odd/JLSL_RGB_ILV1.dcm': `refused ${uidMissing}`,
  'odd/UN_sequence.dcm': `refused ${uidMissing}`,
  'odd/duplicate-of_CT_small.dcm': 'duplicate of ct/CT_small.dcm',
  'odd/nested_priv_SQ.dcm': `refused ${uidMissing}`,
  'odd/no_meta_group_length.dcm': `refused ${uidMissing}`,
  'odd/no_preamble_dicm_in_data': `refused ${uidMissing}`,
  'sc/SC_rgb_16bit_2frame.dcm': takenHere,
  'sm/sm_image_control.dcm': takenHere,
};

/** The same for DCMTK, whose files arrive in the order of their transfer syntaxes. */
const exceptionsDcmtk: Readonly<Record<string, string>> = {
  // dcmsend names them by the class "31": it reads the UIDs inside, of VR UN, as numbers.
  'ct/CTImage_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm': 'refused 0122',
  'odd/explicit_VR-UN.dcm': 'refused 0122',
  'other/NeurosurgeryPlan.dcm': notTaken['other/NeurosurgeryPlan.dcm'],
  'other/hotiron.dcm': notTaken['other/hotiron.dcm'],
  'sm/wsi_140frames.dcm': notTaken['sm/wsi_140frames.dcm'],
  'ct/CTImage_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm': takenHere,
  'mr/MR_small_bigendian.dcm': takenHere,
  'mr/MR_small_implicit.dcm': takenHere,
  'mr/same-uid-4ts/nist_beta_b_mr_01_1.2.840.10008.1.2.4.70.dcm': takenHere,
  'mr/same-uid-4ts/nist_beta_b_mr_01_1.2.840.10008.1.2.4.80.dcm': takenHere,
  'mr/same-uid-4ts/nist_beta_b_mr_01_1.2.840.10008.1.2.4.90.dcm': takenHere,
  'odd/duplicate-of_CT_small.dcm': 'duplicate of ct/CT_small.dcm',
  'sc/SC_rgb_16bit_2frame.dcm': takenHere,
  'sm/sm_image_control.dcm': takenHere,
};

/** DCMTK's own reasons, by the manifest; the last group it can send, only its storescp does not take it. */
function dcmtkSender({ sendCheck }: CorpusFile): 'storescu' | 'dcmsend' | null {
  if (sendCheck === 'ok') return 'storescu';
  if (sendCheck.startsWith('dcmsend only') || sendCheck.includes('not accepted by storescp'))
    return 'dcmsend';
  return null;
}

describe.skipIf(!ready)('the corpus reaches the archive', { timeout: patienceMs }, () => {
  const files = ready ? corpusFiles().filter(({ name }) => !name.startsWith('malformed/')) : [];
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
    gateway = await startGateway(join(directory.path, 'data'), {
      destinations: { cloud: { type: 'stow', url: orthanc.url, verify: 'wado-digest' } },
    });
  });
  afterEach(async () => {
    await gateway?.stop();
    directory[Symbol.dispose]();
  });

  /** Waits until nothing is under way, and checks every file and every instance at the archive. */
  async function account(tool: string, sent: readonly SentFile[], exceptions: typeof exceptionsRaw) {
    const { totals } = await gateway.until(({ queue }) => queue.instances === 0, 90_000);
    const fates = await fatesOf(sent, gateway.dataDirectory);
    process.stdout.write(await summary(tool, fates));
    expect(exceptionsAmong(fates)).toEqual(exceptions);
    const verified = fates.filter(({ fate }) => fate === 'verified');
    expect(totals).toMatchObject({
      received: fates.filter(({ sealedSha256 }) => sealedSha256 !== null).length,
      verified: verified.length,
      delivered: verified.length,
    });
    const archived = await instancesAt(orthanc);
    expect(archived.length).toBe(verified.length);
    expect(await countAt(orthanc)).toBe(verified.length);
    for (const instance of archived) {
      const own = verified.find(({ SOPInstanceUID }) => SOPInstanceUID === instance.SOPInstanceUID);
      const copy = await retrieveDataSet(orthanc, instance);
      expect(sha256(copy), own?.name).toBe(own?.sealedSha256);
    }
    return { fates, verified };
  }

  test('all of it, sent byte for byte', async () => {
    const answers = await sendFiles({ port: gateway.dicomPort }, files);
    const sent = answers.map(({ path, response, failure }): SentFile => {
      const file = files.find((one) => one.path === path);
      if (file === undefined || response === null)
        throw new Error(`${path} was not answered: ${failure?.code}`);
      return { file, status: response.status, comment: response.errorComment ?? '' };
    });
    expect(sent.length).toBe(files.length);
    const { fates } = await account('raw sender', sent, exceptionsRaw);
    for (const { name, fileSha256, sealedSha256 } of fates) {
      if (sealedSha256 !== null) expect(sealedSha256, name).toBe(fileSha256);
    }
  });

  test.skipIf(!readyForDcmtk)(
    'what DCMTK can send, sent by DCMTK',
    async () => {
      const by = (tool: string) => files.filter((file) => dcmtkSender(file) === tool);
      const sent = [
        ...(await storescu(gateway.dicomPort, by('storescu'))),
        ...(await dcmsend(gateway.dicomPort, by('dcmsend'), directory.path)),
      ];
      const { verified } = await account('DCMTK', sent, exceptionsDcmtk);
      const unchanged = verified.filter(({ fileSha256, sealedSha256 }) => fileSha256 === sealedSha256);
      process.stdout.write(
        `DCMTK put ${unchanged.length} of ${verified.length} on the wire as the file has it.\n`,
      );
      expect(unchanged.length).toBeGreaterThan(verified.length / 2);
    },
    180_000,
  );
});

function exceptionsAmong(fates: readonly Fate[]): Record<string, string> {
  const others = fates.filter(({ fate }) => fate !== 'verified');
  return Object.fromEntries(others.map(({ name, fate, why }) => [name, `${fate} ${why}`]));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function summary(tool: string, fates: readonly Fate[]): Promise<string> {
  const table = await plainTable([tool, 'files', 'which']);
  for (const [fate, group] of Map.groupBy(fates, (one) => one.fate)) {
    const names = fate === 'verified' ? [] : group.map(({ name, why }) => `${name}: ${why}`);
    table.push([fate, group.length, names.join('\n')]);
  }
  return `${table.toString()}\n`;
}
