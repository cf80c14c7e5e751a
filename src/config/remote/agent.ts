import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { GantryError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { signPayload } from '../../crypto/jws.ts';
import type { ConfigStore } from '../store.ts';
import type { BoxCertificate } from './box-certificate.ts';
import { candidateOf } from './candidate.ts';
import type { Applier } from './apply.ts';
import { applyFailures, failureOf } from './apply-failures.ts';
import { CommandHand, type CommandPorts } from './command-hand.ts';
import type { ChannelKind, DesiredConfig, InboundKind, SignedDocument } from './documents.ts';
import { verifyFreshness } from './freshness.ts';
import { type FleetRefusal, refusal } from './refusals.ts';
import { type BoxFacts, reportOf } from './report.ts';
import type { RemoteMemory, RemoteState } from './state.ts';
import { verifyTrust } from './trust.ts';
import { verifyDesired } from './verify.ts';

/** What the agent needs of the running gateway. */
export interface AgentPorts extends CommandPorts {
  /** What a report says beside the configuration. */
  facts(): Promise<BoxFacts>;
  /** Whether anything says that the clock is right. */
  clockTrusted(): Promise<boolean>;
  /** Opens a sealed secret. @throws GantryError FLEET_SECRET_UNREADABLE */
  openSecret(name: string, sealed: string): Promise<unknown>;
  /** This box belongs to a fleet from now on. */
  enrolled(): Promise<void>;
  /** Whether changes that were to wait for it may be made at this time. */
  inWindow(now: number): boolean;
}

export interface AgentParts {
  readonly state: RemoteState;
  readonly store: ConfigStore;
  readonly applier: Applier;
  readonly signingKey: KeyObject;
  readonly certificate: BoxCertificate;
  readonly ports: AgentPorts;
  readonly clock: Clock;
  readonly log: Log;
  /** The newest version of the document that this program reads. */
  readonly schemaVersion: number;
}

/** What became of something a channel brought. */
export type OfferOutcome =
  | { readonly taken: true; readonly unchanged: boolean }
  | { readonly taken: false; readonly code: string };

type Enrolment = NonNullable<RemoteMemory['enrolment']>;
type Waiting = NonNullable<RemoteMemory['waiting']>;

/** How often it is looked whether a document that waits for its window may be applied. */
const windowLookMs = 5_000;

/** The hand of central IT on the box: believes what is signed rightly, and nothing else; has it applied; reports. */
export class RemoteAgent {
  readonly #parts: AgentParts;
  readonly #commands: CommandHand;
  readonly #listeners = new Set<() => void>();
  #offers: Promise<unknown> = Promise.resolve();
  #reports: Promise<unknown> = Promise.resolve();
  #window: NodeJS.Timeout | null = null;
  #takingUp = false;
  readonly #offs: (() => void)[] = [];

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#commands = new CommandHand(parts);
  }

  /** Takes up what waited when the process ended. */
  start(): void {
    const { applier, store } = this.#parts;
    this.#offs.push(
      applier.onChange(() => {
        this.#news();
        if (applier.state.phase === 'idle') void this.#takeUp();
      }),
      store.onChange(() => this.#news()),
    );
    this.#window = setInterval(() => void this.#takeUp(), windowLookMs);
    this.#window.unref();
    void this.#takeUp();
  }

  stop(): void {
    if (this.#window !== null) clearInterval(this.#window);
    for (const off of this.#offs) off();
  }

  /** Null where this box belongs to no fleet. */
  get enrolment(): Enrolment | null {
    return this.#parts.state.value.enrolment;
  }

  /** This box belongs to a fleet from now on; what was seen of another one counts no more. Durable once it resolves. */
  async enrol(enrolment: Omit<Enrolment, 'enrolledAt'>): Promise<void> {
    const { state, clock, ports } = this.#parts;
    await state.enrol({ ...enrolment, enrolledAt: clock.now() });
    await ports.enrolled();
    this.#news();
  }

  /** Looks at bytes that may come from anybody. One after the other; never rejects. */
  offer(kind: InboundKind, bytes: Buffer, via: ChannelKind): Promise<OfferOutcome> {
    const offered = this.#offers.then(async () => {
      try {
        return await this.#offer(kind, bytes, via);
      } catch (error) {
        this.#parts.log.error({ code: 'REMOTE_INTERNAL', kind, error }, 'a document could not be taken');
        return { taken: false, code: 'REMOTE_INTERNAL' } as const;
      }
    });
    this.#offers = offered;
    return offered;
  }

  /** The report of this box, signed with its own key. */
  report(): Promise<Buffer> {
    const made = this.#reports.then(() => this.#report());
    this.#reports = made.catch(() => undefined);
    return made;
  }

  /** Calls back when there is something new to report. @returns ends it */
  onReport(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Central IT was reached this way, with the settings now in use. */
  channelBack(via: ChannelKind): void {
    this.#parts.applier.channelBack(via);
  }

  /** Applies a document that waits, whatever it waits for. @throws GantryError APPLY_NOTHING_WAITS, and why it is not in use */
  async applyWaiting(): Promise<void> {
    const { waiting } = this.#parts.state.value;
    if (waiting === null) throw new GantryError(applyFailures.nothingWaits);
    await this.#apply(waiting);
  }

  /** Tries the newest document again, where it was refused or went back. */
  async retry(): Promise<void> {
    const { applier, state } = this.#parts;
    await applier.forgive();
    await state.change(({ latest, applied }) =>
      latest === null || latest.sha256 === applied?.sha256 ? {} : { waiting: { ...latest, when: 'now' } },
    );
    void this.#takeUp();
  }

  #offer(kind: InboundKind, bytes: Buffer, via: ChannelKind): Promise<OfferOutcome> {
    const { enrolment } = this;
    if (enrolment === null) return Promise.resolve({ taken: false, code: 'FLEET_NOT_ENROLLED' });
    if (kind === 'trust') return this.#trust(bytes, enrolment);
    if (kind === 'certificate') return this.#certificate(bytes, enrolment);
    if (kind === 'freshness') return this.#freshness(bytes, enrolment);
    if (kind === 'desired') return this.#desired(bytes, enrolment, via);
    return this.#command(bytes, enrolment);
  }

  async #trust(bytes: Buffer, enrolment: Enrolment): Promise<OfferOutcome> {
    const outcome = await verifyTrust(bytes, enrolment.trust);
    if (!outcome.ok) return this.#refused(outcome.refusal);
    const { trust, unchanged } = outcome;
    if (!unchanged) {
      await this.#parts.state.change(() => ({ enrolment: { ...enrolment, trust } }));
      this.#parts.log.info(
        { event: 'trust-followed', version: trust.document.version },
        'new trust document',
      );
      this.#news();
    }
    return { taken: true, unchanged };
  }

  async #certificate(bytes: Buffer, { device, trust }: Enrolment): Promise<OfferOutcome> {
    const { certificate, log } = this.#parts;
    const outcome = await certificate.take(bytes.toString('latin1'), device, trust.document);
    if (!outcome.ok) return this.#refused(refusal(outcome.code).refusal);
    const { unchanged } = outcome;
    if (!unchanged) {
      log.info({ event: 'certificate-installed' }, 'new certificate for the way to central IT');
      this.#news();
    }
    return { taken: true, unchanged };
  }

  async #freshness(bytes: Buffer, enrolment: Enrolment): Promise<OfferOutcome> {
    const { state } = this.#parts;
    const { timestamp } = state.value;
    const outcome = await verifyFreshness(bytes, {
      ...this.#facts(enrolment),
      last: timestamp,
      now: await this.#now(),
    });
    if (!outcome.ok) return this.#refused(outcome.refusal);
    if (!outcome.unchanged) await state.change(() => ({ timestamp: outcome.state }));
    return { taken: true, unchanged: outcome.unchanged };
  }

  async #desired(bytes: Buffer, enrolment: Enrolment, via: ChannelKind): Promise<OfferOutcome> {
    const { state, log } = this.#parts;
    const outcome = await this.#believe(bytes, enrolment);
    if (!outcome.ok) return this.#refused(outcome.refusal);
    const { desired, sha256 } = outcome;
    if (this.#isKnown(sha256)) return { taken: true, unchanged: true };
    const { generation, apply } = desired;
    const signed = Buffer.from(bytes).toString();
    const waiting = { generation, sha256, signed, when: apply.when, via };
    await state.change(() => ({ seen: { generation, sha256 }, waiting, latest: waiting }));
    log.info(
      { event: 'config-offered', generation, via, when: apply.when },
      'a configuration from central IT',
    );
    this.#news();
    void this.#takeUp();
    return { taken: true, unchanged: false };
  }

  #believe(bytes: Uint8Array, enrolment: Enrolment) {
    const { store } = this.#parts;
    const current = { currentConfig: store.document(), currentSealed: store.sealed() };
    return verifyDesired(bytes, { ...this.#facts(enrolment), ...current });
  }

  /**
   * A document that waited may have lost its signer, or send data elsewhere than what is in use by now.
   * @throws GantryError with the code of the refusal; then it waits no more
   */
  async #stillBelieved({ signed, sha256 }: Waiting): Promise<DesiredConfig> {
    const { enrolment } = this;
    if (enrolment === null) throw new GantryError(applyFailures.nothingWaits);
    const outcome = await this.#believe(Buffer.from(signed), enrolment);
    if (outcome.ok) return outcome.desired;
    await this.#forgetWaiting(sha256);
    await this.#refused(outcome.refusal);
    throw new GantryError({ ...outcome.refusal, kind: 'permanent' });
  }

  /** In use, being tried, waiting, or tried before. */
  #isKnown(sha256: string): boolean {
    const { applied, pending, waiting, history } = this.#parts.state.value;
    const records = [applied, pending, waiting, ...history];
    return records.some((one) => one?.sha256 === sha256);
  }

  async #command(bytes: Buffer, enrolment: Enrolment): Promise<OfferOutcome> {
    const outcome = await this.#commands.take(bytes, {
      ...this.#facts(enrolment),
      now: await this.#now(),
    });
    if (!outcome.ok) return this.#refused(outcome.refusal);
    this.#news();
    return { taken: true, unchanged: false };
  }

  async #takeUp(): Promise<void> {
    const { state, applier, ports, clock, log } = this.#parts;
    const { waiting, refusedSha256 } = state.value;
    if (waiting === null || this.#takingUp || applier.state.phase !== 'idle') return;
    if (waiting.when === 'manual') return;
    if (waiting.when === 'window' && !ports.inWindow(clock.now())) return;
    this.#takingUp = true;
    try {
      if (refusedSha256.includes(waiting.sha256)) await this.#forgetWaiting(waiting.sha256);
      else await this.#apply(waiting);
    } catch (error) {
      const { code, message } = failureOf(error);
      log.warn(
        { code, generation: waiting.generation },
        `a configuration of central IT is not in use: ${message}`,
      );
    } finally {
      this.#takingUp = false;
    }
  }

  async #apply(waiting: Waiting): Promise<void> {
    const { applier, store, ports, schemaVersion } = this.#parts;
    const { sha256, generation, via } = waiting;
    const desired = await this.#stillBelieved(waiting);
    try {
      const candidate = await candidateOf(desired, {
        sha256,
        via,
        schemaVersion,
        current: store.document(),
        changes: store.current().changes,
        open: (name, sealed) => ports.openSecret(name, sealed),
      }).catch(async (error: unknown) => {
        await applier.refuse({ source: 'central', generation, sha256 }, error);
        throw error;
      });
      await applier.begin(candidate);
    } catch (error) {
      if (error instanceof GantryError && error.code === applyFailures.underWay.code) throw error;
      await this.#forgetWaiting(sha256);
      throw error;
    }
    await this.#forgetWaiting(sha256);
  }

  /** A newer one may have come meanwhile, which stays. */
  async #forgetWaiting(sha256: string): Promise<void> {
    await this.#parts.state.change(({ waiting }) => ({
      waiting: waiting?.sha256 === sha256 ? null : waiting,
    }));
    this.#news();
  }

  async #refused({ code, message }: FleetRefusal): Promise<OfferOutcome> {
    const { state, clock, log } = this.#parts;
    const at = clock.now();
    const before = state.value.refusals.find((one) => one.code === code);
    log.warn({ code }, message);
    // A flood of one kind is not written down one by one.
    if (before === undefined || at - before.at >= refusalNoteMs) {
      await state.change(({ refusals }) => ({
        refusals: [
          ...refusals.filter((one) => one.code !== code),
          { code, at, count: (before?.count ?? 0) + 1 },
        ],
      }));
      this.#news();
    }
    return { taken: false, code };
  }

  #facts({ fleet, device, trust }: Enrolment) {
    const { seen } = this.#parts.state.value;
    return {
      fleet,
      device,
      trust: trust.document,
      lastGeneration: seen?.generation ?? 0,
      lastSha256: seen?.sha256 ?? null,
    };
  }

  async #now(): Promise<number | null> {
    const { clock, ports } = this.#parts;
    return (await ports.clockTrusted()) ? clock.now() : null;
  }

  async #report(): Promise<Buffer> {
    const { state, store, applier, ports, clock, schemaVersion, signingKey } = this.#parts;
    if (this.enrolment === null) throw new GantryError(applyFailures.notEnrolled);
    const facts = await ports.facts();
    const trustedNow = await this.#now();
    await state.change(({ reportSeq }) => ({ reportSeq: reportSeq + 1 }));
    const report = reportOf({
      facts,
      memory: { ...state.value, enrolment: this.enrolment },
      phase: applier.state.phase,
      current: store.current(),
      document: store.document(),
      now: clock.now(),
      trustedNow,
      schemaVersion,
      certificateRequest: await this.#certificateRequest(this.enrolment),
    });
    const signed = await signPayload('gantry-reported', Buffer.from(JSON.stringify(report)), signingKey);
    return Buffer.from(JSON.stringify(signed));
  }

  /** A report is never held up by it. */
  async #certificateRequest(enrolment: Enrolment): Promise<SignedDocument | null> {
    const { certificate, clock, signingKey, log } = this.#parts;
    return certificate.requestIfDue(enrolment, clock.now(), signingKey).catch((error: unknown) => {
      log.error({ code: 'CERTIFICATE_REQUEST', error }, 'no certificate can be asked for');
      return null;
    });
  }

  #news(): void {
    for (const listener of this.#listeners) listener();
  }
}

const refusalNoteMs = 10_000;
