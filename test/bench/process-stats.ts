import { readdirSync, readFileSync } from 'node:fs';

/** What a process and its children use, from /proc. Linux only. */

const ticksPerSecond = 100;
const pageBytes = 4096;

interface Stat {
  readonly parent: number;
  readonly ownTicks: number;
  /** Of children that have ended and been waited for. */
  readonly reapedTicks: number;
  readonly rssBytes: number;
}

function stat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, field 2, may hold spaces; it ends at the last parenthesis.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const field = (number: number): number => fields[number - 3] ?? 0;
    return {
      parent: field(4),
      ownTicks: field(14) + field(15),
      reapedTicks: field(16) + field(17),
      rssBytes: field(24) * pageBytes,
    };
  } catch {
    return null;
  }
}

function tree(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const seen = Number.isInteger(pid) ? stat(pid) : null;
    if (seen !== null) parents.set(pid, seen.parent);
  }
  const pids = [root];
  for (let at = 0; at < pids.length; at++) {
    for (const [pid, parent] of parents) if (parent === pids[at]) pids.push(pid);
  }
  return pids;
}

/** CPU seconds used so far by the process, its children and those that have ended. */
export function cpuSeconds(pid: number): number {
  const ticks = tree(pid).map((each) => {
    const seen = stat(each);
    return seen === null ? 0 : seen.ownTicks + seen.reapedTicks;
  });
  return ticks.reduce((sum, each) => sum + each, 0) / ticksPerSecond;
}

/** Resident memory of the process and its children now. */
export function rssBytes(pid: number): number {
  return tree(pid).reduce((sum, each) => sum + (stat(each)?.rssBytes ?? 0), 0);
}

/** Samples resident memory until stopped. */
export class RssWatch {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  readonly firstBytes: number;
  #peakBytes: number;

  constructor(pid: number, everyMs = 100) {
    this.#pid = pid;
    this.firstBytes = rssBytes(pid);
    this.#peakBytes = this.firstBytes;
    this.#timer = setInterval(() => this.#look(), everyMs);
  }

  /** @returns the highest seen */
  stop(): number {
    clearInterval(this.#timer);
    this.#look();
    return this.#peakBytes;
  }

  #look(): void {
    this.#peakBytes = Math.max(this.#peakBytes, rssBytes(this.#pid));
  }
}
