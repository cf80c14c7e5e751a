import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { bytesOf, type End, type Session } from './session.ts';
import { AnswerWitness, type WireMessage, wholeStores } from './witness.ts';

/** A connection seen from the peer's side. */
export interface Line {
  readonly stream: Duplex;
  readonly reset: () => void;
}

export interface Outcome {
  readonly end: End;
  /** Turned away because the house was full. */
  readonly busy: boolean;
  /** An honest session that was ended for being silent: on a machine that stands still it may be. */
  readonly late: boolean;
  /** What is wrong: empty where all is well. */
  readonly faults: readonly string[];
  /** Whole C-STOREs that the session put on the wire. */
  readonly sent: readonly WireMessage[];
  /** Those of them that were answered 0000. */
  readonly stored: readonly WireMessage[];
}

/** Longer than all timers of the gateway together; who is still connected then has found a way to hang it. */
const hangMs = 60_000;
/** A peer that is not read from goes on to its next step. */
const drainMsMax = 3000;

/** Plays a session to its end. Never rejects because of what the gateway does. */
export async function play(session: Session, line: Line): Promise<Outcome> {
  const peer = new Peer(session, line);
  const sent = wholeStores(bytesOf(session));
  const end = await peer.run();
  return judge(session, end, peer.witness, sent);
}

class Peer {
  readonly witness = new AnswerWitness();
  readonly #session: Session;
  readonly #line: Line;
  #ended = false;
  #left = false;
  #wake: () => void = () => undefined;

  constructor(session: Session, line: Line) {
    this.#session = session;
    this.#line = line;
    const { stream } = line;
    stream.on('error', () => undefined);
    stream.on('end', () => this.#over());
    stream.on('close', () => this.#over());
    stream.on('data', (chunk: Buffer) => {
      this.witness.take(chunk);
      this.#wake();
    });
    if (session.deaf) stream.pause();
  }

  async run(): Promise<End | 'hung'> {
    const { stream } = this.#line;
    for (const step of this.#session.steps) {
      if (this.#ended) break;
      if (step.kind === 'pause') await delay(step.ms);
      else if (step.kind === 'answer') await this.#untilAnswer();
      else if (!stream.write(step.bytes)) await this.#drained();
    }
    const { leave } = this.#session;
    if (leave === 'half-close') stream.end();
    else if (leave !== 'stay' && !this.#ended) {
      this.#left = true;
      if (leave === 'reset') this.#line.reset();
      else stream.destroy();
    }
    stream.resume();
    const hung = await this.#untilEnd();
    stream.destroy();
    return hung ? 'hung' : this.#end();
  }

  #over(): void {
    this.#ended = true;
    this.#wake();
  }

  #end(): End {
    const { last } = this.witness;
    if (last === 3) return 'rejected';
    if (last === 7) return 'aborted';
    if (last === 6) return 'released';
    return this.#left ? 'left' : 'closed';
  }

  async #untilAnswer(): Promise<void> {
    const before = this.witness.pdus.length;
    const deadline = performance.now() + hangMs;
    while (!this.#ended && this.witness.pdus.length === before && performance.now() < deadline) {
      await this.#woken(deadline - performance.now());
    }
  }

  /** @returns whether the gateway never closed */
  async #untilEnd(): Promise<boolean> {
    const deadline = performance.now() + hangMs;
    while (!this.#ended && this.witness.last !== 6) {
      if (performance.now() > deadline) return true;
      await this.#woken(deadline - performance.now());
    }
    return false;
  }

  async #woken(ms: number): Promise<void> {
    const woken = Promise.withResolvers<void>();
    this.#wake = () => woken.resolve();
    const timer = setTimeout(woken.resolve, ms);
    await woken.promise;
    clearTimeout(timer);
  }

  async #drained(): Promise<void> {
    const enough = new AbortController();
    const { stream } = this.#line;
    const stop = (): void => enough.abort();
    stream.once('close', stop);
    await Promise.race([
      once(stream, 'drain', { signal: enough.signal }).catch(() => undefined),
      delay(drainMsMax, undefined, { signal: enough.signal }).catch(() => undefined),
    ]);
    stream.off('close', stop);
    stop();
  }
}

function judge(
  session: Session,
  end: End | 'hung',
  witness: AnswerWitness,
  sent: readonly WireMessage[],
): Outcome {
  const faults = [...witness.faults];
  const stored: WireMessage[] = [];
  const open = [...sent];
  for (const { status, messageId, SOPInstanceUID } of witness.stores) {
    if (status !== 0) continue;
    const at = open.findIndex(
      (each) => each.messageId === messageId && each.SOPInstanceUID === SOPInstanceUID,
    );
    const [message] = at < 0 ? [] : open.splice(at, 1);
    if (message === undefined) faults.push('0000 for an object that was not whole on the wire');
    else stored.push(message);
  }
  const busy = end === 'rejected' && (witness.pdus[0]?.body.equals(Buffer.of(0, 2, 3, 2)) ?? false);
  const aborted = end === 'aborted' && (witness.pdus.at(-1)?.body.equals(Buffer.alloc(4)) ?? false);
  const honest = session.whole || (session.ends?.has('released') ?? false);
  const late = honest && (aborted || (end === 'closed' && witness.last === null));
  if (end === 'hung') faults.push('the gateway never closed the connection');
  else if (session.ends?.has(end) === false && end !== 'left' && !busy && !late)
    faults.push(`it ended as ${end}`);
  for (const { type } of witness.pdus) {
    if (!session.answers.has(type) && !busy) faults.push(`an answer of type ${type}`);
  }
  if (stored.length > session.storesMax) faults.push('0000 for an object that must not be taken');
  if (session.whole && !busy && !late && stored.length < sent.length) {
    faults.push(`${sent.length - stored.length} of ${sent.length} good objects were not answered 0000`);
  }
  return { end: end === 'hung' ? 'closed' : end, busy, late, faults, sent, stored };
}
