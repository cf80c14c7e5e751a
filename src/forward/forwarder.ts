import type { ArchiveClient, StoreAnswer } from '../archive/port.ts';
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Loop } from '../base/loop.ts';
import { Breaker, type Fault } from '../spool/breaker.ts';
import type { Random } from '../spool/retry.ts';
import { settleDurably } from '../spool/settle-durably.ts';
import type { ForwardItem, ForwardSettlement, SpoolForward } from '../spool/types.ts';
import { Bandwidth, unlimited } from './bandwidth.ts';
import { Contact } from './contact.ts';
import { type Judgement, judge } from './outcome.ts';
import { PriorKnowledge } from './prior-knowledge.ts';
import { type LineState, type Passage, SendingLine } from './sending-line.ts';
import { askForUnknown, type ReadyItem, readyBatch, sendBatch } from './shipment.ts';
import { type FaultKind, type ForwarderLimits, faultOf, forwarderLimits, Settler } from './settle.ts';

export interface ForwarderOptions {
  readonly destination: {
    readonly name: string;
    readonly batch: { readonly instancesMax: number; readonly bytesMax: number };
    /** Requests in flight at most, but for one more where stat work is waiting. */
    readonly parallel: number;
  };
  readonly client: ArchiveClient;
  readonly spool: SpoolForward;
  readonly clock: Clock;
  readonly log: Log;
  /** Its rate limit; none where not given. */
  readonly bandwidth?: Bandwidth;
  readonly random?: Random;
  readonly limits?: Partial<ForwarderLimits>;
}

export interface DestinationState {
  /**
   * `untried`: no answer has come since start, and nothing is known to be wrong; `up`: nothing is wrong; `waiting`:
   * the archive asked us to slow down; `down`: it cannot be reached or answers with server errors; `paused`: nothing
   * is sent before a person, a fresh sign-in or a changed setup.
   */
  readonly state: 'untried' | 'up' | 'waiting' | 'down' | 'paused';
  readonly reason: Reason | null;
  /** Whether it has been in order at least once since start. */
  readonly reached: boolean;
  /** When the archive last confirmed an instance (ms since the epoch), null before the first. */
  readonly lastDeliveredAt: number | null;
  /** When it is tried again (ms since the epoch); null while nothing is held back, or paused by an operator. */
  readonly nextAttemptAt: number | null;
  readonly inFlight: number;
  readonly line: LineState;
  /** Since start. */
  readonly counters: Readonly<ForwardCounters>;
}

export interface ForwardCounters {
  delivered: number;
  /** Delivered, but the archive says that it changed something. */
  withChange: number;
  retries: number;
  held: number;
  quarantined: number;
  /** Data set bytes of what was delivered. */
  deliveredBytes: number;
}

/** Each next request takes its share of what is left: the last ones are small, and all connections end together. */
const requestsPerPlace = 2;

const pausedByOperator: Reason = {
  code: 'PAUSED_BY_OPERATOR',
  words: 'Forwarding to this archive was paused by an operator.',
};

