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
