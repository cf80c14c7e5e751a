import { DimseSender } from '../../src/demo/dimse-sender.ts';
import type { MadeInstance } from '../fixtures/dicom-objects.ts';

/**
 * Sends instances in their order over one association.
 * @returns how often each status came
 */
export async function storeAll(
  port: number,
  instances: readonly MadeInstance[],
  callingAeTitle = 'CT1',
): Promise<Record<number, number>> {
  const kinds = new Map(instances.map((one) => [`${one.SOPClassUID} ${one.TransferSyntaxUID}`, one]));
  const sender = await DimseSender.connect({
    host: '127.0.0.1',
    port,
    callingAeTitle,
    calledAeTitle: 'GANTRY',
    contexts: [...kinds.values()].map(({ SOPClassUID, TransferSyntaxUID }) => ({
      SOPClassUID,
      transferSyntaxes: [TransferSyntaxUID],
    })),
  });
  const statuses: Record<number, number> = {};
  for (const instance of instances) {
    const { status } = await sender.store(instance);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  await sender.release();
  return statuses;
}
