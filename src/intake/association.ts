import type { Clock } from '../base/clock.ts';
import type { SpoolIntake } from '../spool/types.ts';
import {
  type Admission,
  type AdmissionDecision,
  type Caller,
  plainAddress,
  selfAdmitted,
} from './admission.ts';
import type { Arrival } from './arrival.ts';
import type { Attempt, AttemptBook, AttemptFacts } from './attempts.ts';
import type { AssociationRequest } from './associate-request.ts';
import { type CommandSet, commandFields, isAnswerless } from './command-set.ts';
import { type Fault, faults, ProtocolFault } from './faults.ts';
import {
  type AcceptedContext,
  isStored,
  negotiate,
  type ProposalNames,
  proposalNames,
  refusedServices,
  serviceRefusals,
} from './negotiation.ts';
import type { AdmissionOptions, IntakeLimits, IntakeTimers } from './options.ts';
import { Patience } from './patience.ts';
import { type GateHost, PduGate } from './pdu-gate.ts';
import type { RefusalBook, RefusalKind } from './refusals.ts';
import { commandForLibrary, unofferedResponse } from './rewritten-commands.ts';
import { IntakeScp, type LibraryAssociation } from './scp.ts';
import type { SelfCalls } from './self-calls.ts';
import type { Slots } from './slots.ts';
import { type StoreAnswer, StoreOperation } from './store.ts';
import type { Tally } from './tally.ts';
import type { TlsPeer } from './tls-peer.ts';

/** What all associations of a listener share. */
export interface House {
  readonly spool: SpoolIntake;
  readonly clock: Clock;
  readonly limits: IntakeLimits;
  readonly timers: IntakeTimers;
  readonly refusals: RefusalBook;
  readonly attempts: AttemptBook;
  readonly tally: Tally;
  readonly associations: Slots;
  /** Connections without an association. */
  readonly idleConnections: Slots;
  readonly selfCalls: SelfCalls;
}

/** Who may come and what is stored, as configured when the connection was opened. */
export interface HouseRules {
  readonly admission: Admission;
  readonly unknownSopClasses: AdmissionOptions['unknownSopClasses'];
}

/** The message under way. */
type Operation =
  | {
      readonly kind: 'store';
      readonly contextId: number;
      readonly command: CommandSet;
      readonly store: StoreOperation;
    }
  | { readonly kind: 'refused'; readonly contextId: number; readonly command: CommandSet }
  /** Answered already, or needs no answer. */
  | { readonly kind: 'none' };

const noOperation: Operation = { kind: 'none' };

/** Ends of an association that cost nothing where no message was under way, and what they are called then. */
const harmlessAtRest: ReadonlyMap<Fault, Fault> = new Map<Fault, Fault>([
  [faults.idleTimeout, faults.idleTimeout],
  [faults.stopping, faults.stopping],
  [faults.peerAborted, faults.leftAtRest],
  [faults.connectionLost, faults.leftAtRest],
]);

/** One connection, from TCP to its end. */
export class IntakeAssociation implements GateHost {
  readonly #house: House;
  readonly #rules: HouseRules;
  readonly #address: string;
  readonly #localAddress: string;
  readonly #localPort: number;
  readonly #openedAt: number;
  readonly #tls: TlsPeer | null;
  readonly #gate: PduGate;
  readonly #patience: Patience;
  readonly #closed = Promise.withResolvers<void>();
  /** Gives back the slot this connection holds, as an association or without one. */
  #leave: () => void;
  #ended = false;
  #request: AssociationRequest | null = null;
  #decision: AdmissionDecision | null = null;
  #caller: Caller | null = null;
  /** It is the gateway itself that calls: nobody to be counted, listed or given a slot. */
  #isSelf = false;
  #scp: IntakeScp | null = null;
  #contexts: ReadonlyMap<number, AcceptedContext> = new Map();
  #operation: Operation = noOperation;
  /** A command has come and is not answered yet. */
  #messageUnderWay = false;
  #otherDataSetBytes = 0;
  /** Gives dcmjs-dimse the answer to the C-STORE under way. */
  #answer: ((answer: StoreAnswer) => void) | null = null;
  #lastMessageId: number | null = null;
  /** Bytes of the next message were here before the last answer was given. */
  #nextCameEarly = false;
  #proposed: ProposalNames | null = null;
  /** The last store; the connection is not gone before it is settled. */
  #settling: Promise<unknown> = Promise.resolve();

