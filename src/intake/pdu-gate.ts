import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { announce } from './associate-accept.ts';
import {
  type AssociationRequest,
  readAssociationRequest,
  writeAssociationRequest,
} from './associate-request.ts';
import { type Fault, faults, ProtocolFault } from './faults.ts';
import { MessageReader, type MessageSink } from './message-reader.ts';
import { pduTypes, shortPduBytes, splitDataPdu, writeAbort, writePdu } from './pdu.ts';
import { type Frame, PduFramer } from './pdu-framer.ts';

export interface GateLimits {
  readonly associateBytesMax: number;
  readonly commandBytesMax: number;
  /** Longest P-DATA-TF variable field that is taken. */
  readonly pduBytesMax: number;
  /** Longest one we ask for; longer ones are counted. */
  readonly pduBytesAnnounced: number;
  /** Thrown away after an association has ended, before the connection is cut. */
  readonly lingerBytesMax: number;
}

/** What the gate tells the association it belongs to. */
export interface GateHost extends MessageSink {
  /** A whole, well-formed A-ASSOCIATE-RQ; dcmjs-dimse gets it right after. */
  associationRequested(request: AssociationRequest): void;
  /** The A-ASSOCIATE-AC is on its way. */
  established(): void;
  /** No more messages: rejected, released, aborted or cut. `fault` is null after a reject and an orderly release. */
  ended(fault: Fault | null): void;
  /** After the end the peer went on sending beyond all measure; the connection is cut right after. */
  overstayed(): void;
  /** True while we hold the peer back. */
  held(holding: boolean): void;
}

/** Longest that the bytes of one peer are worked on before the others get their turn. */
const turnMsMax = 5;

/**
 * - `opened`: nothing but an A-ASSOCIATE-RQ may come
 * - `deciding`: dcmjs-dimse has it and answers within the same turn
 * - `established`: messages
 * - `ended`: what still comes is thrown away; we wait for the peer to close
 */
type State = 'opened' | 'deciding' | 'established' | 'ended';

/**
 * Stands between the socket and dcmjs-dimse, which takes it for its socket. Frames and checks PDUs, hands data
 * sets to the host and only small, whole, well-formed PDUs to the library (`data` events), and has the last
 * word on what the library writes. When the host asks to wait, the gate stops reading and pauses the socket:
 * what is in memory then is at most one chunk here and one in the socket.
 */
export class PduGate extends EventEmitter<{ data: [Buffer]; close: [] }> {
  readonly #socket: Socket;
  readonly #limits: GateLimits;
  readonly #host: GateHost;
  readonly #framer = new PduFramer((type, bytes) => this.#checkHeader(type, bytes));
  #reader: MessageReader | null = null;
  #state: State = 'opened';
  #request: AssociationRequest | null = null;
  /** We hold the peer back: disk, commit. */
  #held = false;
  /** The peer does not take our answers: nothing more is read from it until it does. */
  #backlogged = false;
  #lingeringBytes = 0;
  /** When this peer has had its share of the present turn of the event loop; null until something of it is read. */
  #turnEndsAt: number | null = null;
  /** Bytes received. */
  bytesIn = 0;
  /** P-DATA-TF PDUs longer than announced, taken all the same. */
  longPdus = 0;

  constructor(socket: Socket, limits: GateLimits, host: GateHost) {
    super();
    this.#socket = socket;
    this.#limits = limits;
    this.#host = host;
  }

