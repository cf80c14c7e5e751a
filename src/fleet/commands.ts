import { type KeyObject, randomUUID } from 'node:crypto';
import { GantryError } from '../base/errors.ts';
import {
  type FleetCommand,
  fleetCommand,
  type ReportedState,
  wireVersion,
} from '../config/remote/documents.ts';
import { readSigned } from '../config/remote/signed.ts';
import { addSignature, keyIdOf, okpJwk, signPayload } from '../crypto/jws.ts';
import { boxesWith, boxFile, readIfThere, replaceFile } from './files.ts';
import { readFleetFolder } from './fleet-folder.ts';
import { requireTrust } from './trust-chain.ts';

/** In the folder of signed documents: the newest command of a box. */
const ending = '.command.jws';

export interface CommandOrder {
  /** The git folder. */
  readonly directory: string;
  /** The folder of signed documents. */
  readonly out: string;
  readonly devices: readonly string[];
  readonly verb: FleetCommand['verb'];
  readonly target: string | null;
  readonly key: KeyObject;
  /** At most a day: a box takes none that is older. */
  readonly validMinutes: number;
  readonly now: Date;
}

export interface Ordered {
  readonly commands: readonly FleetCommand[];
  /** So many different keys still have to sign. */
  readonly signaturesMissing: number;
}

/**
 * Makes a command for each of some boxes, signs it and puts it where `publish` finds it, in the place of the one
 * before. Nothing is written where one box is not known.
 * @throws GantryError FLEET_DEVICE_UNKNOWN, FLEET_NO_TRUST, FLEET_KEY_ROLE
 */
export async function orderCommands(order: CommandOrder): Promise<Ordered> {
  const { directory, out, verb, target, key, now } = order;
  const { document: trust } = await requireTrust(directory);
  if (trust.keys[keyIdOf(okpJwk(key))]?.roles.includes('command') !== true) throw notTrusted();
  const { devices } = await readFleetFolder(directory);
  for (const id of order.devices) if (devices.get(id)?.value.retired !== false) throw unknownBox(id);
  const commands: FleetCommand[] = [];
  for (const device of new Set(order.devices)) {
    const command = fleetCommand.parse({
      apiVersion: wireVersion,
      kind: 'Command',
      fleet: trust.fleet,
      device,
      id: randomUUID(),
      issuedAt: now.toISOString(),
      expiresAt: new Date(now.getTime() + order.validMinutes * 60_000).toISOString(),
      verb,
      ...(target === null ? {} : { target }),
    });
    const signed = await signPayload('gantry-command', Buffer.from(JSON.stringify(command)), key);
    await replaceFile(boxFile(out, device, ending), JSON.stringify(signed));
    commands.push(command);
  }
  return { commands, signaturesMissing: trust.threshold.command - 1 };
}

/** Adds a signature to every command of a folder that can still be carried out. @returns to how many */
export async function signCommands(out: string, key: KeyObject, now: Date): Promise<number> {
  let count = 0;
  for (const { device, read } of await commandsIn(out)) {
    if (Date.parse(read.value.expiresAt) <= now.getTime()) continue;
    const signed = await addSignature('gantry-command', read.jws, key);
    await replaceFile(boxFile(out, device, ending), JSON.stringify(signed));
    count += 1;
  }
  return count;
}

/** How the newest command of a box stands. */
export interface CommandState {
  readonly device: string;
  readonly id: string;
  readonly verb: FleetCommand['verb'];
  readonly target: string | null;
  readonly issuedAt: string;
  readonly expiresAt: string;
  /** `expired`: no answer was reported, and none will be. */
  readonly state: 'waiting' | 'done' | 'failed' | 'expired';
  /** Of the answer; null where there is none. */
  readonly answeredAt: string | null;
  readonly code: string | null;
  readonly text: string | null;
}

/** The newest command of each box of a folder, with what the box answered. */
export async function commandStates(
  out: string,
  reports: ReadonlyMap<string, ReportedState>,
  now: Date,
): Promise<CommandState[]> {
  return (await commandsIn(out)).map(({ device, read: { value } }) => {
    const { id, verb, target = null, issuedAt, expiresAt } = value;
    const about = { device, id, verb, target, issuedAt, expiresAt };
    const answer = reports.get(device)?.commands.find((one) => one.id === id);
    if (answer === undefined) {
      const state = Date.parse(expiresAt) <= now.getTime() ? 'expired' : 'waiting';
      return { ...about, state, answeredAt: null, code: null, text: null } as const;
    }
    const { ok, at: answeredAt, code, text } = answer;
    return { ...about, state: ok ? 'done' : 'failed', answeredAt, code, text } as const;
  });
}

async function commandsIn(out: string) {
  const found = [];
  for (const device of await boxesWith(out, ending)) {
    const bytes = await readIfThere(boxFile(out, device, ending));
    const read = bytes === null ? null : readSigned(bytes, fleetCommand);
    if (read?.ok === true && read.value.device === device) found.push({ device, read });
  }
  return found;
}

function unknownBox(id: string): GantryError {
  return new GantryError({
    code: 'FLEET_DEVICE_UNKNOWN',
    kind: 'permanent',
    message: `There is no box "${id}" in the folder, or it is retired.`,
    nextStep: 'Give the id of a file under devices/, exactly as it is written there.',
  });
}

function notTrusted(): GantryError {
  return new GantryError({
    code: 'FLEET_KEY_ROLE',
    kind: 'permanent',
    message: 'The boxes do not trust this key with commands: they would refuse it.',
    nextStep: 'Use a key that has the role "command"; "gantry fleet trust show" names them.',
  });
}
