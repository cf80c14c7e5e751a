import type { Socket } from 'node:net';
import dimse from 'dcmjs-dimse';
import { implementation } from '../dicom/part10.ts';
import { ClientFault } from './client-fault.ts';
import {
  commandFields,
  type PeerCommand,
  readCommand,
  storeRequest,
  storeResponse,
} from './dimse-command.ts';
import {
  commandPdu,
  type DimseLimits,
  DimseWire,
  dataSetPdu,
  type Fragment,
  fragmentsOf,
  pduHeaderBytes,
  pduTypes,
  pdvHeaderBytes,
  type WireTarget,
} from './dimse-wire.ts';
import { pieces } from './pieces.ts';

export interface AssociationTarget extends WireTarget {
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
}

/** One presentation context to propose. */
export interface Proposal {
  readonly sopClass: string;
  readonly transferSyntaxes: readonly string[];
  /** We are to receive objects of this class (C-GET, PS3.7 §D.3.3.4). */
  readonly asProvider?: boolean;
}

/** A proposal as the peer answered it: the context's id, or the result it refused it with (PS3.8 table 9-18). */
export type Negotiated =
  | { readonly accepted: true; readonly contextId: number; readonly transferSyntax: string }
  | { readonly accepted: false; readonly result: number };

/** Takes an object that the peer sends in answer to C-GET. */
export interface ObjectSink {
  begin(command: PeerCommand, transferSyntax: string): void;
  write(bytes: Buffer): void;
  end(): void;
}

export type QueryRequest = InstanceType<
  typeof dimse.requests.CFindRequest | typeof dimse.requests.CGetRequest | typeof dimse.requests.CEchoRequest
>;
type Response = InstanceType<typeof dimse.responses.CFindResponse>;

export const contextsMax = 128;
const commandBytesMax = 64 * 1024;
/** One answer of a query is some hundred bytes. */
const queryDataSetBytesMax = 256 * 1024;
/** What we send at most in one fragment, whatever the peer would take. */
const fragmentBytesMax = 256 * 1024;
const peerPduBytesMin = 64;
const noReason = 2;

// Both libraries log by default, with UIDs in their lines.
dimse.log.disableAll(false);

/** dcmjs-dimse's network layer, calling: it has no such class of its own to build on but the provider's. */
class LibraryUser extends dimse.Scp {
  /** Forgets what it may have gathered: the library does not after a command without a data set (0.3.3). */
  forget(): void {
    (this as unknown as { dimseStream: undefined; dimseBuffer: undefined }).dimseStream = undefined;
    (this as unknown as { dimseStream: undefined; dimseBuffer: undefined }).dimseBuffer = undefined;
  }

  override associationReleaseRequested(): void {
    this.sendAssociationReleaseResponse();
  }

  override abort(): void {
    // The wire has seen it.
  }
}

/**
 * An association as its user (SCU), one request at a time. dcmjs-dimse negotiates, asks and reads answers; data sets
 * of stored and retrieved objects never go through it, so that their size takes no memory.
 */
export class DimseAssociation {
  readonly #wire: DimseWire;
  readonly #library: LibraryUser;
  readonly #limits: DimseLimits;
  readonly #association: InstanceType<typeof dimse.association.Association>;
  readonly #proposals: readonly Proposal[];
  #messageId = 0;
  #command: Buffer[] = [];
  #commandBytes = 0;
  #queryDataSet: Buffer[] = [];
  #queryBytes = 0;
  /** Whether a C-STORE is open, and the status it was answered with. */
  #storing: { status: number | null } | null = null;
  #sink: ObjectSink | null = null;
  #arriving: { command: PeerCommand; contextId: number } | null = null;
  #heard: (() => void) | null = null;

  private constructor(
    wire: DimseWire,
    limits: DimseLimits,
    target: AssociationTarget,
    proposals: readonly Proposal[],
  ) {
    this.#wire = wire;
    this.#limits = limits;
    this.#proposals = proposals;
    this.#library = new LibraryUser(wire as unknown as Socket);
    this.#library.on('networkError', () => wire.abort(new ClientFault('DIMSE_PROTOCOL')));
    this.#association = new dimse.association.Association(target.callingAeTitle, target.calledAeTitle);
    this.#association.setImplementationClassUid(implementation.classUID);
    this.#association.setImplementationVersion(implementation.versionName);
    for (const { sopClass, transferSyntaxes, asProvider = false } of proposals) {
      const id = this.#association.addPresentationContext(sopClass);
      for (const syntax of transferSyntaxes)
        this.#association.addTransferSyntaxToPresentationContext(id, syntax);
      if (!asProvider) continue;
      const context = this.#association.getPresentationContext(id);
      context.setProviderRole(true);
      context.setUserRole(false);
    }
  }

