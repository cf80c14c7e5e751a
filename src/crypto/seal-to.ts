import type { KeyObject } from 'node:crypto';
import { CompactEncrypt } from 'jose/jwe/compact/encrypt';
import { compactDecrypt } from 'jose/jwe/compact/decrypt';
import { GantryError } from '../base/errors.ts';
import { keyIdOf, type OkpJwk, publicKeyOf } from './jws.ts';

const keyManagement = 'ECDH-ES';
const encryption = 'A256GCM';
const type = 'gantry-secret';

/** What can be read of a sealed secret without opening it: to which key, and which revision of the secret. */
export interface SealMark {
  /** RFC 7638 thumbprint of the sealing key. */
  readonly key: string;
  /** Made anew with each value of the secret, and telling nothing of it. */
  readonly revision: string;
}

/** Whom a secret is for, and the name it goes by there. */
export interface SecretPlace {
  readonly device: string;
  readonly name: string;
}

/**
 * Seals a secret to the key of one box: compact JWE (RFC 7516), ECDH-ES on X25519 (RFC 8037), A256GCM. Box and name
 * are sealed in with it, so that it opens nowhere else and as nothing else. Two seals of one secret are never alike:
 * {@link sealMark} tells whether there is one already.
 */
export async function sealTo(
  key: OkpJwk,
  place: SecretPlace,
  { secret, revision }: { readonly secret: string; readonly revision: string },
): Promise<string> {
  if (key.crv !== 'X25519') throw new TypeError('not a key to seal to');
  const plain = Buffer.from(JSON.stringify({ device: place.device, name: place.name, secret }));
  return new CompactEncrypt(plain)
    .setProtectedHeader({ alg: keyManagement, enc: encryption, typ: type, kid: keyIdOf(key), rev: revision })
    .encrypt(publicKeyOf(key));
}

/** @returns null where the text is no sealed secret of ours */
export function sealMark(sealed: string): SealMark | null {
  try {
    const header = Buffer.from(sealed.slice(0, sealed.indexOf('.')), 'base64url').toString('utf8');
    const { typ, kid, rev } = JSON.parse(header) as Record<string, unknown>;
    const isOurs = typ === type && typeof kid === 'string' && typeof rev === 'string';
    return isOurs ? { key: kid, revision: rev } : null;
  } catch {
    return null;
  }
}

/**
 * @param key private, X25519
 * @throws GantryError FLEET_SECRET_UNREADABLE where it was not sealed for this box and name
 */
export async function openSealed(key: KeyObject, place: SecretPlace, sealed: string): Promise<string> {
  try {
    const { plaintext, protectedHeader } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: [keyManagement],
      contentEncryptionAlgorithms: [encryption],
    });
    const plain = JSON.parse(Buffer.from(plaintext).toString('utf8')) as Record<string, unknown>;
    const { device, name, secret } = plain;
    if (protectedHeader.typ !== type || device !== place.device || name !== place.name)
      throw new TypeError('sealed for another box or name');
    if (typeof secret !== 'string') throw new TypeError('not a secret');
    return secret;
  } catch {
    // Without its cause: what was opened may be in it.
    throw new GantryError({
      code: 'FLEET_SECRET_UNREADABLE',
      kind: 'permanent',
      message: `The secret "${place.name}" was not sealed for this box.`,
      nextStep: 'Seal it anew with the present sealing key of this box, and publish a new generation.',
    });
  }
}
