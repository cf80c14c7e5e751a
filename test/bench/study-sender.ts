import { DimseSender, type ProposedContext } from '../../src/demo/dimse-sender.ts';
import type { LoadTarget } from './load.ts';
import type { Study } from './study-material.ts';

/**
 * Sends a study as a modality does: one association, one instance after the other.
 * @throws where an instance is not answered 0000
 */
export async function sendStudy(target: LoadTarget & { readonly host: string }, study: Study): Promise<void> {
  const contexts = new Map<string, ProposedContext>();
  for (const { SOPClassUID, TransferSyntaxUID } of study.requests) {
    contexts.set(`${SOPClassUID} ${TransferSyntaxUID}`, {
      SOPClassUID,
      transferSyntaxes: [TransferSyntaxUID],
    });
  }
  const sender = await DimseSender.connect({
    ...target,
    callingAeTitle: 'BENCH',
    contexts: [...contexts.values()],
  });
  for (const request of study.requests) {
    const { status, errorComment } = await sender.store(request);
    if (status !== 0) throw new Error(`answered ${status.toString(16)} (${errorComment ?? ''})`);
  }
  await sender.release();
}
