import { ByteQueue } from './byte-queue.ts';
import { faults, ProtocolFault } from './faults.ts';
import { pduHeaderBytes, pduTypes, pdvHeaderBytes } from './pdu.ts';

/** A piece of a command or data set, as it lies in memory. */
export interface FragmentFrame {
  readonly kind: 'fragment';
  readonly contextId: number;
  readonly command: boolean;
  readonly bytes: Buffer;
  /** These bytes end the command or the data set. */
  readonly last: boolean;
}

/** A whole PDU other than P-DATA-TF, without its header. */
export interface PduFrame {
  readonly kind: 'pdu';
  readonly type: number;
  readonly body: Buffer;
}

export type Frame = PduFrame | FragmentFrame;

/**
 * Finds PDUs and their fragments in what has arrived (PS3.8 §9.3). Pure: bytes in, frames out. Nothing is
 * allocated by what a header announces, and P-DATA-TF bytes are handed on as they come: a fragment is never
 * waited for.
 */
export class PduFramer {
  readonly #queue = new ByteQueue();
  readonly #check: (type: number, bytes: number) => void;
  /** Type of the PDU being read, null between PDUs. */
  #type: number | null = null;
  #pduBytesLeft = 0;
  /** Value bytes left in the fragment being read, null between fragments. */
  #fragmentBytesLeft: number | null = null;
  #contextId = 0;
  #control = 0;

  /** @param check called with each header before anything else of that PDU is read; throws ProtocolFault to refuse it */
  constructor(check: (type: number, bytes: number) => void) {
    this.#check = check;
  }

  /** Bytes that have arrived and were not handed out yet. */
  get bufferedBytes(): number {
    return this.#queue.length;
  }

  push(chunk: Buffer): void {
    this.#queue.push(chunk);
  }

  clear(): void {
    this.#queue.clear();
  }

  /** The next frame, or null until more bytes arrive. @throws ProtocolFault */
  next(): Frame | null {
    if (this.#type === null && !this.#readPduHeader()) return null;
    if (this.#type === pduTypes.data) return this.#nextFragment();
    return this.#nextPdu(this.#type ?? 0);
  }

  #readPduHeader(): boolean {
    if (this.#queue.length < pduHeaderBytes) return false;
    const header = this.#queue.take(pduHeaderBytes);
    const type = header.readUInt8(0);
    this.#pduBytesLeft = header.readUInt32BE(2);
    this.#check(type, this.#pduBytesLeft);
    this.#type = type;
    return true;
  }

  #nextPdu(type: number): PduFrame | null {
    if (this.#queue.length < this.#pduBytesLeft) return null;
    const body = this.#queue.take(this.#pduBytesLeft);
    this.#type = null;
    return { kind: 'pdu', type, body };
  }

  #nextFragment(): FragmentFrame | null {
    if (this.#fragmentBytesLeft === null && !this.#readFragmentHeader()) return null;
    const left = this.#fragmentBytesLeft ?? 0;
    if (left > 0 && this.#queue.length === 0) return null;
    const bytes = this.#queue.takeUpTo(left);
    const ended = bytes.length === left;
    this.#fragmentBytesLeft = ended ? null : left - bytes.length;
    this.#pduBytesLeft -= bytes.length;
    if (this.#pduBytesLeft === 0) this.#type = null;
    // PS3.8 Annex E.2: bits 2 to 7 are never checked by the receiver.
    return {
      kind: 'fragment',
      contextId: this.#contextId,
      command: (this.#control & 1) !== 0,
      bytes,
      last: ended && (this.#control & 2) !== 0,
    };
  }

  #readFragmentHeader(): boolean {
    if (this.#pduBytesLeft < pdvHeaderBytes) throw new ProtocolFault(faults.pduInvalid);
    if (this.#queue.length < pdvHeaderBytes) return false;
    const header = this.#queue.take(pdvHeaderBytes);
    const valueBytes = header.readUInt32BE(0) - 2;
    this.#pduBytesLeft -= pdvHeaderBytes;
    if (valueBytes < 0 || valueBytes > this.#pduBytesLeft) throw new ProtocolFault(faults.pduInvalid);
    this.#fragmentBytesLeft = valueBytes;
    this.#contextId = header.readUInt8(4);
    this.#control = header.readUInt8(5);
    return true;
  }
}
