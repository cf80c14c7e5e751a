import { type FileHandle, open } from 'node:fs/promises';
import { ClientFault, type OwnFaultCode } from './client-fault.ts';

/** Tokens, passwords and keys are short; a file beyond this is not one. */
const secretBytesMax = 64 * 1024;

/**
 * Reads a secret of one line afresh, so that a replaced file counts at once. Line ends and blanks around it are
 * dropped.
 * @throws ClientFault with the given code where the file is missing, unreadable, empty, too long or of several lines
 */
export async function readSecretFile(path: string, code: OwnFaultCode): Promise<string> {
  const secret = await readSecretText(path, code);
  // A control character would end the header it is put in.
  if (/\p{Cc}/u.test(secret)) throw new ClientFault(code, { file: path });
  return secret;
}

/**
 * Reads a file of secrets of any lines afresh.
 * @throws ClientFault with the given code where the file is missing, unreadable, empty or too long
 */
export async function readSecretText(path: string, code: OwnFaultCode): Promise<string> {
  let file: FileHandle | null = null;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > secretBytesMax) throw new RangeError('longer than a secret may be');
    const text = (await file.readFile('utf8')).trim();
    if (text === '') throw new RangeError('empty');
    return text;
  } catch (cause) {
    throw new ClientFault(code, { file: path, cause });
  } finally {
    await file?.close();
  }
}
