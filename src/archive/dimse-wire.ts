import { EventEmitter } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { ClientFault } from './client-fault.ts';
import { TlsContext, type TlsFiles } from './tls-context.ts';

/** PDU types (PS3.8 §9.3). */
export const pduTypes = { data: 0x04, abort: 0x07 } as const;
export const pduHeaderBytes = 6;
export const pdvHeaderBytes = 6;

/** Longest PDU taken from a peer; we announce less. */
const receivedPduBytesMax = 1024 * 1024;

export interface DimseLimits {
  /** Until connected, TLS included. */
  readonly connectMs: number;
  /** Until the association is answered. */
  readonly associateMs: number;
  /** The peer takes no byte of what is sent to it. */
  readonly sendIdleMs: number;
  /** The whole request is out and the peer says nothing. */
  readonly answerIdleMs: number;
  /** An open association without work is released. */
  readonly idleMs: number;
}

export const dimseLimits: DimseLimits = {
  connectMs: 15_000,
  associateMs: 30_000,
  sendIdleMs: 60_000,
  answerIdleMs: 120_000,
  idleMs: 2000,
};

export interface Fragment {
  readonly contextId: number;
  readonly command: boolean;
  readonly last: boolean;
  readonly bytes: Buffer;
}

export interface WireTarget {
  readonly host: string;
  readonly port: number;
  /** Null: in clear. */
  readonly tls: TlsContext | null;
}

export function tlsContextOf(files: TlsFiles | null): TlsContext | null {
  return files === null ? null : new TlsContext(files);
}

/**
 * One connection to a peer, between the socket and dcmjs-dimse: whole PDUs in, within limits of what a peer may
 * claim; bytes out with back-pressure. It is the socket the library sees, and hands it only what it should read.
 * The first failure ends it and is told to whoever waits.
 */
export class DimseWire extends EventEmitter {
  readonly #socket: Socket;
  readonly #limits: DimseLimits;
  readonly #waiting = new Set<(failure: Error) => void>();
  readonly #receive: (type: number, pdu: Buffer) => void;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #failure: Error | null = null;

  private constructor(socket: Socket, limits: DimseLimits, receive: (type: number, pdu: Buffer) => void) {
    super();
    this.#socket = socket;
    this.#limits = limits;
    this.#receive = receive;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new ClientFault('DIMSE_CLOSED')));
  }

  /**
   * @param receive called with each whole PDU, header included
   * @throws Error with the code of the system or of TLS, or ClientFault
   */
  static async open(
    target: WireTarget,
    limits: DimseLimits,
    receive: (type: number, pdu: Buffer) => void,
  ): Promise<DimseWire> {
    const { host, port, tls } = target;
    const secured = tls !== null;
    const socket = secured
      ? connectTls({ host, port, secureContext: tls.current(), servername: isName(host) ? host : '' })
      : connect({ host, port });
    socket.setNoDelay(true);
    const wire = new DimseWire(socket, limits, receive);
    await wire.wait<void>(limits.connectMs, 'UND_ERR_CONNECT_TIMEOUT', (done) =>
      socket.once(secured ? 'secureConnect' : 'connect', () => done()),
    );
    return wire;
  }

  get failure(): Error | null {
    return this.#failure;
  }

  get bytesSent(): number {
    return this.#socket.bytesWritten;
  }

