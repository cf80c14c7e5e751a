import type { Clock } from '../../base/clock.ts';
import { GantryError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { applyFailures, failureOf } from './apply-failures.ts';
import type { FleetCommand } from './documents.ts';
import type { Refused } from './refusals.ts';
import type { RemoteState } from './state.ts';
import { type CommandFacts, verifyCommand } from './verify.ts';

/** What became of something that came as a command, for the record of this box. */
export interface CommandNote {
  /** Null where its signatures did not hold: then nothing in it is believed. */
  readonly command: FleetCommand | null;
  readonly ok: boolean;
  /** Why it was not done; null where it was. */
  readonly code: string | null;
}

export interface CommandPorts {
  /** Commands that the configuration of this box lets central IT give. */
  allowed(): readonly FleetCommand['verb'][];
  /** Carries one out. @returns what came of it: nothing of a patient. @throws GantryError */
  command(command: FleetCommand): Promise<string>;
  /** Writes down what became of one. Never rejects. */
  commandNote(note: CommandNote): Promise<void>;
}

interface HandParts {
  readonly state: RemoteState;
  readonly ports: CommandPorts;
  readonly clock: Clock;
  readonly log: Log;
}

/** Of a refusal that comes again and again one is written down in so long a time: the record has an end. */
const noteAgainMs = 3_600_000;
const notedMax = 256;
const answerCharsMax = 1000;

/** Carries out signed commands of central IT: each once, and only those that this box allows. */
export class CommandHand {
  readonly #parts: HandParts;
  /** Refusals that were written down, and when, on the monotonic clock. */
  readonly #noted = new Map<string, number>();

  constructor(parts: HandParts) {
    this.#parts = parts;
  }

  /** @returns once it is done, and its answer is ready to be reported; or why it was not even looked at */
  async take(bytes: Buffer, facts: Omit<CommandFacts, 'seen'>): Promise<{ readonly ok: true } | Refused> {
    const { state, clock, ports, log } = this.#parts;
    const seen = (id: string) => state.value.commandsSeen.some((one) => one.id === id);
    const outcome = await verifyCommand(bytes, { ...facts, seen });
    if (!outcome.ok) {
      await this.#noteRefusal(outcome.refusal.code, outcome.command);
      return outcome;
    }
    const { command } = outcome;
    const { id, verb } = command;
    const now = clock.now();
    // Before it is carried out: after a crash it is rather not done than done twice.
    await state.change(({ commandsSeen }) => ({
      commandsSeen: [
        ...commandsSeen.filter(({ until }) => until > now),
        { id, until: Date.parse(command.expiresAt) },
      ],
    }));
    const answer = await this.#answer(command);
    const { ok, code } = answer;
    log.info({ event: 'fleet-command', verb, ok, code }, 'a command of central IT');
    await ports.commandNote({ command, ok, code });
    await state.change(({ commands }) => ({ commands: [...commands, { id, at: clock.now(), ...answer }] }));
    return { ok: true };
  }

  async #answer(command: FleetCommand): Promise<{ ok: boolean; code: string | null; text: string }> {
    const { ports } = this.#parts;
    try {
      if (!ports.allowed().includes(command.verb)) throw new GantryError(applyFailures.commandOff);
      return { ok: true, code: null, text: (await ports.command(command)).slice(0, answerCharsMax) };
    } catch (error) {
      const { code, message } = failureOf(error);
      return { ok: false, code, text: message.slice(0, answerCharsMax) };
    }
  }

  async #noteRefusal(code: string, command: FleetCommand | null): Promise<void> {
    // One that comes twice is in the record already, as what it was the first time.
    if (code === 'FLEET_REPLAY') return;
    const about = command === null ? code : `${code} ${command.id}`;
    const now = this.#parts.clock.monotonic();
    const before = this.#noted.get(about);
    if (before !== undefined && now - before < noteAgainMs) return;
    this.#noted.delete(about);
    this.#noted.set(about, now);
    for (const oldest of this.#noted.keys()) {
      if (this.#noted.size <= notedMax) break;
      this.#noted.delete(oldest);
    }
    await this.#parts.ports.commandNote({ command, ok: false, code });
  }
}
