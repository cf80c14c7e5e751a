import type { ArchiveClient, InstanceRef, ReadFailure } from '../archive/port.ts';
import type { Reason } from '../base/errors.ts';
import { type ObjectReadFailure, objectReadFailure } from '../spool/read-failure.ts';
import type { OpenObject, ProofItem, ProofKind, SpoolProof } from '../spool/types.ts';
import { compareDataSet } from './compare.ts';
import { type Look, sameMetadata } from './policy.ts';

/** What one look at the archive found. */
export type Finding =
  | { readonly kind: 'proven'; readonly by: ProofKind }
  /** The policy asks for no look. */
  | { readonly kind: 'unasked' }
  | { readonly kind: 'absent' }
  /** The archive has other content under this SOP Instance UID. */
  | { readonly kind: 'different'; readonly reason: Reason }
  | {
      readonly kind: 'unreadable';
      readonly why: ReadFailure['why'];
      readonly code: string;
      readonly retryAfterMs: number | null;
    }
  /** Our own copy cannot be read, so nothing can be compared with it. */
  | ({ readonly kind: 'own-unreadable' } & ObjectReadFailure);

export interface Examination {
  readonly client: ArchiveClient;
  readonly spool: Pick<SpoolProof, 'open'>;
  readonly signal: AbortSignal;
}

/** Looks at the archive for one delivery. Never throws. */
export async function examine(
  item: ProofItem,
  look: Look,
  { client, spool, signal }: Examination,
): Promise<Finding> {
  if (look === 'none') return { kind: 'unasked' };
  try {
    await using object = await spool.open(item.objectId);
    const ref: InstanceRef = object.facts;
    if (look === 'qido') {
      const answer = await client.find(ref, signal);
      if (answer.kind === 'present') return { kind: 'proven', by: 'qido' };
      return unproven(answer.kind === 'failed' ? answer : { kind: 'absent' });
    }
    if (look === 'digest') return await compareDataSet(object, { client, ref, signal });
    return await compareMetadata(object, { client, ref, signal });
  } catch (error) {
    // Only our own side throws: archive clients answer, whatever the peer does.
    return { kind: 'own-unreadable', ...objectReadFailure(error) };
  }
}

async function compareMetadata(
  object: OpenObject,
  { client, ref, signal }: { client: ArchiveClient; ref: InstanceRef; signal: AbortSignal },
): Promise<Finding> {
  const answer = await client.metadata(ref, signal);
  if (answer.kind !== 'present') return unproven(answer);
  if (sameMetadata(object.facts, answer.facts)) return { kind: 'proven', by: 'metadata' };
  return compareDataSet(object, { client, ref, signal });
}

export function unproven(answer: { readonly kind: 'absent' } | ReadFailure): Finding {
  if (answer.kind === 'absent') return answer;
  return { kind: 'unreadable', why: answer.why, code: answer.code, retryAfterMs: answer.retryAfterMs };
}
