import { connect, type Socket } from 'node:net';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { pduHeaderBytes, pduTypes, protocolError, userAbort } from './dimse-pdu.ts';

export interface Pdu {
  readonly type: number;
  readonly body: Buffer;
}

/** Longest PDU taken from a peer: an acceptance of 128 contexts and any response are far shorter. */
const receivedPduBytesMax = 1 << 16;
/** Messages go one at a time, so a peer has no reason to be further ahead than this. */
const queuedPdusMax = 16;
/** Bytes gathered before they are handed to the system in one call. */
const burstBytes = 1 << 20;

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: GantryError): void;
}

/**
 * PDUs over one TCP connection: whole PDUs in, gathered writes with back-pressure out. The first failure
 * (connection lost, A-ABORT, silence) ends the line; it is thrown to whoever waits and to every later call.
 */
export class PduLine {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #queue: Pdu[] = [];
  #unframed: Buffer = Buffer.alloc(0);
  #gatheredBytes = 0;
  #receiver: Waiter<Pdu> | null = null;
  #drain: Waiter<void> | null = null;
  #failure: GantryError | null = null;
  #opened = false;

  private constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('connect', () => this.#settleDrain());
    socket.on('drain', () => this.#settleDrain());
    socket.on('error', (error) => this.#fail(this.#opened ? connectionLost(error) : unreachable(error)));
    socket.on('close', () => this.#fail(connectionLost(null)));
    socket.on('timeout', () => this.#onSilence());
    socket.setTimeout(timeoutMs);
  }

  /** @throws GantryError DIMSE_UNREACHABLE, DIMSE_TIMEOUT */
  static async open(host: string, port: number, timeoutMs: number): Promise<PduLine> {
    const line = new PduLine(connect({ host, port, noDelay: true }), timeoutMs);
    await line.#drained();
    line.#opened = true;
    return line;
  }

  /** Adds bytes to what `flush` sends. Call it with whole PDUs only, so that an abort is framed. */
  gather(...chunks: readonly Buffer[]): void {
    if (this.#gatheredBytes === 0) this.#socket.cork();
    for (const chunk of chunks) {
      this.#gatheredBytes += chunk.length;
      this.#socket.write(chunk);
    }
  }

  /** Whether enough is gathered that it should be flushed before more is added. */
  get burstIsFull(): boolean {
    return this.#gatheredBytes >= burstBytes;
  }

  /** Sends what was gathered; resolves once the system has taken it, so that nothing piles up here. */
  async flush(): Promise<void> {
    if (this.#gatheredBytes > 0) this.#socket.uncork();
    this.#gatheredBytes = 0;
    if (this.#failure !== null) throw this.#failure;
    if (this.#socket.writableNeedDrain) await this.#drained();
  }

  /** The next PDU, whichever it is. An A-ABORT is thrown as DIMSE_ABORTED. */
  receive(): Promise<Pdu> {
    const queued = this.#queue.shift();
    if (queued !== undefined) return Promise.resolve(queued);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<Pdu>();
    this.#receiver = { resolve, reject };
    return promise;
  }

  /** Ends the line after a release, or without a word. */
  close(): void {
    this.#end(closedByUs());
    this.#socket.destroy();
  }

  /** Sends A-ABORT and ends the line. */
  abort(): void {
    if (this.#failure !== null) return;
    this.#end(closedByUs());
    this.#socket.write(userAbort);
    if (this.#gatheredBytes > 0) this.#socket.uncork();
    // A peer that reads nothing would keep this open: `#onSilence` bounds it.
    this.#socket.destroySoon();
  }

  /** Resolves when the socket can take more: once connected, and whenever its buffer is empty again. */
  #drained(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#drain = { resolve, reject };
    return promise;
  }

  #take(bytes: Buffer): void {
    if (this.#failure !== null) return;
    this.#unframed = this.#unframed.length === 0 ? bytes : Buffer.concat([this.#unframed, bytes]);
    while (this.#unframed.length >= pduHeaderBytes && this.#failure === null) {
      const length = this.#unframed.readUInt32BE(2);
      if (length > receivedPduBytesMax) return this.#fail(protocolError('it sends an over-long PDU'));
      const end = pduHeaderBytes + length;
      if (this.#unframed.length < end) return;
      const pdu = { type: this.#unframed.readUInt8(0), body: this.#unframed.subarray(pduHeaderBytes, end) };
      this.#unframed = this.#unframed.subarray(end);
      this.#deliver(pdu);
    }
  }

  #deliver(pdu: Pdu): void {
    if (pdu.type === pduTypes.abort) return this.#fail(aborted(pdu.body));
    const receiver = this.#receiver;
    this.#receiver = null;
    if (receiver !== null) receiver.resolve(pdu);
    else if (this.#queue.push(pdu) > queuedPdusMax) this.#fail(protocolError('it talks without being asked'));
  }

  #settleDrain(): void {
    this.#drain?.resolve();
    this.#drain = null;
  }

  /** Nothing moved for the whole of the time allowed; that matters only while the peer is being waited for. */
  #onSilence(): void {
    if (this.#failure !== null) this.#socket.destroy();
    else if (this.#receiver !== null || this.#drain !== null) this.#fail(timedOut(this.#timeoutMs));
  }

  #fail(failure: GantryError): void {
    this.#end(failure);
    this.#socket.destroy();
  }

  #end(failure: GantryError): void {
    this.#failure ??= failure;
    this.#receiver?.reject(this.#failure);
    this.#drain?.reject(this.#failure);
    this.#receiver = null;
    this.#drain = null;
  }
}

function unreachable(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'DIMSE_UNREACHABLE',
      kind: 'transient',
      message: `No connection to the peer (${systemErrorCode(cause) ?? 'unknown cause'}).`,
      nextStep: 'Check host and port, and that the peer is running.',
    },
    { cause },
  );
}

function connectionLost(cause: unknown): GantryError {
  return new GantryError(
    {
      code: 'DIMSE_CONNECTION_LOST',
      kind: 'ambiguous',
      message: `The peer closed the connection (${systemErrorCode(cause) ?? 'without an error'}).`,
      nextStep: 'Send again; see the log of the peer for its reason.',
    },
    { cause },
  );
}

function timedOut(timeoutMs: number): GantryError {
  return new GantryError({
    code: 'DIMSE_TIMEOUT',
    kind: 'ambiguous',
    message: `The peer was silent for ${timeoutMs / 1000} s.`,
    nextStep: 'Check the network and the peer, then send again.',
  });
}

function closedByUs(): GantryError {
  return new GantryError({
    code: 'DIMSE_CONNECTION_LOST',
    kind: 'ambiguous',
    message: 'The association was ended on this side.',
    nextStep: 'Open a new association.',
  });
}

/** PS3.8 §9.3.8, table 9-26. */
const providerAbortReasons: Readonly<Record<number, string>> = {
  1: 'a PDU it does not know',
  2: 'a PDU it did not expect',
  4: 'a PDU parameter it does not know',
  5: 'a PDU parameter it did not expect',
  6: 'an invalid PDU parameter',
};

function aborted(body: Buffer): GantryError {
  const byUser = body[2] === 0;
  const reason = providerAbortReasons[body[3] ?? 0] ?? 'no reason given';
  return new GantryError({
    code: 'DIMSE_ABORTED',
    kind: 'ambiguous',
    message: byUser
      ? 'The peer aborted the association.'
      : `The peer's protocol layer aborted the association: ${reason}.`,
    nextStep: 'See the log of the peer for its reason.',
  });
}