  start(): void {
    this.#socket.on('data', (chunk: Buffer) => this.#accept(chunk));
    this.#socket.on('drain', () => {
      this.#backlogged = false;
      this.#proceed();
    });
    // The cause of an error is of no use: 'close' follows, and says all there is to say.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#end(this.#state === 'opened' ? null : faults.connectionLost);
      this.emit('close');
    });
  }

  /** Bytes of a later message are here already. */
  get hasUnread(): boolean {
    return this.#framer.bufferedBytes > 0;
  }

  /** From here on messages in these contexts are taken. To be called before the A-ASSOCIATE-AC is written. */
  accept(contextIds: Iterable<number>): void {
    this.#reader = new MessageReader(new Set(contextIds), this.#limits.commandBytesMax, this.#host);
  }

  /** Hands a PDU to dcmjs-dimse as though it came from the network. */
  feed(pdu: Buffer): void {
    this.emit('data', pdu);
  }

  /** dcmjs-dimse writes here, whole PDUs. */
  write(pdu: Buffer): boolean {
    if (this.#state === 'ended') return false;
    switch (pdu.readUInt8(0)) {
      case pduTypes.associateAccept:
        if (this.#request === null) return false;
        this.#send(this.#announced(pdu, this.#request));
        this.#state = 'established';
        this.#host.established();
        break;
      case pduTypes.associateReject:
        this.#end(null, pdu);
        break;
      case pduTypes.releaseResponse:
        // PS3.8 §7.2.2: the requestor closes the connection.
        this.#send(pdu);
        this.#end(null);
        break;
      case pduTypes.data:
        for (const part of splitDataPdu(pdu, this.#request?.pduBytesMax ?? 0)) this.#send(part);
        break;
      default:
        this.fail(faults.internal);
    }
    return true;
  }

  /** Part of what dcmjs-dimse expects of a socket; our own timers rule. */
  setTimeout(): this {
    return this;
  }

  /** Ends the association, by A-ABORT where the fault says so, and closes. */
  fail(fault: Fault): void {
    if (this.#state === 'ended') return;
    if (fault.abort === null) {
      this.#end(fault);
      this.#socket.destroy();
    } else {
      this.#end(fault, writeAbort(fault.abort.source, fault.abort.reason));
    }
  }

  /** Closes at once, whatever the state. */
  destroy(): void {
    this.#socket.destroy();
  }

  #announced(accept: Buffer, { echoed, proposesWindow }: AssociationRequest): Buffer {
    return announce(accept, {
      echoed,
      pduBytesMax: this.#limits.pduBytesAnnounced,
      answerWindow: proposesWindow,
    });
  }

  #send(bytes: Buffer): void {
    if (!this.#socket.write(bytes)) this.#backlogged = true;
  }

  /** @param lastWords after which our side of the connection is closed, so that the peer can read them in peace */
  #end(fault: Fault | null, lastWords?: Buffer): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#framer.clear();
    if (lastWords !== undefined) this.#socket.end(lastWords);
    this.#socket.resume();
    this.#host.ended(fault);
  }

  #accept(chunk: Buffer): void {
    this.bytesIn += chunk.length;
    if (this.#state === 'ended') {
      this.#lingeringBytes += chunk.length;
      if (this.#lingeringBytes > this.#limits.lingerBytesMax && !this.#socket.destroyed) {
        this.#host.overstayed();
        this.#socket.destroy();
      }
      return;
    }
    this.#framer.push(chunk);
    if (this.#held || this.#backlogged) this.#socket.pause();
    else this.#proceed();
  }

  /** Reads on until a frame is incomplete, somebody has to wait, or it is others' turn. */
  #proceed(): void {
    const turnEndsAt = this.#beginTurn();
    try {
      while (!this.#held && !this.#backlogged && this.#state !== 'ended') {
        const frame = this.#framer.next();
        if (frame === null) break;
        const wait = this.#dispatch(frame);
        if (wait !== undefined) this.#hold(wait);
        else if (performance.now() > turnEndsAt) this.#hold(nextTurn());
      }
    } catch (error) {
      this.fail(error instanceof ProtocolFault ? error.fault : faults.internal);
    }
    if (!this.#held && !this.#backlogged && this.#socket.isPaused()) this.#socket.resume();
  }

  /** However many chunks of this peer come in one turn, they share its time. */
  #beginTurn(): number {
    if (this.#turnEndsAt !== null) return this.#turnEndsAt;
    setImmediate(() => {
      this.#turnEndsAt = null;
    });
    this.#turnEndsAt = performance.now() + turnMsMax;
    return this.#turnEndsAt;
  }

  #hold(wait: Promise<void>): void {
    this.#held = true;
    this.#host.held(true);
    const release = (): void => {
      this.#held = false;
      this.#host.held(false);
      this.#proceed();
    };
    wait.then(release, (error: unknown) => {
      this.fail(error instanceof ProtocolFault ? error.fault : faults.internal);
      release();
    });
  }

  #dispatch(frame: Frame): Promise<void> | undefined {
    if (frame.kind === 'fragment') return this.#reader?.take(frame);
    switch (frame.type) {
      case pduTypes.associateRequest:
        this.#decide(readAssociationRequest(frame.body));
        break;
      case pduTypes.releaseRequest:
        // A good-bye in the middle of an object must not read as though the object were safe.
        if (this.#reader?.midMessage === true) throw new ProtocolFault(faults.unexpectedPdu);
        this.feed(writePdu(frame.type, [frame.body]));
        break;
      case pduTypes.abort:
        this.#end(faults.peerAborted);
        this.#socket.destroy();
        break;
      default:
        throw new ProtocolFault(faults.unexpectedPdu);
    }
    return undefined;
  }

  #decide(request: AssociationRequest): void {
    this.#request = request;
    this.#state = 'deciding';
    this.#host.associationRequested(request);
    this.feed(writeAssociationRequest(request));
    if (this.#state === 'deciding') throw new ProtocolFault(faults.internal);
  }

  /** PS3.8 table 9-10 (which PDU may come when) and our limits, before anything of a PDU is read. */
  #checkHeader(type: number, bytes: number): void {
    if (this.#state === 'opened') return this.#checkFirstHeader(type, bytes);
    switch (type) {
      case pduTypes.data:
        if (bytes > this.#limits.pduBytesMax) throw new ProtocolFault(faults.pduTooLong);
        if (bytes > this.#limits.pduBytesAnnounced) this.longPdus += 1;
        return;
      case pduTypes.releaseRequest:
      case pduTypes.abort:
        if (bytes !== shortPduBytes) throw new ProtocolFault(faults.pduInvalid);
        return;
      case pduTypes.associateRequest:
      case pduTypes.associateAccept:
      case pduTypes.associateReject:
      case pduTypes.releaseResponse:
        throw new ProtocolFault(faults.unexpectedPdu);
      default:
        throw new ProtocolFault(faults.unrecognisedPdu);
    }
  }

  #checkFirstHeader(type: number, bytes: number): void {
    if (type === pduTypes.associateRequest) {
      if (bytes > this.#limits.associateBytesMax) throw new ProtocolFault(faults.associateTooLong);
    } else if (type >= pduTypes.associateAccept && type <= pduTypes.abort) {
      throw new ProtocolFault(faults.firstPduUnexpected);
    } else {
      throw new ProtocolFault(strangerFault(type));
    }
  }
}

/** TLS record type 22 is a handshake; HTTP starts with a method, in capitals. */
function strangerFault(firstByte: number): Fault {
  if (firstByte === 0x16) return faults.tls;
  return firstByte >= 0x41 && firstByte <= 0x5a ? faults.http : faults.notDicom;
}
