import { isDeepStrictEqual } from 'node:util';
import type { SealedSecrets } from './base/sealed-secrets.ts';
import type { Config } from './config/schema.ts';
import { Destination } from './gateway-destination.ts';
import type { LivePart } from './gateway-live.ts';
import { type Store, settingsOf } from './gateway-store.ts';

type MakeParts = Pick<Store, 'spool' | 'clock' | 'log' | 'pauses'> & { readonly secrets: SealedSecrets };

/** All destinations at work. The list is one and the same for who holds it, and changes with the configuration. */
export class Destinations {
  readonly list: Destination[] = [];
  readonly #store: Store;
  readonly #settings = new Map<string, unknown>();

  constructor(store: Store, stack: AsyncDisposableStack) {
    this.#store = store;
    const { config } = store.current;
    for (const name of Object.keys(config.destinations)) this.#start(name, config);
    stack.defer(async () => {
      await Promise.all(this.list.map((one) => one.stop()));
    });
  }

  /** Each is started and stopped by itself; what one was sending settles, or is taken up again. */
  part(): LivePart {
    return {
      name: 'destinations',
      settings: (config) =>
        Object.keys(config.destinations).map((name) => [name, settings(name, config, this.#store)]),
      change: (config) => this.#change(config),
    };
  }

  async #change(config: Config): Promise<void> {
    const names = Object.keys(config.destinations);
    const stays = ({ name }: Destination): boolean =>
      names.includes(name) &&
      isDeepStrictEqual(this.#settings.get(name), settings(name, config, this.#store));
    const going = this.list.filter((one) => !stays(one));
    await Promise.all(going.map((one) => one.stop()));
    for (const one of going) {
      this.list.splice(this.list.indexOf(one), 1);
      this.#settings.delete(one.name);
    }
    await this.#store.spool.codec.noteSettings(settingsOf(config));
    for (const name of names) if (!this.#settings.has(name)) this.#start(name, config);
    this.list.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  }

  #start(name: string, config: Config): void {
    const one = makeDestination(name, config, this.#store);
    one.start();
    this.list.push(one);
    this.#settings.set(name, settings(name, config, this.#store));
  }
}

function settings(name: string, { destinations, intake, site }: Config, { secrets }: Store) {
  const entry = destinations[name];
  return [entry, intake.aeTitle, site.timeZone, secrets.versionsFor(entry)];
}

/** Not started yet. */
export function makeDestination(
  name: string,
  config: Config,
  { spool, clock, log, pauses, secrets }: MakeParts,
): Destination {
  const site = { aeTitle: config.intake.aeTitle, timeZone: config.site.timeZone };
  const entry = config.destinations[name];
  if (entry === undefined) throw new Error('a destination that is not configured');
  return new Destination(name, entry, { spool, clock, log, site, pauses, secrets });
}
