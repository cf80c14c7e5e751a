import { faultText } from '../archive/client-fault.ts';
import type { ArchiveClient, InstanceRef } from '../archive/port.ts';
import type { Clock } from '../base/clock.ts';
import { type Reason, reasonWordsMax } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Loop } from '../base/loop.ts';
import { Breaker } from '../spool/breaker.ts';
import { backoffMs, type Random, type RetryPolicy } from '../spool/retry.ts';
import { settleDurably } from '../spool/settle-durably.ts';
import type { ProofItem, ProofKind, ProofSettlement, SpoolProof } from '../spool/types.ts';
import { examine } from './examine.ts';
import type { Finding } from './finding.ts';
import { lookFor, type VerifyPolicy } from './policy.ts';
import { type LookClient, SeriesLooks } from './series-looks.ts';

export interface VerifierOptions {
  readonly destination: {
    readonly name: string;
    readonly verify: VerifyPolicy;
    /** Share (0 to 1) of the instances whose digest is compared under `wado-metadata`. */
    readonly digestSample: number;
  };
  readonly client: ArchiveClient;
  readonly spool: SpoolProof;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
  readonly limits?: Partial<VerifierLimits>;
}

export interface VerifierLimits {
  /** Instances looked at side by side. */
  readonly parallel: number;
  /** Taken at once, so that a series is asked for as a whole. */
  readonly togetherMax: number;
  /** Between looks for an instance that is not visible yet, and at an archive that is not reachable. */
  readonly poll: RetryPolicy;
  /** Between looks at an archive that refuses to be read. */
  readonly refusedPoll: RetryPolicy;
  /** An instance is sent again once it was looked for so often … */
  readonly absentPollsMax: number;
  /** … and so long after it was delivered. */
  readonly absentMsMin: number;
  /** How long `stop` lets looks under way finish. */
  readonly stopGraceMs: number;
}

export const verifierLimits: VerifierLimits = {
  parallel: 4,
  togetherMax: 300,
  poll: { firstMs: 2000, capMs: 300_000, floorMs: 250, retryAfterMsMax: 3_600_000 },
  refusedPoll: { firstMs: 60_000, capMs: 3_600_000, floorMs: 10_000, retryAfterMsMax: 3_600_000 },
  absentPollsMax: 10,
  absentMsMin: 600_000,
  stopGraceMs: 5000,
};

export interface ProofState {
  /** Why reading back does not work at present, or null. */
  readonly reason: Reason | null;
  /** When the last instance was proven (ms since the epoch), null before the first. */
  readonly lastVerifiedAt: number | null;
  /** Since start. */
  readonly counters: Readonly<Record<'verified' | 'accepted' | 'conflicts' | 'resent' | 'held', number>>;
}

/** One refusal may concern one instance; so many in a row concern the archive. */
const refusalsInARow = 3;
const settledLocallyMax = 100;
/** Objects opened side by side. */
const openedParallel = 16;

