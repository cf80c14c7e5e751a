import { inBatches } from './batches.ts';
import type { FleetFolder } from './fleet-folder.ts';
import { GenerationStore } from './generations.ts';
import type { KnownBox } from './fleet-status.ts';

/** The boxes of a folder that are not retired, and what each was given last. @throws GantryError FLEET_GENERATIONS_DAMAGED */
export async function knownBoxes({
  directory,
  devices,
}: FleetFolder): Promise<ReadonlyMap<string, KnownBox>> {
  const store = new GenerationStore(directory);
  const wanted = [...devices.values()].filter(({ value }) => !value.retired);
  const boxes = await inBatches(wanted, async ({ value: { id, labels } }) => {
    const generation = (await store.read(id)).documents[0]?.generation ?? null;
    return [id, { labels, generation }] as const;
  });
  return new Map(boxes);
}
