import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { armor, Decrypter, Encrypter } from 'age-encryption';
import { z } from 'zod';
import { GantryError } from '../base/errors.ts';
import { entryName } from '../config/values.ts';
import { fleetFiles, readIfThere, replaceFile, writeNewFile } from './files.ts';
import { ageWorkFactor } from './key-file.ts';
import { writeSecretIndex } from './secret-index.ts';

/** Sealed to a box it has to fit `DesiredConfig.sealed`, and with all else into one document. */
export const secretBytesMax = 8192;

/** What stands in `secrets.age`, encrypted (age). */
const vaultFile = z.strictObject({
  kind: z.literal('GantrySecrets'),
  /** age recipients it is encrypted to; none: to a passphrase. Kept inside, where nobody can add one unseen. */
  recipients: z.array(z.string()).max(16),
  secrets: z.record(
    entryName,
    z.strictObject({ secret: z.string(), revision: z.string().regex(/^[\w-]{12}$/) }),
  ),
});
type Vault = z.output<typeof vaultFile>;

/** Whom the secrets are encrypted to. */
export type VaultLock = { readonly passphrase: string } | { readonly recipients: readonly string[] };

/** What opens them: a passphrase, or the text of an age identity file. */
export type VaultKey = { readonly passphrase: string } | { readonly identity: string };

/** The secrets of a fleet, open in memory. */
export class SecretVault {
  readonly #directory: string;
  readonly #passphrase: string | null;
  #vault: Vault;

  private constructor(directory: string, passphrase: string | null, vault: Vault) {
    this.#directory = directory;
    this.#passphrase = passphrase;
    this.#vault = vault;
  }

  /** @throws GantryError FLEET_SECRETS_EXIST, FLEET_RECIPIENT */
  static async create(directory: string, lock: VaultLock): Promise<void> {
    const recipients = 'recipients' in lock ? [...lock.recipients] : [];
    const vault: Vault = { kind: 'GantrySecrets', recipients, secrets: {} };
    const text = await encrypt(vault, 'passphrase' in lock ? lock.passphrase : null);
    try {
      await writeNewFile(join(directory, fleetFiles.secrets), text, 0o600);
    } catch (cause) {
      throw exists(cause);
    }
    await writeSecretIndex(directory, revisionsIn(vault));
  }

  /** @throws GantryError FLEET_NO_SECRETS, FLEET_SECRETS_LOCKED */
  static async open(directory: string, key: VaultKey): Promise<SecretVault> {
    const decrypter = new Decrypter();
    try {
      if ('passphrase' in key) decrypter.addPassphrase(key.passphrase);
      else for (const identity of identitiesIn(key.identity)) decrypter.addIdentity(identity);
      const plain = await decrypter.decrypt(armor.decode(await readVault(directory)), 'text');
      const vault = vaultFile.parse(JSON.parse(plain));
      return new SecretVault(directory, 'passphrase' in key ? key.passphrase : null, vault);
    } catch (error) {
      if (error instanceof GantryError) throw error;
      // Without its cause: what was opened may be in it.
      throw locked();
    }
  }

  names(): string[] {
    return Object.keys(this.#vault.secrets).toSorted();
  }

  of(name: string): { readonly secret: string; readonly revision: string } | null {
    return Object.hasOwn(this.#vault.secrets, name) ? (this.#vault.secrets[name] ?? null) : null;
  }

  /** The same value again is no new revision: no box would be given anything. @throws GantryError FLEET_SECRET_VALUE */
  async set(name: string, secret: string): Promise<'new' | 'changed' | 'unchanged'> {
    const before = this.of(name);
    if (before?.secret === secret) return 'unchanged';
    if (secret === '' || Buffer.byteLength(secret) > secretBytesMax) throw badValue();
    const revision = randomBytes(9).toString('base64url');
    await this.#write({ ...this.#vault.secrets, [name]: { secret, revision } });
    return before === null ? 'new' : 'changed';
  }

  /** @returns whether it was there */
  async remove(name: string): Promise<boolean> {
    if (this.of(name) === null) return false;
    const { [name]: _, ...secrets } = this.#vault.secrets;
    await this.#write(secrets);
    return true;
  }

  async #write(secrets: Vault['secrets']): Promise<void> {
    const vault = { ...this.#vault, secrets };
    const text = await encrypt(vault, vault.recipients.length > 0 ? null : this.#passphrase);
    await replaceFile(join(this.#directory, fleetFiles.secrets), text, 0o600);
    await writeSecretIndex(this.#directory, revisionsIn(vault));
    this.#vault = vault;
  }
}

/** Whether a passphrase opens them, and no identity. @throws GantryError FLEET_NO_SECRETS */
export async function asksForPassphrase(directory: string): Promise<boolean> {
  const text = await readVault(directory);
  try {
    return Buffer.from(armor.decode(text)).subarray(0, 256).includes('\n-> scrypt ');
  } catch {
    throw locked();
  }
}

async function readVault(directory: string): Promise<string> {
  const bytes = await readIfThere(join(directory, fleetFiles.secrets));
  if (bytes !== null) return bytes.toString('utf8');
  throw new GantryError({
    code: 'FLEET_NO_SECRETS',
    kind: 'permanent',
    message: `The folder has no ${fleetFiles.secrets}.`,
    nextStep: 'Make it: "gantry fleet secrets init".',
  });
}

function revisionsIn({ secrets }: Vault): Record<string, string> {
  const sorted = Object.entries(secrets).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, { revision }]) => [name, revision]));
}

async function encrypt(vault: Vault, passphrase: string | null): Promise<string> {
  const encrypter = new Encrypter();
  if (passphrase === null) {
    try {
      for (const recipient of vault.recipients) encrypter.addRecipient(recipient);
    } catch (cause) {
      throw badRecipient(cause);
    }
  } else {
    encrypter.setPassphrase(passphrase);
    encrypter.setScryptWorkFactor(ageWorkFactor);
  }
  return `${armor.encode(await encrypter.encrypt(JSON.stringify(vault)))}\n`;
}

function identitiesIn(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const found = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (found.length === 0) throw locked();
  return found;
}

function exists(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'FLEET_SECRETS_EXIST',
      kind: 'permanent',
      message: `${fleetFiles.secrets} cannot be made: it is there already, or the folder cannot be written.`,
      nextStep: 'Use "gantry fleet secrets set" to put secrets into it.',
    },
    { cause },
  );
}

function locked(): GantryError {
  return new GantryError({
    code: 'FLEET_SECRETS_LOCKED',
    kind: 'permanent',
    message: `This passphrase or identity does not open ${fleetFiles.secrets}, or the file is damaged.`,
    nextStep: 'Give the one it was made with: --passphrase-file or --identity.',
  });
}

function badRecipient(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'FLEET_RECIPIENT',
      kind: 'permanent',
      message: 'This is no recipient that secrets can be encrypted to.',
      nextStep: 'Give the public key that "age-keygen" shows: "age1…".',
    },
    { cause },
  );
}

function badValue(): GantryError {
  return new GantryError({
    code: 'FLEET_SECRET_VALUE',
    kind: 'permanent',
    message: `A secret has 1 to ${secretBytesMax} bytes.`,
    nextStep: 'Give it at the prompt, or by a pipe: "gantry fleet secrets set NAME < FILE".',
  });
}
