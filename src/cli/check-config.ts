import { checkConfigText, formatProblems } from '../config/check.ts';
import { readConfigFile } from './config-file.ts';
import { configNotes } from './config-notes.ts';
import { exitCodes } from './exit-codes.ts';

/** @returns the exit code: 0 valid, 2 not. @throws GantryError CONFIG_UNREADABLE */
export async function checkConfig(path: string): Promise<number> {
  const checked = checkConfigText(await readConfigFile(path));
  if (!checked.ok) {
    console.error(formatProblems(path, checked.problems));
    return exitCodes.usage;
  }
  console.log(`${path} is valid.`);
  for (const note of await configNotes(checked.config)) console.log(`note: ${note}`);
  return exitCodes.ok;
}
