import fc from 'fast-check';
import { randomStream } from '../../fixtures/dicom-objects.ts';
import { type Line, type Outcome, play } from './peer.ts';
import { bytesOf, type Session } from './session.ts';
import { hostileSession } from './shapes.ts';

export interface CrowdOptions {
  readonly seed: number;
  readonly sessions: number;
  /** At the same time. */
  readonly peers: number;
  readonly connect: (peer: number) => Promise<Line>;
  /** Called before the first byte of a session is sent, and when it has ended. */
  readonly begins?: (session: Session) => void;
  readonly ended?: (session: Session, outcome: Outcome) => void;
}

/** What came of a crowd of sessions. */
export interface CrowdReport {
  readonly sessions: number;
  readonly seconds: number;
  readonly bytesSent: number;
  readonly busy: number;
  readonly late: number;
  readonly stored: number;
  /** How sessions ended, by shape. */
  readonly ends: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** The first failures, each with how to see it again. */
  readonly failures: readonly string[];
}

const failuresMax = 10;

/** Plays hostile sessions, number after number, with so many peers. Each number makes its session from the seed. */
export async function crowd(options: CrowdOptions): Promise<CrowdReport> {
  const count = new Count();
  const started = performance.now();
  let next = 0;
  const work = async (peer: number): Promise<void> => {
    while (next < options.sessions && count.failures.length < failuresMax) {
      const number = next++;
      await one(options, count, peer, number);
    }
  };
  await Promise.all(Array.from({ length: options.peers }, (_, peer) => work(peer)));
  return count.report(next, (performance.now() - started) / 1000);
}

/** Plays one session alone, and the smallest one like it that still fails. */
export async function replay(options: CrowdOptions, number: number): Promise<CrowdReport> {
  const count = new Count();
  const started = performance.now();
  await one(options, count, 0, number, true);
  return count.report(1, (performance.now() - started) / 1000);
}

async function one(
  options: CrowdOptions,
  count: Count,
  peer: number,
  number: number,
  shrinks = false,
): Promise<void> {
  const property = fc.asyncProperty(hostileSession, async (session) => {
    options.begins?.(session);
    const outcome = await play(session, await options.connect(peer));
    options.ended?.(session, outcome);
    count.add(session, outcome);
    if (outcome.faults.length > 0) throw new Error(`${session.shape}: ${outcome.faults.join('; ')}`);
  });
  // One number of the stream after the seed's own: neighbouring seeds are not to make neighbouring sessions.
  const seed = randomStream(options.seed ^ Math.imul(number, 0x9e37_79b1))() | 0;
  const result = await fc.check(property, { seed, numRuns: 1, endOnFailure: !shrinks });
  if (!result.failed) return;
  const [smallest] = result.counterexample ?? [];
  const bytes = smallest === undefined ? '' : bytesOf(smallest).toString('hex').slice(0, 400);
  count.failures.push(
    `session ${number} (GANTRY_SEED=${options.seed} GANTRY_HOSTILE_ONLY=${number} plays it alone): ` +
      `${String(result.errorInstance)}\n  leaves by ${smallest?.leave ?? ''}, sends ${bytes}`,
  );
}

class Count {
  readonly failures: string[] = [];
  readonly #ends = new Map<string, Map<string, number>>();
  #bytesSent = 0;
  #busy = 0;
  #late = 0;
  #stored = 0;

  add(session: Session, { end, busy, late, stored }: Outcome): void {
    for (const step of session.steps) if (step.kind === 'send') this.#bytesSent += step.bytes.length;
    this.#busy += busy ? 1 : 0;
    this.#late += late ? 1 : 0;
    this.#stored += stored.length;
    const ends = this.#ends.get(session.shape) ?? new Map<string, number>();
    this.#ends.set(session.shape, ends.set(end, (ends.get(end) ?? 0) + 1));
  }

  report(sessions: number, seconds: number): CrowdReport {
    const [bytesSent, busy, late, stored] = [this.#bytesSent, this.#busy, this.#late, this.#stored];
    return { sessions, seconds, bytesSent, busy, late, stored, ends: this.#ends, failures: this.failures };
  }
}
