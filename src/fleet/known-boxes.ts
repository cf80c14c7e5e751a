import type { FleetFolder } from './fleet-folder.ts';
import { type Generations, GenerationStore } from './generations.ts';
import type { KnownBox } from './fleet-status.ts';

const readsAtOnce = 64;

/** The boxes of a folder that are not retired, and what each was given last. @throws GantryError FLEET_GENERATIONS_DAMAGED */
export async function knownBoxes({
  directory,
  devices,
}: FleetFolder): Promise<ReadonlyMap<string, KnownBox>> {
  const store = new GenerationStore(directory);
  const wanted = [...devices.values()].filter(({ value }) => !value.retired);
  const known = new Map<string, KnownBox>();
  for (let first = 0; first < wanted.length; first += readsAtOnce) {
    const part = wanted.slice(first, first + readsAtOnce);
    const read: readonly Generations[] = await Promise.all(part.map(({ value }) => store.read(value.id)));
    for (const [index, { value }] of part.entries()) {
      const generation = read[index]?.documents[0]?.generation ?? null;
      known.set(value.id, { labels: value.labels, generation });
    }
  }
  return known;
}
