import { withoutPadding } from '../dicom/padding.ts';

/**
 * The little of the DICOM JSON model (PS3.18 Annex F) that answers are read by. Everything comes from outside:
 * what is not as it should be is absent.
 */
export type DicomJson = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is DicomJson {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether this is a data set of the model: an object whose members are all named by tags. */
export function isDicomJson(value: unknown): value is DicomJson {
  return isRecord(value) && Object.keys(value).every((key) => /^[\da-f]{8}$/i.test(key));
}

/** @param tag eight hex digits, upper case */
function valuesOf(dataSet: DicomJson, tag: string): readonly unknown[] {
  const attribute = dataSet[tag] ?? dataSet[tag.toLowerCase()];
  if (!isRecord(attribute)) return [];
  const { Value: values } = attribute;
  return Array.isArray(values) ? values : [];
}

/** The first value as text without padding, or null. */
export function textOf(dataSet: DicomJson, tag: string): string | null {
  const [value] = valuesOf(dataSet, tag);
  return typeof value === 'string' ? withoutPadding(value) : null;
}

/** The first value as a whole number, given as a number or (IS, some archives' US) as digits; or null. */
export function numberOf(dataSet: DicomJson, tag: string): number | null {
  const [value] = valuesOf(dataSet, tag);
  const number = typeof value === 'string' && /^\s*\d{1,15}\s*$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

/** The items of a sequence. */
export function itemsOf(dataSet: DicomJson, tag: string): readonly DicomJson[] {
  return valuesOf(dataSet, tag).filter(isRecord);
}
