import type { DestinationInput, StatusInputs } from '../../src/health/status-builder.ts';

export const now = Date.UTC(2026, 0, 15, 12, 0);

export const cloudUp: DestinationInput = {
  state: 'up',
  reason: null,
  reached: true,
  stateSince: null,
  nextAttemptAt: null,
  lastDeliveredAt: now - 2000,
  lastVerifiedAt: now - 1000,
  cannotVerify: null,
  cannotVerifySince: null,
  bytesSent: 12_345,
  tlsDaysLeft: 60,
  space: null,
  testStudyAllowed: false,
  line: {
    goodputBytesPerSecond: 725_432,
    limit: { mbitPerSecond: 2, because: 'window', until: now + 3_600_000 },
  },
};

export const noDeliveries = {
  queued: 0,
  delivered: 0,
  verified: 0,
  accepted: 0,
  held: 0,
  quarantined: 0,
  conflict: 0,
  queuedBytes: 0,
};

export function statusInputs(parts: Partial<StatusInputs> = {}): StatusInputs {
  return {
    now,
    startedAt: now - 3_600_000,
    version: '1.2.3',
    site: { name: 'North Clinic', timeZone: 'Europe/Berlin' },
    config: { generation: 4, origin: 'file', changedAt: now - 3_600_000, undone: [] },
    configRejected: null,
    box: {
      id: 'GANTRY-7F3K9Q',
      keys: { rootKey: 'file', epochSince: new Date(now - 3_600_000).toISOString() },
    },
    drain: { bytesPerSecond: null, etaSeconds: null },
    events: [],
    counts: {
      queue: { studies: 1, instances: 3, bytes: 3000, oldestAgeSeconds: 17 },
      totals: { received: 30, delivered: 28, verified: 27, quarantined: 0, conflicts: 0, held: 0 },
      destinations: { cloud: { ...noDeliveries, queued: 2, delivered: 1, verified: 27, queuedBytes: 2000 } },
      modalities: { ct1: { received: 25, receivedToday: 4, lastReceivedAt: now - 5000 } },
      unknownCallers: { STRANGER: { received: 5, receivedToday: 0, lastReceivedAt: now - 9000 } },
    },
    compression: null,
    staleAddresses: [],
    clockOffsetsMs: { cloud: 4400 },
    web: { https: null },
    intake: {
      open: true,
      reason: null,
      aeTitle: 'GANTRY',
      port: 11_112,
      tls: null,
      associations: 2,
      associationsMax: 64,
      idleConnections: 1,
      idleConnectionsMax: 32,
      limits: { associationsMax: 64, idleMs: 60_000 },
      refusalCounts: {},
      refusals: [],
    },
    modalities: { ct1: { aeTitle: 'CT1', lastHeardAt: now - 1000, lastRefusal: null } },
    unknownCallers: {},
    destinations: { cloud: cloudUp },
    disk: { state: 'ok', freeBytes: 9e9, totalBytes: 1e10, reserveBytes: 2e9, daysLeft: 12.5 },
    machine: null,
    ...parts,
  };
}
