import type { Log } from '../base/log.ts';
import type { SelfCheckReport } from './self-check.ts';
import type { ServiceManager } from './service-manager.ts';

interface WatchdogOptions {
  readonly manager: ServiceManager;
  readonly check: () => Promise<SelfCheckReport>;
  /** One line for `systemctl status`, without patient data. */
  readonly words: () => Promise<string>;
  readonly log: Log;
}

/** Three looks in the time that the service manager gives: one that fails is no reason yet. */
const looksPerPeriod = 3;
/** Where nobody watches, the line for `systemctl status` is renewed all the same. */
const unwatchedMs = 60_000;
const beforeReadyMs = 1000;

/**
 * Says that the service is ready once the gateway answered itself, and from then on that it is alive, each time after
 * such a look. A gateway that does not answer itself is not spoken for: the service manager starts it anew.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  #timer: NodeJS.Timeout | null = null;
  #ready = false;
  #stopped = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
  }

  start(): void {
    this.#lookIn(0);
  }

  /** The service ends by its own will. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer ?? undefined);
    await this.#tell('STOPPING=1');
  }

  #lookIn(ms: number): void {
    this.#timer = setTimeout(() => void this.#look(), ms);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { check, words, manager, log } = this.#options;
    const { alive, steps } = await check();
    if (this.#stopped) return;
    if (alive) {
      const status = await words().catch(() => 'running');
      await this.#tell(this.#ready ? 'WATCHDOG=1' : 'READY=1', `STATUS=${status}`);
      this.#ready = true;
    } else {
      const codes = Object.fromEntries(steps.filter(({ ok }) => !ok).map(({ step, code }) => [step, code]));
      log.error({ code: 'SELF_CHECK', ...codes }, 'the gateway does not answer itself');
    }
    const period = (manager.watchdogMs ?? unwatchedMs * looksPerPeriod) / looksPerPeriod;
    if (!this.#stopped) this.#lookIn(this.#ready ? period : beforeReadyMs);
  }

  async #tell(...messages: readonly string[]): Promise<void> {
    const { manager, log } = this.#options;
    await manager
      .tell(...messages)
      .catch((error: unknown) => log.warn({ error }, 'the service manager was not told'));
  }
}
