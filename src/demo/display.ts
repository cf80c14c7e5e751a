import {
  Listr,
  type ListrTask,
  type ListrTaskWrapper,
  type DefaultRenderer,
  type SimpleRenderer,
} from 'listr2';
import { phantomKinds } from './phantom.ts';
import type { KindTally, RoundProgress } from './round-progress.ts';

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

/** On a terminal: one live line for each kind of object and one for the proof. */
export async function showLive(progress: RoundProgress): Promise<void> {
  const kinds = phantomKinds.map((kind) =>
    line(
      progress,
      () => kindWords(progress.tally(kind)),
      () => isDelivered(progress.tally(kind)),
    ),
  );
  const proof = line(
    progress,
    () => proofWords(progress),
    () => progress.verified >= progress.objects,
  );
  const list = new Listr([...kinds, proof], {
    concurrent: true,
    exitOnError: false,
    registerSignalListeners: false,
    rendererOptions: { showErrorMessage: false, collapseErrors: false },
  });
  await list.run();
}

/** Elsewhere: a plain line whenever a kind, or the proof, is complete. */
export async function showPlain(progress: RoundProgress, say: (line: string) => void): Promise<void> {
  const kinds = phantomKinds.map(async (kind) => {
    if (await reached(progress, () => isDelivered(progress.tally(kind))))
      say(kindWords(progress.tally(kind)));
  });
  await Promise.all(kinds);
  if (await reached(progress, () => progress.verified >= progress.objects)) say(proofWords(progress));
}

function line(progress: RoundProgress, words: () => string, complete: () => boolean): ListrTask {
  return {
    title: words(),
    task: async (_context: unknown, task: Task): Promise<void> => {
      const stop = progress.onChange(() => {
        task.title = words();
      });
      try {
        if (!(await reached(progress, complete))) throw new Error(words());
      } finally {
        stop();
      }
    },
  };
}

/** @returns true once the condition holds, false where the round ends without it */
function reached(progress: RoundProgress, condition: () => boolean): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const look = (): void => {
    if (condition()) resolve(true);
    else if (progress.done) resolve(false);
  };
  const stop = progress.onChange(look);
  look();
  return promise.finally(stop);
}

function isDelivered({ delivered, received, objects }: KindTally): boolean {
  return received === objects && delivered === objects;
}

function kindWords({ kind, objects, received, delivered }: KindTally): string {
  return `${kind}: ${received} of ${objects} received, ${delivered} at the archive`;
}

function proofWords(progress: RoundProgress): string {
  return `read back and verified: ${progress.verified} of ${progress.objects}`;
}
