import { bodyText } from './bounded-body.ts';
import { type DicomJson, isDicomJson, itemsOf, numberOf, textOf } from './dicom-json.ts';
import type { FailedInstance, ReferencedInstance } from './port.ts';
import { parseStrictJson } from './strict-json.ts';

/** PS3.18 §10.5.3.2, Annex I.2. */
const tags = {
  FailedSOPSequence: '00081198',
  ReferencedSOPSequence: '00081199',
  ReferencedSOPInstanceUID: '00081155',
  WarningReason: '00081196',
  FailureReason: '00081197',
} as const;

/** PS3.7 Annex C: Duplicate SOP Instance. */
const duplicateInstance = 0x0111;

export interface StoreResponse {
  readonly body: 'parsed' | 'empty' | 'unreadable';
  readonly referenced: readonly ReferencedInstance[];
  readonly failed: readonly FailedInstance[];
}

export const emptyResponse: StoreResponse = { body: 'empty', referenced: [], failed: [] };
export const unreadableResponse: StoreResponse = { body: 'unreadable', referenced: [], failed: [] };

/**
 * Reads the body of a STOW-RS answer by what it is, not by what its header says: DICOM JSON (one data set, or
 * some archives' list of them) or Native DICOM Model XML. What names an attribute twice is unreadable as a whole:
 * one of the two would be overlooked, and it may be the failure.
 */
export async function readStoreResponse(bytes: Buffer, contentType: string | null): Promise<StoreResponse> {
  const text = bodyText(bytes, contentType).trim();
  if (text === '') return emptyResponse;
  try {
    const dataSets = text.startsWith('<') ? [await readXml(text)] : readJson(text);
    return {
      body: 'parsed',
      referenced: dataSets.flatMap(referencedIn),
      failed: dataSets.flatMap(failedIn),
    };
  } catch {
    return unreadableResponse;
  }
}

/** The parser takes memory that most boxes never need: their archives answer in JSON. */
async function readXml(text: string): Promise<DicomJson> {
  const { readNativeXml } = await import('./native-xml.ts');
  return readNativeXml(text);
}

function readJson(text: string): readonly DicomJson[] {
  const json = parseStrictJson(text);
  const dataSets: readonly unknown[] = Array.isArray(json) ? json : [json];
  if (!dataSets.every(isDicomJson)) throw new SyntaxError('not the DICOM JSON model');
  return dataSets;
}

function referencedIn(dataSet: DicomJson): ReferencedInstance[] {
  return itemsOf(dataSet, tags.ReferencedSOPSequence).flatMap((item) => {
    const SOPInstanceUID = textOf(item, tags.ReferencedSOPInstanceUID);
    if (SOPInstanceUID === null) return [];
    return [{ SOPInstanceUID, warningReason: numberOf(item, tags.WarningReason) }];
  });
}

function failedIn(dataSet: DicomJson): FailedInstance[] {
  return itemsOf(dataSet, tags.FailedSOPSequence).flatMap((item) => {
    const SOPInstanceUID = textOf(item, tags.ReferencedSOPInstanceUID);
    if (SOPInstanceUID === null) return [];
    return [{ SOPInstanceUID, failureReason: failureReasonOf(item) }];
  });
}

/**
 * Google's archive gives "processing failure" for an instance it already has and says so in words only, in a
 * private element; the standard has a code for that.
 */
function failureReasonOf(item: DicomJson): number | null {
  const detail = textOf(item, '00090097');
  if (detail !== null && /already exist/i.test(detail)) return duplicateInstance;
  return numberOf(item, tags.FailureReason);
}
