import {
  type BoxName,
  type DesiredConfig,
  desiredConfig,
  type FleetCommand,
  fleetCommand,
  type FleetName,
  type TrustDocument,
} from './documents.ts';
import type { SealedByName } from '../secrets.ts';
import { redirectChanges, secretRedirects } from './redirect.ts';
import { type FleetRefusalCode, type Refused, refusal } from './refusals.ts';
import { readSigned } from './signed.ts';
import { shortOf } from './trust.ts';

/** A clock a little behind that of whoever signs is no reason to refuse a command. */
const clockSkewMs = 10 * 60 * 1000;

export interface DesiredFacts {
  readonly fleet: FleetName;
  readonly device: BoxName;
  readonly trust: TrustDocument;
  /** Highest generation seen, 0 for none, and the SHA-256 (hex) of its signed bytes. */
  readonly lastGeneration: number;
  readonly lastSha256: string | null;
  /** The document in use as it was written, null where there is none: then everything counts as redirected. */
  readonly currentConfig: Readonly<Record<string, unknown>> | null;
  /** The secrets that came with it. */
  readonly currentSealed: SealedByName;
}

export type DesiredOutcome =
  | {
      readonly ok: true;
      readonly desired: DesiredConfig;
      /** Of the signed bytes, hex: the document's identity, however many signatures are on it. */
      readonly sha256: string;
      /** True where it is the one seen last. */
      readonly unchanged: boolean;
      /** JSON pointers of the changes that send patient data elsewhere. */
      readonly redirects: readonly string[];
    }
  | Refused;

/**
 * Checks a configuration for this box: signatures first, then whom it is for, its number, and whether it sends
 * patient data elsewhere. Needs no clock: these documents do not expire. Nothing is remembered here, so that a
 * document that fails any check moves nothing on.
 */
export async function verifyDesired(bytes: Uint8Array, facts: DesiredFacts): Promise<DesiredOutcome> {
  const read = readSigned(bytes, desiredConfig);
  if (!read.ok) return read;
  const { value: desired, sha256, jws } = read;
  const short = await shortOf('gantry-desired', jws, facts.trust, 'config');
  if (short !== null) return refusal(short);
  if (desired.fleet !== facts.fleet) return refusal('FLEET_WRONG_FLEET');
  if (desired.device !== facts.device) return refusal('FLEET_WRONG_DEVICE');
  if (desired.generation < facts.lastGeneration) return refusal('FLEET_ROLLBACK');
  const unchanged = sha256 === facts.lastSha256;
  if (desired.generation === facts.lastGeneration && !unchanged) return refusal('FLEET_SAME_GENERATION');
  const redirects = [
    ...redirectChanges(facts.currentConfig, desired.config),
    ...secretRedirects(facts.currentSealed, desired),
  ];
  if (redirects.length > 0 && (await shortOf('gantry-desired', jws, facts.trust, 'redirect')) !== null)
    return refusal('FLEET_REDIRECT_THRESHOLD');
  return { ok: true, desired, sha256, unchanged, redirects };
}

export interface CommandFacts {
  readonly fleet: FleetName;
  readonly device: BoxName;
  readonly trust: TrustDocument;
  /** Milliseconds since the epoch, or null where the clock of this box is not trusted. */
  readonly now: number | null;
  /** Whether a command of this id was taken before. */
  readonly seen: (id: string) => boolean;
}

export type CommandOutcome =
  | { readonly ok: true; readonly command: FleetCommand }
  /** With the command where its signatures hold. */
  | (Refused & { readonly command: FleetCommand | null });

/** Whatever it says itself: a box remembers only so many ids, and a forgotten one could be given again. */
export const commandLifeMsMax = 24 * 60 * 60 * 1000;

/** Checks a command for this box. Unlike a configuration it expires, so that it needs a clock. */
export async function verifyCommand(bytes: Uint8Array, facts: CommandFacts): Promise<CommandOutcome> {
  const read = readSigned(bytes, fleetCommand);
  if (!read.ok) return { ...read, command: null };
  const { value: command, jws } = read;
  const short = await shortOf('gantry-command', jws, facts.trust, 'command');
  if (short !== null) return { ...refusal(short), command: null };
  const refused = refusedCommand(command, facts);
  return refused === null ? { ok: true, command } : { ...refusal(refused), command };
}

function refusedCommand(
  command: FleetCommand,
  { fleet, device, seen, now }: CommandFacts,
): FleetRefusalCode | null {
  if (command.fleet !== fleet) return 'FLEET_WRONG_FLEET';
  if (command.device !== device) return 'FLEET_WRONG_DEVICE';
  if (seen(command.id)) return 'FLEET_REPLAY';
  if (now === null) return 'FLEET_CLOCK';
  const until = Math.min(Date.parse(command.expiresAt), Date.parse(command.issuedAt) + commandLifeMsMax);
  if (now >= until) return 'FLEET_EXPIRED';
  return now < Date.parse(command.issuedAt) - clockSkewMs ? 'FLEET_EARLY' : null;
}
