import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { armor, Decrypter, Encrypter } from 'age-encryption';
import { z } from 'zod';
import { GantryError } from '../base/errors.ts';
import { keyId, publicJwk } from '../config/remote/documents.ts';
import { keyIdOf, type OkpJwk, okpJwk } from '../crypto/jws.ts';

/** scrypt with N = 2^18, as age itself uses: about a second, for the holder as for whoever guesses. */
export const ageWorkFactor = 18;
const encryptedMark = '-----BEGIN AGE ENCRYPTED FILE-----';

/** The file beside a private key that may be shown to everybody. */
export const publicKeyFile = z.strictObject({ kind: z.literal('GantryKey'), id: keyId, key: publicJwk });
export type PublicKeyFile = z.output<typeof publicKeyFile>;

/**
 * Makes a key that signs (Ed25519).
 * @param passphrase the private one is encrypted under it (age, scrypt); null leaves it in clear, for keys that a
 *   program uses with nobody there
 */
export async function makeKeyFile(
  passphrase: string | null,
): Promise<{ readonly privateText: string; readonly public: PublicKeyFile }> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const privateText = passphrase === null ? pem : await encryptWithPassphrase(pem, passphrase);
  return { privateText, public: publicFileOf(okpJwk(privateKey)) };
}

export function publicFileOf(key: OkpJwk): PublicKeyFile {
  return { kind: 'GantryKey', id: keyIdOf(key), key: { ...key } };
}

export function isEncrypted(privateText: string): boolean {
  return privateText.trimStart().startsWith(encryptedMark);
}

/** @throws GantryError FLEET_KEY_UNREADABLE, FLEET_PASSPHRASE */
export async function openKeyFile(privateText: string, passphrase: string | null): Promise<KeyObject> {
  const pem = await clearKeyText(privateText, passphrase);
  try {
    const key = createPrivateKey(pem);
    if (okpJwk(key).crv === 'Ed25519') return key;
  } catch {
    // Told below, without what was in the file.
  }
  throw new GantryError({
    code: 'FLEET_KEY_UNREADABLE',
    kind: 'permanent',
    message: 'The file holds no private key that signs.',
    nextStep: 'Give the file that "gantry fleet keys new" made, not the one that ends in ".pub".',
  });
}

/** What a key file holds, in clear. @throws GantryError FLEET_PASSPHRASE */
export async function clearKeyText(text: string, passphrase: string | null): Promise<string> {
  if (!isEncrypted(text)) return text;
  if (passphrase === null) throw wrongPassphrase();
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  return decrypter.decrypt(armor.decode(text), 'text').catch(() => {
    throw wrongPassphrase();
  });
}

/** Encrypts a key (age, scrypt). */
export async function encryptWithPassphrase(text: string, passphrase: string): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(ageWorkFactor);
  return `${armor.encode(await encrypter.encrypt(text))}\n`;
}

function wrongPassphrase(): GantryError {
  return new GantryError({
    code: 'FLEET_PASSPHRASE',
    kind: 'permanent',
    message: 'The key is encrypted, and this passphrase does not open it.',
    nextStep: 'Type the passphrase again, or give --passphrase-file.',
  });
}
