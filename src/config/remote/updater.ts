import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import { type Disk, makeDirectoryDurably, readWholeFile, writeFileDurably } from '../../base/disk.ts';
import { GantryError, type Reason } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { Loop } from '../../base/loop.ts';
import type { UpdateConfig } from '../schema.ts';
import type { BundleDownload } from './bundle-download.ts';

const noteBytesMax = 64 * 1024;
const restMs = 60_000;
const drainLookMs = 2000;
/** Who is sending may finish. */
const associationMsMax = 10 * 60_000;
/** As long as what waits gets less, it is waited for; an archive that is away holds nothing up: it is on the disk. */
const stuckMs = 60_000;
const restartMsMax = 10 * 60_000;
const triesMax = 3;
/** Without any word of the system on what became of it. */
const restartsMax = 3;
const retryMs = 5 * 60_000;

const announceAnother =
  'The version from before is in use, and nothing is lost. Have the cause looked at, and announce another version.';

/** What the appliance writes for its gateway at each start: `updates/system.json` of the data directory. */
const systemFacts = z.object({
  version: z.string().max(64),
  last: z
    .object({
      outcome: z.enum(['good', 'fell-back', 'interrupted']),
      words: z.string().max(500),
      at: z.string().max(64),
      reason: z.string().max(500).optional(),
    })
    .nullable(),
});

type SystemFacts = z.output<typeof systemFacts>;

/** What this box remembers of the update it was given: `updates/state.json`. */
const updateState = z.object({
  sha256: z.string(),
  tries: z.int().min(0),
  /** It lies in the other slot, and the box was, or is to be, restarted. */
  installed: z.boolean(),
  /** When the outcome came that was known before; another one is that of this bundle. */
  outcomeBefore: z.string().nullable(),
  restarts: z.int().min(0),
  failure: z.object({ code: z.string(), words: z.string(), nextStep: z.string() }).nullable(),
});
type UpdateState = z.output<typeof updateState>;

const unknownBundle = { tries: 0, installed: false, outcomeBefore: null, restarts: 0, failure: null };

export type UpdatePhase =
  | 'none'
  | 'unsupported'
  | 'fetching'
  | 'waiting'
  | 'installing'
  | 'draining'
  | 'restarting'
  | 'in-use'
  | 'failed';

export interface UpdateFailure extends Reason {
  readonly nextStep: string;
}

export interface UpdateReport {
  /** That is to run; null where none is announced. */
  readonly wanted: string | null;
  /** Of the appliance image; null elsewhere. */
  readonly running: string | null;
  readonly phase: UpdatePhase;
  /** Why it failed, or is tried again; null where nothing went wrong. */
  readonly failure: UpdateFailure | null;
}

export interface UpdaterOptions {
  readonly update: UpdateConfig | null;
  readonly dataDirectory: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly download: (download: Pick<BundleDownload, 'update' | 'path' | 'signal'>) => Promise<void>;
  /** Root's part: checks the signature and writes the other slot. @param bundle its name in `updates/` */
  readonly install: (bundle: string, sha256: string) => Promise<void>;
  readonly reboot: () => Promise<void>;
  readonly inWindow: (now: number) => boolean;
  readonly load: () => Promise<{ readonly associations: number; readonly waiting: number }>;
}

/**
 * Brings an appliance to the version that its configuration names: fetched at once, installed in the window, the box
 * drained and restarted. Whether the new version is good is judged by the system, after the restart; one that was
 * not is reported, and not tried again until another one is announced.
 */
export class Updater {
  readonly #options: UpdaterOptions;
  readonly #directory: string;
  readonly #loop: Loop;
  readonly #stopping = new AbortController();
  #report: UpdateReport;
  #drain: Drain | null = null;

