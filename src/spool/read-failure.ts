import { GantryError, type Reason, reasonWordsMax } from '../base/errors.ts';

/** Why a stored object could not be read: nothing is known against the archive then. */
export interface ObjectReadFailure {
  /** True where trying again cannot help: it is damaged, gone, or its key is missing. */
  readonly lasting: boolean;
  readonly reason: Reason;
}

/** @param error whatever `open` or `dataSet` threw */
export function objectReadFailure(error: unknown): ObjectReadFailure {
  if (error instanceof GantryError) {
    const words = `${error.message} ${error.nextStep}`.slice(0, reasonWordsMax);
    return { lasting: error.kind === 'permanent', reason: { code: error.code, words } };
  }
  const words = 'The copy on this box could not be read just now. It is tried again.';
  return { lasting: false, reason: { code: 'OBJECT_UNREADABLE', words } };
}
