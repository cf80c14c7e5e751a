import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { faultText } from './archive/client-fault.ts';
import type { ArchiveClient, StoreAnswer, StoreItem } from './archive/port.ts';
import { GantryError } from './base/errors.ts';
import { makeTestStudy, type TestStudy, testStudyLabels } from './dicom/test-study.ts';
import type { Destination } from './gateway-destination.ts';
import type { TestStudyReport } from './web/tools.ts';

const sendMsMax = 60_000;
/** An archive may need a moment before it shows what it took. */
const looksMax = 10;
const lookMs = 1000;

/**
 * Sends a labelled image of nobody to an archive that is set to take such, and reads it back.
 * @throws GantryError TEST_STUDY_NOT_ALLOWED
 */
export async function sendTestStudy({ config, client }: Destination, now: number): Promise<TestStudyReport> {
  if (!config.allowTestStudy) throw notAllowed();
  const study = makeTestStudy(now);
  const signal = AbortSignal.timeout(sendMsMax);
  const refusal = refusalIn(await client.store([itemOf(study)], signal), study);
  const { StudyInstanceUID } = study;
  const common = { ...testStudyLabels, StudyInstanceUID };
  if (refusal !== null)
    return {
      ...common,
      stored: false,
      readBack: 'no',
      code: refusal.code,
      words: `The archive did not take the test image (${refusal.code}): ${refusal.words}.`,
      stays:
        'Most likely nothing stays at the archive; look there for the patient id GANTRY-TEST to be sure.',
    };
  const readBack = await lookFor(client, study, signal);
  return {
    ...common,
    stored: true,
    readBack,
    code: null,
    words: wordsOf[readBack],
    stays:
      'One image of one study stays at the archive, with the patient name GANTRY^TEST and the patient id GANTRY-TEST. This box does not delete it: have it deleted there when it is not needed any more.',
  };
}

const wordsOf: Readonly<Record<TestStudyReport['readBack'], string>> = {
  equal: 'The archive took the test image, and what it gave back is equal byte for byte.',
  changed: 'The archive took the test image, and gives it back with other bytes than were sent.',
  no: 'The archive said that it took the test image, but it could not be read back.',
};

function itemOf(study: TestStudy): StoreItem {
  const { file } = study;
  return {
    ...study,
    Modality: 'OT',
    bytes: file.length,
    content: async function* () {
      yield file;
    },
  };
}

/** Why it was not taken, or null where it was. */
function refusalIn(
  answer: StoreAnswer,
  { SOPInstanceUID }: TestStudy,
): { code: string; words: string } | null {
  if (answer.kind === 'source-failed') return { code: 'INTERNAL', words: 'this box could not send it' };
  if (answer.kind === 'failed') return { code: answer.code, words: faultText(answer.code).words };
  if (answer.referenced.some((one) => one.SOPInstanceUID === SOPInstanceUID)) return null;
  const failed = answer.failed.find((one) => one.SOPInstanceUID === SOPInstanceUID);
  const reason = failed?.failureReason?.toString(16).toUpperCase().padStart(4, '0');
  return {
    code: reason ?? `HTTP_${answer.status}`,
    words: 'it refused it, or did not say what became of it',
  };
}

async function lookFor(
  client: ArchiveClient,
  study: TestStudy,
  signal: AbortSignal,
): Promise<TestStudyReport['readBack']> {
  for (let look = 0; look < looksMax && !signal.aborted; look += 1) {
    const answer = await client.retrieve(study, signal);
    if (answer.kind === 'failed' && answer.why !== 'unavailable') return 'no';
    if (answer.kind === 'present') {
      const digest = createHash('sha256');
      for await (const chunk of answer.dataSet()) digest.update(chunk);
      return digest.digest('hex') === study.dataSetSha256 ? 'equal' : 'changed';
    }
    await delay(lookMs);
  }
  return 'no';
}

function notAllowed(): GantryError {
  return new GantryError({
    code: 'TEST_STUDY_NOT_ALLOWED',
    kind: 'permanent',
    message: 'No test study may be sent to this archive: it would stay there among those of patients.',
    nextStep:
      'Ask the archive whether it may. If so, set "allowTestStudy": true for the destination in the configuration.',
  });
}
