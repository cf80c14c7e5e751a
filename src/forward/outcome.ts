import { faultText } from '../archive/client-fault.ts';
import type {
  FailedInstance,
  PingAnswer,
  RequestFault,
  SendPhase,
  StoreAnswer,
  StoreService,
} from '../archive/port.ts';
import { GantryError, type Reason, reasonWordsMax, systemErrorCode } from '../base/errors.ts';
import type { SOPInstanceUID } from '../dicom/uid.ts';
import { reasonOfFailure, reasonOfNoMention, reasonOfStatus, reasonOfWarning } from './outcome-words.ts';

/** What one store request came to for one instance of it. */
export type Verdict =
  /** The archive says it has it. */
  | { readonly kind: 'stored' }
  /** It says so, and that it changed something (B000, B006, B007 …). */
  | { readonly kind: 'storedWithChange'; readonly reason: Reason }
  /** Try again later; the attempt counts. */
  | { readonly kind: 'retry'; readonly reason: Reason }
  /** Try again later; quarantine when it stays so for many attempts over at least a day. */
  | { readonly kind: 'retryThenQuarantine'; readonly reason: Reason }
  /** Refused for good. */
  | { readonly kind: 'quarantine'; readonly reason: Reason }
  /** The archive does not take this transfer syntax: send the bytes as received; where these are they, quarantine. */
  | { readonly kind: 'resendAsReceived'; readonly reason: Reason }
  /**
   * The archive already has this UID: fetch and compare. Equal: stored; different: conflict; not there after
   * all: as `retryThenQuarantine`. Never delete there.
   */
  | { readonly kind: 'compareWithArchive'; readonly reason: Reason }
  /** It may have it or not: look, or send the same bytes again. */
  | { readonly kind: 'unknown'; readonly reason: Reason }
  /** The request was refused without saying why: send the batch in smaller ones; a single one is held after some attempts. */
  | { readonly kind: 'split'; readonly reason: Reason }
  /** The request was too large: send half as much at a time. */
  | { readonly kind: 'halve'; readonly reason: Reason }
  /** Nothing to do with the instance: queued again, burns no attempt. */
  | { readonly kind: 'notBlamed'; readonly reason: Reason };

/** What the same answer says about the destination as a whole. */
export type DestinationVerdict =
  | { readonly kind: 'ok' }
  /** Send less, later; `retryAfterMs` where the archive named a time. */
  | { readonly kind: 'backOff'; readonly retryAfterMs: number | null; readonly reason: Reason }
  /** Pause, refresh the credentials. */
  | { readonly kind: 'authFault'; readonly reason: Reason }
  /** Pause until a person has changed something. */
  | { readonly kind: 'configFault'; readonly reason: Reason };

export interface Judgement {
  /** In the order of the items. */
  readonly perInstance: readonly Verdict[];
  readonly destination: DestinationVerdict;
}

type Answered = Extract<StoreAnswer, { kind: 'answered' }>;
type Failed = Extract<StoreAnswer, { kind: 'failed' }>;

const ok: DestinationVerdict = { kind: 'ok' };

/**
 * Judges one store request, instance by instance: what the archive says about an instance in its answer counts,
 * whatever the HTTP status (one bad part makes some archives answer 400 though they stored the others); the
 * status counts for those the answer says nothing about (PS3.18 §10.5.3, Annex I).
 */
export function judge(
  answer: StoreAnswer,
  items: readonly { readonly SOPInstanceUID: SOPInstanceUID }[],
): Judgement {
  if (answer.kind === 'answered') return judgeAnswered(answer, items);
  if (answer.kind === 'failed') return everyInstance(items.length, ...judgeFailed(answer));
  return everyInstance(items.length, judgeSourceFailure(answer.error, items.length), ok);
}

function everyInstance(count: number, verdict: Verdict, destination: DestinationVerdict): Judgement {
  return { perInstance: Array.from({ length: count }, () => verdict), destination };
}

function judgeAnswered(answer: Answered, items: readonly { SOPInstanceUID: SOPInstanceUID }[]): Judgement {
  const evidence = new Evidence(answer);
  const silent = verdictOfSilence(answer, items.length, evidence.any);
  const perInstance = items.map(({ SOPInstanceUID }) => evidence.about(SOPInstanceUID) ?? silent);
  return { perInstance, destination: judgeDestination(answer, perInstance) };
}

