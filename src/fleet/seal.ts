import { isDeepStrictEqual } from 'node:util';
import { GantryError } from '../base/errors.ts';
import { sealMark, sealTo } from '../crypto/seal-to.ts';
import type { Desk, Effective } from './desk.ts';
import { fleetFiles } from './files.ts';
import type { Generations } from './generations.ts';
import type { SecretVault } from './secrets.ts';

/** Gives the open secrets; asked only where something has to be sealed. @throws GantryError FLEET_NO_SECRETS, FLEET_SECRETS_LOCKED */
export type OpenVault = () => Promise<SecretVault>;

/** A desk that has nothing to open secrets with. */
export const noVault: OpenVault = () =>
  Promise.reject(
    new GantryError({
      code: 'FLEET_SECRETS_LOCKED',
      kind: 'permanent',
      message: 'A secret has to be sealed, and nothing was given to open the secrets with.',
      nextStep: 'Give --passphrase-file or --identity.',
    }),
  );

/**
 * The secrets a box needs, sealed to its key. One that was sealed in an earlier generation, to the same key and of
 * the same revision, stays as it is: the document has other bytes only where something is new.
 * @throws GantryError FLEET_SECRETS_INDEX, FLEET_NO_SECRETS, FLEET_SECRETS_LOCKED
 */
export async function sealSecrets(
  desk: Desk,
  effective: Effective,
  { documents }: Generations,
  openVault: OpenVault,
): Promise<Record<string, string>> {
  const { id, keys } = effective.device;
  const sealed: Record<string, string> = {};
  for (const [name, mark] of Object.entries(desk.content(effective).seals)) {
    const before = documents
      .map(({ sealed: its }) => (Object.hasOwn(its, name) ? its[name] : undefined))
      .find((text) => text !== undefined && isDeepStrictEqual(sealMark(text), mark));
    if (before !== undefined) {
      sealed[name] = before;
      continue;
    }
    const value = (await openVault()).of(name);
    if (value === null || value.revision !== mark?.revision || keys === undefined) throw indexWrong(name);
    sealed[name] = await sealTo(keys.seal, { device: id, name }, value);
  }
  return sealed;
}

/** The index and the encrypted secrets were not written together. */
export function indexWrong(name: string): GantryError {
  return new GantryError({
    code: 'FLEET_SECRETS_INDEX',
    kind: 'permanent',
    message: `${fleetFiles.secretIndex} and ${fleetFiles.secrets} do not say the same of the secret "${name}".`,
    nextStep: 'Bring both back from one commit, or set the secret again.',
  });
}