  /** @throws ClientFault, or an error with the code of the system or of TLS; nothing was sent then */
  static async open(
    target: AssociationTarget,
    proposals: readonly Proposal[],
    limits: DimseLimits,
  ): Promise<DimseAssociation> {
    let association: DimseAssociation | null = null;
    const wire = await DimseWire.open(target, limits, (type, pdu) => association?.received(type, pdu));
    association = new DimseAssociation(wire, limits, target, proposals);
    const library = association.#library;
    await wire.wait<void>(limits.associateMs, 'ANSWER_LATE', (done) => {
      library.on('associationAccepted', () => done());
      library.on('associationRejected', (words: { result: number; source: number; reason: number }) =>
        wire.fail(rejection(words)),
      );
      library.sendAssociationRequest(association.#association);
    });
    const max = association.#association.getMaxPduLength();
    if (max !== 0 && max < peerPduBytesMin) {
      wire.abort(new ClientFault('DIMSE_PROTOCOL'));
      throw new ClientFault('DIMSE_PROTOCOL');
    }
    return association;
  }

  get failed(): boolean {
    return this.#wire.failure !== null;
  }

  get bytesSent(): number {
    return this.#wire.bytesSent;
  }

  get certificateEndsAt(): number | null {
    return this.#wire.certificateEndsAt;
  }

  /** What became of a proposal for this class and transfer syntax; null where none was made. */
  negotiated(sopClass: string, transferSyntax: string): Negotiated | null {
    const index = this.#proposals.findIndex(
      (one) => one.sopClass === sopClass && one.transferSyntaxes.includes(transferSyntax),
    );
    const context = this.#association.getPresentationContexts()[index]?.context;
    if (context === undefined) return null;
    const result = context.getResult();
    if (result !== 0) return { accepted: false, result: result < 0 || result > 4 ? noReason : result };
    const accepted = context.getAcceptedTransferSyntaxUid() ?? '';
    // A peer that accepts what was not proposed accepts nothing.
    if (accepted !== transferSyntax) return { accepted: false, result: noReason };
    return { accepted: true, contextId: context.getPresentationContextId(), transferSyntax: accepted };
  }

