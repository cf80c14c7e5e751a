import type { Destination } from './gateway-destination.ts';
import { LineTester } from './gateway-line.ts';
import { createModalityTools } from './gateway-modalities.ts';
import type { NetworkWatch } from './gateway-network.ts';
import { named } from './gateway-operator.ts';
import type { Store } from './gateway-store.ts';
import type { IntakeListener } from './intake/listener.ts';
import type { DestinationTools, Tools } from './web/tools.ts';

interface ToolParts {
  readonly store: Store;
  readonly listener: IntakeListener;
  readonly destinations: readonly Destination[];
  readonly network: NetworkWatch;
}

/** The working parts behind the page, put together from the rooms. */
export async function createTools(parts: ToolParts): Promise<Tools> {
  const { store, listener, network } = parts;
  return {
    modalities: createModalityTools(store, listener),
    destinations: createDestinationTools(parts, await LineTester.open(store)),
    network: () => network.report(),
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
  };
}
