import { arch, platform, release } from 'node:os';
import { version } from './base/version.ts';
import type { NetworkWatch } from './gateway-network.ts';
import type { Store } from './gateway-store.ts';
import { redactConfig } from './health/redaction.ts';
import type { StatusReport } from './health/status.ts';
import { type BundlePart, jsonPart, packBundle } from './health/support-bundle.ts';
import type { IntakeListener } from './intake/listener.ts';
import type { BundleTools } from './web/tools.ts';

export interface BundleParts {
  readonly store: Store;
  readonly listener: IntakeListener;
  readonly network: NetworkWatch;
  readonly status: () => Promise<StatusReport>;
  readonly metrics: () => Promise<string>;
}

/** What helps to help, and nothing about a patient. */
export function createBundleTools(parts: BundleParts): BundleTools {
  const { store, listener, network, status, metrics } = parts;
  const files: readonly BundlePart[] = [
    jsonPart('versions.json', 'Versions of Gantry, Node.js and the system; the id of this box.', () => ({
      gantry: version,
      node: process.versions,
      system: { platform: platform(), release: release(), arch: arch() },
      box: store.keyring.boxId,
      time: new Date(store.clock.now()).toISOString(),
    })),
    jsonPart('status.json', 'All that the status page shows.', status),
    jsonPart('config.json', 'The configuration, without user names, secrets and people.', () =>
      redactConfig(store.configStore.document()),
    ),
    jsonPart('config-history.json', 'Where the configuration came from.', () => {
      const { config: _, ...history } = store.current;
      return history;
    }),
    jsonPart('attempts.json', 'The last attempts of devices to connect, and unknown callers.', () => ({
      attempts: listener.attempts(),
      unknownCallers: listener.unknownCallers(),
    })),
    jsonPart('refusals.json', 'What was refused lately, with the reasons.', () => listener.stats().refusals),
    jsonPart('queue.json', 'Counts of what waits and what is parked.', () => store.spool.counts()),
    jsonPart(
      'parked.json',
      'What is held, quarantined or in conflict, by our own ids, with the reasons.',
      () => store.spool.entries({ states: ['held', 'quarantined', 'conflict'] }, null, parkedMax),
    ),
    jsonPart('disk.json', 'Free and total space, and what is wrong with the disk, if anything.', () =>
      store.spool.disk(),
    ),
    jsonPart('network.json', 'Addresses, gateway, name and time servers, the clock.', () => network.report()),
    { name: 'metrics.txt', about: 'The figures monitoring sees.', content: metrics },
    {
      name: 'log.txt',
      about: 'The last lines of the log, at most 2,000.',
      content: () => `${store.recentLog().join('\n')}\n`,
    },
  ];
  return {
    contents: () => files.map(({ name, about }) => ({ name, about })),
    pack: () => packBundle(files, store.clock.now()),
  };
}

const parkedMax = 1000;
