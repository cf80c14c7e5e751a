import { DataSetInspector } from '../dicom/inspector.ts';
import type { MetadataAnswer, RetrieveAnswer } from './port.ts';
import { notAsked, unavailable } from './read-failure.ts';

/** The metadata of an instance that was retrieved, for destinations that give none without it. */
export async function metadataOf(answer: RetrieveAnswer): Promise<MetadataAnswer> {
  if (answer.kind !== 'present') return answer;
  const { TransferSyntaxUID } = answer;
  const inspector = new DataSetInspector(TransferSyntaxUID ?? '');
  try {
    for await (const chunk of answer.dataSet()) await inspector.push(chunk);
    const inspection = await inspector.finish();
    if (!inspection.ok) return unavailable(inspection.code);
    const { SOPClassUID, SOPInstanceUID, StudyInstanceUID, SeriesInstanceUID, image } = inspection.facts;
    const uids = { SOPClassUID, SOPInstanceUID, StudyInstanceUID, SeriesInstanceUID };
    return { kind: 'present', facts: { ...uids, TransferSyntaxUID, image: image ?? {} } };
  } catch (error) {
    await inspector.finish();
    return notAsked(error, new AbortController().signal);
  } finally {
    answer.cancel();
  }
}
