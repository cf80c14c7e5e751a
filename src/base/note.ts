import type { z } from 'zod';

/** One small file. `write` resolves once the new content is durable; a crash leaves the old or the new one. */
interface NoteFile {
  /** Null where there is none yet. */
  read(): Promise<Buffer | null>;
  write(bytes: Buffer): Promise<void>;
}

/** A small value that is remembered over restarts, as JSON in a file of its own. */
export class Note<T> {
  readonly #file: NoteFile;
  #value: T;
  #changing: Promise<unknown> = Promise.resolve();

  private constructor(file: NoteFile, value: T) {
    this.#file = file;
    this.#value = value;
  }

  /**
   * A note that cannot be read, or says something else than it should, counts as never written.
   * @param damaged is told of it
   */
  static async open<T>(
    file: NoteFile,
    { schema, empty }: { schema: z.ZodType<T>; empty: T },
    damaged: (error: unknown) => void,
  ): Promise<Note<T>> {
    try {
      const bytes = await file.read();
      return new Note(file, bytes === null ? empty : schema.parse(JSON.parse(bytes.toString())));
    } catch (error) {
      damaged(error);
      return new Note(file, empty);
    }
  }

  get value(): T {
    return this.#value;
  }

  /** Durable once it resolves; one change after the other. @throws whatever the file throws; nothing is changed then */
  change(edit: (value: T) => T): Promise<void> {
    const changed = this.#changing.then(async () => {
      const value = edit(this.#value);
      await this.#file.write(Buffer.from(JSON.stringify(value)));
      this.#value = value;
    });
    this.#changing = changed.catch(() => undefined);
    return changed;
  }
}
