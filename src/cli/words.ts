import type Table from 'cli-table3';

/** Bytes as people read them on a terminal. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
}

/** A table without colours: it is read on terminals, in mails and by scripts alike. */
export async function plainTable(head: string[]): Promise<Table.Table> {
  const { default: TextTable } = await import('cli-table3');
  return new TextTable({ head, style: { head: [], border: [] } });
}

/** What was measured of a line. @param mbit megabits a second, null where not known */
export function measuredWords(mbit: number | null): string {
  return mbit === null ? 'not measured yet' : `measured ${Number(mbit.toPrecision(3))} Mbit/s`;
}

interface LimitInForce {
  readonly mbitPerSecond: number | null;
  readonly because: 'operator' | 'window' | 'setting';
  /** Milliseconds since the epoch. */
  readonly until: number | null;
}

const limitCauses = {
  operator: 'by command, until it is cleared or the gateway restarts',
  window: 'window of the configuration',
  setting: 'configuration',
} as const;

/** The limit in force, why, and until when. */
export function limitWords({ mbitPerSecond, because, until }: LimitInForce): string {
  const limit =
    mbitPerSecond === null
      ? 'no limit'
      : mbitPerSecond === 0
        ? 'nothing is sent'
        : `at most ${mbitPerSecond} Mbit/s`;
  const end = until === null ? '' : `, until ${new Date(until).toISOString()}`;
  return `${limit} (${limitCauses[because]}${end})`;
}
