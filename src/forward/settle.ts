import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Fault } from '../spool/breaker.ts';
import { backoffMs, type Random, type RetryPolicy } from '../spool/retry.ts';
import type { DeliveryKey, ForwardItem, ForwardSettlement } from '../spool/types.ts';
import type { DestinationVerdict, Verdict } from './outcome.ts';
import { isOfService } from './outcome-words.ts';
import type { UnreadItem } from './shipment.ts';

export interface ForwarderLimits {
  /** Between attempts for one instance. */
  readonly instanceRetry: RetryPolicy;
  /** Between probes of a destination that is down, busy or refuses the sign-in. */
  readonly destinationRetry: RetryPolicy;
  /** Between probes of a destination whose setup is wrong: it takes a person to change that. */
  readonly setupRetry: RetryPolicy;
  /** Before an object that our own disk could not give is tried again. */
  readonly localRetryMs: number;
  /** Failed attempts or unknown outcomes after which a batch is sent in halves. */
  readonly splitAfter: number;
  /** Failed attempts or unknown outcomes after which a single instance waits for an operator. */
  readonly attemptsMax: number;
  /** A failure the archive puts down to the instance but that may pass has to last so long as well. */
  readonly passingFailureMsMin: number;
  /** Consecutive failures that may be the fault of what was sent before the destination counts as down. */
  readonly doubtfulFailuresMax: number;
  /** An archive that takes longer for a question while it is being sent to may take one request at a time only. */
  readonly questionMsMax: number;
  /** How long `stop` lets requests under way finish. */
  readonly stopGraceMs: number;
}

const hourMs = 3_600_000;

export const forwarderLimits: ForwarderLimits = {
  instanceRetry: { firstMs: 2000, capMs: 900_000, floorMs: 250, retryAfterMsMax: hourMs },
  destinationRetry: { firstMs: 2000, capMs: 60_000, floorMs: 250, retryAfterMsMax: hourMs },
  setupRetry: { firstMs: 30_000, capMs: 900_000, floorMs: 10_000, retryAfterMsMax: hourMs },
  localRetryMs: 30_000,
  splitAfter: 2,
  attemptsMax: 5,
  passingFailureMsMin: 24 * hourMs,
  doubtfulFailuresMax: 3,
  questionMsMax: 5000,
  stopGraceMs: 5000,
};

/** `busy`: it asked for less; `down`: line or server failure; `sign-in` and `setup`: a person may be needed. */
export type FaultKind = 'busy' | 'down' | 'sign-in' | 'setup';

/** Answers by which a destination says of itself that it wants less for a while. */
const busyCodes = new Set(['HTTP_429', 'HTTP_503', 'HTTP_507']);

/** Definite answers to a single instance that say that its content is not understood. */
const refusesContent = new Set(['HTTP_400', 'HTTP_415']);

/**
 * What a verdict on the destination means for the breaker.
 * @param unsent nothing of the request reached the archive, so that what was sent cannot be to blame
 * @returns null where the destination is in order
 */
export function faultOf(
  verdict: DestinationVerdict,
  unsent: boolean,
  limits: ForwarderLimits,
): Fault<FaultKind> | null {
  if (verdict.kind === 'ok') return null;
  const { reason } = verdict;
  if (verdict.kind === 'authFault') {
    return { kind: 'sign-in', reason, policy: limits.destinationRetry, retryAfterMs: null, opensAfter: 1 };
  }
  if (verdict.kind === 'configFault') {
    return { kind: 'setup', reason, policy: limits.setupRetry, retryAfterMs: null, opensAfter: 1 };
  }
  const { retryAfterMs } = verdict;
  const asksForLess = retryAfterMs !== null || busyCodes.has(reason.code);
  return {
    kind: asksForLess || isOfService(reason) ? 'busy' : 'down',
    reason,
    policy: limits.destinationRetry,
    retryAfterMs,
    opensAfter: asksForLess || unsent ? 1 : limits.doubtfulFailuresMax,
  };
}

/** What the settlement of one instance depends on beside its verdict. */
export interface Circumstances {
  /** Instances in the request. */
  readonly batchInstances: number;
  /** The destination as a whole is at fault: no instance may be blamed, so no attempt counts. */
  readonly destinationFault: boolean;
}

