/**
 * Reads by itself, from PS3.7 and PS3.8 alone, what a peer has put on the wire and what came back. The suite
 * believes 0000 only where this finds a whole message that it can have been for.
 */

export interface WireMessage {
  readonly messageId: number;
  readonly commandField: number;
  readonly SOPInstanceUID: string;
  readonly dataSet: Buffer;
}

export interface WirePdu {
  readonly type: number;
  readonly body: Buffer;
}

/** The C-STORE-RQs that lie whole in a stream, each with its data set, as far as the stream keeps to the rules. */
export function wholeStores(stream: Buffer): WireMessage[] {
  const stores: WireMessage[] = [];
  let command: Buffer[] = [];
  let dataSet: Buffer[] = [];
  let elements: ReadonlyMap<number, Buffer> | null = null;
  const end = (): void => {
    if (elements !== null && number(elements, 0x0100) === 1) stores.push(messageOf(elements, dataSet));
    [command, dataSet, elements] = [[], [], null];
  };
  for (const { control, bytes } of fragments(stream)) {
    const isCommand = (control & 1) !== 0;
    if (isCommand !== (elements === null)) break;
    (isCommand ? command : dataSet).push(bytes);
    if ((control & 2) === 0) continue;
    if (!isCommand) end();
    else {
      elements = readElements(Buffer.concat(command));
      if (elements === null) break;
      if (number(elements, 0x0800) === 0x0101) end();
    }
  }
  return stores;
}

/** The fragments behind the first PDU, until something other than P-DATA-TF or a lie comes. */
function* fragments(stream: Buffer): Generator<{ control: number; bytes: Buffer }> {
  let at = stream.length < 6 ? stream.length : 6 + stream.readUInt32BE(2);
  while (at + 6 <= stream.length && stream[at] === 4) {
    const end = at + 6 + stream.readUInt32BE(at + 2);
    at += 6;
    while (at < end) {
      if (at + 6 > Math.min(end, stream.length)) return;
      const length = stream.readUInt32BE(at);
      if (length < 2 || at + 4 + length > end || at + 4 + length > stream.length) return;
      yield { control: stream.readUInt8(at + 5), bytes: stream.subarray(at + 6, at + 4 + length) };
      at += 4 + length;
    }
  }
}

function messageOf(elements: ReadonlyMap<number, Buffer>, dataSet: readonly Buffer[]): WireMessage {
  return {
    messageId: number(elements, 0x0110) ?? -1,
    commandField: number(elements, 0x0100) ?? -1,
    SOPInstanceUID: text(elements, 0x1000),
    dataSet: Buffer.concat(dataSet),
  };
}

/** Group 0000 in Implicit VR Little Endian; null where lengths do not fit. */
function readElements(bytes: Buffer): ReadonlyMap<number, Buffer> | null {
  const elements = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length || bytes.readUInt16LE(at) !== 0) return null;
    const end = at + 8 + bytes.readUInt32LE(at + 4);
    if (end > bytes.length) return null;
    elements.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + 8, end));
    at = end;
  }
  return elements;
}

function number(elements: ReadonlyMap<number, Buffer>, element: number): number | null {
  const value = elements.get(element);
  return value?.length === 2 ? value.readUInt16LE(0) : null;
}

function text(elements: ReadonlyMap<number, Buffer>, element: number): string {
  let value = elements.get(element)?.toString('latin1') ?? '';
  while (value.endsWith('\0') || value.endsWith(' ')) value = value.slice(0, -1);
  return value;
}

/** An answer to a C-STORE. */
export interface StoreAnswer {
  readonly messageId: number;
  readonly SOPInstanceUID: string;
  readonly status: number;
}

/** Statuses that any C-STORE may get while the disk is well (PS3.4 B.2.3, PS3.7 Annex C). */
const statusesExpected = new Set([0x0000, 0x0122, 0x0124, 0x0210, 0x0211, 0xa900, 0xc000]);
const answersToStore = 0x8001;

/** Takes what comes back and says what is wrong with it. */
export class AnswerWitness {
  readonly pdus: WirePdu[] = [];
  readonly faults: string[] = [];
  readonly stores: StoreAnswer[] = [];
  #bytes = Buffer.alloc(0);

  /** Type of the last PDU, null before the first. */
  get last(): number | null {
    return this.pdus.at(-1)?.type ?? null;
  }

  /** Bytes of a PDU that has not come to its end. */
  get unread(): number {
    return this.#bytes.length;
  }

  take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 6) {
      const end = 6 + this.#bytes.readUInt32BE(2);
      if (end > 1_000_000) {
        this.faults.push('an answer of absurd length');
        this.#bytes = Buffer.alloc(0);
      }
      if (this.#bytes.length < end) return;
      this.#pdu({ type: this.#bytes.readUInt8(0), body: this.#bytes.subarray(6, end) });
      this.#bytes = this.#bytes.subarray(end);
    }
  }

  #pdu(pdu: WirePdu): void {
    const { last } = this;
    this.pdus.push(pdu);
    const over = last === 3 || last === 6 || last === 7;
    const fits = (last === null ? [2, 3, 7] : [4, 6, 7]).includes(pdu.type);
    if (over || !fits) this.faults.push(`PDU ${pdu.type} after ${String(last)}`);
    if (pdu.type === 4) this.#response(pdu.body);
    else if (pdu.type !== 2 && pdu.body.length !== 4) this.faults.push(`PDU ${pdu.type} of a wrong length`);
  }

  #response(body: Buffer): void {
    if (body.length < 6 || body.readUInt32BE(0) + 4 !== body.length) {
      this.faults.push('a response that is not one fragment');
      return;
    }
    // Split, where the peer takes no longer PDUs; no session here asks a C-STORE with such a limit.
    if ((body.readUInt8(5) & 2) === 0 || !body.subarray(6, 10).equals(Buffer.alloc(4))) return;
    const elements = readElements(body.subarray(6));
    if (elements === null) this.faults.push('a response that cannot be read');
    else if (number(elements, 0x0100) === answersToStore) {
      const status = number(elements, 0x0900) ?? -1;
      const messageId = number(elements, 0x0120) ?? -1;
      this.stores.push({ messageId, status, SOPInstanceUID: text(elements, 0x1000) });
      if (!statusesExpected.has(status)) this.faults.push(`status ${status.toString(16)}`);
      if (text(elements, 0x0902).length > 64) this.faults.push('an Error Comment over 64 characters');
    }
  }
}
