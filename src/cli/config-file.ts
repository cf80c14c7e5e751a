import { readFile } from 'node:fs/promises';
import { GantryError, systemErrorCode } from '../base/errors.ts';

/** @throws GantryError CONFIG_UNREADABLE */
export async function readConfigFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new GantryError(
      {
        code: 'CONFIG_UNREADABLE',
        kind: 'permanent',
        message: `The configuration file cannot be read (${systemErrorCode(cause) ?? 'error'}).`,
        nextStep: `Check the path ${path} and its permissions.`,
      },
      { cause },
    );
  }
}