/** Proves, for one destination, that the archive has what it said it has. Never deletes anything anywhere. */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #limits: VerifierLimits;
  readonly #random: Random;
  readonly #breaker: Breaker<'unavailable' | 'refused'>;
  readonly #series: SeriesLooks;
  readonly #loop: Loop;
  readonly #abort = new AbortController();
  readonly #active = new Set<Promise<void>>();
  readonly #counters = { verified: 0, accepted: 0, conflicts: 0, resent: 0, held: 0 };
  #lastVerifiedAt: number | null = null;
  #stopping = false;
  #offWork: (() => void) | null = null;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#limits = { ...verifierLimits, ...options.limits };
    this.#random = options.random ?? Math.random;
    this.#breaker = new Breaker(options.clock, this.#random);
    this.#series = new SeriesLooks(options.client);
    this.#loop = new Loop({
      round: () => this.#round(),
      failed: (error) => options.log.error({ error }, 'proof round failed'),
    });
  }

  start(): void {
    this.#offWork ??= this.#options.spool.onWork(() => this.#loop.notifySoon());
    this.#loop.start();
  }

  /** Takes no more; lets looks under way finish for a short while, then gives them up: they are due again later. */
  async stop(): Promise<void> {
    this.#offWork?.();
    this.#stopping = true;
    await this.#loop.stop();
    const grace = setTimeout(() => this.#abort.abort(), this.#limits.stopGraceMs);
    await Promise.all(this.#active);
    clearTimeout(grace);
    this.#abort.abort();
  }

  state(): ProofState {
    return {
      reason: this.#breaker.fault?.reason ?? null,
      lastVerifiedAt: this.#lastVerifiedAt,
      counters: { ...this.#counters },
    };
  }

  /** Takes what is due into the free places; returns after how long to look again. */
  async #round(): Promise<number> {
    const { spool, clock, destination } = this.#options;
    while (this.#active.size < this.#limits.parallel) {
      const permit = this.#breaker.permit();
      if (permit === 'wait') {
        const more = this.#breaker.fault?.kind === 'refused' && (await this.#settleRefused());
        return more ? 0 : this.#breaker.waitMs();
      }
      const probe = permit === 'probe';
      const free = this.#limits.parallel - this.#active.size;
      const together = !probe && destination.verify === 'wado-metadata' && this.#series.works;
      const itemsMax = together ? this.#limits.togetherMax : free;
      const items = await spool.takeProof(destination.name, probe ? 1 : itemsMax);
      if (items.length === 0) {
        const next = await spool.nextProofAt(destination.name);
        return next === null ? Infinity : next - clock.now();
      }
      if (probe) this.#breaker.probeBegins();
      const client = together ? await this.#clientFor(items) : this.#options.client;
      const waiting = [...items];
      for (let n = Math.min(free, items.length); n > 0; n -= 1) this.#launch(waiting, probe, client);
    }
    return Infinity;
  }

  /** One place: takes what waits one after the other, for as long as the archive can be asked. */
  #launch(waiting: ProofItem[], probe: boolean, client: LookClient): void {
    const looks = this.#lookInTurn(waiting, probe, client).finally(() => {
      this.#active.delete(looks);
      this.#loop.notify();
    });
    this.#active.add(looks);
  }

  async #lookInTurn(waiting: ProofItem[], probe: boolean, client: LookClient): Promise<void> {
    let item = waiting.shift();
    while (item !== undefined) {
      await this.#verify(item, probe, client);
      if (this.#stopping || this.#breaker.fault !== null) {
        await this.#putOff(waiting.splice(0));
        return;
      }
      item = waiting.shift();
    }
  }

  /** What is needed of each to ask for its series. What cannot be read here is seen to when its turn comes. */
  async #clientFor(items: readonly ProofItem[]): Promise<LookClient> {
    const { spool, destination } = this.#options;
    const looked = items.filter(
      (item) => lookFor(destination.verify, destination.digestSample, item) === 'metadata',
    );
    const refs: InstanceRef[] = [];
    for (let at = 0; at < looked.length; at += openedParallel) {
      const opened = looked.slice(at, at + openedParallel).map(async ({ sentId }) => {
        await using object = await spool.open(sentId);
        refs.push(object.facts);
      });
      await Promise.allSettled(opened);
    }
    return this.#series.together(refs);
  }

  async #verify(item: ProofItem, probe: boolean, client: LookClient): Promise<void> {
    const { destination, spool, log } = this.#options;
    const look = lookFor(destination.verify, destination.digestSample, item);
    const finding = await examine(item, look, { client, spool, signal: this.#abort.signal });
    this.#learn(finding, probe);
    const settlement = {
      ...this.#conclude(item, finding),
      objectId: item.objectId,
      destination: item.destination,
    };
    await settleDurably(() => spool.settleProof([settlement]), log, this.#abort.signal);
    this.#count(settlement);
  }

  /** What a finding says about the archive as a whole. */
  #learn(finding: Finding, probe: boolean): void {
    if (finding.kind === 'proven' || finding.kind === 'absent' || finding.kind === 'different') {
      this.#breaker.succeeded();
      return;
    }
    if (finding.kind !== 'unreadable') {
      if (probe) this.#breaker.probeEnded();
      return;
    }
    const refused = finding.why !== 'unavailable';
    if (refused) this.#options.client.refreshCredentials();
    const { poll, refusedPoll } = this.#limits;
    this.#breaker.failed(
      {
        kind: refused ? 'refused' : 'unavailable',
        reason: unreadableReason(finding),
        policy: refused ? refusedPoll : poll,
        retryAfterMs: finding.retryAfterMs,
        opensAfter: refused ? refusalsInARow : 1,
      },
      probe,
    );
  }

  #conclude(item: ProofItem, finding: Finding): Conclusion {
    switch (finding.kind) {
      case 'proven':
        return {
          to: 'verified',
          by: finding.by,
          ...(finding.form === undefined ? {} : { form: finding.form }),
        };
      case 'unasked':
        return { to: 'accepted' };
      case 'different':
        return { to: 'conflict', reason: finding.reason };
      case 'own-unreadable':
        if (finding.lasting) return { to: 'held', reason: finding.reason };
        return {
          to: 'delivered',
          pollAt: this.#pollAt(item, this.#limits.poll, null),
          reason: finding.reason,
        };
      case 'absent':
        return this.#concludeAbsent(item);
      case 'unreadable':
        break;
    }
    return this.#concludeUnreadable(item, finding);
  }

  #concludeAbsent(item: ProofItem): Conclusion {
    const { clock, destination } = this.#options;
    const now = clock.now();
    const waitedLong =
      item.polls + 1 >= this.#limits.absentPollsMax && now - item.deliveredAt >= this.#limits.absentMsMin;
    if (item.assumed) return { to: 'queued', retryAt: now, reason: assumedAbsent };
    if (!waitedLong) {
      return { to: 'delivered', pollAt: this.#pollAt(item, this.#limits.poll, null), reason: notVisibleYet };
    }
    // Nothing but the answer was asked for, and an archive that cannot be read would be sent to for ever.
    if (destination.verify === 'response') return answerAlone(item);
    return { to: 'queued', retryAt: now, reason: absentForLong };
  }

  #concludeUnreadable(item: ProofItem, finding: Extract<Finding, { kind: 'unreadable' }>): Conclusion {
    const refused = finding.why !== 'unavailable';
    if (refused && item.assumed) return this.#sendAssumed();
    if (refused && this.#options.destination.verify === 'response') return answerAlone(item);
    const policy = refused ? this.#limits.refusedPoll : this.#limits.poll;
    const pollAt = this.#pollAt(item, policy, finding.retryAfterMs);
    return { to: 'delivered', pollAt, reason: unreadableReason(finding) };
  }

  /** Nothing shows that it was ever sent, and nothing can: the same bytes again do no harm. */
  #sendAssumed(): Conclusion {
    return { to: 'queued', retryAt: this.#options.clock.now(), reason: assumedUnreadable };
  }

  #pollAt(item: ProofItem, policy: RetryPolicy, retryAfterMs: number | null): number {
    return this.#options.clock.now() + backoffMs(policy, item.polls + 1, this.#random, retryAfterMs);
  }

  /**
   * While the archive refuses to be read, each due delivery says so without asking the archive for each.
   * @returns whether more may be due
   */
  async #settleRefused(): Promise<boolean> {
    const { spool, destination } = this.#options;
    if (!Number.isFinite(this.#breaker.waitMs())) return false;
    const items = await spool.takeProof(destination.name, settledLocallyMax);
    await this.#putOff(items);
    return items.length === settledLocallyMax;
  }

  /** Taken, and not looked at now: the archive cannot be asked, or there is no time. */
  async #putOff(items: readonly ProofItem[]): Promise<void> {
    if (items.length === 0) return;
    const { spool, destination, log, clock } = this.#options;
    const { fault } = this.#breaker;
    const waitMs = this.#breaker.waitMs();
    const pollAt = clock.now() + (Number.isFinite(waitMs) ? Math.ceil(waitMs) : 0);
    const settlements = items.map((item): ProofSettlement => {
      const key = { objectId: item.objectId, destination: item.destination };
      if (fault?.kind === 'refused' && item.assumed) return { ...key, ...this.#sendAssumed() };
      if (fault !== null && destination.verify === 'response') return { ...key, ...answerAlone(item) };
      return { ...key, to: 'delivered', pollAt, reason: fault?.reason ?? notLookedYet };
    });
    await settleDurably(() => spool.settleProof(settlements), log, this.#abort.signal);
  }

  #count(settlement: ProofSettlement): void {
    const { log, clock } = this.#options;
    if (settlement.to === 'verified') {
      this.#counters.verified += 1;
      this.#lastVerifiedAt = clock.now();
    }
    if (settlement.to === 'accepted') this.#counters.accepted += 1;
    if (settlement.to === 'queued') this.#counters.resent += 1;
    if (settlement.to === 'held') this.#counters.held += 1;
    if (settlement.to === 'conflict') this.#counters.conflicts += 1;
    if (settlement.to === 'held' || settlement.to === 'conflict' || settlement.to === 'queued') {
      log.warn(
        { objectId: settlement.objectId, to: settlement.to, code: settlement.reason.code },
        'not verified',
      );
    }
  }
}