/** Turns verdicts into settlements. Pure but for clock and jitter. */
export class Settler {
  readonly #limits: ForwarderLimits;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(limits: ForwarderLimits, clock: Clock, random: Random) {
    this.#limits = limits;
    this.#clock = clock;
    this.#random = random;
  }

  settle(item: ForwardItem, verdict: Verdict, around: Circumstances): ForwardSettlement {
    switch (verdict.kind) {
      case 'stored':
        return this.#delivered(item, null);
      case 'storedWithChange':
        return this.#delivered(item, verdict.reason);
      case 'compareWithArchive':
        return this.#existed(item, verdict.reason);
      case 'resendAsReceived':
        if (item.form === 'prepared') return this.#asReceived(item, verdict.reason, 'syntax-refused');
        return { ...keyOf(item), to: 'quarantined', reason: verdict.reason };
      case 'quarantine':
        if (item.form === 'prepared') return this.#asReceived(item, verdict.reason, 'refused');
        return { ...keyOf(item), to: 'quarantined', reason: verdict.reason };
      case 'notBlamed':
        return this.#again(item, verdict.reason);
      case 'unknown':
        return this.#unknown(item, verdict.reason, around);
      case 'halve':
      case 'split':
        if (around.batchInstances > 1) return this.#again(item, verdict.reason, half(around.batchInstances));
        if (refusesContent.has(verdict.reason.code) && item.form === 'prepared')
          return this.#asReceived(item, verdict.reason, 'refused');
        return this.#failed(item, verdict.reason, around, 'held', 0);
      case 'retry': {
        const msMin = isOfService(verdict.reason) ? this.#limits.passingFailureMsMin : 0;
        return this.#failed(item, verdict.reason, around, 'held', msMin);
      }
      case 'retryThenQuarantine':
        // Said twice of the instance itself, it may well mean the form.
        if (item.form === 'prepared' && item.attempts > 0 && isOfService(verdict.reason))
          return this.#asReceived(item, verdict.reason, 'refused');
        break;
    }
    const { passingFailureMsMin } = this.#limits;
    return this.#failed(item, verdict.reason, around, 'quarantined', passingFailureMsMin);
  }

  /** The archive has it, but whether these very bytes is not known: proof compares before anything is purged. */
  found(item: ForwardItem): Extract<ForwardSettlement, { to: 'delivered' }> {
    return { ...this.#delivered(item, null), needsDigest: true };
  }

  /** Where the archive may have had other bytes under the UID, its "stored" can mean that it kept those. */
  #delivered(item: ForwardItem, warning: Reason | null): Extract<ForwardSettlement, { to: 'delivered' }> {
    const needsDigest = item.unknowns > 0 || item.archiveHad !== false;
    return { ...keyOf(item), to: 'delivered', needsDigest, existed: false, warning };
  }

  /** It says that it has one already; proof looks, and counts an attempt each time that none is to be seen. */
  #existed(item: ForwardItem, reason: Reason): ForwardSettlement {
    if (item.attempts >= this.#limits.attemptsMax) return { ...keyOf(item), to: 'held', reason };
    return { ...this.found(item), existed: true };
  }

  /** A damaged object is never forwarded; one that could not be read just now waits a little. */
  unread({ item, lasting, reason }: UnreadItem): ForwardSettlement {
    // The received object is here still; what the archive may have of the other form is compared with both.
    if (lasting && item.form === 'prepared') return this.#asReceived(item, reason, 'unreadable');
    if (lasting) return { ...keyOf(item), to: 'held', reason };
    return { ...this.#again(item, reason), retryAt: this.#clock.now() + this.#limits.localRetryMs };
  }

  /** Its request ended, or was never made, because of another instance: its turn comes at once. */
  nextInLine(item: ForwardItem, partlySent: boolean): ForwardSettlement {
    const reason = { code: 'SENT_APART', words: 'Another instance of the batch had to be taken out first.' };
    return { ...this.#again(item, reason), outcomeUnknown: partlySent };
  }

  /** Something of ours broke half-way: nobody knows how far it came. */
  unclear(item: ForwardItem, batchInstances: number): ForwardSettlement {
    const reason = { code: 'FORWARD_FAILED', words: 'Gantry failed while sending. It is tried again.' };
    return this.#unknown(item, reason, { batchInstances, destinationFault: false });
  }

  #again(
    item: ForwardItem,
    reason: Reason,
    batchInstancesMax: number | null = null,
  ): Extract<ForwardSettlement, { to: 'queued' }> {
    const retryAt = this.#clock.now();
    const queued = { to: 'queued', retryAt, countAttempt: false, outcomeUnknown: false } as const;
    return { ...keyOf(item), ...queued, reason, batchInstancesMax };
  }

  /** A definite refusal of the compressed form: what was received is sent instead, at once. */
  #asReceived(
    item: ForwardItem,
    reason: Reason,
    asReceived: 'syntax-refused' | 'refused' | 'unreadable',
  ): ForwardSettlement {
    return { ...this.#again(item, reason), asReceived };
  }

  #unknown(item: ForwardItem, reason: Reason, around: Circumstances): ForwardSettlement {
    const unknowns = item.unknowns + 1;
    if (this.#exhausted(unknowns, around)) return { ...keyOf(item), to: 'held', reason };
    return { ...this.#later(item, unknowns, reason, around), countAttempt: false, outcomeUnknown: true };
  }

  #failed(
    item: ForwardItem,
    reason: Reason,
    around: Circumstances,
    to: 'held' | 'quarantined',
    lastingMsMin: number,
  ): ForwardSettlement {
    const attempts = item.attempts + 1;
    const lastedMs = this.#clock.now() - item.firstAttemptAt;
    // What the archive says of the instance itself may be said in a batch; the rest needs it to be alone.
    const alone = isOfService(reason) ? { ...around, batchInstances: 1 } : around;
    if (this.#exhausted(attempts, alone) && lastedMs >= lastingMsMin) return { ...keyOf(item), to, reason };
    return this.#later(item, attempts, reason, around);
  }

  #exhausted(count: number, around: Circumstances): boolean {
    return around.batchInstances === 1 && !around.destinationFault && count >= this.#limits.attemptsMax;
  }

  #later(
    item: ForwardItem,
    count: number,
    reason: Reason,
    { batchInstances, destinationFault }: Circumstances,
  ): Extract<ForwardSettlement, { to: 'queued' }> {
    // While the destination is at fault the breaker spaces the attempts.
    if (destinationFault) return this.#again(item, reason);
    const splits = batchInstances > 1 && count >= this.#limits.splitAfter;
    return {
      ...this.#again(item, reason, splits ? half(batchInstances) : null),
      retryAt: this.#clock.now() + backoffMs(this.#limits.instanceRetry, count, this.#random),
      countAttempt: true,
    };
  }
}

function keyOf({ objectId, destination }: DeliveryKey): DeliveryKey {
  return { objectId, destination };
}

function half(instances: number): number {
  return Math.ceil(instances / 2);
}
