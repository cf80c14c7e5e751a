import type { Reason } from '../base/errors.ts';

/* Why the spool itself parks or delays a delivery. */

export const conflictReason: Reason = {
  code: 'CONFLICT_HERE',
  words: 'Another image with the same identity but other content was received before; an operator decides.',
};

export const interruptedReason: Reason = {
  code: 'INTERRUPTED',
  words: 'Sending was interrupted by a restart; it is sent again.',
};

export const damagedReason: Reason = {
  code: 'OBJECT_DAMAGED',
  words: 'The stored image is damaged and is not sent. Send it again from its modality.',
};

export const lostReason: Reason = {
  code: 'OBJECT_LOST',
  words: 'The stored image is missing from the disk. Send it again from its modality.',
};

export const notRestoredReason: Reason = {
  code: 'OBJECT_NOT_RESTORED',
  words:
    'The stored image is compressed, and does not give back what was received. Send it again from its modality.',
};

/** Reason codes that say the object itself is no longer whole here: nothing can be sent from it. */
export const brokenHereCodes: readonly string[] = [
  damagedReason.code,
  lostReason.code,
  notRestoredReason.code,
  'OBJECT_NOT_FOUND',
  'OBJECT_KEY_MISSING',
  'OBJECT_VERSION',
  'RESTORE_IMPOSSIBLE',
  'RESTORE_MISMATCH',
];