  /**
   * C-STORE.
   * @param dataSet without group 2; goes on the wire byte for byte
   * @param allSent called once the last byte is handed to the system
   * @returns the status (PS3.7 Annex C)
   * @throws what the data set throws, after an A-ABORT; or what ended the association
   */
  async store(
    contextId: number,
    names: { readonly SOPClassUID: string; readonly SOPInstanceUID: string },
    dataSet: AsyncIterable<Buffer>,
    allSent: () => void,
  ): Promise<number> {
    this.#messageId = (this.#messageId % 0xffff) + 1;
    const command = storeRequest(this.#messageId, names.SOPClassUID, names.SOPInstanceUID);
    const storing: { status: number | null } = { status: null };
    this.#storing = storing;
    try {
      for (const { bytes, last } of pieces([command], this.#fragmentBytes)) {
        await this.#wire.sendFragment(contextId, true, last, bytes);
      }
      await this.#sendDataSet(contextId, dataSet);
    } catch (error) {
      this.#wire.abort(new ClientFault('ABORTED'));
      throw error;
    }
    allSent();
    while (storing.status === null) await this.#hear();
    return storing.status;
  }

  /**
   * C-ECHO, C-FIND or C-GET.
   * @param each called with each answer, the last one included
   * @returns the final status
   */
  async query(
    request: QueryRequest,
    each: (response: Response) => void,
    sink: ObjectSink | null = null,
  ): Promise<number> {
    this.#sink = sink;
    const answers: Response[] = [];
    request.on('response', (response: Response) => {
      answers.push(response);
      this.#heard?.();
    });
    this.#library.forget();
    this.#library.sendRequests(request);
    for (;;) {
      const response = answers.shift();
      if (response === undefined) {
        await this.#hear();
        continue;
      }
      each(response);
      const status = response.getStatus();
      if ((status & 0xff00) !== 0xff00) return status;
    }
  }

  /** Until the peer says something that is waited for. */
  #hear(): Promise<void> {
    return this.#wire.wait<void>(this.#limits.answerIdleMs, 'ANSWER_LATE', (done) => {
      this.#heard = () => done();
    });
  }

  pause(): void {
    this.#wire.pause();
  }

  resume(): void {
    this.#wire.resume();
  }

  /** Ends it in order; never throws, and waits no longer than for the peer's answer. */
  async release(): Promise<void> {
    if (this.failed) return;
    try {
      await this.#wire.wait<void>(this.#limits.idleMs, 'ANSWER_LATE', (done) => {
        this.#library.on('associationReleaseResponse', () => done());
        this.#library.sendAssociationReleaseRequest();
      });
    } catch {
      // It is over either way.
    }
    this.#wire.fail(new ClientFault('DIMSE_CLOSED'));
  }

  abort(): void {
    this.#wire.abort(new ClientFault('ABORTED'));
  }

  /** Calls back once it has ended, whoever ended it. */
  onEnd(listener: (failure: Error) => void): void {
    if (this.#wire.failure === null) this.#wire.once('ended', listener);
    else listener(this.#wire.failure);
  }

  /** A whole PDU from the peer. */
  received(type: number, pdu: Buffer): void {
    if (type === pduTypes.abort) return this.#wire.fail(new ClientFault('DIMSE_ABORTED'));
    if (type !== pduTypes.data) return this.#wire.feed(pdu);
    const fragments = fragmentsOf(pdu);
    if (fragments === null) return this.#wire.abort(new ClientFault('DIMSE_PROTOCOL'));
    for (const fragment of fragments) {
      const understood = fragment.command ? this.#takeCommand(fragment) : this.#takeData(fragment);
      if (!understood) return this.#wire.abort(new ClientFault('DIMSE_PROTOCOL'));
    }
  }

  #takeCommand({ contextId, bytes, last }: Fragment): boolean {
    this.#command.push(bytes);
    this.#commandBytes += bytes.length;
    if (this.#commandBytes > commandBytesMax) return false;
    if (!last) return true;
    const whole = Buffer.concat(this.#command);
    this.#command = [];
    this.#commandBytes = 0;
    const command = readCommand(whole);
    if (command === null) return false;
    if (command.CommandField === commandFields.storeResponse) return this.#takeStoreResponse(command);
    if (command.CommandField === commandFields.storeRequest)
      return this.#takeStoreRequest(command, contextId);
    this.#library.forget();
    this.#wire.feed(commandPdu(contextId, whole));
    return true;
  }

  #takeStoreResponse({ MessageIDBeingRespondedTo, Status }: PeerCommand): boolean {
    if (this.#storing === null || Status === null || MessageIDBeingRespondedTo !== this.#messageId)
      return false;
    this.#storing.status = Status;
    this.#storing = null;
    this.#heard?.();
    return true;
  }

  #takeStoreRequest(command: PeerCommand, contextId: number): boolean {
    const context = this.#association.getPresentationContexts().find(({ id }) => id === contextId)?.context;
    if (this.#sink === null || !command.hasDataSet || this.#arriving !== null || context === undefined)
      return false;
    this.#arriving = { command, contextId };
    this.#sink.begin(command, context.getAcceptedTransferSyntaxUid() ?? '');
    return true;
  }

  #takeData({ contextId, bytes, last }: Fragment): boolean {
    const arriving = this.#arriving;
    if (arriving !== null) {
      this.#sink?.write(bytes);
      this.#heard?.();
      if (!last) return true;
      this.#arriving = null;
      this.#sink?.end();
      this.#wire.write(commandPdu(arriving.contextId, storeResponse(arriving.command, 0x0000)));
      return true;
    }
    this.#queryDataSet.push(bytes);
    this.#queryBytes += bytes.length;
    if (this.#queryBytes > queryDataSetBytesMax) return false;
    if (!last) return true;
    const whole = Buffer.concat(this.#queryDataSet);
    this.#queryDataSet = [];
    this.#queryBytes = 0;
    this.#wire.feed(dataSetPdu(contextId, whole));
    return true;
  }

  get #fragmentBytes(): number {
    const max = this.#association.getMaxPduLength();
    const limit =
      max === 0 ? fragmentBytesMax : Math.min(max - pdvHeaderBytes, fragmentBytesMax - pduHeaderBytes);
    // Fragments have an even length (PS3.8 Annex E).
    return limit & ~1;
  }

  /** Holds a fragment back: which is the last is known only at the end. */
  async #sendDataSet(contextId: number, dataSet: AsyncIterable<Buffer>): Promise<void> {
    const size = this.#fragmentBytes;
    let held: Buffer[] = [];
    let heldBytes = 0;
    for await (const chunk of dataSet) {
      held.push(chunk);
      heldBytes += chunk.length;
      if (heldBytes <= size) continue;
      const parts = [...pieces(held, size)];
      const rest = parts.pop();
      for (const { bytes } of parts) await this.#wire.sendFragment(contextId, false, false, bytes);
      held = [...(rest?.bytes ?? [])];
      heldBytes = held.reduce((sum, one) => sum + one.length, 0);
    }
    await this.#wire.sendFragment(contextId, false, true, held);
  }
}

/** PS3.8 table 9-21. */
function rejection({
  result,
  source,
  reason,
}: {
  result: number;
  source: number;
  reason: number;
}): ClientFault {
  if (result === 2) return new ClientFault('DIMSE_BUSY');
  if (source === 1 && reason === 3) return new ClientFault('DIMSE_CALLING_AE');
  if (source === 1 && reason === 7) return new ClientFault('DIMSE_CALLED_AE');
  return new ClientFault('DIMSE_REJECTED');
}
