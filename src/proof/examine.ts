import type { InstanceRef } from '../archive/port.ts';
import { objectReadFailure } from '../spool/read-failure.ts';
import type { ObjectId, OpenObject, ProofItem, SpoolProof } from '../spool/types.ts';
import { compareDataSet, compareSent, type Subject } from './compare.ts';
import { type Finding, unproven } from './finding.ts';
import { type Look, sameMetadata } from './policy.ts';
import type { LookClient } from './series-looks.ts';

export interface Examination {
  readonly client: LookClient;
  readonly spool: Pick<SpoolProof, 'open' | 'givesBackReceived' | 'digestKey'>;
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
    await using object = await spool.open(item.sentId);
    const ref: InstanceRef = object.facts;
    if (look === 'qido' || look === 'find') {
      const answer = await client.find(ref, signal);
      if (answer.kind === 'present') return { kind: 'proven', by: look };
      return unproven(answer.kind === 'failed' ? answer : { kind: 'absent' });
    }
    const subject: Subject = { client, ref, signal, exact: item.existed };
    const finding =
      look === 'digest' ? await compareDataSet(object, subject) : await compareMetadata(object, subject);
    if (finding.kind !== 'different') return finding;
    return (await compareOtherForms(item, subject, spool)) ?? finding;
  } catch (error) {
    // Only our own side throws: archive clients answer, whatever the peer does.
    return { kind: 'own-unreadable', ...objectReadFailure(error) };
  }
}

async function compareMetadata(object: OpenObject, subject: Subject): Promise<Finding> {
  const answer = await subject.client.metadata(subject.ref, subject.signal);
  if (answer.kind !== 'present') return unproven(answer);
  if (sameMetadata(object.facts, answer.facts)) return { kind: 'proven', by: 'metadata' };
  return compareDataSet(object, subject);
}

/** @returns null where the archive holds none of them */
async function compareOtherForms(
  { otherId, lostForm }: ProofItem,
  subject: Subject,
  spool: Examination['spool'],
): Promise<Finding | null> {
  const other = otherId === null ? null : await compareOther(otherId, subject, spool);
  if (other !== null || lostForm === null) return other;
  return compareSent(lostForm, subject, (sha256) => spool.digestKey(sha256));
}

/** An archive that had the instance before may hold its other form: nothing but equal bytes will do then. */
async function compareOther(
  otherId: ObjectId,
  subject: Subject,
  spool: Examination['spool'],
): Promise<Finding | null> {
  await using other = await spool.open(otherId);
  const finding = await compareDataSet(other, { ...subject, exact: true });
  if (finding.kind === 'different') return null;
  if (finding.kind !== 'proven') return finding;
  const { kind } = other.facts;
  if (kind === 'prepared' && !(await spool.givesBackReceived(otherId))) return null;
  return { ...finding, form: kind };
}
