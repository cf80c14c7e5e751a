import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk } from './base/disk.ts';
import { type SealedSecrets, secretMissing, secretNameOf } from './base/sealed-secrets.ts';
import { BoxIdentity, identityBytesMax } from './config/remote/enrolment.ts';
import type { RemoteState } from './config/remote/state.ts';
import { type SealedByName, sealedFor } from './config/secrets.ts';
import type { ConfigStore } from './config/store.ts';
import type { Keyring } from './crypto/keyring.ts';
import { openSealed } from './crypto/seal-to.ts';
import { SealedFile } from './crypto/sealed-file.ts';

interface IdentityParts {
  readonly disk: Disk;
  readonly keyring: Keyring;
  readonly dataDirectory: string;
}

interface SecretParts extends IdentityParts {
  readonly configStore: ConfigStore;
  readonly remote: RemoteState;
}

/**
 * Secrets of the configuration in use. They lie on the disk as central IT sealed them; in clear they are in memory
 * alone, and only for the use they are asked for.
 */
export class SecretBook implements SealedSecrets {
  readonly #parts: SecretParts;
  #key: Promise<KeyObject> | null = null;

  constructor(parts: SecretParts) {
    this.#parts = parts;
  }

  text(name: string): Promise<string> {
    return this.#text(name, this.#parts.configStore.sealed());
  }

  /** The same of a configuration that is not in use yet. */
  of(sealed: SealedByName): SealedSecrets {
    return { text: (name) => this.#text(name, sealed) };
  }

  /** @throws GantryError FLEET_SECRET_UNREADABLE; whatever opening the key throws */
  async open(name: string, sealed: string): Promise<string> {
    const device = this.#parts.remote.value.enrolment?.device ?? '';
    this.#key ??= openIdentity(this.#parts).then(({ sealKey }) => sealKey);
    // What failed once may not the next time.
    this.#key.catch(() => (this.#key = null));
    return openSealed(await this.#key, { device, name }, sealed);
  }

  /** What changes where a secret does that this part of the configuration names: never the secret itself. */
  versionsFor(part: unknown): SealedByName {
    return sealedFor(part, this.#parts.configStore.sealed());
  }

  #text(name: string, sealed: SealedByName): Promise<string> {
    if (!Object.hasOwn(sealed, name)) return Promise.reject(secretMissing(name));
    return this.open(name, sealed[name] ?? '');
  }
}

/** What a setting stands for that names a file or a secret. @throws what reading it throws */
export async function readPlace(place: string, secrets: SealedSecrets): Promise<string> {
  const name = secretNameOf(place);
  return name === null ? readFile(place, 'utf8') : secrets.text(name);
}

/** The keys of this box beside its signing key; made where there are none yet. @throws GantryError FILE_DAMAGED */
export function openIdentity({ disk, keyring, dataDirectory }: IdentityParts): Promise<BoxIdentity> {
  const path = join(dataDirectory, 'config', 'identity');
  const place = { path, purpose: 'identity', bytesMax: identityBytesMax };
  return BoxIdentity.open(new SealedFile(disk, keyring, place));
}
