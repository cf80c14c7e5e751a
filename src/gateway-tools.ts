import type { Destination } from './gateway-destination.ts';
import { createModalityTools } from './gateway-modalities.ts';
import { named } from './gateway-operator.ts';
import type { Store } from './gateway-store.ts';
import type { IntakeListener } from './intake/listener.ts';
import type { Tools } from './web/tools.ts';

interface ToolParts {
  readonly store: Store;
  readonly listener: IntakeListener;
  readonly destinations: readonly Destination[];
}

/** The working parts behind the page, put together from the rooms. */
export function createTools({ store, listener, destinations }: ToolParts): Tools {
  const { clock, log } = store;
  return {
    modalities: createModalityTools(store, listener),
    destinations: {
      pause: async (name, by) => {
        await named(destinations, name).pause(by, clock.now());
        log.info({ event: 'paused', destination: name }, 'destination paused by an operator');
      },
      resume: async (name) => {
        await named(destinations, name).resume();
        log.info({ event: 'resumed', destination: name }, 'destination resumed by an operator');
      },
    },
  };
}
