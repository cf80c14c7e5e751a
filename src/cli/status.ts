import { join } from 'node:path';
import type {
  DestinationReport,
  HttpsReport,
  LineReport,
  StatusReport,
  TlsReport,
} from '../health/status.ts';
import { configLines } from './status-config.ts';
import { ControlClient } from './control-client.ts';
import { limitWords, measuredWords, megabytes, plainTable } from './words.ts';

/** Prints the running gateway's status: in words, or whole as JSON. */
export async function status({ data, json = false }: { data: string; json?: boolean }): Promise<void> {
  await using control = new ControlClient(join(data, 'control.sock'));
  const report = await control.status();
  console.log(json ? JSON.stringify(report, null, 2) : await inWords(report));
}

const stateWords: Readonly<Record<DestinationReport['state'], string>> = {
  untried: 'being tried, no answer yet',
  up: 'connected',
  waiting: 'waiting to try again',
  down: 'not reachable',
  paused: 'not sending',
  removed: 'removed from the settings',
};

async function inWords(report: StatusReport): Promise<string> {
  const { queue, totals, disk, intake } = report;
  const lines = [
    `${report.verdict.toUpperCase()}: ${report.reason}`,
    ...(report.nextStep === null ? [] : [`Next step: ${report.nextStep}`]),
    '',
    `Receives as ${intake.aeTitle} on port ${intake.port}; ${intake.associations} of ${intake.associationsMax} associations open.`,
    ...(intake.tls === null ? [] : tlsWords(intake.tls)),
    ...(report.web.https === null ? [] : httpsWords(report.web.https)),
    `Waiting: ${queue.instances} instances of ${queue.studies} studies, ${megabytes(queue.bytes)}, oldest ${queue.oldestAgeSeconds} s.`,
    `Totals: ${totals.received} received, ${totals.delivered} delivered, ${totals.verified} verified; parked: ` +
      `${totals.held} held, ${totals.quarantined} quarantined, ${totals.conflicts} in conflict.`,
    `Disk: ${disk.state}, ${megabytes(disk.freeBytes)} free${disk.daysLeft === null ? '' : `, room for ${disk.daysLeft} days`}.`,
    ...restWords(report.compression),
    ...configLines(report),
    '',
  ];
  const table = await plainTable([
    'destination',
    'state',
    'queued',
    'delivered',
    'verified',
    'last confirmed',
    'line',
    'reason',
  ]);
  for (const [name, destination] of Object.entries(report.destinations)) {
    const { state, queued, delivered, verified, lastVerifiedAt, reason, line, space } = destination;
    const confirmed = lastVerifiedAt ?? 'not since the start';
    const counts = [queued, delivered, verified];
    const room = space === null ? [] : [`${megabytes(space.freeBytes)} free`];
    const way = [lineWords(line), ...room].join('; ');
    table.push([name, stateWords[state], ...counts, confirmed, way, reason?.words ?? '']);
  }
  return [...lines, table.toString()].join('\n');
}

function restWords(compression: StatusReport['compression']): string[] {
  if (compression === null || compression.atRest.instances === 0) return [];
  const { instances, bytesReceived, bytesStored } = compression.atRest;
  return [
    `Stored compressed: ${instances} instances, in ${megabytes(bytesStored)} instead of ${megabytes(bytesReceived)}.`,
  ];
}

function lineWords({
  measuredMbitPerSecond,
  limitMbitPerSecond,
  limitBecause,
  limitUntil,
}: LineReport): string {
  const until = limitUntil === null ? null : Date.parse(limitUntil);
  const rate = { mbitPerSecond: limitMbitPerSecond, because: limitBecause, until };
  const limit = limitMbitPerSecond === null && limitBecause === 'setting' ? [] : [limitWords(rate)];
  return [measuredWords(measuredMbitPerSecond), ...limit].join('; ');
}

function httpsWords({ open, port, certificate, problem }: HttpsReport): string[] {
  const trouble = problem === null ? [] : [`Page over HTTPS: ${problem.words} ${problem.nextStep}`];
  if (!open || certificate === null) return trouble;
  const { sha256, notAfter, life } = certificate;
  const renew = life === 'ok' ? '' : ' (renew it)';
  return [
    `Page over HTTPS on port ${port}; certificate valid until ${notAfter.slice(0, 10)}${renew},`,
    `  SHA-256 ${sha256}`,
    ...trouble,
  ];
}

function tlsWords({ open, port, profile, certificate, problem }: TlsReport): string[] {
  const trouble = problem === null ? [] : [`TLS: ${problem.words} ${problem.nextStep}`];
  if (!open || certificate === null) return trouble;
  const { file, sha256, notAfter } = certificate;
  return [
    `With TLS on port ${port} (PS3.15 ${profile === 'b13' ? 'B.13' : 'B.12'}); certificate ${file}, valid until ${notAfter.slice(0, 10)},`,
    `  SHA-256 ${sha256}`,
    ...trouble,
  ];
}
