import { type Clock, systemClock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { blink, install, reboot, setTimeZone } from './actions.ts';
import { HelperAudit } from './audit.ts';
import { Network } from './network.ts';
import { Pace } from './pace.ts';
import {
  confirmSeconds,
  type HelperAnswer,
  type HelperCall,
  type HelperRequest,
  type HelperVerb,
} from './verbs.ts';

export interface HelperOptions {
  /** `/`; elsewhere the files of a machine that is being made. */
  readonly root?: string;
  /** Kept over restarts: a change of the network that is being tried, and the pace. */
  readonly stateDirectory: string;
  readonly logDirectory: string;
  /** Where bundles lie that may be installed. */
  readonly updatesDirectory: string;
  readonly confirmMs?: number;
  readonly clock?: Clock;
  readonly log: Log;
}

/**
 * What the gateway may have done by root: five verbs, each checked against its schema, at a bounded pace, written down
 * before and after. Nothing that it is given becomes part of a shell command or of a path outside its folders.
 */
export class Helper {
  readonly #options: HelperOptions;
  readonly #root: string;
  readonly #network: Network;
  readonly #pace: Pace;
  readonly #audit: HelperAudit;
  readonly #busy = new Set<HelperVerb>();
  readonly #stopping = new AbortController();
  #blinking: Promise<void> | null = null;

  constructor(options: HelperOptions) {
    const { root = '/', stateDirectory, logDirectory, confirmMs, clock = systemClock, log } = options;
    this.#options = options;
    this.#root = root;
    this.#network = new Network({ root, stateDirectory, confirmMs: confirmMs ?? confirmSeconds * 1000, log });
    this.#pace = new Pace(stateDirectory, clock);
    this.#audit = new HelperAudit(logDirectory, clock);
  }

  /** Something is under way, or waits for its confirmation: not the time to end. */
  get isBusy(): boolean {
    return this.#busy.size > 0 || this.#network.isTrying || this.#blinking !== null;
  }

  /** @returns whether a change of the network that nobody confirmed was put back */
  revertLeftOver(): Promise<boolean> {
    return this.#network.revertLeftOver();
  }

  /** Never rejects: failures are answers. */
  async answer(call: HelperCall): Promise<HelperAnswer> {
    const { verb } = call.request;
    if (this.#busy.has(verb)) return failed(busy());
    this.#busy.add(verb);
    try {
      await this.#audit.note(call, 'asked');
      await this.#pace.take(verb);
      const change = await this.#carryOut(call.request);
      await this.#audit.note(call, 'done');
      return { ok: true, change };
    } catch (error) {
      const failure = error instanceof GantryError ? error : unforeseen(error);
      this.#options.log.error(
        { code: failure.code, verb, error },
        'the helper could not do what it was asked',
      );
      await this.#audit.note(call, failure.code).catch(() => undefined);
      return failed(failure);
    } finally {
      this.#busy.delete(verb);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#blinking;
    await this.#network.stop();
  }

  async #carryOut(request: HelperRequest): Promise<string | null> {
    switch (request.verb) {
      case 'network':
        if (request.do === 'set') return await this.#network.set(request.settings);
        if (request.do === 'confirm') await this.#network.confirm(request.change);
        else await this.#network.revert(request.change);
        return null;
      case 'time-zone':
        await setTimeZone(this.#root, request.timeZone);
        return null;
      case 'reboot':
        await reboot();
        return null;
      case 'install':
        await install(this.#options.updatesDirectory, request.bundle, request.sha256);
        return null;
      case 'blink':
        await this.#blink(request.seconds);
        return null;
      default:
        return request satisfies never;
    }
  }

  async #blink(seconds: number): Promise<void> {
    if (this.#blinking !== null) throw busy();
    const { ended } = await blink(this.#root, seconds, this.#stopping.signal);
    this.#blinking = ended
      .catch((error: unknown) => this.#options.log.error({ code: 'HELPER_BLINK', error }, 'a light failed'))
      .finally(() => {
        this.#blinking = null;
      });
  }
}

/** An error as the helper's answer says it. */
export function failed({ code, kind, message, nextStep }: GantryError): HelperAnswer {
  return { ok: false, code, kind, message, nextStep };
}

function busy(): GantryError {
  return new GantryError({
    code: 'HELPER_BUSY',
    kind: 'transient',
    message: 'The same is being done already.',
    nextStep: 'Wait until it is done.',
  });
}

function unforeseen(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'HELPER_FAILED',
      kind: 'transient',
      message: 'The helper failed.',
      nextStep: 'Look at its log: journalctl -u gantry-helper.',
    },
    { cause },
  );
}
