import { networkInterfaces } from 'node:os';
import { openNote, type Store } from './gateway-store.ts';
import type { Destination } from './gateway-destination.ts';
import { AddressMemory, addressNote, type StaleAddress } from './health/address-memory.ts';
import { isLoopback, readNetwork } from './health/network-facts.ts';
import { clockFacts, type NetworkReport } from './health/network-report.ts';
import type { IntakeListener } from './intake/listener.ts';

/** Where this box is in the network, and where modalities think it is. */
export class NetworkWatch {
  readonly #store: Store;
  readonly #destinations: readonly Destination[];
  readonly #memory: AddressMemory;

  private constructor(store: Store, destinations: readonly Destination[], memory: AddressMemory) {
    this.#store = store;
    this.#destinations = destinations;
    this.#memory = memory;
  }

  /** Follows the modalities that call, until the stack ends it. */
  static async start(
    store: Store,
    parts: { listener: IntakeListener; destinations: readonly Destination[] },
    stack: AsyncDisposableStack,
  ): Promise<NetworkWatch> {
    const { clock, log } = store;
    const memory = new AddressMemory(await openNote(store, 'called-addresses', addressNote));
    stack.defer(
      parts.listener.followAttempts(({ outcome, modalityName, localAddress }) => {
        if (outcome !== 'accepted' || modalityName === null || isLoopback(localAddress)) return;
        memory
          .called(modalityName, localAddress, clock.now())
          .catch((error: unknown) => log.warn({ error }, 'the address a modality called was not noted'));
      }),
    );
    return new NetworkWatch(store, parts.destinations, memory);
  }

  /** Cheap: what the open page says when the address of this box has changed. */
  staleAddresses(): StaleAddress[] {
    const addresses = Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).map(({ address }) => address),
    );
    return this.#memory.stale(Object.keys(this.#store.current.config.modalities), addresses);
  }

  async report(): Promise<NetworkReport> {
    const facts = await readNetwork();
    const proxies = this.#destinations.flatMap(({ name, config }): [string, string][] =>
      config.type === 'stow' && config.proxy !== null ? [[name, config.proxy.url]] : [],
    );
    return {
      ...facts,
      proxies: Object.fromEntries(proxies),
      staleAddresses: this.staleAddresses(),
      clock: clockFacts(this.#store.clock.now(), facts.clockSynchronised, this.clockOffsetsMs()),
    };
  }

  /** How far each archive's clock is ahead, by its last answer. */
  clockOffsetsMs(): Record<string, number | null> {
    return Object.fromEntries(
      this.#destinations.map(({ name, client }) => [name, client.line().clockOffsetMs ?? null]),
    );
  }
}
