import { randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { type Disk, readWholeFile, writeFileDurably } from '../base/disk.ts';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

export const rootKeyBytes = 32;
/** Name of the systemd credential that may hold the root key (systemd.exec(5), LoadCredentialEncrypted). */
const credentialName = 'gantry-root-key';
const fileBytesMax = 1024;

/** Where the root key came from: `keys/root.key`, or the service manager's credentials (a TPM may keep those). */
export type RootKeyPlace = 'file' | 'credential';

export interface RootKey {
  readonly key: Buffer;
  readonly place: RootKeyPlace;
}

interface RootKeyOptions {
  readonly disk: Disk;
  /** `DATA/keys`. */
  readonly directory: string;
  /** The folder the service manager put credentials in (CREDENTIALS_DIRECTORY), or null. */
  readonly credentials: string | null;
  readonly log: Log;
}

/**
 * The root key of a box, or null where there is none yet.
 * @throws GantryError KEYS_ROOT_INVALID; KEYS_ROOT_DIFFERS where credential and file hold two keys
 */
export async function readRootKey(options: RootKeyOptions): Promise<RootKey | null> {
  const { disk, directory, credentials, log } = options;
  const path = join(directory, 'root.key');
  const file = await readWholeFile(disk, path, fileBytesMax);
  const credential =
    credentials === null ? null : await readWholeFile(disk, join(credentials, credentialName), fileBytesMax);
  for (const key of [file, credential]) {
    if (key !== null && key.length !== rootKeyBytes) throw rootKeyInvalid();
  }
  if (credential !== null) {
    if (file !== null) {
      if (!timingSafeEqual(file, credential)) throw rootKeyDiffers();
      log.warn(
        { code: 'KEYS_ROOT_COPY' },
        'the root key comes as a credential, and still lies in keys/root.key: keep a copy elsewhere and remove that file',
      );
    }
    return { key: credential, place: 'credential' };
  }
  if (file === null) return null;
  const facts = await disk.facts(path);
  if (facts !== null && (facts.mode & 0o077) !== 0) {
    log.warn(
      { code: 'KEYS_ROOT_READABLE' },
      'the root key can be read by other users of this machine: set its mode to 0600',
    );
  }
  return { key: file, place: 'file' };
}

/** A new root key, durable in `keys/root.key`. */
export async function makeRootKey(disk: Disk, directory: string): Promise<RootKey> {
  const key = randomBytes(rootKeyBytes);
  await writeFileDurably(disk, join(directory, 'root.key'), key);
  return { key, place: 'file' };
}

export function rootKeyMissing(): GantryError {
  return new GantryError({
    code: 'KEYS_ROOT_MISSING',
    kind: 'permanent',
    message: 'The root key (keys/root.key) is missing, but this data directory has a keystore that needs it.',
    nextStep:
      'Put the root key of this box back, or give it as the credential gantry-root-key of the service. Without it nothing stored here can be read.',
  });
}

function rootKeyInvalid(): GantryError {
  return new GantryError({
    code: 'KEYS_ROOT_INVALID',
    kind: 'permanent',
    message: 'The root key (keys/root.key or the credential gantry-root-key) is not 32 bytes long.',
    nextStep: 'Put the root key of this box back from its copy.',
  });
}

function rootKeyDiffers(): GantryError {
  return new GantryError({
    code: 'KEYS_ROOT_DIFFERS',
    kind: 'permanent',
    message: 'The credential gantry-root-key and the file keys/root.key hold two different keys.',
    nextStep:
      'Find out which of them belongs to this box: the one that was in use so far. Put the other one away.',
  });
}