/** What the answer's two lists say, by UID. */
class Evidence {
  /** Whether the answer says anything about any instance. */
  readonly any: boolean;
  /** Null: no warning. */
  readonly #referenced = new Map<string, number | null>();
  readonly #failed = new Map<string, FailedInstance>();
  readonly #service: StoreService;

  constructor({ referenced, failed, service = 'STOW' }: Answered) {
    this.#service = service;
    this.any = referenced.length + failed.length > 0;
    for (const { SOPInstanceUID, warningReason } of referenced) {
      const warning = this.#referenced.get(SOPInstanceUID) ?? (warningReason || null);
      this.#referenced.set(SOPInstanceUID, warning);
    }
    for (const each of failed) {
      if (!this.#failed.has(each.SOPInstanceUID)) this.#failed.set(each.SOPInstanceUID, each);
    }
  }

  about(SOPInstanceUID: string): Verdict | null {
    const failed = this.#failed.get(SOPInstanceUID);
    const warning = this.#referenced.get(SOPInstanceUID);
    if (failed !== undefined && warning !== undefined) {
      const words = 'the archive says of this instance both that it stored it and that it failed';
      return { kind: 'unknown', reason: reason(`${this.#service}_CONTRADICTION`, words) };
    }
    if (failed !== undefined) return verdictOfFailure(this.#service, failed.failureReason);
    if (warning === undefined) return null;
    if (warning === null) return { kind: 'stored' };
    return { kind: 'storedWithChange', reason: reasonOfWarning(this.#service, warning) };
  }
}

/** FailureReason (0008,1197): PS3.18 Table I.2-2, PS3.7 Annex C, and Azure's own 45070 and 45071. */
function verdictOfFailure(service: StoreService, failureReason: number | null): Verdict {
  if (failureReason === null) {
    const words = 'the archive could not store it and gave no reason';
    return { kind: 'retryThenQuarantine', reason: reason(`${service}_NO_REASON`, words) };
  }
  return { kind: kindOfFailure(failureReason), reason: reasonOfFailure(service, failureReason) };
}

function kindOfFailure(code: number): Exclude<Verdict['kind'], 'stored'> {
  if (code === 0xc122) return 'resendAsReceived';
  if (code === 45_070 || code === 0x0111) return 'compareWithArchive';
  if (code === 45_071 || isOutOfResources(code)) return 'retry';
  if (code === 0x0122 || (code >= 0xa900 && code <= 0xa9ff) || (code >= 0xc000 && code <= 0xcfff)) {
    return 'quarantine';
  }
  // 0110 (processing failure), 0124 (not authorised for this one) and whatever else an archive comes up with.
  return 'retryThenQuarantine';
}

function isOutOfResources(code: number): boolean {
  return code >= 0xa700 && code <= 0xa7ff;
}

/** The verdict on an instance the answer does not mention. */
function verdictOfSilence(answer: Answered, instances: number, saidSomething: boolean): Verdict {
  const { status } = answer;
  const because = reasonOfStatus(status);
  const standing = standingOf(status);
  if (standing === 'accepted') return { kind: 'unknown', reason: reasonOfSilence(answer) };
  if (standing === 'auth' || standing === 'config') return { kind: 'notBlamed', reason: because };
  if (standing === 'passing') return { kind: 'retry', reason: because };
  if (standing === 'tooLarge') return { kind: instances > 1 ? 'halve' : 'quarantine', reason: because };
  // An answer that names some of the batch is about the instances; leaving one out says nothing about it.
  if (saidSomething) return { kind: 'unknown', reason: reasonOfSilence(answer) };
  // Google answers so for an instance it already has.
  if (status === 409 && instances === 1) return { kind: 'compareWithArchive', reason: because };
  return { kind: 'split', reason: because };
}

type Standing = 'accepted' | 'auth' | 'config' | 'passing' | 'tooLarge' | 'refused';

/** What an HTTP status says about a request as a whole. */
function standingOf(status: number): Standing {
  if (status < 300) return 'accepted';
  if (status === 401 || status === 403 || status === 407) return 'auth';
  if (status < 400 || [404, 405, 406, 410, 421, 501, 505].includes(status)) return 'config';
  if (status === 413) return 'tooLarge';
  if (status >= 500 || status === 408 || status === 425 || status === 429) return 'passing';
  return 'refused';
}

function judgeDestination(answer: Answered, perInstance: readonly Verdict[]): DestinationVerdict {
  const { status, retryAfterMs, service = 'STOW' } = answer;
  const standing = standingOf(status);
  if (standing === 'passing') return { kind: 'backOff', retryAfterMs, reason: reasonOfStatus(status) };
  const full = answer.failed.find(({ failureReason }) => isOutOfResources(failureReason ?? 0));
  if (full !== undefined) {
    return { kind: 'backOff', retryAfterMs, reason: reasonOfFailure(service, full.failureReason ?? 0) };
  }
  // Where the answer speaks of every instance, an odd status in front of it is no reason to stop.
  if (perInstance.every(({ kind }) => kind !== 'notBlamed')) return ok;
  if (standing === 'auth') return { kind: 'authFault', reason: reasonOfStatus(status) };
  if (standing === 'config') return { kind: 'configFault', reason: reasonOfStatus(status) };
  return ok;
}

/**
 * Judges the answer to the question whether the archive is there.
 * @param stored it has answered a store request since start: that it does not let us search, or fails to, then
 *   says nothing about storing
 * @returns null where we ended the question ourselves
 */
export function judgeContact(answer: PingAnswer, stored: boolean): DestinationVerdict | null {
  if (answer.kind === 'failed') return verdictOfFault(answer);
  const { status, retryAfterMs } = answer;
  const signInRefused = status === 401 || status === 407;
  if (stored && !signInRefused) return ok;
  if (status === 403) {
    return { kind: 'authFault', reason: reason('HTTP_403', 'the archive refuses this sign-in (HTTP 403)') };
  }
  const because = reasonOfStatus(status);
  if (signInRefused) return { kind: 'authFault', reason: because };
  if (status >= 300 && status < 400) return { kind: 'configFault', reason: because };
  if (standingOf(status) === 'passing') return { kind: 'backOff', retryAfterMs, reason: because };
  // 404, 405, 501 and the like: it offers no search, and answered all the same.
  return ok;
}

function judgeFailed(answer: Failed): [Verdict, DestinationVerdict] {
  const { phase, code, file } = answer;
  const { words } = faultText(code, file);
  const destination = verdictOfFault(answer);
  return [verdictOfPhase(phase, destination === null, reason(code, words)), destination ?? ok];
}

/** @returns null where we ended the request ourselves */
function verdictOfFault({ code, file }: RequestFault): DestinationVerdict | null {
  const { side, words } = faultText(code, file);
  const because = reason(code, words);
  if (side === 'ourselves') return null;
  if (side === 'sign-in') return { kind: 'authFault', reason: because };
  if (side === 'setup') return { kind: 'configFault', reason: because };
  return { kind: 'backOff', retryAfterMs: null, reason: because };
}

function verdictOfPhase(phase: SendPhase, ourDoing: boolean, because: Reason): Verdict {
  if (phase === 'unanswered') return { kind: 'unknown', reason: because };
  return { kind: phase === 'unsent' || ourDoing ? 'notBlamed' : 'retry', reason: because };
}

/** Says nothing against the archive. One damaged object must not hold up the others of its batch. */
function judgeSourceFailure(error: unknown, instances: number): Verdict {
  const code = error instanceof GantryError ? error.code : (systemErrorCode(error) ?? 'SOURCE_FAILED');
  const because = reason(
    code,
    error instanceof GantryError ? error.message : 'it could not be read from this box',
  );
  if (instances > 1) return { kind: 'split', reason: because };
  const damaged = error instanceof GantryError && error.kind === 'permanent';
  return { kind: damaged ? 'quarantine' : 'retryThenQuarantine', reason: because };
}

function reasonOfSilence({ status, body, service = 'STOW' }: Answered): Reason {
  if (body === 'parsed') return reasonOfNoMention(service, status);
  if (body === 'empty')
    return reason('STOW_EMPTY_ANSWER', `the archive answered ${status} without saying what it stored`);
  return reason('STOW_UNREADABLE_ANSWER', `the archive's answer (${status}) was cut off or cannot be read`);
}

function reason(code: string, words: string): Reason {
  return { code, words: words.slice(0, reasonWordsMax) };
}
