import type { Config } from './config/schema.ts';
import { type BundleParts, createBundleTools } from './gateway-bundle.ts';
import type { Destination } from './gateway-destination.ts';
import { LineTester } from './gateway-line.ts';
import { createMachineTools } from './gateway-machine.ts';
import { createModalityTools } from './gateway-modalities.ts';
import { named } from './gateway-operator.ts';
import { createSiteTools } from './gateway-site.ts';
import { createStudyTools } from './gateway-studies.ts';
import { sendTestStudy } from './gateway-test-study.ts';
import { commissioningReport } from './health/commissioning-report.ts';
import type { ConfigTools } from './web/config-tools.ts';
import type { DestinationTools, Tools } from './web/tools.ts';

interface ToolParts extends BundleParts {
  readonly config: ConfigTools;
  readonly destinations: readonly Destination[];
  /** Brings the running parts under the configuration in use. */
  readonly follow: (config: Config) => Promise<void>;
}

/** The working parts behind the page, put together from the rooms. */
export async function createTools(parts: ToolParts): Promise<Tools> {
  const { store, listener, network } = parts;
  const modalities = createModalityTools(store, listener);
  const destinations = createDestinationTools(parts, await LineTester.open(store));
  return {
    site: createSiteTools(store, parts.follow),
    modalities,
    destinations,
    studies: createStudyTools(store),
    bundle: createBundleTools(parts),
    config: parts.config,
    machine: createMachineTools(),
    network: () => network.report(),
    commissioningReport: async () => {
      const { config } = store.current;
      const echoes = Object.entries(config.modalities).map(async ([name, { host, port }]) => {
        return [name, host === null || port === null ? null : await modalities.echo(name)] as const;
      });
      return commissioningReport({
        status: await parts.status(),
        boxId: store.keyring.boxId,
        network: await network.report(),
        echoes: Object.fromEntries(await Promise.all(echoes)),
        lines: await Promise.all(Object.keys(config.destinations).map((name) => destinations.testLine(name))),
      });
    },
  };
}

function createDestinationTools({ store, destinations }: ToolParts, line: LineTester): DestinationTools {
  const { clock, log } = store;
  return {
    pause: async (name, by) => {
      await named(destinations, name).pause(by, clock.now());
      log.info({ event: 'paused', destination: name }, 'destination paused by an operator');
    },
    resume: async (name) => {
      await named(destinations, name).resume();
      log.info({ event: 'resumed', destination: name }, 'destination resumed by an operator');
    },
    testLine: async (name) => line.test(named(destinations, name)),
    sendTestStudy: async (name) => {
      const report = await sendTestStudy(named(destinations, name), clock.now());
      const { stored, readBack } = report;
      log.info({ event: 'test-study-sent', destination: name, stored, readBack }, 'test study sent');
      return report;
    },
  };
}
