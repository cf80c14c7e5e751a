import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  createSecretKey,
} from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { type Disk, makeDirectoryDurably, readWholeFile, writeFileDurably } from '../base/disk.ts';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type Epoch, epochIdBytes } from './envelope.ts';
import {
  makeRootKey,
  type RootKey,
  type RootKeyPlace,
  readRootKey,
  rootKeyBytes,
  rootKeyMissing,
} from './root-key.ts';
import { openSmall, sealSmall } from './small-file.ts';

const keyBytes = rootKeyBytes;
const wrappedKeyBytes = 72;
const keystoreBytesMax = 4 * 1024 * 1024;
const copies = ['keystore-a', 'keystore-b'] as const;
/** A new epoch each day; a clock that jumped back by as much starts one too. */
const epochMs = 24 * 60 * 60 * 1000;

interface StoredEpoch {
  readonly id: Buffer;
  readonly key: Buffer;
  readonly createdAt: number;
}

interface Keystore {
  readonly generation: number;
  readonly boxId: string;
  readonly volumeId: string;
  readonly uidKey: Buffer;
  readonly fileKey: Buffer;
  readonly signingKey: Buffer;
  readonly epochs: readonly StoredEpoch[];
}

interface KeyringOptions {
  readonly disk: Disk;
  /** `DATA/keys`. */
  readonly directory: string;
  /** Where the service manager put credentials; the root key may be one of them. Null or left out: nowhere. */
  readonly credentials?: string | null;
  readonly clock: Clock;
  readonly log: Log;
  /** False where objects or a ledger are here already: then missing keys are an error, never made anew. */
  readonly mayCreate: boolean;
}

/**
 * All keys of one data directory. An epoch key is durable (wrapped, written twice, each copy and its directory
 * synced) before `currentEpoch` ever hands it out.
 */
export class Keyring {
  readonly signingKey: KeyObject;
  readonly #options: KeyringOptions;
  readonly #rootKey: RootKey;
  #keystore: Keystore;
  #epochs = new Map<string, StoredEpoch>();
  /** Made once: a hash that is given bytes makes a key of them each time. */
  readonly #uidKey: KeyObject;
  #current: StoredEpoch | null = null;
  #writing: Promise<void> = Promise.resolve();
  #rotating: Promise<void> | null = null;

  private constructor(options: KeyringOptions, rootKey: RootKey, keystore: Keystore) {
    this.#options = options;
    this.#rootKey = rootKey;
    this.#keystore = keystore;
    this.#uidKey = createSecretKey(keystore.uidKey);
    this.signingKey = createPrivateKey({ key: keystore.signingKey, format: 'der', type: 'pkcs8' });
    this.#index();
  }

  /**
   * Opens the keys of a data directory, or makes them on its first start.
   * @throws GantryError KEYS_MISSING, KEYS_ROOT_MISSING, KEYS_ROOT_INVALID, KEYS_ROOT_DIFFERS, KEYS_DAMAGED
   */
  static async open(options: KeyringOptions): Promise<Keyring> {
    const { disk, directory } = options;
    await makeDirectoryDurably(disk, directory);
    const rootKey = await openRootKey(options);
    const stored = await readCopies(options, rootKey.key);
    if (stored.best === null && !options.mayCreate) throw keysMissing();
    const keystore = stored.best ?? newKeystore();
    const keyring = new Keyring(options, rootKey, keystore);
    if (stored.best === null || !stored.intact) await keyring.#write(() => keystore);
    await keyring.#rotateWhereDue();
    return keyring;
  }

  get rootKeyPlace(): RootKeyPlace {
    return this.#rootKey.place;
  }

  get boxId(): string {
    return this.#keystore.boxId;
  }

  /** Since when the present epoch is in use, milliseconds since the epoch of the clock. */
  get epochSince(): number {
    return this.#current?.createdAt ?? 0;
  }

  /** Written into the spool's volume marker, so that another volume in its place is noticed. */
  get volumeId(): string {
    return this.#keystore.volumeId;
  }

