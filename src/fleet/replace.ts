import { join } from 'node:path';
import { GantryError } from '../base/errors.ts';
import { type BoxName, desiredConfig, type PublicJwk } from '../config/remote/documents.ts';
import { openRequest } from '../config/remote/enrolment.ts';
import type { DeviceAuthority } from '../crypto/device-authority.ts';
import { keyIdOf } from '../crypto/jws.ts';
import { sealTo } from '../crypto/seal-to.ts';
import { Desk } from './desk.ts';
import type { Device } from './documents.ts';
import { answerOf, certify, type Enrolled, type EnrolTerms } from './enroll.ts';
import { replaceFile } from './files.ts';
import { readFleetFolder } from './fleet-folder.ts';
import { contentHash, GenerationStore, generationsKept } from './generations.ts';
import { deviceIn, revokeBox } from './retire.ts';
import { isOpen, rolloutStates, writeRolloutState } from './rollout-store.ts';
import { indexWrong, type OpenVault } from './seal.ts';
import { requireTrust } from './trust-chain.ts';

export interface Replaced extends Enrolled {
  /** The generation that the new box is to get, or null where the old one had none. */
  readonly generation: number | null;
  /** The list of all revoked certificates, PEM. */
  readonly list: string;
}

/**
 * Puts a new box in the place of one that is dead: labels, overrides, what it was given, its part in rollouts. The
 * new one has its own id, keys and certificate; the old one leaves the fleet. May be repeated where it was interrupted.
 * @throws GantryError ENROL_CODE, FLEET_DEVICE_UNKNOWN, FLEET_DEVICE_EXISTS, FLEET_NO_TRUST, FLEET_CA_UNTRUSTED,
 *   FLEET_SECRETS_*
 */
export async function replaceBox(
  directory: string,
  id: string,
  asked: { readonly request: Uint8Array; readonly code: string },
  authority: DeviceAuthority,
  { openVault, ...terms }: EnrolTerms & { readonly openVault: OpenVault },
): Promise<Replaced> {
  const request = openRequest(asked.request, asked.code);
  const trust = await requireTrust(directory);
  const old = await deviceIn(directory, id);
  const known = (await readFleetFolder(directory)).devices.get(request.device)?.value;
  const begunBefore =
    known?.replaces === old.value.id &&
    known.keys !== undefined &&
    keyIdOf(known.keys.sign) === keyIdOf(request.keys.sign);
  if (request.device === old.value.id || (known !== undefined && !begunBefore)) throw exists(request.device);
  const certificate = await certify(directory, trust.document, request, authority, terms);
  const store = new GenerationStore(directory);
  const to = { device: request.device, seal: request.keys.seal };
  const generation = await takeGenerations(store, old.value.id, to, { openVault, now: terms.now });
  if (!begunBefore) {
    const { device, keys, schemaVersion } = request;
    const file = { ...inPlaceOf(old.value), id: device, keys, schemaVersion };
    await replaceFile(join(directory, 'devices', `${device}.json`), `${JSON.stringify(file, null, 2)}\n`);
  }
  await takeRollouts(directory, old.value.id, request.device);
  const reason = `replaced by ${request.device}`;
  const { list } = await revokeBox(directory, id, authority, { reason, now: terms.now });
  const answer = answerOf(trust, request, asked.code, certificate);
  return { device: request.device, answer, certificate, generation, list };
}

/** What stays the same, whatever box stands there. */
function inPlaceOf({ kind, id, labels, ifUnknown, overrides, note }: Device) {
  return { kind, replaces: id, labels, ifUnknown, overrides, ...(note !== undefined && { note }) };
}

/** The new box gets what the old one was given last, under the next number, and can be taken back as far. */
async function takeGenerations(
  store: GenerationStore,
  from: BoxName,
  { device, seal }: { readonly device: BoxName; readonly seal: PublicJwk },
  { openVault, now }: { readonly openVault: OpenVault; readonly now: Date },
): Promise<number | null> {
  const [before, after] = await Promise.all([store.read(from), store.read(device)]);
  const [taken] = after.documents;
  if (taken !== undefined) return taken.generation;
  const [latest] = before.documents;
  if (latest === undefined) return null;
  const sealed: Record<string, string> = {};
  for (const name of Object.keys(latest.sealed)) {
    const value = (await openVault()).of(name);
    if (value === null) throw indexWrong(name);
    sealed[name] = await sealTo(seal, { device, name }, value);
  }
  const { rollout: _, clearOverrides: __, ...content } = latest;
  const next = desiredConfig.parse({
    ...content,
    device,
    generation: latest.generation + 1,
    issuedAt: now.toISOString(),
    sealed,
  });
  // What was sealed to the old box opens nowhere any more.
  const earlier = before.documents.filter((one) => Object.keys(one.sealed).length === 0);
  const documents = [next, ...earlier.map((one) => ({ ...one, device }))];
  await store.write({ ...before, device, documents: documents.slice(0, generationsKept) });
  return next.generation;
}

/** What it is to get is the same as before, though secrets are sealed to another key. */
async function takeRollouts(directory: string, from: BoxName, to: BoxName): Promise<void> {
  const desk = new Desk(await readFleetFolder(directory));
  const contentOf = (id: BoxName): string | null => {
    const sourced = desk.folder.devices.get(id);
    return sourced === undefined ? null : contentHash(desk.content(desk.effective(sourced)));
  };
  const [before, after] = [contentOf(from), contentOf(to)];
  for (const state of await rolloutStates(directory)) {
    if (!isOpen(state) || !Object.hasOwn(state.boxes, from)) continue;
    const boxes = Object.entries(state.boxes).map(([id, box]) => {
      if (id !== from) return [id, box] as const;
      return [to, after !== null && box.content === before ? { ...box, content: after } : box] as const;
    });
    await writeRolloutState(directory, { ...state, boxes: Object.fromEntries(boxes) });
  }
}

function exists(device: string): GantryError {
  return new GantryError({
    code: 'FLEET_DEVICE_EXISTS',
    kind: 'permanent',
    message: `${device} is a box of this fleet already.`,
    nextStep: 'Let the new box ask with an empty data directory of its own.',
  });
}