  constructor(options: UpdaterOptions) {
    this.#options = options;
    this.#directory = join(options.dataDirectory, 'updates');
    const wanted = options.update?.version ?? null;
    this.#report = { wanted, running: null, phase: 'none', failure: null };
    this.#loop = new Loop({
      round: () => this.#round(),
      failed: (error) => options.log.error({ code: 'UPDATE', error }, 'the update could not be looked after'),
    });
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop.stop();
  }

  report(): UpdateReport {
    return this.#report;
  }

  async #round(): Promise<number> {
    const { update } = this.#options;
    const system = await this.#system();
    const running = system?.version ?? null;
    this.#say({ running, failure: null });
    if (update === null) return this.#rest('none');
    if (system === null) return this.#rest('unsupported');
    const state = await this.#state(update);
    if (system.version === update.version) {
      await this.#clear();
      return this.#rest('in-use');
    }
    if (state.failure !== null) return this.#fail(state.failure);
    if (!state.installed) return await this.#goOn(update, state, system);
    const { last } = system;
    if (last === null || last.at === state.outcomeBefore) return await this.#drainAndRestart(state);
    // It was started, and this is the version from before again.
    const code = last.outcome === 'interrupted' ? 'UPDATE_INTERRUPTED' : 'UPDATE_FELL_BACK';
    const words = last.reason === undefined ? last.words : `${last.words} (${last.reason})`;
    return await this.#giveUp(state, { code, words, nextStep: announceAnother });
  }

  async #goOn(update: UpdateConfig, state: UpdateState, system: SystemFacts): Promise<number> {
    const { download, install, inWindow, clock, disk, log } = this.#options;
    const bundle = `gantry-${update.sha256.slice(0, 16)}.raucb`;
    try {
      this.#say({ phase: 'fetching' });
      await makeDirectoryDurably(disk, this.#directory);
      await this.#clear(bundle);
      await download({ update, path: join(this.#directory, bundle), signal: this.#stopping.signal });
      if (!inWindow(clock.now())) return this.#rest('waiting');
      this.#say({ phase: 'installing' });
      log.info({ event: 'update', version: update.version }, 'an update is being installed');
      await this.#unlessStopped(install(bundle, update.sha256));
    } catch (error) {
      if (this.#stopping.signal.aborted) return restMs;
      return await this.#missed(state, error);
    }
    const installed = { ...state, installed: true, outcomeBefore: system.last?.at ?? null };
    await this.#keep(installed);
    return await this.#drainAndRestart(installed);
  }

  /** Restarts the box once nobody is sending and what waits does not get less any more. */
  async #drainAndRestart(state: UpdateState): Promise<number> {
    const { clock, load, reboot, inWindow, log } = this.#options;
    if (!inWindow(clock.now())) return this.#rest('waiting');
    const now = clock.monotonic();
    this.#drain ??= { since: now, waiting: Number.POSITIVE_INFINITY, lessAt: now };
    const { associations, waiting } = await load();
    if (waiting < this.#drain.waiting) this.#drain = { ...this.#drain, waiting, lessAt: now };
    const silent = associations === 0 || now - this.#drain.since >= associationMsMax;
    const drained = waiting === 0 || now - this.#drain.lessAt >= stuckMs;
    if (!silent || !drained) {
      this.#say({ phase: 'draining' });
      return drainLookMs;
    }
    if (state.restarts >= restartsMax) {
      const words = 'The box was restarted, and still runs the version from before.';
      return await this.#giveUp(state, { code: 'UPDATE_NOT_TAKEN', words, nextStep: announceAnother });
    }
    await this.#keep({ ...state, restarts: state.restarts + 1 });
    this.#drain = null;
    this.#say({ phase: 'restarting' });
    log.info({ event: 'update', waiting }, 'the box restarts into its new version');
    await reboot();
    return restartMsMax;
  }

  /** A line that is down is no failure of the bundle; the rest is tried a few times. */
  async #missed(state: UpdateState, error: unknown): Promise<number> {
    const code = error instanceof GantryError ? error.code : 'UPDATE_FAILED';
    const words = error instanceof GantryError ? error.message : 'It failed.';
    const nextStep = error instanceof GantryError ? error.nextStep : announceAnother;
    this.#options.log.warn({ code, error }, 'the update did not go on');
    const tries = code.startsWith('REMOTE_') ? state.tries : state.tries + 1;
    const failure = { code, words, nextStep };
    if (tries >= triesMax) return await this.#giveUp({ ...state, tries }, failure);
    await this.#keep({ ...state, tries });
    this.#say({ phase: 'waiting', failure });
    return retryMs;
  }

  /** What root does may take minutes, and goes on when this program ends. @throws its failure, or that of being stopped */
  #unlessStopped<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#stopping;
    const stopped = Promise.withResolvers<never>();
    const reject = (): void => stopped.reject(signal.reason);
    signal.addEventListener('abort', reject);
    return Promise.race([work, stopped.promise]).finally(() => signal.removeEventListener('abort', reject));
  }

  async #giveUp(state: UpdateState, failure: UpdateFailure): Promise<number> {
    await this.#keep({ ...state, failure });
    return this.#fail(failure);
  }

  #fail(failure: UpdateFailure): number {
    this.#say({ phase: 'failed', failure });
    return restMs;
  }

  #rest(phase: UpdatePhase): number {
    this.#say({ phase });
    return restMs;
  }

  #say(changed: Partial<UpdateReport>): void {
    this.#report = { ...this.#report, ...changed };
  }

  async #system(): Promise<SystemFacts | null> {
    return parse(systemFacts, await this.#read('system.json'));
  }

  /** Of another bundle than the one announced now nothing is remembered. */
  async #state({ sha256 }: UpdateConfig): Promise<UpdateState> {
    const known = parse(updateState, await this.#read('state.json'));
    return known?.sha256 === sha256 ? known : { ...unknownBundle, sha256 };
  }

  async #keep(state: UpdateState): Promise<void> {
    await makeDirectoryDurably(this.#options.disk, this.#directory);
    await writeFileDurably(
      this.#options.disk,
      join(this.#directory, 'state.json'),
      Buffer.from(JSON.stringify(state)),
    );
  }

  /** Bundles take the room of images. @param keep name of the one that is wanted */
  async #clear(keep: string | null = null): Promise<void> {
    const { disk } = this.#options;
    for (const name of await disk.list(this.#directory)) {
      if (/\.raucb(?:\.part)?$/.test(name) && !(keep !== null && name.startsWith(keep)))
        await disk.remove(join(this.#directory, name));
    }
  }

  #read(name: string): Promise<Buffer | null> {
    return readWholeFile(this.#options.disk, join(this.#directory, name), noteBytesMax);
  }
}

interface Drain {
  readonly since: number;
  readonly waiting: number;
  readonly lessAt: number;
}

function parse<T extends z.ZodType>(schema: T, bytes: Buffer | null): z.output<T> | null {
  if (bytes === null) return null;
  try {
    return schema.parse(JSON.parse(bytes.toString()));
  } catch {
    return null;
  }
}
