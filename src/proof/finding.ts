import type { ReadFailure } from '../archive/port.ts';
import type { Reason } from '../base/errors.ts';
import type { ObjectReadFailure } from '../spool/read-failure.ts';
import type { ProofKind, Representation } from '../spool/types.ts';

/** What one look at the archive found. */
export type Finding =
  /** `form`: which one the archive holds, where that is not the one that was sent. */
  | { readonly kind: 'proven'; readonly by: ProofKind; readonly form?: Representation }
  /** The policy asks for no look. */
  | { readonly kind: 'unasked' }
  | { readonly kind: 'absent' }
  /** The archive has other content under this SOP Instance UID. */
  | { readonly kind: 'different'; readonly reason: Reason }
  | {
      readonly kind: 'unreadable';
      readonly why: ReadFailure['why'];
      readonly code: string;
      readonly file?: string;
      readonly retryAfterMs: number | null;
    }
  /** Our own copy cannot be read, so nothing can be compared with it. */
  | ({ readonly kind: 'own-unreadable' } & ObjectReadFailure);

/** Of an answer that says nothing about the instance's content. */
export function unproven(answer: { readonly kind: 'absent' } | ReadFailure): Finding {
  if (answer.kind === 'absent') return answer;
  return { ...answer, kind: 'unreadable' };
}
