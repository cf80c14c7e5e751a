import {
  type DataSetWalk,
  type InflationLimits,
  inflationFailures,
  inflationLimits,
  walkDataSet,
} from './data-set-walk.ts';
import type { HeaderFacts } from './header-facts.ts';
import { HeaderPeek, type PeekFailure, peekFailures } from './peek.ts';
import { type WalkFailure, walkFailures } from './walker.ts';

/** Why a data set cannot be taken. */
export interface InspectionFailure {
  readonly ok: false;
  readonly kind: 'truncated' | 'unparsable' | 'illegal-uid' | 'bomb';
  /** Stable, e.g. `DICOM_TRUNCATED`. */
  readonly code: string;
  /** At most 64 characters, fit for the DICOM Error Comment; no value from the data set. */
  readonly words: string;
}

export type Inspection = { readonly ok: true; readonly facts: HeaderFacts } | InspectionFailure;

/**
 * Looks at one incoming data set as it streams by: reads the facts of its header and sees whether it is
 * complete, without holding it. Missing UIDs are null in the facts; whether that matters is for intake to say.
 */
export class DataSetInspector {
  readonly #peek: HeaderPeek;
  readonly #walk: DataSetWalk;

  constructor(TransferSyntaxUID: string, limits: InflationLimits = inflationLimits) {
    this.#peek = new HeaderPeek();
    this.#walk = walkDataSet(TransferSyntaxUID, this.#peek, limits);
  }

  /** Set as soon as it is known: the rest need not be waited for. */
  get failure(): InspectionFailure | null {
    const failure = this.#walk.failure ?? this.#peek.failure;
    return failure === null ? null : inspectionFailure(failure);
  }

  /** @returns a promise, for deflated data only, while it is behind: push no more before it resolves */
  push(bytes: Buffer): Promise<void> | undefined {
    return this.#walk.push(bytes);
  }

  /** Call once: after the last push has resolved, or earlier to give up. Never rejects. */
  async finish(): Promise<Inspection> {
    const verdict = await this.#walk.finish();
    const failure = verdict.kind === 'complete' ? this.#peek.failure : verdict;
    return failure === null ? { ok: true, facts: this.#peek.facts() } : inspectionFailure(failure);
  }
}

/** Every reason there is not to take a data set. */
export const inspectionFailures: readonly InspectionFailure[] = [
  ...Object.values(walkFailures),
  ...Object.values(inflationFailures),
  ...Object.values(peekFailures),
].map(inspectionFailure);

function inspectionFailure({ kind, code, words }: WalkFailure | PeekFailure): InspectionFailure {
  const unparsable = kind === 'bad-structure' || kind === 'ambiguous';
  return { ok: false, kind: unparsable ? 'unparsable' : kind, code, words };
}
