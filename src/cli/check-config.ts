import { readFile } from 'node:fs/promises';
import { checkConfigText, formatProblems } from '../config/check.ts';

/** @returns the exit code: 0 valid, 2 not */
export async function checkConfig(path: string): Promise<number> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    console.error(`${path} cannot be read.`);
    return 2;
  }
  const checked = checkConfigText(text);
  if (checked.ok) {
    console.log(`${path} is valid.`);
    return 0;
  }
  console.error(formatProblems(path, checked.problems));
  return 2;
}
