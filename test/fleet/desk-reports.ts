import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ReportedState, reportedState } from '../../src/config/remote/documents.ts';

export interface ReportFacts {
  readonly seq?: number;
  readonly at?: string;
  readonly observed?: number;
  readonly applied?: number;
  readonly phase?: ReportedState['config']['phase'];
  readonly verdict?: string;
  readonly reason?: string | null;
  readonly overrides?: Record<string, unknown>;
  readonly certificates?: ReportedState['certificates'];
  readonly refused?: ReportedState['refused'];
}

/** What a box reports, healthy where nothing else is said. */
export function reportOf(device: string, facts: ReportFacts = {}): ReportedState {
  const { seq = 1, at = new Date().toISOString(), applied = 0, observed = applied } = facts;
  return reportedState.parse({
    apiVersion: 'gantry/v1',
    kind: 'ReportedState',
    fleet: 'acme',
    device,
    seq,
    at,
    config: {
      observedGeneration: observed,
      appliedGeneration: applied,
      effectiveSha256: null,
      schemaVersion: 2,
      localOverrides: facts.overrides ?? {},
      phase: facts.phase ?? 'Applied',
      error: null,
      trustVersion: 1,
      timestampVersion: 1,
      freshness: 'fresh',
    },
    refused: facts.refused ?? [],
    verdict: { state: facts.verdict ?? 'working', reason: facts.reason ?? null },
    queue: { studies: 0, instances: 3, bytes: 0, oldestAgeSeconds: 5, parked: 0 },
    disk: { freeBytes: 1e12, daysLeft: 90 },
    certificates: facts.certificates ?? [],
    software: { version: '0.1.0', node: 'v24.0.0' },
    commands: [],
  });
}

export function writeReports(folder: string, reports: readonly ReportedState[]): void {
  mkdirSync(folder, { recursive: true });
  for (const report of reports) writeFileSync(join(folder, `${report.device}.json`), JSON.stringify(report));
}
