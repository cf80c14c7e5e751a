import { decodeText } from './character-sets.ts';
import { walkDataSet } from './data-set-walk.ts';
import { withoutPadding } from './padding.ts';
import { tags } from './tags.ts';

const shownTags = {
  PatientName: tags.PatientName,
  PatientID: tags.PatientID,
  PatientBirthDate: tags.PatientBirthDate,
  AccessionNumber: tags.AccessionNumber,
  StudyDate: tags.StudyDate,
  StudyDescription: tags.StudyDescription,
} as const;

/**
 * Whose study it is, by the keywords of PS3.6; null where the data set does not say. **Patient data**: for the answer
 * to the person who asked, and for nothing else; never stored, never logged.
 */
export type Identity = { readonly [Keyword in keyof typeof shownTags]: string | null };

/** These tags all come early; a header that is longer is not read to its end. */
const headerBytesMax = 4 * 1024 * 1024;

/** Reads the identity from the head of a data set. The source is closed when what is wanted has gone by. */
export async function readIdentity(
  dataSet: AsyncIterable<Buffer>,
  TransferSyntaxUID: string,
): Promise<Identity> {
  const values = new Map<number, { bytes: Buffer; cut: boolean }>();
  let beyond = false;
  const walk = walkDataSet(TransferSyntaxUID, {
    wanted: new Set([tags.SpecificCharacterSet, ...Object.values(shownTags), tags.StudyInstanceUID]),
    value: (tag, bytes, length) => {
      if (tag === tags.StudyInstanceUID) beyond = true;
      else values.set(tag, { bytes: Buffer.from(bytes), cut: length > bytes.length });
    },
    pixelHeader: () => {
      beyond = true;
    },
  });
  let read = 0;
  for await (const chunk of dataSet) {
    read += chunk.length;
    await walk.push(chunk);
    if (beyond || walk.failure !== null || read > headerBytesMax) break;
  }
  await walk.finish();
  const characterSet = values.get(tags.SpecificCharacterSet)?.bytes.toString('latin1') ?? '';
  const text = (tag: number): string | null => {
    const value = values.get(tag);
    if (value === undefined) return null;
    const shown = withoutPadding(decodeText(value.bytes, characterSet)).trim();
    return shown === '' ? null : `${shown}${value.cut ? '…' : ''}`;
  };
  return Object.fromEntries(
    Object.entries(shownTags).map(([keyword, tag]) => [keyword, text(tag)]),
  ) as unknown as Identity;
}
