import { type FileHandle, open } from 'node:fs/promises';
import { type SealedSecrets, secretNameOf } from '../base/sealed-secrets.ts';
import { ClientFault, type OwnFaultCode } from './client-fault.ts';

/** Tokens, passwords and keys are short; a file beyond this is not one. */
const secretBytesMax = 64 * 1024;

/** A secret that a setting names: the path of a file, or "secret:NAME" for a sealed one. */
export interface SecretPlace {
  readonly place: string;
  readonly sealed: SealedSecrets;
}

/**
 * Reads a secret of one line afresh, so that a replaced file counts at once. Line ends and blanks around it are
 * dropped.
 * @throws ClientFault with the given code where it is missing, unreadable, empty, too long or of several lines
 */
export async function readSecretFile(from: SecretPlace, code: OwnFaultCode): Promise<string> {
  const secret = await readSecretText(from, code);
  // A control character would end the header it is put in.
  if (/\p{Cc}/u.test(secret)) throw new ClientFault(code, { file: from.place });
  return secret;
}

/**
 * Reads a secret of any lines afresh.
 * @throws ClientFault with the given code where it is missing, unreadable, empty or too long
 */
export async function readSecretText({ place, sealed }: SecretPlace, code: OwnFaultCode): Promise<string> {
  try {
    const name = secretNameOf(place);
    const text = (name === null ? await readShortFile(place) : await sealed.text(name)).trim();
    if (text === '') throw new RangeError('empty');
    return text;
  } catch (cause) {
    throw new ClientFault(code, { file: place, cause });
  }
}

async function readShortFile(path: string): Promise<string> {
  let file: FileHandle | null = null;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > secretBytesMax) throw new RangeError('longer than a secret may be');
    return await file.readFile('utf8');
  } finally {
    await file?.close();
  }
}