  /** The epoch new objects are sealed under; durable. A due rotation happens beside it, not in the caller's way. */
  currentEpoch(): Epoch {
    if (this.#current === null) throw new Error('keyring is not open');
    if (this.#epochDue()) {
      this.#rotateWhereDue().catch((error: unknown) =>
        this.#options.log.error(
          { code: 'KEYS_ROTATION', error },
          'a new key epoch could not be stored; the present one stays in use',
        ),
      );
    }
    return this.#current;
  }

  /** The key of an epoch, or null where it was shredded or never known. */
  epochKey(epochId: Buffer): Buffer | null {
    return this.#epochs.get(epochId.toString('hex'))?.key ?? null;
  }

  /** Ids (hex) of all epochs but the present one. */
  pastEpochs(): string[] {
    return [...this.#epochs.keys()].filter((id) => id !== this.#current?.id.toString('hex'));
  }

  /** Keyed hash of a text, 32 hex digits: stands for a UID wherever UIDs may not be. */
  keyedHash(text: string): string {
    return createHmac('sha256', this.#uidKey).update(text).digest('hex').slice(0, 32);
  }

  sealFile(purpose: string, plain: Uint8Array): Buffer {
    return sealSmall(this.#fileKey(purpose), purpose, plain);
  }

  /** @throws GantryError FILE_DAMAGED */
  openFile(purpose: string, sealed: Buffer): Buffer {
    return openSmall(this.#fileKey(purpose), purpose, sealed);
  }

  /**
   * Crypto-shreds epochs: their keys are gone once this resolves. The present epoch cannot be forgotten.
   * @param epochIds hex; the caller made sure that no object needs them
   */
  async forgetEpochs(epochIds: readonly string[]): Promise<void> {
    const gone = new Set(epochIds);
    gone.delete(this.#current?.id.toString('hex') ?? '');
    if (gone.size === 0) return;
    await this.#write((keystore) => ({
      ...keystore,
      epochs: keystore.epochs.filter((epoch) => !gone.has(epoch.id.toString('hex'))),
    }));
  }

  #fileKey(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#keystore.fileKey, Buffer.alloc(0), purpose, keyBytes));
  }

  #epochDue(): boolean {
    return this.#current === null || Math.abs(this.#options.clock.now() - this.#current.createdAt) >= epochMs;
  }

  #rotateWhereDue(): Promise<void> {
    if (!this.#epochDue()) return Promise.resolve();
    this.#rotating ??= this.#write((keystore) => ({
      ...keystore,
      epochs: [
        ...keystore.epochs,
        { id: randomBytes(epochIdBytes), key: randomBytes(keyBytes), createdAt: this.#options.clock.now() },
      ],
    })).finally(() => {
      this.#rotating = null;
    });
    return this.#rotating;
  }

  /** Writes a changed keystore to both copies, one after the other; only then is it the one in use. */
  #write(change: (keystore: Keystore) => Keystore): Promise<void> {
    const next = this.#writing.then(async () => {
      const keystore = { ...change(this.#keystore), generation: this.#keystore.generation + 1 };
      const bytes = encodeKeystore(this.#rootKey.key, keystore);
      for (const copy of copies) {
        await writeFileDurably(this.#options.disk, join(this.#options.directory, copy), bytes);
      }
      this.#keystore = keystore;
      this.#index();
    });
    this.#writing = next.catch(() => undefined);
    return next;
  }

  #index(): void {
    this.#epochs = new Map(this.#keystore.epochs.map((epoch) => [epoch.id.toString('hex'), epoch]));
    this.#current = this.#keystore.epochs.at(-1) ?? null;
  }
}

async function openRootKey(options: KeyringOptions): Promise<RootKey> {
  const { disk, directory, mayCreate } = options;
  const stored = await readRootKey({ credentials: null, ...options });
  if (stored !== null) return stored;
  const names = await disk.list(directory);
  if (copies.some((copy) => names.includes(copy))) throw rootKeyMissing();
  if (!mayCreate) throw keysMissing();
  return makeRootKey(disk, directory);
}