  constructor(arrival: Arrival, house: House, rules: HouseRules) {
    this.#house = house;
    this.#rules = rules;
    this.#address = arrival.address;
    this.#localAddress = plainAddress(arrival.socket.localAddress ?? '');
    this.#localPort = arrival.socket.localPort ?? 0;
    this.#openedAt = arrival.openedAt;
    this.#tls = arrival.tls;
    this.#patience = new Patience(house.clock);
    this.#gate = new PduGate(arrival.socket, house.limits, this);
    this.#leave = arrival.leave;
    this.#gate.on('close', () => {
      this.#patience.end();
      this.#leave();
      this.#closed.resolve();
    });
  }

  start(): void {
    const { clock, timers } = this.#house;
    const left = this.#openedAt + timers.associateMs - clock.monotonic();
    this.#patience.allow(left, () => this.#gate.fail(faults.associateTimeout));
    this.#gate.start();
  }

  /** Bytes received, as long as they are not in the tally. */
  get bytesInNow(): number {
    return this.#ended ? 0 : this.#gate.bytesIn;
  }

  /** An association is open: accepted, not yet ended. */
  get isOpen(): boolean {
    return this.#caller !== null;
  }

  /** Resolves when the connection is closed and nothing of it is under way in the spool. Never rejects. */
  async gone(): Promise<void> {
    await this.#closed.promise;
    await this.#settling;
  }

  /** Ends it by our own decision. */
  abort(fault: Fault): void {
    this.#gate.fail(fault);
  }

  /** Closes the connection without a word. */
  destroy(): void {
    this.#gate.destroy();
  }

  associationRequested(request: AssociationRequest): void {
    const { spool, clock, associations, selfCalls } = this.#house;
    this.#request = request;
    this.#isSelf = selfCalls.includes(request.callingAeTitle);
    const occupancy = {
      associations: associations.taken,
      associationsMax: associations.max,
      fromPeer: associations.takenBy(this.#address),
      fromPeerMax: associations.perPeerMax,
    };
    const secured = this.#tls === null ? null : { peer: this.#tls, now: clock.now() };
    const { admission } = this.#rules;
    this.#decision = this.#isSelf
      ? selfAdmitted(request)
      : admission.decide(request, this.#address, spool.intakeGate(), occupancy, secured);
    this.#scp = new IntakeScp(this.#gate, {
      associationRequested: (association) => this.#decide(association),
      storeRequested: (answer) => {
        this.#answer = answer;
      },
      libraryFailed: () => this.#gate.fail(faults.internal),
    });
  }

  established(): void {
    this.#awaitCommand();
  }

  held(holding: boolean): void {
    if (holding) this.#patience.pause();
    else this.#patience.resume();
  }

  command(contextId: number, command: CommandSet): Promise<void> | undefined {
    const caller = this.#caller;
    const context = this.#contexts.get(contextId);
    if (caller === null || context === undefined) throw new ProtocolFault(faults.contextUnknown);
    this.#operation = noOperation;
    this.#messageUnderWay = true;
    if (isAnswerless(command.CommandField)) return undefined;
    if (!this.#isSelf) this.#house.tally.heard(caller);
    if (command.CommandField === commandFields.storeRequest) {
      return this.#beginStore(contextId, command, context, caller);
    }
    if (command.CommandField === commandFields.echoRequest && !command.hasDataSet) {
      if (!this.#isSelf) this.#house.tally.echoes += 1;
      this.#scp?.command(contextId, commandForLibrary(command));
    } else {
      this.#operation = { kind: 'refused', contextId, command };
    }
    return undefined;
  }

  data(bytes: Buffer): Promise<void> | undefined {
    if (this.#operation.kind === 'store') return this.#operation.store.write(bytes);
    this.#otherDataSetBytes += bytes.length;
    if (this.#otherDataSetBytes > this.#house.limits.otherDataSetBytesMax) {
      throw new ProtocolFault(faults.unwantedTooLong);
    }
    return undefined;
  }

  messageEnded(): Promise<void> | undefined {
    const operation = this.#operation;
    if (operation.kind === 'store') return this.#finishStore(operation);
    if (operation.kind === 'refused') {
      this.#record('refused service', serviceRefusals.operation);
      this.#gate.write(unofferedResponse(operation.contextId, operation.command));
    }
    this.#messageAnswered();
    return undefined;
  }

  ended(fault: Fault | null): void {
    this.#ended = true;
    this.#leave();
    this.#leave = this.#house.idleConnections.take(this.#address);
    this.#patience.resume();
    this.#patience.allow(this.#house.timers.acseMs, () => {
      this.#record('closed', faults.notClosed);
      this.#gate.destroy();
    });
    this.#house.tally.bytesIn += this.#gate.bytesIn;
    this.#house.tally.longPdus += this.#gate.longPdus;
    if (this.#operation.kind === 'store') {
      const { store } = this.#operation;
      this.#settling = Promise.allSettled([this.#settling, store.cut()]);
    }
    this.#operation = noOperation;
    if (fault !== null) this.#recordEnd(fault);
    this.#caller = null;
  }

  overstayed(): void {
    this.#record('closed', faults.sentAfterEnd);
  }

  #decide(association: LibraryAssociation): void {
    const { limits } = this.#house;
    const request = this.#request;
    const decision = this.#decision;
    if (request === null || decision === null) return this.#gate.fail(faults.internal);
    if (!decision.admitted) {
      this.#record('rejected', decision.why);
      this.#noteAttempt('rejected', decision.why);
      this.#scp?.sendAssociationReject(
        decision.reject.result,
        decision.reject.source,
        decision.reject.reason,
      );
      return;
    }
    const contexts = new Map<number, AcceptedContext>();
    const answers = negotiate(request, this.#rules.unknownSopClasses);
    for (const { id, result, accepted } of answers) {
      association.getPresentationContext(id).setResult(result, accepted?.TransferSyntaxUID);
      if (accepted !== null) contexts.set(id, accepted);
    }
    this.#contexts = contexts;
    this.#caller = decision.caller;
    if (!this.#isSelf) this.#settleIn(refusedServices(request, answers));
    this.#gate.accept(contexts.keys());
    association.setMaxPduLength(limits.pduBytesAnnounced);
    this.#scp?.sendAssociationAccept();
  }

  #settleIn(refused: AttemptFacts['why']): void {
    if (refused !== null) this.#record('refused service', refused);
    this.#noteAttempt('accepted', refused);
    this.#leave();
    this.#leave = this.#house.associations.take(this.#address);
  }

  #beginStore(
    contextId: number,
    command: CommandSet,
    context: AcceptedContext,
    caller: Caller,
  ): Promise<void> | undefined {
    const { spool, limits } = this.#house;
    const request = {
      command,
      context,
      caller,
      sopClassStored: isStored(context.SOPClassUID, this.#rules.unknownSopClasses),
      messageIdInUse: this.#nextCameEarly && command.MessageID === this.#lastMessageId,
    };
    const store = new StoreOperation(request, { spool, objectBytesMax: limits.objectBytesMax });
    this.#operation = { kind: 'store', contextId, command, store };
    this.#answer = null;
    const wait = store.begin();
    this.#awaitDataSet(store);
    // While the spool opens the object, the library reads the command.
    this.#scp?.command(contextId, commandForLibrary(command));
    return wait;
  }

  #finishStore({ store, contextId, command }: Extract<Operation, { kind: 'store' }>): Promise<void> {
    this.#operation = noOperation;
    const finishing = store.finish();
    if (command.hasDataSet) this.#scp?.dataSetEnded(contextId);
    const answered = finishing.then((answer) => this.#answerStore(command, answer));
    this.#settling = answered.catch(() => undefined);
    return answered;
  }

  #answerStore(command: CommandSet, answer: StoreAnswer): void {
    // Read before `ended` can have forgotten it: an object may become durable after its sender is gone.
    const { caller } = this.#decision?.admitted === true ? this.#decision : { caller: null };
    if (caller !== null) this.#house.tally.answered(caller, answer);
    if (answer.refusal !== null) this.#record('refused object', answer.refusal);
    this.#lastMessageId = command.MessageID;
    if (this.#answer === null) return this.#gate.fail(faults.internal);
    this.#answer(answer);
    this.#messageAnswered();
  }

  #messageAnswered(): void {
    this.#messageUnderWay = false;
    this.#nextCameEarly = this.#gate.hasUnread;
    if (this.#caller !== null) this.#awaitCommand();
  }

  #awaitCommand(): void {
    this.#otherDataSetBytes = 0;
    this.#patience.allow(this.#house.timers.idleMs, () => this.#gate.fail(faults.idleTimeout));
  }

  #awaitDataSet(store: StoreOperation): void {
    const { rateWindowMs, rateBytesPerSecondMin } = this.#house.timers;
    const enough = store.dataSetBytes + (rateBytesPerSecondMin * rateWindowMs) / 1000;
    this.#patience.allow(rateWindowMs, () => {
      if (store.dataSetBytes < enough) this.#gate.fail(faults.tooSlow);
      else this.#awaitDataSet(store);
    });
  }

  #recordEnd(fault: Fault): void {
    if (this.#isSelf) return;
    if (this.#decision === null) this.#noteAttempt('closed', fault);
    if (this.#caller === null) return this.#record(fault.abort === null ? 'closed' : 'aborted', fault);
    const harmless = this.#messageUnderWay ? undefined : harmlessAtRest.get(fault);
    this.#record(harmless === undefined ? 'aborted' : 'closed', harmless ?? fault);
  }

  #record(kind: RefusalKind, { code, message, nextStep }: Omit<Fault, 'abort'>): void {
    if (this.#request !== null) this.#proposed ??= proposalNames(this.#request);
    const why = { code, message, nextStep };
    this.#house.refusals.add({ kind, ...this.#peer(), proposed: this.#proposed, why });
  }

  #noteAttempt(outcome: Attempt['outcome'], why: AttemptFacts['why']): void {
    const line = {
      localAddress: this.#localAddress,
      localPort: this.#localPort,
      overTls: this.#tls !== null,
    };
    this.#house.attempts.add({ outcome, ...this.#peer(), ...line, why });
  }

  #peer(): Pick<Attempt, 'address' | 'callingAeTitle' | 'calledAeTitle' | 'modalityName'> {
    const decision = this.#decision;
    return {
      address: this.#address,
      callingAeTitle: this.#request?.callingAeTitle ?? '',
      calledAeTitle: this.#request?.calledAeTitle ?? '',
      modalityName:
        decision?.admitted === true ? decision.caller.modalityName : (decision?.modalityName ?? null),
    };
  }
}
