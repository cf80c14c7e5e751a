import type { Config } from './config/schema.ts';
import type { LivePart } from './gateway-live.ts';
import { openNote, type Store } from './gateway-store.ts';
import { clientCertificateRequired } from './gateway-tls.ts';
import { type Alias, aliasNote, callersOf, withoutCaller } from './intake/aliases.ts';
import type { IntakeListener } from './intake/listener.ts';
import type { IntakeLimits, IntakeOptions, IntakePlace, IntakeTimers } from './intake/options.ts';
import type { Note } from './base/note.ts';

/** The configuration as intake wants it. Every limit and timer is set by the configuration, none left to a default. */
export function intakeOptions(
  { intake, modalities }: Config,
  kept: readonly Alias[] = [],
): IntakeOptions & {
  readonly limits: IntakeLimits;
  readonly timers: IntakeTimers;
} {
  const { associateWaitMs, acseMs, idleMs, rateWindowMs, rateBytesPerSecondMin, ...limits } = intake.limits;
  const timers = { associateMs: associateWaitMs, acseMs, idleMs, rateWindowMs, rateBytesPerSecondMin };
  return {
    ...intake,
    aliases: [...intake.aliases, ...kept.flatMap(({ title }) => title ?? [])],
    modalities,
    limits,
    timers,
    clientCertificateRequired: clientCertificateRequired(intake),
  };
}

/** Where and under which titles devices reach this box, also under those that it had before. */
export class IntakeDoors {
  readonly #store: Store;
  readonly #listener: IntakeListener;
  readonly #aliases: Note<readonly Alias[]>;
  #place: IntakePlace;
  #title: string;

  private constructor(store: Store, listener: IntakeListener, aliases: Note<readonly Alias[]>) {
    this.#store = store;
    this.#listener = listener;
    this.#aliases = aliases;
    const { host, port, aeTitle } = store.current.config.intake;
    this.#place = { host, port };
    this.#title = aeTitle;
  }

  static async open(
    store: Store,
    listener: IntakeListener,
    stack: AsyncDisposableStack,
  ): Promise<IntakeDoors> {
    const doors = new IntakeDoors(store, listener, await openNote(store, 'intake-aliases', aliasNote));
    stack.defer(listener.followAttempts((attempt, port) => doors.#called(attempt, port)));
    stack.defer(store.configStore.onChange(() => doors.#admit()));
    doors.#admit();
    return doors;
  }

  /** Opens the port of the settings, and those that devices still call. @throws GantryError INTAKE_PORT */
  async start(): Promise<{ port: number }> {
    const bound = await this.#listener.open(this.#place);
    for (const { place } of this.aliases) {
      if (place === null || this.#listener.portOf(place) !== null) continue;
      await this.#listener
        .open(place)
        .catch((error: unknown) =>
          this.#store.log.warn({ code: 'INTAKE_ALIAS_PORT', error }, 'the port before cannot be kept open'),
        );
    }
    return bound;
  }

  get aliases(): readonly Alias[] {
    return this.#aliases.value;
  }

  /** The bound port that people are told of; null before it is open. */
  get port(): number | null {
    return this.#listener.portOf(this.#place);
  }

  /** Gives up all that is kept open of before. @returns how many */
  async release(): Promise<number> {
    const kept = this.aliases;
    await this.#keep(() => []);
    return kept.length;
  }

  parts(): LivePart[] {
    return [
      {
        name: 'limits of intake',
        settings: ({ intake }) => intake.limits,
        change: async (config) => this.#listener.limit(intakeOptions(config)),
      },
      {
        name: 'DICOM port',
        settings: ({ intake }) => [intake.host, intake.port],
        change: ({ intake: { host, port } }) => this.#move({ host, port }),
      },
      {
        name: 'AE title',
        settings: ({ intake }) => intake.aeTitle,
        change: async ({ intake }) => {
          const before = this.#title;
          this.#title = intake.aeTitle;
          await this.#leaveBehind({ title: before, place: null }, (one) => one.title === intake.aeTitle);
        },
      },
    ];
  }

  async #move(to: IntakePlace): Promise<void> {
    const from = this.#place;
    if (this.#listener.portOf(to) !== null) {
      this.#place = to;
      return this.#leaveBehind({ title: null, place: from }, ({ place }) => isSame(place, to));
    }
    // Two addresses with one port may be in each other's way: then there is no keeping both.
    if (from.port === to.port) {
      this.#listener.close(from);
      try {
        await this.#listener.open(to);
      } catch (error) {
        await this.#listener.open(from);
        throw error;
      }
      this.#place = to;
      return;
    }
    await this.#listener.open(to);
    this.#place = to;
    await this.#leaveBehind({ title: null, place: from }, ({ place }) => isSame(place, to));
  }

  /** What was so far is kept for those who called lately; where it comes back it is no alias any more. */
  async #leaveBehind(before: Omit<Alias, 'callers'>, isBack: (alias: Alias) => boolean): Promise<void> {
    const attempts = this.#listener.attempts();
    const callers = callersOf(
      before.title === null ? attempts : attempts.filter((one) => one.calledAeTitle === before.title),
    );
    if (callers.length === 0 && before.place !== null) this.#listener.close(before.place);
    await this.#keep((aliases) => [
      ...aliases.filter((one) => !isBack(one)),
      ...(callers.length === 0 ? [] : [{ ...before, callers }]),
    ]);
  }

  /** A device that has found the new way does not need the old one. */
  #called(attempt: Parameters<typeof withoutCaller>[1], port: number): void {
    if (attempt.outcome !== 'accepted' || this.aliases.length === 0) return;
    const here = { title: attempt.calledAeTitle === this.#title, place: port === this.port };
    const next = withoutCaller(this.aliases, attempt, here);
    if (next.length === this.aliases.length && next.every((one, n) => one === this.aliases[n])) return;
    this.#keep((aliases) => withoutCaller(aliases, attempt, here)).catch((error: unknown) =>
      this.#store.log.warn({ error }, 'what devices still call was not noted'),
    );
  }

  async #keep(edit: (aliases: readonly Alias[]) => readonly Alias[]): Promise<void> {
    const before = this.aliases;
    await this.#aliases.change((aliases) => edit(aliases).slice(-aliasesMax));
    for (const { place } of before) {
      const needed = this.aliases.some((one) => isSame(one.place, place)) || isSame(this.#place, place);
      if (place !== null && !needed) this.#listener.close(place);
    }
    this.#admit();
  }

  #admit(): void {
    this.#listener.reconfigure(intakeOptions(this.#store.current.config, this.aliases));
  }
}

const aliasesMax = 8;

function isSame(a: IntakePlace | null, b: IntakePlace | null): boolean {
  return a !== null && b !== null && a.host === b.host && a.port === b.port;
}
