import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { createLog } from '../base/log.ts';
import type { WipeCensus } from '../gateway-wipe.ts';
import { exitCodes } from './exit-codes.ts';

/** Deletes everything a stopped gateway has, after asking: once, and twice while anything is not proven to be elsewhere. */
export async function wipeData({ data }: { data: string }): Promise<void> {
  const { countBeforeWipe, wipe } = await import('../gateway-wipe.ts');
  const directory = resolve(data);
  const census = await countBeforeWipe(directory, createLog('error', process.stderr));
  if (!(await isMeant(directory, census))) {
    console.log('Nothing was deleted.');
    process.exitCode = exitCodes.failed;
    return;
  }
  const left = await wipe(directory);
  console.log(`Deleted: keys, images, records and settings in ${directory}.`);
  console.log('Flash disks may keep what was deleted for some time; without the keys nobody can read it.');
  for (const name of left) console.log(`Not of a gateway, and still there: ${name}`);
}

async function isMeant(directory: string, { unverified, parked }: WipeCensus): Promise<boolean> {
  const questions = createInterface({ input: process.stdin, output: process.stderr });
  const answers = questions[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<string> => {
    process.stderr.write(question);
    const { value, done } = await answers.next();
    return done === true ? '' : value.trim();
  };
  try {
    const first = await ask(
      `This deletes all images, keys, records and settings in ${directory}, for good.\nType WIPE to go on: `,
    );
    if (first !== 'WIPE' || unverified === 0) return first === 'WIPE';
    const lost =
      unverified === null
        ? 'It cannot be told whether all images are at their archive: what is stored cannot be opened.'
        : `${unverified} images are NOT proven to be at their archive (${parked} of them set aside). They exist nowhere else that is known.`;
    const word = unverified === null ? 'UNKNOWN' : String(unverified);
    return (await ask(`${lost}\nType ${word} to lose them: `)) === word;
  } finally {
    questions.close();
  }
}
