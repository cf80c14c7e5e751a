import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type BoxName, boxName, type FleetName, fleetName } from '../config/remote/documents.ts';
import { readStrictJson } from '../config/remote/signed.ts';
import { boxFile, fleetFiles, readIfThere, replaceFile } from './files.ts';
import type { FleetFolder } from './fleet-folder.ts';

/** Boxes that have left the fleet, as they stand in the folder of rendered documents. */
const retiredFile = z.strictObject({
  kind: z.literal('Retired'),
  fleet: fleetName,
  boxes: z.array(boxName),
});

export interface RetiredBoxes {
  /** Null where the folder was rendered before there was such a list. */
  readonly fleet: FleetName | null;
  readonly boxes: readonly BoxName[];
}

const endings = ['.json', '.jws', '.freshness.json', '.command.jws', '.certificate.pem'];

/** Makes the folder of rendered documents that of the boxes that belong to the fleet, with the list of revoked certificates. */
export async function tidyRendered(out: string, { directory, fleet, devices }: FleetFolder): Promise<void> {
  const boxes = [...devices.values()].filter(({ value }) => value.retired).map(({ value }) => value.id);
  for (const box of boxes) for (const ending of endings) await rm(boxFile(out, box, ending), { force: true });
  if (fleet !== null) {
    const list = { kind: 'Retired', fleet: fleet.value.name, boxes: boxes.toSorted() };
    await replaceFile(join(out, fleetFiles.retired), JSON.stringify(list));
  }
  const revocations = await readIfThere(join(directory, fleetFiles.revocations));
  if (revocations !== null) await replaceFile(join(out, fleetFiles.publishedRevocations), revocations);
}

/** Those whose documents are to be nowhere any more. */
export async function retiredIn(out: string): Promise<RetiredBoxes> {
  const bytes = await readIfThere(join(out, fleetFiles.retired));
  const read = retiredFile.safeParse(bytes === null ? null : readStrictJson(bytes));
  return read.success ? read.data : { fleet: null, boxes: [] };
}
