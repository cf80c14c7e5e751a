import type { AtRest } from './at-rest.ts';
import type { InstanceRows } from './instance-rows.ts';
import type { LedgerClient } from './ledger-client.ts';
import { damagedReason } from './reasons.ts';
import type { ObjectFacts } from './types.ts';

interface CompareParts {
  readonly ledger: LedgerClient;
  readonly rows: InstanceRows;
  readonly atRest: Pick<AtRest, 'isWhole'>;
  readonly now: number;
}

/** What is here, whole, under the UID of an object just received, or was until it was verified and purged. */
export async function compareWithKnown(
  facts: ObjectFacts,
  { ledger, rows, atRest, now }: CompareParts,
): Promise<'new' | 'identical' | 'other'> {
  const known = ledger.find(rows.uidKey(facts.SOPInstanceUID));
  const digest = rows.digestKey(facts.dataSetSha256);
  const { TransferSyntaxUID } = facts;
  const same = known.filter((one) => one.digest === digest && one.transferSyntax === TransferSyntaxUID);
  for (const one of same) {
    // The sender forgets its copy when we say that we have one: so look at ours first.
    if (one.purged || (await atRest.isWhole(one.objectId))) return 'identical';
    await ledger.flush();
    await ledger.call('holdObjects', [one.objectId], damagedReason, now);
  }
  return known.length > same.length ? 'other' : 'new';
}