function keysMissing(): GantryError {
  return new GantryError({
    code: 'KEYS_MISSING',
    kind: 'permanent',
    message: 'There are stored objects here, but the keys that open them (directory keys/) are missing.',
    nextStep: 'Put the directory keys/ of this box back. Nothing was changed.',
  });
}

/** The best readable copy; `intact` is false where a copy is missing, damaged or older than the other. */
async function readCopies(
  options: KeyringOptions,
  rootKey: Buffer,
): Promise<{ best: Keystore | null; intact: boolean }> {
  const found: Keystore[] = [];
  let present = 0;
  let failure: unknown;
  for (const copy of copies) {
    const bytes = await readWholeFile(options.disk, join(options.directory, copy), keystoreBytesMax);
    if (bytes === null) continue;
    present += 1;
    try {
      found.push(decodeKeystore(rootKey, bytes));
    } catch (error) {
      failure = error;
      options.log.error(
        { code: 'KEYS_COPY_DAMAGED', copy },
        'one copy of the keystore is damaged; the other one is used',
      );
    }
  }
  const best = found.toSorted((a, b) => b.generation - a.generation)[0] ?? null;
  if (best === null && present > 0) {
    throw new GantryError(
      {
        code: 'KEYS_DAMAGED',
        kind: 'permanent',
        message: 'Neither copy of the keystore can be opened with this root key.',
        nextStep: 'Restore the directory keys/ of this box from its copy.',
      },
      { cause: failure },
    );
  }
  return {
    best,
    intact: found.length === copies.length && found.every((one) => one.generation === best?.generation),
  };
}

function newKeystore(): Keystore {
  const { privateKey } = generateKeyPairSync('ed25519');
  return {
    generation: 0,
    boxId: newBoxId(),
    volumeId: randomBytes(16).toString('hex'),
    uidKey: randomBytes(keyBytes),
    fileKey: randomBytes(keyBytes),
    signingKey: privateKey.export({ format: 'der', type: 'pkcs8' }),
    epochs: [],
  };
}

/** A name a person can read out on the phone: no letters that look or sound like digits. */
function newBoxId(): string {
  const alphabet = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
  const letters = Array.from(randomBytes(6), (byte) => alphabet[byte % alphabet.length]);
  return `GANTRY-${letters.join('')}`;
}

function encodeKeystore(rootKey: Buffer, keystore: Keystore): Buffer {
  const json = {
    ...keystore,
    uidKey: keystore.uidKey.toString('base64'),
    fileKey: keystore.fileKey.toString('base64'),
    signingKey: keystore.signingKey.toString('base64'),
    epochs: keystore.epochs.map((epoch) => ({
      id: epoch.id.toString('base64'),
      key: epoch.key.toString('base64'),
      createdAt: epoch.createdAt,
    })),
  };
  const keystoreKey = randomBytes(keyBytes);
  return Buffer.concat([
    sealSmall(rootKey, 'keystore-key', keystoreKey),
    sealSmall(keystoreKey, 'keystore', Buffer.from(JSON.stringify(json))),
  ]);
}

function decodeKeystore(rootKey: Buffer, bytes: Buffer): Keystore {
  const keystoreKey = openSmall(rootKey, 'keystore-key', bytes.subarray(0, wrappedKeyBytes));
  const json = JSON.parse(openSmall(keystoreKey, 'keystore', bytes.subarray(wrappedKeyBytes)).toString()) as {
    generation: number;
    boxId: string;
    volumeId: string;
    uidKey: string;
    fileKey: string;
    signingKey: string;
    epochs: { id: string; key: string; createdAt: number }[];
  };
  const binary = (text: string) => Buffer.from(text, 'base64');
  return {
    generation: json.generation,
    boxId: json.boxId,
    volumeId: json.volumeId,
    uidKey: binary(json.uidKey),
    fileKey: binary(json.fileKey),
    signingKey: binary(json.signingKey),
    epochs: json.epochs.map((epoch) => ({
      id: binary(epoch.id),
      key: binary(epoch.key),
      createdAt: epoch.createdAt,
    })),
  };
}
