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
 * Everything that is in a folder of signed documents: who is believed first, what is newest last.
 * @throws GantryError FLEET_NOTHING_SIGNED, FLEET_SIGNED_UNREADABLE
 */
export async function publicationsIn(out: string): Promise<Publication[]> {
  const trust = await readIfThere(join(out, fleetFiles.trust));
  const found: Publication[] = [];
  let fleet: FleetName | null = null;
  for (const box of await boxesWith(out, endings.desired)) {
    const name = `${box}${endings.desired}`;
    const device = boxName.safeParse(box);
    if (!device.success) continue;
    const bytes = await readIfThere(join(out, name));
    const read = bytes === null ? null : readSigned(bytes, desiredConfig);
    if (bytes === null || read?.ok !== true || read.value.device !== device.data) throw damaged(name);
    fleet ??= read.value.fleet;
    if (read.value.fleet !== fleet) throw damaged(name);
    const add = (kind: InboundKind, content: Buffer | null) => {
      if (content === null) return;
      if (content.length > documentBytesMax) throw damaged(name);
      const place = [fleet ?? read.value.fleet, device.data, kind] as const;
      found.push({
        kind,
        device: device.data,
        path: recordPath(...place),
        topic: topicOf(...place),
        bytes: content,
      });
    };
    add('trust', trust);
    add('certificate', await readIfThere(join(out, `${device.data}${endings.certificate}`)));
    add('desired', bytes);
    add('freshness', await readIfThere(join(out, `${device.data}${endings.freshness}`)));
    add('command', await readIfThere(join(out, `${device.data}${endings.command}`)));
  }
  if (found.length === 0) throw nothingSigned();
  return found;
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
