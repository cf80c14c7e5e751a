import Table from 'cli-table3';
import type { RoundReport } from './round.ts';
import type { KindTally } from './round-progress.ts';

const noColours = { head: [], border: [] };

/** The table a round ends with. Everything in it was counted by the sender, the archive or the status report. */
export function roundTable({ progress }: RoundReport): string {
  const tallies = progress.tallies();
  const table = new Table({
    head: ['Object', 'Received', 'Delivered', 'Verified', 'Time to archive', 'Bytes in', 'Bytes out'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: noColours,
  });
  for (const tally of tallies) {
    table.push(cells(tally.kind, tally, verifiedOfKind(tally, progress.verified, progress.objects)));
  }
  table.push(cells('all', total(tallies), String(progress.verified)));
  return table.toString();
}

/** Sum over kinds. */
export function total(tallies: readonly KindTally[]): Omit<KindTally, 'kind'> {
  const sum = (pick: (tally: KindTally) => number): number =>
    tallies.reduce((before, tally) => before + pick(tally), 0);
  return {
    objects: sum((tally) => tally.objects),
    received: sum((tally) => tally.received),
    delivered: sum((tally) => tally.delivered),
    bytesIn: sum((tally) => tally.bytesIn),
    bytesOut: sum((tally) => tally.bytesOut),
    timesToArchiveMs: tallies.flatMap((tally) => tally.timesToArchiveMs),
  };
}

/** The status report counts verified instances of all kinds together: by kind it is known only for all or none. */
function verifiedOfKind(tally: KindTally, verified: number, objects: number): string {
  if (verified >= objects) return String(tally.objects);
  return verified === 0 ? '0' : 'not known';
}

function cells(name: string, tally: Omit<KindTally, 'kind'>, verified: string): string[] {
  return [
    name,
    `${tally.received} of ${tally.objects}`,
    String(tally.delivered),
    verified,
    timesInWords(tally.timesToArchiveMs),
    megabytes(tally.bytesIn),
    megabytes(tally.bytesOut),
  ];
}

/** Median and longest. */
export function timesInWords(timesMs: readonly number[]): string {
  if (timesMs.length === 0) return '-';
  const sorted = timesMs.toSorted((a, b) => a - b);
  const middle = seconds(median(sorted));
  return sorted.length === 1 ? middle : `${middle}, longest ${seconds(sorted.at(-1) ?? 0)}`;
}

function median(sorted: readonly number[]): number {
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  return (lower + upper) / 2;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

/** Decimal megabytes; small amounts in kilobytes. */
export function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
