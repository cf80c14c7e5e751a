import { withoutUids } from './log.ts';

const linesMax = 2000;
const bytesMax = 1024 * 1024;
const lineCharsMax = 4096;

/** A code that lets its reader in stands in the log for the person at the console, and is not kept for others. */
const passing = /"pairingCode":/;

/** The last lines that were logged, for who looks into trouble. Bounded in lines and in bytes. */
export class LogRing {
  readonly #lines: string[] = [];
  #bytes = 0;

  write(line: string): void {
    if (passing.test(line)) return;
    const kept = withoutUids(line.trimEnd()).slice(0, lineCharsMax);
    this.#lines.push(kept);
    this.#bytes += kept.length;
    while (this.#lines.length > linesMax || this.#bytes > bytesMax)
      this.#bytes -= this.#lines.shift()?.length ?? 0;
  }

  /** Oldest first. */
  lines(): readonly string[] {
    return [...this.#lines];
  }
}
