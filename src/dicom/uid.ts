import type { Brand } from '../base/brand.ts';
import { withoutPadding } from './padding.ts';

/** PS3.5 §9.1: digits and full stops, at most 64 characters. */
export type StudyInstanceUID = Brand<string, 'StudyInstanceUID'>;
export type SeriesInstanceUID = Brand<string, 'SeriesInstanceUID'>;
export type SOPInstanceUID = Brand<string, 'SOPInstanceUID'>;
export type SOPClassUID = Brand<string, 'SOPClassUID'>;
export type TransferSyntaxUID = Brand<string, 'TransferSyntaxUID'>;
export type AnyUID = StudyInstanceUID | SeriesInstanceUID | SOPInstanceUID | SOPClassUID | TransferSyntaxUID;

const uidGrammar = /^[0-9]+(?:\.[0-9]+)*$/;

export const uidCharsMax = 64;

/**
 * Reads a UID as it stands in a data element: trailing NUL or space padding is dropped.
 * Leading zeros in a component are tolerated (seen in the field); anything outside `[0-9.]{1,64}`, empty
 * components included, is not a UID.
 * @returns the UID, or null where the text is not one
 */
export function parseUid<T extends AnyUID>(text: string): T | null {
  const trimmed = withoutPadding(text);
  return trimmed.length <= uidCharsMax && uidGrammar.test(trimmed) ? (trimmed as T) : null;
}
