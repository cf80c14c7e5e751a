import { z } from 'zod';

/** One small file. `write` resolves once the new content is durable; a crash leaves the old or the new one. */
interface NoteFile {
  /** Null where there is none yet. */
  read(): Promise<Buffer | null>;
  write(bytes: Buffer): Promise<void>;
}

const pause = z.strictObject({
  /** Milliseconds since the epoch. */
  at: z.number(),
  /** Who paused it: a name of ours, never a patient's. */
  by: z.string(),
});
const book = z.record(z.string(), pause);

type Pause = Readonly<z.output<typeof pause>>;

/** Which destinations a person has paused; kept over restarts. */
export class PauseBook {
  readonly #file: NoteFile;
  #pauses: Readonly<Record<string, Pause>>;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(file: NoteFile, pauses: Readonly<Record<string, Pause>>) {
    this.#file = file;
    this.#pauses = pauses;
  }

  /** A book that cannot be read is an empty one: sending goes on rather than stopping unseen. @param damaged is told */
  static async open(file: NoteFile, damaged: (error: unknown) => void): Promise<PauseBook> {
    try {
      const bytes = await file.read();
      return new PauseBook(file, bytes === null ? {} : book.parse(JSON.parse(bytes.toString())));
    } catch (error) {
      damaged(error);
      return new PauseBook(file, {});
    }
  }

  of(destination: string): Pause | null {
    return Object.hasOwn(this.#pauses, destination) ? (this.#pauses[destination] ?? null) : null;
  }

  /** Durable once it resolves. */
  add(destination: string, entry: Pause): Promise<void> {
    return this.#change((pauses) => [
      ...pauses.filter(([name]) => name !== destination),
      [destination, entry],
    ]);
  }

  /** Durable once it resolves. */
  remove(destination: string): Promise<void> {
    return this.#change((pauses) => pauses.filter(([name]) => name !== destination));
  }

  #change(edit: (pauses: [string, Pause][]) => [string, Pause][]): Promise<void> {
    const changed = this.#writing.then(async () => {
      const pauses = Object.fromEntries(edit(Object.entries(this.#pauses)));
      await this.#file.write(Buffer.from(JSON.stringify(pauses)));
      this.#pauses = pauses;
    });
    this.#writing = changed.catch(() => undefined);
    return changed;
  }
}
