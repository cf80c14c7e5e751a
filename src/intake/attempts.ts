import type { Clock } from '../base/clock.ts';
import type { FailureText } from '../base/errors.ts';
import { printable } from './printable.ts';

/** One try to open an association. Holds no patient data, no UID. */
export interface Attempt {
  /** Counts up from 1 since start. */
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** `closed`: the connection ended before the device had asked for an association. */
  readonly outcome: 'accepted' | 'rejected' | 'closed';
  readonly address: string;
  /** The address of this box that was called; empty where the connection ended too early to tell. */
  readonly localAddress: string;
  readonly overTls: boolean;
  /** Printable ASCII; empty where none was given. */
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** The configured modality it is, or seems to be; null where it is none. */
  readonly modalityName: string | null;
  /** `ACCEPTED`, or the code of `deploy/refusals.md`. */
  readonly code: string;
  readonly words: string;
  readonly nextStep: string | null;
}

export interface AttemptFacts extends Omit<Attempt, 'number' | 'at' | 'code' | 'words' | 'nextStep'> {
  readonly localPort?: number;
  /** Null where nothing was refused. */
  readonly why: Omit<FailureText, 'kind'> | null;
}

/** Somebody who is no configured modality and tried, under one AE title from one address. */
export interface UnknownCaller {
  readonly address: string;
  readonly callingAeTitle: string;
  /** As it last called us. */
  readonly calledAeTitle: string;
  /** A modality of this AE title that is configured for other addresses, or null. */
  readonly modalityName: string | null;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly attempts: number;
  /** The last outcome. */
  readonly accepted: boolean;
  readonly code: string;
  readonly words: string;
  /** All of it in one sentence, e.g. `10.4.1.57 tried 3 times as CT9.` */
  readonly summary: string;
}

export const attemptsMax = 200;
/** Of one address: a device that tries every second does not push out the others. */
export const attemptsPerAddressMax = 50;
export const unknownCallersMax = 100;
/** Names that one address makes up. */
export const unknownCallersPerAddressMax = 10;

/** @param localPort the port that was called; 0 where the connection ended too early to tell */
type Follower = (attempt: Attempt, localPort: number) => void;

/** The last association attempts, accepted and refused, and who tried without being known. Bounded. */
export class AttemptBook {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #attempts: Attempt[] = [];
  /** By address and AE title, least recently seen first. */
  readonly #callers = new Map<string, Omit<UnknownCaller, 'summary'>>();
  readonly #followers = new Set<Follower>();
  #number = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add({ why, localPort = 0, ...facts }: AttemptFacts): void {
    this.#number += 1;
    const attempt: Attempt = {
      ...facts,
      number: this.#number,
      at: this.#clock.now(),
      address: printable(facts.address, 45),
      callingAeTitle: printable(facts.callingAeTitle, 16),
      calledAeTitle: printable(facts.calledAeTitle, 16),
      code: why?.code ?? 'ACCEPTED',
      words: why?.message ?? 'The association was accepted.',
      nextStep: why?.nextStep ?? null,
    };
    this.#attempts.push(attempt);
    makeRoom(this.#attempts, attempt.address, attemptsMax, attemptsPerAddressMax);
    this.#noteCaller(attempt);
    for (const follower of this.#followers) follower(attempt, localPort);
  }

  /** Newest first. */
  list(): Attempt[] {
    return this.#attempts.toReversed();
  }

  /** The one that tried last first. */
  unknownCallers(): UnknownCaller[] {
    return [...this.#callers.values()]
      .toReversed()
      .map((caller) => ({ ...caller, summary: summary(caller) }));
  }

  /** Calls back at each attempt from now on. @returns ends it */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** Forgets those that are known by now. */
  forgetCallers(isKnown: (callingAeTitle: string, address: string) => boolean): void {
    for (const [key, { callingAeTitle, address }] of this.#callers)
      if (isKnown(callingAeTitle, address)) this.#callers.delete(key);
  }

  #noteCaller(attempt: Attempt): void {
    const { address, callingAeTitle, calledAeTitle, modalityName, outcome, code, words, at } = attempt;
    const stranger = modalityName === null || code === 'CALLING_ADDRESS';
    if (!stranger || callingAeTitle === '') return;
    const key = `${address} ${callingAeTitle}`;
    const earlier = this.#callers.get(key);
    this.#callers.delete(key);
    const firstAt = earlier?.firstAt ?? at;
    const attempts = (earlier?.attempts ?? 0) + 1;
    const accepted = outcome === 'accepted';
    const last = { lastAt: at, attempts, accepted, code, words };
    this.#callers.set(key, { address, callingAeTitle, calledAeTitle, modalityName, firstAt, ...last });
    const kept = [...this.#callers.entries()].map(([id, one]) => ({ id, address: one.address }));
    const before = kept.map(({ id }) => id);
    makeRoom(kept, address, unknownCallersMax, unknownCallersPerAddressMax);
    const left = new Set(kept.map(({ id }) => id));
    for (const id of before) if (!left.has(id)) this.#callers.delete(id);
  }
}

/** Drops the oldest of an address that has more than its share, then the oldest of all. */
function makeRoom(entries: { address: string }[], address: string, max: number, perAddressMax: number): void {
  if (entries.filter((entry) => entry.address === address).length > perAddressMax) {
    const oldest = entries.findIndex((entry) => entry.address === address);
    entries.splice(oldest, 1);
  }
  if (entries.length > max) entries.shift();
}

function summary({ address, callingAeTitle, attempts }: Omit<UnknownCaller, 'summary'>): string {
  return `${address} tried ${attempts === 1 ? 'once' : `${attempts} times`} as ${callingAeTitle}.`;
}