/**
 * Sends to one destination what the spool holds for it, until the archive says it has it. Studies interleave:
 * fresh and backlog take turns; a poisonous instance is parked, never waited for.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #limits: ForwarderLimits;
  readonly #settler: Settler;
  readonly #prior: PriorKnowledge;
  readonly #breaker: Breaker<FaultKind>;
  readonly #contact: Contact;
  readonly #bandwidth: Bandwidth;
  readonly #line: SendingLine;
  readonly #loop: Loop;
  readonly #abort = new AbortController();
  readonly #active = new Set<Promise<void>>();
  readonly #counters: ForwardCounters = {
    delivered: 0,
    withChange: 0,
    retries: 0,
    held: 0,
    quarantined: 0,
    deliveredBytes: 0,
  };
  #paused: Reason | null = null;
  /** Which kind of request met the present fault of the breaker. */
  #faultMetBy: 'store' | 'question' = 'store';
  #lastDeliveredAt: number | null = null;
  #order: 'oldest' | 'newest' = 'newest';
  /** Learnt from 413 answers; forgotten at `resume` and restart. */
  #requestBytesMax: number;
  #offWork: (() => void) | null = null;

  constructor(options: ForwarderOptions) {
    const random = options.random ?? Math.random;
    this.#options = options;
    this.#limits = { ...forwarderLimits, ...options.limits };
    const { client, spool, destination } = options;
    this.#prior = new PriorKnowledge(client, spool, destination.name, this.#limits.questionMsMax);
    this.#settler = new Settler(this.#limits, options.clock, random);
    this.#breaker = new Breaker(options.clock, random);
    this.#contact = new Contact(options.client, options.clock, random);
    this.#requestBytesMax = options.destination.batch.bytesMax;
    this.#bandwidth = options.bandwidth ?? new Bandwidth(unlimited, 'UTC', options.clock);
    this.#line = new SendingLine({
      bounds: { parallel: options.destination.parallel, bytesMax: options.destination.batch.bytesMax },
      bandwidth: this.#bandwidth,
      clock: options.clock,
      room: () => this.#loop.notify(),
    });
    this.#loop = new Loop({
      round: () => this.#round(),
      failed: (error) => options.log.error({ error }, 'forward round failed'),
    });
  }

  start(): void {
    this.#offWork ??= this.#options.spool.onWork(() => this.#loop.notifySoon());
    this.#loop.start();
  }

  /** Takes no more; lets requests under way finish for a short while, then ends them. */
  async stop(): Promise<void> {
    this.#offWork?.();
    await this.#loop.stop();
    await this.#contact.stop();
    const grace = setTimeout(() => this.#abort.abort(), this.#limits.stopGraceMs);
    await Promise.all(this.#active);
    clearTimeout(grace);
    this.#abort.abort();
  }

  /** Sends nothing new until `resume`; what is under way finishes. */
  pause(reason: Reason = pausedByOperator): void {
    this.#paused = reason;
  }

  /** Ends a pause, and tries a failing destination at once. */
  resume(): void {
    this.#paused = null;
    this.#requestBytesMax = this.#options.destination.batch.bytesMax;
    this.#breaker.probeNow();
    this.#loop.notify();
  }

  /** An operator's rate limit in Mbit/s (null: none, 0: nothing is sent), until it is cleared or the process ends. */
  limitBandwidth(mbitPerSecond: number | null): void {
    this.#bandwidth.set(mbitPerSecond);
    this.#line.limitChanged();
  }

  /** The configured limit counts again. */
  clearBandwidth(): void {
    this.#bandwidth.clear();
    this.#line.limitChanged();
  }

  state(): DestinationState {
    const { fault } = this.#breaker;
    const waitMs = this.#breaker.waitMs();
    const heldBack = this.#paused === null && fault !== null && Number.isFinite(waitMs);
    return {
      state: this.#paused === null ? stateOf(fault?.kind ?? null, this.#contact.reached) : 'paused',
      reason: this.#paused ?? fault?.reason ?? null,
      reached: this.#contact.reached,
      lastDeliveredAt: this.#lastDeliveredAt,
      nextAttemptAt: heldBack ? Math.ceil(this.#options.clock.now() + waitMs) : null,
      inFlight: this.#active.size,
      line: this.#line.state(),
      counters: { ...this.#counters },
    };
  }

  /** Fills the free places with batches; returns after how long to look again. */
  async #round(): Promise<number> {
    const { spool, clock, destination } = this.#options;
    while (this.#paused === null) {
      const stoppedMs = this.#line.stoppedMs();
      if (stoppedMs > 0) return stoppedMs;
      const room = this.#line.room();
      if (room === 'none') return Infinity;
      const permit = this.#breaker.permit();
      if (permit === 'wait') return this.#breaker.waitMs();
      const probe = permit === 'probe';
      const items = await spool.takeForward(destination.name, {
        instancesMax: probe ? 1 : destination.batch.instancesMax,
        bytesMax: Math.min(this.#requestBytesMax, this.#line.requestBytes),
        spread: this.#line.places * requestsPerPlace,
        spreadBytesMin: this.#line.shareBytesMin,
        order: this.#order,
        statOnly: room === 'stat',
      });
      if (items.length > 0) this.#launch(items, probe);
      else if (room === 'stat') return Infinity;
      else {
        const next = await spool.nextForwardAt(destination.name);
        const workMs = next === null ? Infinity : next - clock.now();
        return Math.min(workMs, this.#askWhereDue(probe, next === null));
      }
    }
    return Infinity;
  }

  /**
   * Nothing is to be sent just now: asks whether the archive is there, where that is worth it.
   * @param probe whether the breaker waits to be told
   * @returns milliseconds until it is worth it
   */
  #askWhereDue(probe: boolean, nothingWaits: boolean): number {
    if (this.#active.size > 0 || (probe && !this.#answerLifts(nothingWaits))) return Infinity;
    const dueMs = this.#contact.dueMs(probe);
    if (dueMs > 0) return dueMs;
    if (probe) this.#breaker.probeBegins();
    void this.#ask(probe);
    return Infinity;
  }

  /** What a store request met takes a store request, unless it is only reach that was lost and none is waiting. */
  #answerLifts(nothingWaits: boolean): boolean {
    if (this.#faultMetBy === 'question') return true;
    const kind = this.#breaker.fault?.kind;
    return nothingWaits && (kind === 'down' || kind === 'busy');
  }

  async #ask(probe: boolean): Promise<void> {
    const verdict = await this.#contact.ask();
    const fault = verdict === null ? null : faultOf(verdict, true, this.#limits);
    if (fault !== null) this.#fail(fault, probe, 'question');
    else if (probe && verdict !== null) this.#breaker.succeeded();
    else if (probe) this.#breaker.probeEnded();
    this.#loop.notify();
  }

  #launch(items: readonly ForwardItem[], probe: boolean): void {
    if (probe) this.#breaker.probeBegins();
    const stat = items.some(({ priority }) => priority === 'stat');
    // Stat work takes no turn of the others, fresh or old.
    if (!stat) this.#order = this.#order === 'oldest' ? 'newest' : 'oldest';
    const carried = this.#carry(items, probe, this.#line.enter(stat)).finally(() => {
      this.#active.delete(carried);
      this.#loop.notify();
    });
    this.#active.add(carried);
  }

  /** One batch from taken to settled: every item is settled exactly once. */
  async #carry(items: readonly ForwardItem[], probe: boolean, passage: Passage): Promise<void> {
    const { spool, log } = this.#options;
    let settlements: readonly ForwardSettlement[];
    try {
      settlements = await this.#deliver(items, probe, passage);
    } catch (error) {
      log.error({ error }, 'batch failed on our side');
      if (probe) this.#breaker.probeEnded();
      settlements = items.map((item) => this.#settler.unclear(item, items.length));
      passage.leave(null);
    }
    await settleDurably(() => spool.settleForward(settlements), log, this.#abort.signal);
    this.#count(items, settlements);
  }

  async #deliver(
    items: readonly ForwardItem[],
    probe: boolean,
    passage: Passage,
  ): Promise<ForwardSettlement[]> {
    const { client, spool } = this.#options;
    const { ready, unread, repeated } = await readyBatch(spool, items);
    const had = this.#prior.learn(ready, this.#abort.signal);
    // Looked at when everything is sent; until then it may fail unseen.
    had.catch(() => undefined);
    if (!this.#prior.alongside) await had;
    const { present, toSend } = await askForUnknown(client, ready, this.#abort.signal);
    const sent = toSend.length > 0 ? await this.#send(toSend, had, probe, passage) : [];
    if (toSend.length === 0) {
      passage.leave(null);
      if (probe) this.#breaker.probeEnded();
    }
    return [
      ...unread.map((each) => this.#settler.unread(each)),
      ...repeated.map((item) => this.#settler.nextInLine(item, false)),
      ...present.map(({ item }) => this.#settler.found(item)),
      ...sent,
    ];
  }

  /** @param had whether the archive knew the study before */
  async #send(
    batch: readonly ReadyItem[],
    had: Promise<boolean>,
    probe: boolean,
    passage: Passage,
  ): Promise<ForwardSettlement[]> {
    const { client, spool } = this.#options;
    const store: ArchiveClient['store'] = (items, signal) =>
      passage.send(items, signal, (paced, either) => client.store(paced, either));
    const mayEnd = () => this.#prior.settled(had);
    const { answer, unread } = await sendBatch({ store }, spool, batch, mayEnd, this.#abort.signal);
    passage.leave(answer);
    if (unread !== null && answer.kind !== 'answered') {
      if (probe) this.#breaker.probeEnded();
      return batch.map(({ item }) =>
        item === unread.item ? this.#settler.unread(unread) : this.#settler.nextInLine(item, true),
      );
    }
    const judgement = judge(
      answer,
      batch.map(({ facts }) => facts),
    );
    this.#learn(answer, judgement, probe);
    this.#learnRequestLimit(batch, judgement);
    const around = { batchInstances: batch.length, destinationFault: this.#breaker.fault !== null };
    const archiveHad = await had;
    return batch.map(({ item }, index) => {
      const verdict = judgement.perInstance[index];
      if (verdict === undefined) throw new Error('an instance without a verdict');
      return this.#settler.settle({ ...item, archiveHad }, verdict, around);
    });
  }

  /** What an answer says about the destination as a whole. */
  #learn(answer: StoreAnswer, { perInstance, destination }: Judgement, probe: boolean): void {
    const unsent = answer.kind === 'failed' && answer.phase === 'unsent';
    const fault = faultOf(destination, unsent, this.#limits);
    const stored = perInstance.some(({ kind }) => kind === 'stored' || kind === 'storedWithChange');
    if (stored || (fault === null && answer.kind === 'answered')) {
      this.#breaker.succeeded();
      this.#contact.stored();
    } else if (fault === null) {
      if (probe) this.#breaker.probeEnded();
    } else {
      this.#fail(fault, probe, 'store');
    }
  }

  #fail(fault: Fault<FaultKind>, probe: boolean, metBy: 'store' | 'question'): void {
    const { client, log } = this.#options;
    if (fault.kind === 'sign-in') client.refreshCredentials();
    const known = this.#breaker.fault?.reason.code;
    this.#breaker.failed(fault, probe);
    if (this.#breaker.fault === fault) this.#faultMetBy = metBy;
    // Each of the many probes of a long outage says the same.
    if (known !== fault.reason.code)
      log.warn({ code: fault.reason.code, fault: fault.kind }, 'destination failed');
  }

  /** 413 says that requests of this size are too much for this archive: no other batch need find out again. */
  #learnRequestLimit(batch: readonly ReadyItem[], { perInstance }: Judgement): void {
    if (!perInstance.some(({ kind }) => kind === 'halve')) return;
    const bytes = batch.reduce((sum, { facts }) => sum + facts.dataSetBytes, 0);
    this.#requestBytesMax = Math.max(1, Math.min(this.#requestBytesMax, Math.floor(bytes / 2)));
  }

  #count(items: readonly ForwardItem[], settlements: readonly ForwardSettlement[]): void {
    const { log, clock } = this.#options;
    const bytes = new Map(items.map((each) => [each.objectId, each.bytes]));
    for (const each of settlements) {
      if (each.to === 'delivered') {
        this.#counters.delivered += 1;
        if (each.warning !== null) this.#counters.withChange += 1;
        this.#counters.deliveredBytes += bytes.get(each.objectId) ?? 0;
        this.#lastDeliveredAt = clock.now();
      } else if (each.to === 'queued') {
        this.#counters.retries += 1;
      } else {
        if (each.to === 'held') this.#counters.held += 1;
        if (each.to === 'quarantined') this.#counters.quarantined += 1;
        log.warn({ objectId: each.objectId, to: each.to, code: each.reason.code }, 'instance parked');
      }
    }
  }
}

function stateOf(kind: FaultKind | null, reached: boolean): DestinationState['state'] {
  if (kind === null) return reached ? 'up' : 'untried';
  if (kind === 'busy') return 'waiting';
  return kind === 'down' ? 'down' : 'paused';
}
