/**
 * How a failure may be treated.
 * - `transient`: the same action may succeed later; retry.
 * - `ambiguous`: it is not known whether the action took effect; check, or repeat it idempotently.
 * - `permanent`: repeating the same action cannot succeed; a person or a change is needed.
 */
export type FailureKind = 'transient' | 'ambiguous' | 'permanent';

export interface FailureText {
  /** Stable, upper-case, never translated: what a person reads out on the phone, e.g. `SPOOL_DISK_FULL`. */
  readonly code: string;
  readonly kind: FailureKind;
  /** The cause in plain words. Never a patient's data, never a UID. */
  readonly message: string;
  /** What to do next, in plain words. */
  readonly nextStep: string;
}

/** Every failure Gantry reports: a code, a kind, a cause in plain words and the next step. */
export class GantryError extends Error implements FailureText {
  override readonly name = 'GantryError';
  readonly code: string;
  readonly kind: FailureKind;
  readonly nextStep: string;

  constructor(text: FailureText, options?: { cause?: unknown }) {
    super(text.message, options);
    this.code = text.code;
    this.kind = text.kind;
    this.nextStep = text.nextStep;
  }
}

/** A parked or delayed item's reason as it is stored and shown: PHI-free, at most {@link reasonWordsMax} characters. */
export interface Reason {
  readonly code: string;
  readonly words: string;
}

export const reasonWordsMax = 200;

/** The system error code (`ENOSPC`, `EIO`, `ECONNRESET` …) of anything thrown, or null. */
export function systemErrorCode(error: unknown): string | null {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return null;
}