type Conclusion =
  | { readonly to: 'verified'; readonly by: ProofKind }
  | { readonly to: 'accepted' }
  | { readonly to: 'delivered'; readonly pollAt: number; readonly reason: Reason }
  | { readonly to: 'queued'; readonly retryAt: number; readonly reason: Reason }
  | { readonly to: 'held' | 'conflict'; readonly reason: Reason };

/** Policy `response`: the answer is all the proof asked for, unless the answer was that it had one already. */
function answerAlone(item: ProofItem): Conclusion {
  return item.existed ? { to: 'held', reason: existedUnseen } : { to: 'accepted' };
}

const existedUnseen: Reason = {
  code: 'EXISTED_UNSEEN',
  words: 'The archive answered that it has this image already, but does not show it. Ours may not be there.',
};
const assumedUnreadable: Reason = {
  code: 'UNREADABLE_AFTER_REBUILD',
  words:
    'After the ledger was rebuilt the archive does not let it be checked; the same bytes are sent again.',
};
const notLookedYet: Reason = {
  code: 'NOT_LOOKED_YET',
  words: 'The archive said it has the instance; it is looked for at the next start.',
};
const notVisibleYet: Reason = {
  code: 'NOT_VISIBLE_YET',
  words: 'The archive said it has the instance but does not show it yet. It is looked for again.',
};
const absentForLong: Reason = {
  code: 'ABSENT_AT_ARCHIVE',
  words: 'The archive said it has the instance but never showed it. It is sent again.',
};
const assumedAbsent: Reason = {
  code: 'ABSENT_AFTER_REBUILD',
  words: 'After the ledger was rebuilt the archive was asked and does not have the instance. It is sent.',
};

function unreadableReason({ why, code, file }: Extract<Finding, { kind: 'unreadable' }>): Reason {
  const detail = file === undefined ? `(${code})` : `(${code}: ${faultText(code, file).words})`;
  const words = {
    refused: `The archive took the instance but does not allow it to be read back ${detail}.`,
    unsupported: `The archive took the instance but offers no way to read it back ${detail}.`,
    unavailable: `The archive cannot be asked at present ${detail}. It is asked again.`,
  }[why];
  const reasonCode = {
    refused: 'CANNOT_VERIFY_REFUSED',
    unsupported: 'CANNOT_VERIFY_UNSUPPORTED',
    unavailable: 'CANNOT_VERIFY_UNAVAILABLE',
  }[why];
  return { code: reasonCode, words: words.slice(0, reasonWordsMax) };
}
