/** What a hostile peer does on one connection, and what it may get for it. */

export type Step =
  | { readonly kind: 'send'; readonly bytes: Buffer }
  | { readonly kind: 'pause'; readonly ms: number }
  /** Waits for one more PDU, or the end of the connection. */
  | { readonly kind: 'answer' };

/**
 * How the peer leaves once its steps are done.
 * - `stay`: keeps its side open until the gateway has closed the connection
 * - `half-close`: says that it will send no more, and waits for the gateway
 * - `destroy`: closes; `reset`: closes with RST, so that the gateway sees an error
 */
export type Leave = 'stay' | 'half-close' | 'destroy' | 'reset';

/** How a connection can end, by the last word of the gateway: `closed` is without one, `left` by the peer. */
export type End = 'rejected' | 'aborted' | 'released' | 'closed' | 'left';

export interface Session {
  readonly shape: string;
  readonly steps: readonly Step[];
  readonly leave: Leave;
  /** Does not read what the gateway answers before it leaves. */
  readonly deaf: boolean;
  /** PDU types that may come back. */
  readonly answers: ReadonlySet<number>;
  /** Null for "any". A peer that leaves may always have `left`. */
  readonly ends: ReadonlySet<End> | null;
  /** C-STOREs that may be answered 0000: no more than `storesMax`, all of them if `whole`. */
  readonly storesMax: number;
  readonly whole: boolean;
}

export const anyAnswer: ReadonlySet<number> = new Set([2, 3, 4, 6, 7]);
export const noAnswer: ReadonlySet<number> = new Set();

export interface SessionOptions {
  readonly leave?: Leave;
  readonly deaf?: boolean;
  readonly answers?: ReadonlySet<number>;
  readonly ends?: readonly End[];
  readonly storesMax?: number;
  readonly whole?: boolean;
}

export function session(shape: string, steps: readonly Step[], options: SessionOptions = {}): Session {
  const { leave = 'half-close', deaf = false, answers = anyAnswer, ends, whole = false } = options;
  const { storesMax = Number.POSITIVE_INFINITY } = options;
  return {
    shape,
    steps,
    leave,
    deaf,
    answers,
    ends: ends === undefined ? null : new Set(ends),
    storesMax,
    whole,
  };
}

export function send(bytes: Buffer): Step {
  return { kind: 'send', bytes };
}

export function pause(ms: number): Step {
  return { kind: 'pause', ms };
}

export const answer: Step = { kind: 'answer' };

/** Where a stream of bytes is cut into segments: at the given places (as shares of it), or into equal pieces. */
export type Chop = { readonly at: readonly number[] } | { readonly every: number };

export function chopped(bytes: Buffer, chop: Chop): Step[] {
  if ('every' in chop) {
    // Not into more pieces than a session should take.
    const size = Math.max(chop.every, Math.ceil(bytes.length / 400));
    return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
      send(bytes.subarray(n * size, (n + 1) * size)),
    );
  }
  const places = chop.at.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b);
  return [0, ...places].map((from, n) => send(bytes.subarray(from, places[n] ?? bytes.length)));
}

/** All bytes of a session, in order. */
export function bytesOf({ steps }: Session): Buffer {
  return Buffer.concat(steps.flatMap((step) => (step.kind === 'send' ? [step.bytes] : [])));
}
