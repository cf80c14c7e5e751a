import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { GantryError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { putText, readText, runProgram, unitRuns } from './machine.ts';
import { chronyFile, type FileChange, networkFile, settingsFault, timesyncdFile } from './network-files.ts';
import type { NetworkSettings } from './verbs.ts';

export interface NetworkOptions {
  /** `/`; elsewhere the files of a machine that is being made. */
  readonly root: string;
  /** Where a change is noted that nobody has confirmed yet. */
  readonly stateDirectory: string;
  readonly confirmMs: number;
  readonly log: Log;
}

const pendingSchema = z.strictObject({
  change: z.string(),
  card: z.string(),
  /** What was there before, to be put back. */
  before: z.array(z.strictObject({ path: z.string(), text: z.string().nullable() })),
});
type Pending = z.infer<typeof pendingSchema>;

/**
 * The network of the machine, changed so that nobody locks himself out: what was there before is noted durably first,
 * and is put back unless the change is confirmed in time, after a restart of helper or machine at once.
 */
export class Network {
  readonly #options: NetworkOptions;
  #pending: Pending | null = null;
  #reverting: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** A change waits to be confirmed, or is being put back. */
  get isTrying(): boolean {
    return this.#pending !== null || this.#reverting !== null;
  }

  /** Puts back what an earlier run left unconfirmed. @returns whether there was something */
  async revertLeftOver(): Promise<boolean> {
    const text = await readText(this.#notePath);
    if (text === null) return false;
    this.#pending = pendingSchema.parse(JSON.parse(text));
    await this.#revert('it was not confirmed before a restart');
    return true;
  }

  /**
   * Puts settings in use for now.
   * @returns the change, to be confirmed
   * @throws GantryError HELPER_NETWORK_*, HELPER_PROGRAM; the network is then as it was
   */
  async set(settings: NetworkSettings): Promise<string> {
    if (this.isTrying) throw failures.trying();
    const fault = settingsFault(settings);
    if (fault !== null) throw failures.settings(fault);
    await this.#requireManaged(settings);
    const files = await this.#filesFor(settings);
    const before = await Promise.all(files.map(async ({ path }) => ({ path, text: await readText(path) })));
    const pending = { change: randomBytes(8).toString('hex'), card: settings.card, before };
    await putText(this.#notePath, JSON.stringify(pending), 0o600);
    this.#pending = pending;
    try {
      await this.#put(files, settings.card);
    } catch (error) {
      await this.#revert('it could not be put in use');
      throw error;
    }
    this.#timer = setTimeout(() => {
      this.#revert('nobody confirmed it in time').catch((error: unknown) =>
        this.#options.log.error({ code: 'HELPER_REVERT', error }, 'the network could not be put back'),
      );
    }, this.#options.confirmMs);
    return pending.change;
  }

  /** @throws GantryError HELPER_NETWORK_CHANGE */
  async confirm(change: string): Promise<void> {
    this.#require(change);
    await putText(this.#notePath, null);
    this.#forget();
  }

  /** @throws GantryError HELPER_NETWORK_CHANGE */
  async revert(change: string): Promise<void> {
    this.#require(change);
    await this.#revert('somebody said so');
  }

  /** The helper ends: what is not confirmed is put back. */
  async stop(): Promise<void> {
    if (this.#pending !== null) await this.#revert('the helper ends');
    await this.#reverting;
  }

  get #notePath(): string {
    return join(this.#options.stateDirectory, 'network-before.json');
  }

  #require(change: string): void {
    if (this.#pending?.change !== change) throw failures.change();
  }

  #forget(): void {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = null;
    this.#pending = null;
  }

  async #revert(why: string): Promise<void> {
    const pending = this.#pending;
    if (pending === null) return;
    this.#forget();
    this.#reverting = this.#putBack(pending, why);
    try {
      await this.#reverting;
    } finally {
      this.#reverting = null;
    }
  }

  async #putBack(pending: Pending, why: string): Promise<void> {
    const { log } = this.#options;
    log.warn({ event: 'network-reverted', why }, 'the network is put back as it was');
    for (const { path, text } of pending.before) await putText(path, text);
    // Forgotten only now: whoever starts next puts the files back once more where this did not come to its end.
    await putText(this.#notePath, null);
    // While the machine goes down nobody can be told, and the next boot reads the files.
    await this.#reload(pending.card).catch((error: unknown) =>
      log.error({ code: 'HELPER_RELOAD', error }, 'the network is put back in its files, but not reloaded'),
    );
  }

  async #put(files: readonly FileChange[], card: string): Promise<void> {
    for (const { path, text } of files) await putText(path, text);
    await this.#reload(card);
  }

  /** Early in the boot nothing runs yet that could be told: it reads the files when it starts. */
  async #reload(card: string): Promise<void> {
    if (await unitRuns('systemd-networkd')) {
      await runProgram('networkctl', ['reload']);
      await runProgram('networkctl', ['reconfigure', card]);
    }
    if (await unitRuns('systemd-timesyncd')) await runProgram('systemctl', ['restart', 'systemd-timesyncd']);
    if (await unitRuns('chrony')) await runProgram('chronyc', ['reload', 'sources']);
  }

  async #filesFor(settings: NetworkSettings): Promise<FileChange[]> {
    const { root } = this.#options;
    const time = (await unitRuns('chrony')) ? chronyFile(root, settings) : timesyncdFile(root, settings);
    return [networkFile(root, settings), time];
  }

  async #requireManaged({ card, dnsServers }: NetworkSettings): Promise<void> {
    if (!(await unitRuns('systemd-networkd'))) throw failures.unmanaged();
    if (dnsServers.length > 0 && !(await unitRuns('systemd-resolved'))) throw failures.names();
    const cards = await runProgram('networkctl', ['list', '--no-legend', '--no-pager']);
    const known = cards.split('\n').map((line) => line.trim().split(/\s+/)[1]);
    if (!known.includes(card)) throw failures.card();
  }
}

function failure(code: string, message: string, nextStep: string): () => GantryError {
  return () => new GantryError({ code, kind: 'permanent', message, nextStep });
}

const failures = {
  trying: failure(
    'HELPER_NETWORK_TRYING',
    'Another change of the network is being tried just now.',
    `Confirm it, or wait until it has gone back by itself.`,
  ),
  change: failure(
    'HELPER_NETWORK_CHANGE',
    'This change of the network is not being tried: it has been confirmed, or went back by itself.',
    'Look at the network as it is now, and make the change again where it is not there.',
  ),
  unmanaged: failure(
    'HELPER_NETWORK_UNMANAGED',
    'The network of this machine is not run by systemd-networkd.',
    'Change it with the tools of the machine (e.g. /etc/network/interfaces), or have it run by systemd-networkd.',
  ),
  names: failure(
    'HELPER_NAMES_UNMANAGED',
    'Name servers can be set only where systemd-resolved runs.',
    'Leave the name servers out, or install systemd-resolved.',
  ),
  card: failure(
    'HELPER_NETWORK_CARD',
    'This machine has no network card of that name.',
    'Give one of those listed under "Network" on the page.',
  ),
  settings: (words: string) =>
    failure('HELPER_NETWORK_SETTINGS', words, 'Correct the settings; nothing was changed.')(),
} as const;
