import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GantryError } from '../base/errors.ts';
import { recordPath, topicOf } from '../config/remote/channels/port.ts';
import {
  type BoxName,
  boxName,
  desiredConfig,
  documentBytesMax,
  type FleetName,
  type InboundKind,
} from '../config/remote/documents.ts';
import { readSigned } from '../config/remote/signed.ts';
import { batched } from './batches.ts';
import { boxesWith, fleetFiles, readIfThere } from './files.ts';

/** One document of one box, as it is given to every way. */
export interface Publication {
  readonly kind: InboundKind;
  readonly device: BoxName;
  /** Below the folder of the record. */
  readonly path: string;
  readonly topic: string;
  readonly bytes: Buffer;
}

const endings = {
  freshness: '.freshness.json',
  command: '.command.jws',
  desired: '.jws',
  certificate: '.certificate.pem',
} as const;

/**
 * Everything that is in a folder of signed documents, or what is for one box of them.
 * @throws GantryError FLEET_NOTHING_SIGNED, FLEET_SIGNED_UNREADABLE
 */
export async function publicationsIn(out: string, only?: string): Promise<Publication[]> {
  const trust = await readIfThere(join(out, fleetFiles.trust));
  const found: Publication[] = [];
  let fleet: FleetName | null = null;
  const boxes = (await boxesWith(out, endings.desired)).filter(
    (box) => boxName.safeParse(box).success && (only === undefined || box === only),
  );
  for await (const { device, fleet: own, contents } of batched(boxes, (box) => contentsOf(out, box))) {
    fleet ??= own;
    if (own !== fleet) throw damaged(`${device}${endings.desired}`);
    for (const [kind, bytes] of Object.entries({ trust, ...contents }) as [InboundKind, Buffer | null][]) {
      if (bytes === null) continue;
      if (bytes.length > documentBytesMax) throw damaged(`${device}${endings.desired}`);
      const place = [fleet, device, kind] as const;
      found.push({ kind, device, path: recordPath(...place), topic: topicOf(...place), bytes });
    }
  }
  if (found.length === 0) throw nothingSigned();
  return found;
}

/** The signed documents of one box. @throws GantryError FLEET_SIGNED_UNREADABLE */
async function contentsOf(out: string, box: string) {
  const [certificate, desired, freshness, command] = await Promise.all(
    [endings.certificate, endings.desired, endings.freshness, endings.command].map((ending) =>
      readIfThere(join(out, `${box}${ending}`)),
    ),
  );
  const read = desired ? readSigned(desired, desiredConfig) : null;
  if (read?.ok !== true || read.value.device !== box) throw damaged(`${box}${endings.desired}`);
  const { device, fleet } = read.value;
  return { device, fleet, contents: { certificate, desired, freshness, command } };
}

/**
 * Replaces a file so that a reader, and a power cut, find the old or the new one. The new one is later than the old
 * one by a whole second at least: web servers make their ETag of that time and the length, and two documents of one
 * box are often of one length.
 */
export async function replaceDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true });
  const before = await stat(path).catch(() => null);
  const file = await open(temporary, 'wx', 0o644);
  try {
    await file.writeFile(bytes);
    if (before !== null) {
      const seconds = Math.max(Date.now() / 1000, Math.floor(before.mtimeMs / 1000) + 1);
      await file.utimes(seconds, seconds);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function damaged(name: string): GantryError {
  return new GantryError({
    code: 'FLEET_SIGNED_UNREADABLE',
    kind: 'permanent',
    message: `${name} is no signed document of that box, or of another fleet.`,
    nextStep: 'Render and sign it again; nothing was published.',
  });
}

function nothingSigned(): GantryError {
  return new GantryError({
    code: 'FLEET_NOTHING_SIGNED',
    kind: 'permanent',
    message: 'There is no signed document in this folder.',
    nextStep: 'Give the folder that "gantry fleet render" wrote to, after "gantry fleet sign".',
  });
}
