import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/**
 * A client that puts any bytes on the wire, right or wrong. Shares no code with the gateway or the demo sender:
 * what it says is written here by hand from PS3.7 and PS3.8.
 */

export const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';
export const verification = '1.2.840.10008.1.1';
export const implicitLittleEndian = '1.2.840.10008.1.2';
export const explicitLittleEndian = '1.2.840.10008.1.2.1';

export interface WireContext {
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly string[];
}

export interface WireRequest {
  readonly called?: string;
  readonly calling?: string;
  readonly version?: number;
  readonly applicationContext?: string;
  readonly contexts?: readonly WireContext[];
  /** Null leaves the item out. */
  readonly maximumLength?: number | null;
  /** Further user information sub-items. */
  readonly userItems?: readonly Buffer[];
}

export const ctContext: WireContext = {
  id: 1,
  abstractSyntax: ctImageStorage,
  transferSyntaxes: [explicitLittleEndian, implicitLittleEndian],
};
export const echoContext: WireContext = {
  id: 3,
  abstractSyntax: verification,
  transferSyntaxes: [implicitLittleEndian],
};

export function pdu(type: number, body: Buffer, announced = body.length): Buffer {
  const header = Buffer.from([type, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(announced, 2);
  return Buffer.concat([header, body]);
}

export function item(type: number, ...content: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(content.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  const header = Buffer.from([type, 0, 0, 0]);
  header.writeUInt16BE(body.length, 2);
  return Buffer.concat([header, body]);
}

export function associateRequest(request: WireRequest = {}): Buffer {
  const { called = 'GANTRY', calling = 'CT1', version = 1, maximumLength = 16_384, userItems = [] } = request;
  const { applicationContext = '1.2.840.10008.3.1.1.1', contexts = [ctContext, echoContext] } = request;
  const fixed = Buffer.alloc(68);
  fixed.writeUInt16BE(version, 0);
  fixed.write(called.padEnd(16), 4, 16, 'latin1');
  fixed.write(calling.padEnd(16), 20, 16, 'latin1');
  const maximum = Buffer.alloc(4);
  maximum.writeUInt32BE(maximumLength ?? 0);
  const body = Buffer.concat([
    fixed,
    item(0x10, applicationContext),
    ...contexts.map(({ id, abstractSyntax, transferSyntaxes }) =>
      item(
        0x20,
        Buffer.from([id, 0, 0, 0]),
        item(0x30, abstractSyntax),
        ...transferSyntaxes.map((uid) => item(0x40, uid)),
      ),
    ),
    item(
      0x50,
      ...(maximumLength === null ? [] : [item(0x51, maximum)]),
      item(0x52, '2.25.1'),
      ...userItems,
      item(0x55, 'RAW'),
    ),
  ]);
  return pdu(0x01, body);
}

export const releaseRequest = pdu(0x05, Buffer.alloc(4));
export const abortRequest = pdu(0x07, Buffer.alloc(4));

export interface WireFragment {
  readonly context?: number;
  readonly command: boolean;
  readonly last: boolean;
  readonly bytes: Buffer;
}

export function pdv({ context = 1, command, last, bytes }: WireFragment): Buffer {
  const header = Buffer.from([0, 0, 0, 0, context, (command ? 1 : 0) | (last ? 2 : 0)]);
  header.writeUInt32BE(bytes.length + 2, 0);
  return Buffer.concat([header, bytes]);
}

export function dataPdu(...fragments: WireFragment[]): Buffer {
  return pdu(0x04, Buffer.concat(fragments.map(pdv)));
}

export function commandSet(
  elements: readonly (readonly [element: number, value: number | string])[],
): Buffer {
  return Buffer.concat(
    elements.map(([element, value]) => {
      const odd = typeof value === 'string' && value.length % 2 === 1;
      const bytes = typeof value === 'string' ? Buffer.from(odd ? `${value}\0` : value) : Buffer.alloc(2);
      if (typeof value === 'number') bytes.writeUInt16LE(value);
      const header = Buffer.alloc(8);
      header.writeUInt16LE(element, 2);
      header.writeUInt32LE(bytes.length, 4);
      return Buffer.concat([header, bytes]);
    }),
  );
}

export interface WireStore {
  readonly messageId?: number;
  readonly SOPClassUID?: string;
  readonly SOPInstanceUID: string;
  readonly context?: number;
  readonly withoutDataSet?: boolean;
}

/** The command of a C-STORE-RQ in one PDU. */
export function storeCommand(store: WireStore): Buffer {
  const { messageId = 1, SOPClassUID = ctImageStorage, SOPInstanceUID, context = 1 } = store;
  const bytes = commandSet([
    [0x0002, SOPClassUID],
    [0x0100, 0x0001],
    [0x0110, messageId],
    [0x0700, 0],
    [0x0800, store.withoutDataSet === true ? 0x0101 : 0],
    [0x1000, SOPInstanceUID],
  ]);
  return dataPdu({ context, command: true, last: true, bytes });
}

/** A data set in PDUs of the given fragment length. */
export function dataSetPdus(bytes: Buffer, fragmentBytes = 16_000, context = 1): Buffer {
  const pdus: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += fragmentBytes) {
    const part = bytes.subarray(at, at + fragmentBytes);
    pdus.push(dataPdu({ context, command: false, last: at + fragmentBytes >= bytes.length, bytes: part }));
  }
  return Buffer.concat(pdus);
}

export function echoCommand(messageId = 1, context = 3): Buffer {
  const bytes = commandSet([
    [0x0002, verification],
    [0x0100, 0x0030],
    [0x0110, messageId],
    [0x0800, 0x0101],
  ]);
  return dataPdu({ context, command: true, last: true, bytes });
}

export interface Pdu {
  readonly type: number;
  readonly body: Buffer;
}

/** The command elements of a response that came in one P-DATA-TF, numbers and texts alike. */
export function responseElements({ type, body }: Pdu): Map<number, number | string> {
  if (type !== 4) throw new Error(`PDU type ${type} is not P-DATA-TF`);
  return readElements(body.subarray(6, 4 + body.readUInt32BE(0)));
}

export function readElements(bytes: Buffer): Map<number, number | string> {
  const elements = new Map<number, number | string>();
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32LE(at + 4);
    const element = bytes.readUInt16LE(at + 2);
    const value = bytes.subarray(at + 8, end);
    const textual = element === 0x0002 || element === 0x1000 || element === 0x0902;
    elements.set(element, textual ? value.toString('latin1').replace(/[\0 ]+$/, '') : value.readUInt16LE(0));
    at = end;
  }
  return elements;
}

/** Items of an A-ASSOCIATE-AC, user information included, in the order of the wire. */
export function acceptItems({ body }: Pdu): { type: number; content: Buffer }[] {
  const walk = (bytes: Buffer): { type: number; content: Buffer }[] => {
    const items: { type: number; content: Buffer }[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 4 + bytes.readUInt16BE(at + 2);
      const entry = { type: bytes.readUInt8(at), content: bytes.subarray(at + 4, end) };
      items.push(entry, ...(entry.type === 0x50 ? walk(entry.content) : []));
      at = end;
    }
    return items;
  };
  return walk(body.subarray(68));
}

export class RawClient {
  readonly socket: Socket;
  readonly #pdus: Pdu[] = [];
  #bytes = Buffer.alloc(0);
  #closed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** @param options the address to call from; whether our side stays open after the other has closed its own */
  static async connect(
    port: number,
    { from, halfOpen = false }: { from?: string; halfOpen?: boolean } = {},
  ): Promise<RawClient> {
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      allowHalfOpen: halfOpen,
      ...(from === undefined ? {} : { localAddress: from }),
    });
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Over a connection that is open already, such as one with TLS. */
  static over(socket: Socket): RawClient {
    return new RawClient(socket);
  }

  /** Connects and associates; fails unless the answer is an A-ASSOCIATE-AC. */
  static async associate(port: number, request: WireRequest = {}, from?: string): Promise<RawClient> {
    const client = await RawClient.connect(port, from === undefined ? {} : { from });
    client.send(associateRequest(request));
    const answer = await client.next();
    if (answer?.type !== 2)
      throw new Error(`no association: ${answer?.type} ${answer?.body.toString('hex')}`);
    return client;
  }

  send(...bytes: Buffer[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** The next PDU, or null where the connection closed without one. */
  async next(): Promise<Pdu | null> {
    for (;;) {
      const queued = this.#pdus.shift();
      if (queued !== undefined) return queued;
      if (this.#closed) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Status and Error Comment of the next response. */
  async response(): Promise<{ status: number; comment: string; elements: Map<number, number | string> }> {
    const answer = await this.next();
    if (answer === null) throw new Error('the connection closed without a response');
    const elements = responseElements(answer);
    return { status: Number(elements.get(0x0900)), comment: String(elements.get(0x0902) ?? ''), elements };
  }

  /** Resolves once the connection is closed; returns the source and reason of an A-ABORT that came before, if any. */
  async aborted(): Promise<[source: number, reason: number] | null> {
    let words: [number, number] | null = null;
    for (let each = await this.next(); each !== null; each = await this.next()) {
      if (each.type === 7) words = [each.body.readUInt8(2), each.body.readUInt8(3)];
    }
    return words;
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 6 && this.#bytes.length >= 6 + this.#bytes.readUInt32BE(2)) {
      const end = 6 + this.#bytes.readUInt32BE(2);
      this.#pdus.push({ type: this.#bytes.readUInt8(0), body: this.#bytes.subarray(6, end) });
      this.#bytes = this.#bytes.subarray(end);
    }
    this.#wake();
  }
}
