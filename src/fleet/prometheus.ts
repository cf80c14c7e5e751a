import { Gauge, Registry } from 'prom-client';
import type { BoxRow, FleetSummary } from './fleet-status.ts';

/** The fleet in the text format of Prometheus, e.g. for the textfile collector. */
export function prometheusText(rows: readonly BoxRow[], summary: FleetSummary): Promise<string> {
  const registers = [new Registry()];
  const gauge = (name: string, help: string, labelNames: string[]): Gauge =>
    new Gauge({ name: `gantry_fleet_${name}`, help, labelNames, registers });
  const boxes = gauge('boxes', 'Boxes by what they say of themselves.', ['verdict']);
  for (const [verdict, count] of Object.entries(summary.verdicts)) boxes.set({ verdict }, count);
  const attention = gauge(
    'boxes_needing_attention',
    'Boxes by what is the matter; one may count in several.',
    ['cause'],
  );
  const { drift, offline, rejected, certificatesEnding, refusing } = summary;
  const causes = { drift, offline, rejected, certificates: certificatesEnding, refusing };
  for (const [cause, count] of Object.entries(causes)) attention.set({ cause }, count);
  const each: readonly [string, string, (row: BoxRow) => number | null][] = [
    ['box_wanted_generation', 'Generation the box was given last.', (row) => row.wanted],
    ['box_applied_generation', 'Generation the box runs.', (row) => row.applied],
    ['box_offline', '1 where the box has not reported for long.', (row) => Number(row.offline)],
    ['box_local_overrides', 'Values set on the page of the box.', (row) => row.overrides.length],
    ['box_waiting_instances', 'Instances neither verified nor parked.', (row) => row.waitingInstances],
    ['box_disk_days_left', 'Days until the disk is full.', (row) => row.diskDaysLeft],
    ['box_certificate_days', 'Days until its first certificate ends.', (row) => row.certificateDays],
    [
      'box_reported_timestamp_seconds',
      'When the box reported last.',
      ({ reportedAt }) => (reportedAt === null ? null : Date.parse(reportedAt) / 1000),
    ],
  ];
  for (const [name, help, valueOf] of each) {
    const metric = gauge(name, help, ['device']);
    for (const row of rows) {
      const value = valueOf(row);
      if (value !== null) metric.set({ device: row.device }, value);
    }
  }
  return registers[0]?.metrics() ?? Promise.resolve('');
}
