import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config/schema.ts';

/** One part of the running gateway that can take other settings. */
export interface LivePart {
  /** In plain words, for the plan. */
  readonly name: string;
  /** The settings it depends on: it is changed only where they differ. */
  settings(config: Config): unknown;
  /** @throws whatever keeps it from working so; the settings before can be changed to again */
  change(config: Config): Promise<void>;
}

/** Brings the parts of a running gateway from one configuration to another, each by itself. */
export class LiveParts {
  readonly #parts: readonly LivePart[];
  /** What each part runs under; none after a change that failed half-way. */
  readonly #running: Map<LivePart, unknown>;
  #following: Promise<unknown> = Promise.resolve();

  /** @param config what all of them were started under */
  constructor(parts: readonly LivePart[], config: Config) {
    this.#parts = parts;
    this.#running = new Map(parts.map((part) => [part, part.settings(config)]));
  }

  /** Names of the parts that other settings would change. */
  plan(config: Config): string[] {
    return this.#different(config).map(({ name }) => name);
  }

  /**
   * Changes the parts whose settings differ, in their order; one call after the other.
   * @throws what the first part that fails throws; those after it are not touched
   */
  follow(config: Config): Promise<void> {
    const followed = this.#following.then(async () => {
      for (const part of this.#different(config)) {
        this.#running.delete(part);
        await part.change(config);
        this.#running.set(part, part.settings(config));
      }
    });
    this.#following = followed.catch(() => undefined);
    return followed;
  }

  /**
   * Brings back what can be brought back: a part that fails does not keep the others from it.
   * @returns what failed
   */
  async followAll(config: Config): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (const part of this.#different(config)) {
      const one = this.#following.then(async () => {
        this.#running.delete(part);
        await part.change(config);
        this.#running.set(part, part.settings(config));
      });
      this.#following = one.catch((error: unknown) => failures.push(error));
      await this.#following;
    }
    return failures;
  }

  #different(config: Config): LivePart[] {
    return this.#parts.filter(
      (part) =>
        !this.#running.has(part) || !isDeepStrictEqual(this.#running.get(part), part.settings(config)),
    );
  }
}

type Stop = () => unknown;

/**
 * A part that is stopped and started anew under other settings.
 * @param start starts it; @returns what stops it, or null where there is nothing to stop
 */
export async function replaceable(
  part: Pick<LivePart, 'name' | 'settings'>,
  config: Config,
  stack: AsyncDisposableStack,
  start: (config: Config) => Promise<Stop | null> | Stop | null,
): Promise<LivePart> {
  let stop = await start(config);
  stack.defer(async () => {
    await stop?.();
  });
  return {
    ...part,
    change: async (next) => {
      await stop?.();
      stop = null;
      stop = await start(next);
    },
  };
}