  /** When the certificate of the peer ends (ms since the epoch), or null. */
  get certificateEndsAt(): number | null {
    if (!('getPeerCertificate' in this.#socket)) return null;
    const { valid_to: validTo } = (this.#socket as TLSSocket).getPeerCertificate();
    return validTo === undefined ? null : Date.parse(validTo);
  }

  /** What the library writes. */
  write(bytes: Buffer): boolean {
    return this.#failure === null && this.#socket.write(bytes);
  }

  /** The library's timers do not rule here. */
  setTimeout(): this {
    return this;
  }

  /** Gives the library a PDU to read. */
  feed(pdu: Buffer): void {
    this.emit('data', pdu);
  }

  /** Sends a fragment in a PDU of its own; resolves once the system has room for more. */
  async sendFragment(
    contextId: number,
    command: boolean,
    last: boolean,
    chunks: readonly Buffer[],
  ): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#socket.cork();
    this.#socket.write(fragmentHeader(contextId, bytes, command, last));
    for (const chunk of chunks) this.#socket.write(chunk);
    this.#socket.uncork();
    if (!this.#socket.writableNeedDrain) return;
    await this.wait<void>(this.#limits.sendIdleMs, 'SEND_STALLED', (done) =>
      this.#socket.once('drain', () => done()),
    );
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Waits for what `start` calls `done` with; for a failure of the wire, and at most so long. */
  async wait<T>(ms: number, lateCode: string, start: (done: (value: T) => void) => void): Promise<T> {
    if (this.#failure !== null) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => this.fail(Object.assign(new Error('late'), { code: lateCode })), ms);
    this.#waiting.add(reject);
    try {
      start(resolve);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(reject);
    }
  }

  /** A-ABORT (PS3.8 §9.3.8), then the end; whoever waits is told. */
  abort(reason: Error): void {
    if (this.#failure !== null) return;
    this.#socket.write(Buffer.of(pduTypes.abort, 0, 0, 0, 0, 4, 0, 0, 0, 0));
    this.#end(reason);
    // A peer that reads nothing would keep it open.
    const timer = setTimeout(() => this.#socket.destroy(), this.#limits.idleMs);
    this.#socket.once('close', () => clearTimeout(timer));
    this.#socket.destroySoon();
  }

  fail(failure: Error): void {
    this.#end(failure);
    this.#socket.destroy();
  }

  #end(failure: Error): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    for (const reject of this.#waiting) reject(failure);
    // The library stops its clock.
    this.emit('close');
    this.emit('ended', failure);
  }

  #take(bytes: Buffer): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    for (;;) {
      if (this.#failure !== null || this.#heldBytes < pduHeaderBytes) return;
      const first = this.#front(pduHeaderBytes);
      const length = pduHeaderBytes + first.readUInt32BE(2);
      if (length > receivedPduBytesMax) return this.abort(new ClientFault('DIMSE_PROTOCOL'));
      if (this.#heldBytes < length) return;
      const pdu = this.#front(length).subarray(0, length);
      this.#drop(length);
      this.#receive(pdu.readUInt8(0), pdu);
    }
  }

  /** The first chunk, joined with others only until it is so long. */
  #front(length: number): Buffer {
    const [first = Buffer.alloc(0)] = this.#held;
    if (first.length >= length) return first;
    const joined = Buffer.concat(this.#held);
    this.#held = [joined];
    return joined;
  }

  #drop(length: number): void {
    const [first = Buffer.alloc(0)] = this.#held;
    if (first.length === length) this.#held.shift();
    else this.#held[0] = first.subarray(length);
    this.#heldBytes -= length;
  }
}

function isName(host: string): boolean {
  return !/^[0-9.]+$|:/.test(host);
}

/** @returns null where a length does not fit */
export function fragmentsOf(pdu: Buffer): Fragment[] | null {
  const fragments: Fragment[] = [];
  for (let at = pduHeaderBytes; at < pdu.length; ) {
    if (at + pdvHeaderBytes > pdu.length) return null;
    const end = at + 4 + pdu.readUInt32BE(at);
    if (end < at + pdvHeaderBytes || end > pdu.length) return null;
    const control = pdu.readUInt8(at + 5);
    fragments.push({
      contextId: pdu.readUInt8(at + 4),
      command: (control & 1) !== 0,
      last: (control & 2) !== 0,
      bytes: pdu.subarray(at + pdvHeaderBytes, end),
    });
    at = end;
  }
  return fragments;
}

function fragmentHeader(contextId: number, bytes: number, command: boolean, last: boolean): Buffer {
  const header = Buffer.alloc(pduHeaderBytes + pdvHeaderBytes);
  header[0] = pduTypes.data;
  header.writeUInt32BE(pdvHeaderBytes + bytes, 2);
  header.writeUInt32BE(2 + bytes, 6);
  header[10] = contextId;
  header[11] = (command ? 1 : 0) | (last ? 2 : 0);
  return header;
}

/** A PDU that holds one whole command, for the library. */
export function commandPdu(contextId: number, bytes: Buffer): Buffer {
  return Buffer.concat([fragmentHeader(contextId, bytes.length, true, true), bytes]);
}

/** A PDU that holds one whole data set, for the library. */
export function dataSetPdu(contextId: number, bytes: Buffer): Buffer {
  return Buffer.concat([fragmentHeader(contextId, bytes.length, false, true), bytes]);
}
