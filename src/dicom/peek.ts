import type { HeaderFacts, ImageFacts } from './header-facts.ts';
import { withoutPadding } from './padding.ts';
import { tags } from './tags.ts';
import {
  parseUid,
  type SeriesInstanceUID,
  type SOPClassUID,
  type SOPInstanceUID,
  type StudyInstanceUID,
} from './uid.ts';
import type { WalkHooks } from './walker.ts';

/** Why the facts cannot be trusted: words of at most 64 characters, without any value from the data set. */
export interface PeekFailure {
  readonly kind: 'illegal-uid' | 'ambiguous';
  readonly code: string;
  readonly words: string;
}

export const peekFailures = {
  illegalUid: {
    kind: 'illegal-uid',
    code: 'DICOM_ILLEGAL_UID',
    words: 'A UID of the data set is not a legal UID',
  },
  ambiguousUid: {
    kind: 'ambiguous',
    code: 'DICOM_AMBIGUOUS_UID',
    words: 'The data set holds two different UIDs in one place',
  },
} as const satisfies Record<string, PeekFailure>;

const uidTags: ReadonlySet<number> = new Set([
  tags.SOPClassUID,
  tags.SOPInstanceUID,
  tags.StudyInstanceUID,
  tags.SeriesInstanceUID,
]);
const wordTags: ReadonlySet<number> = new Set([tags.Rows, tags.Columns, tags.BitsAllocated]);

/**
 * Collects the facts of a header as values that the length walker hands over while the data set streams by.
 *
 * There is no parser here on purpose. dicom-parser wants the header contiguous in memory, recurses into
 * sequences without a limit of depth, takes every length at its word and throws where the bytes end early;
 * all that for nine values. The walker passes each header byte once anyway, at a few nanoseconds each, needs no
 * buffer of the header, knows its limits, and sees inflated data sets the same way.
 */
export class HeaderPeek implements WalkHooks {
  readonly wanted: ReadonlySet<number> = new Set([
    ...uidTags,
    ...wordTags,
    tags.Modality,
    tags.InstitutionName,
    tags.NumberOfFrames,
  ]);
  readonly #texts = new Map<number, string>();
  readonly #words = new Map<number, number>();
  #failure: PeekFailure | null = null;

  /** Set as soon as it is known. */
  get failure(): PeekFailure | null {
    return this.#failure;
  }

  value(tag: number, bytes: Buffer, length: number, bigEndian: boolean): void {
    if (wordTags.has(tag)) {
      if (length >= 2) this.#words.set(tag, bigEndian ? bytes.readUInt16BE() : bytes.readUInt16LE());
      return;
    }
    const text = withoutPadding(bytes.toString('latin1'));
    if (uidTags.has(tag)) this.#checkUid(tag, text, length > bytes.length);
    this.#texts.set(tag, text);
  }

  /** What was found so far; what is missing is null. Meaningless once there is a failure. */
  facts(): HeaderFacts {
    return {
      SOPClassUID: parseUid<SOPClassUID>(this.#text(tags.SOPClassUID)),
      SOPInstanceUID: parseUid<SOPInstanceUID>(this.#text(tags.SOPInstanceUID)),
      StudyInstanceUID: parseUid<StudyInstanceUID>(this.#text(tags.StudyInstanceUID)),
      SeriesInstanceUID: parseUid<SeriesInstanceUID>(this.#text(tags.SeriesInstanceUID)),
      Modality: this.#modality(),
      InstitutionName: this.#text(tags.InstitutionName).trim() || null,
      image: this.#image(),
    };
  }

  /** An empty UID counts as a missing one. Two that differ would let archives disagree about which it is. */
  #checkUid(tag: number, text: string, cut: boolean): void {
    if (cut || (text !== '' && parseUid(text) === null)) this.#failure ??= peekFailures.illegalUid;
    const earlier = this.#texts.get(tag);
    if (earlier !== undefined && earlier !== text) this.#failure ??= peekFailures.ambiguousUid;
  }

  #text(tag: number): string {
    return this.#texts.get(tag) ?? '';
  }

  /** VR CS (PS3.5 §6.2); anything else in its place is not repeated. */
  #modality(): string | null {
    const text = this.#text(tags.Modality).trim();
    return /^[A-Z0-9_ ]{1,16}$/.test(text) ? text : null;
  }

  #image(): ImageFacts | null {
    const Rows = this.#words.get(tags.Rows);
    const Columns = this.#words.get(tags.Columns);
    const BitsAllocated = this.#words.get(tags.BitsAllocated);
    if (Rows === undefined || Columns === undefined || BitsAllocated === undefined) return null;
    const frames = this.#text(tags.NumberOfFrames).trim();
    return {
      Rows,
      Columns,
      BitsAllocated,
      NumberOfFrames: /^\+?[0-9]{1,10}$/.test(frames) ? Number(frames) : 1,
    };
  }
}
