import { mkdir, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import type { HelperCall } from './verbs.ts';

const bytesMax = 1024 * 1024;

/**
 * The helper's own record of what it was asked and did: a file that the gateway cannot write to. One JSON line for
 * each request before it is carried out, and one for its outcome; the file before is kept as well.
 */
export class HelperAudit {
  readonly #directory: string;
  readonly #clock: Clock;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Durable once it resolves. @param outcome `asked`, `done`, or the code of a failure @throws GantryError HELPER_AUDIT */
  async note({ by, request }: HelperCall, outcome: string): Promise<void> {
    const at = new Date(this.#clock.now()).toISOString();
    const line = `${JSON.stringify({ at, by, outcome, request })}\n`;
    const path = join(this.#directory, 'audit.log');
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o750 });
      const size = (await stat(path).catch(() => null))?.size ?? 0;
      if (size + line.length > bytesMax) await rename(path, `${path}.1`);
      const file = await open(path, 'a', 0o640);
      try {
        await file.appendFile(line);
        await file.datasync();
      } finally {
        await file.close();
      }
    } catch (cause) {
      throw new GantryError(
        {
          code: 'HELPER_AUDIT',
          kind: 'transient',
          message: 'The helper cannot write down what it is asked, so it does nothing.',
          nextStep: 'Make room on the disk of the system.',
        },
        { cause },
      );
    }
  }
}
