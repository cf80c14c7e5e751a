import { GantryError } from '../base/errors.ts';
import type { SOPClassUID, SOPInstanceUID, TransferSyntaxUID } from '../dicom/uid.ts';
import {
  contextsMax,
  decodeAssociateAccept,
  decodeFragments,
  decodeResponse,
  encodeAssociateRequest,
  encodeEchoCommand,
  encodeFragmentHeader,
  encodeStoreCommand,
  type NegotiatedContext,
  negotiatedContexts,
  type ProposedContext,
  pduTypes,
  pdvHeaderBytes,
  protocolError,
  releaseRequest,
} from './dimse-pdu.ts';
import { PduLine } from './pdu-line.ts';

export type { NegotiatedContext, ProposedContext } from './dimse-pdu.ts';

export const verificationSOPClass = '1.2.840.10008.1.1' as SOPClassUID;

export interface SenderOptions {
  readonly host: string;
  readonly port: number;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** 1 to 128 presentation contexts, proposed in this order. */
  readonly contexts: readonly ProposedContext[];
  /** The longest P-DATA-TF variable field to send, even where the peer takes more; 262,144 by default. */
  readonly pduBytesMax?: number;
  /** How long the peer may stay silent while it is being waited for; 60,000 by default. */
  readonly timeoutMs?: number;
}

export interface StoreRequest {
  readonly SOPClassUID: SOPClassUID;
  readonly SOPInstanceUID: SOPInstanceUID;
  /** Names the presentation context: one must have been accepted with this transfer syntax. */
  readonly TransferSyntaxUID: TransferSyntaxUID;
  /** Without preamble and group 2; goes on the wire byte for byte. */
  readonly dataSet: Buffer | AsyncIterable<Buffer>;
}

export interface StoreResponse {
  /** PS3.7 Annex C, e.g. 0x0000 or 0xa700. */
  readonly status: number;
  readonly errorComment: string | null;
}

const pduBytesMaxDefault = 262_144;
const timeoutMsDefault = 60_000;
/** A peer that takes less than this per PDU cannot be meant. */
const peerPduBytesMin = 64;

/**
 * A sending application entity (C-STORE and C-ECHO SCU): one association, one message at a time. Data sets
 * are neither parsed nor re-encoded, and memory does not grow with their size.
 *
 * Every method throws GantryError: DIMSE_NO_CONTEXT, after which the association goes on, and
 * DIMSE_UNREACHABLE, DIMSE_REJECTED, DIMSE_ABORTED, DIMSE_TIMEOUT, DIMSE_CONNECTION_LOST and DIMSE_PROTOCOL,
 * after which it is gone.
 */
export class DimseSender {
  /** What became of each proposed context. */
  readonly contexts: readonly NegotiatedContext[];
  /** The longest P-DATA-TF variable field the peer announced; 0 is "no limit". */
  readonly peerPduBytesMax: number;
  readonly #line: PduLine;
  readonly #fragmentBytesMax: number;
  #messageId = 0;

  private constructor(
    line: PduLine,
    contexts: readonly NegotiatedContext[],
    peerPduBytesMax: number,
    pduBytesMax: number,
  ) {
    this.#line = line;
    this.contexts = contexts;
    this.peerPduBytesMax = peerPduBytesMax;
    const limit = peerPduBytesMax === 0 ? pduBytesMax : Math.min(peerPduBytesMax, pduBytesMax);
    // Fragments have an even length (PS3.8 Annex E).
    this.#fragmentBytesMax = (limit - pdvHeaderBytes) & ~1;
  }

  /** Opens the connection and negotiates the association. */
  static async connect(options: SenderOptions): Promise<DimseSender> {
    const { contexts, pduBytesMax = pduBytesMaxDefault } = options;
    if (contexts.length === 0 || contexts.length > contextsMax) {
      throw new RangeError(`an association proposes 1 to ${contextsMax} contexts, not ${contexts.length}`);
    }
    const line = await PduLine.open(options.host, options.port, options.timeoutMs ?? timeoutMsDefault);
    try {
      line.gather(encodeAssociateRequest(options, contexts));
      await line.flush();
      const answer = await line.receive();
      if (answer.type === pduTypes.associateReject) throw rejected(answer.body);
      if (answer.type !== pduTypes.associateAccept) throw protocolError('it did not answer the association');
      const accept = decodeAssociateAccept(answer.body);
      if (accept.pduBytesMax > 0 && accept.pduBytesMax < peerPduBytesMin) {
        throw protocolError('its maximum PDU length is too small to be meant');
      }
      return new DimseSender(line, negotiatedContexts(contexts, accept), accept.pduBytesMax, pduBytesMax);
    } catch (error) {
      line.close();
      throw error;
    }
  }

  /** Sends one instance and waits for the answer; a failure status is an answer, not an error. */
  async store(request: StoreRequest): Promise<StoreResponse> {
    const context = this.#acceptedContext(request.SOPClassUID, request.TransferSyntaxUID);
    const messageId = this.#nextMessageId();
    return this.#orAbort(async () => {
      this.#gatherCommand(
        context.id,
        encodeStoreCommand(messageId, request.SOPClassUID, request.SOPInstanceUID),
      );
      await this.#sendDataSet(context.id, request.dataSet);
      return this.#response(messageId);
    });
  }

  /** C-ECHO; needs an accepted context of the Verification SOP Class. @returns the status */
  async echo(): Promise<number> {
    const context = this.#acceptedContext(verificationSOPClass, null);
    const messageId = this.#nextMessageId();
    return this.#orAbort(async () => {
      this.#gatherCommand(context.id, encodeEchoCommand(messageId, verificationSOPClass));
      await this.#line.flush();
      return (await this.#response(messageId)).status;
    });
  }

  /** Ends the association in order. */
  async release(): Promise<void> {
    this.#line.gather(releaseRequest);
    await this.#line.flush();
    const answer = await this.#line.receive().finally(() => this.#line.close());
    if (answer.type !== pduTypes.releaseResponse) throw protocolError('it did not answer the release');
  }

  /** Ends the association at once; whoever waits is told DIMSE_CONNECTION_LOST. */
  abort(): void {
    this.#line.abort();
  }

  /** @param syntax null for any */
  #acceptedContext(sopClass: SOPClassUID, syntax: TransferSyntaxUID | null): NegotiatedContext {
    const found = this.contexts.find(
      ({ SOPClassUID, TransferSyntaxUID }) =>
        SOPClassUID === sopClass &&
        TransferSyntaxUID !== null &&
        (syntax === null || TransferSyntaxUID === syntax),
    );
    if (found !== undefined) return found;
    throw new GantryError({
      code: 'DIMSE_NO_CONTEXT',
      kind: 'permanent',
      message: 'The peer accepted no presentation context for this kind of object and transfer syntax.',
      nextStep: 'Propose another transfer syntax, or let the peer accept this one.',
    });
  }

  #nextMessageId(): number {
    this.#messageId = (this.#messageId % 0xffff) + 1;
    return this.#messageId;
  }

  /** Half a message on the wire cannot be taken back: whatever breaks it ends the association. */
  async #orAbort<T>(exchange: () => Promise<T>): Promise<T> {
    try {
      return await exchange();
    } catch (error) {
      this.#line.abort();
      throw error;
    }
  }

  #gatherCommand(contextId: number, command: Buffer): void {
    for (let at = 0; at < command.length; at += this.#fragmentBytesMax) {
      const fragment = command.subarray(at, at + this.#fragmentBytesMax);
      const last = at + fragment.length === command.length;
      this.#line.gather(encodeFragmentHeader(contextId, fragment.length, 'command', last), fragment);
    }
  }

  async #sendDataSet(contextId: number, dataSet: Buffer | AsyncIterable<Buffer>): Promise<void> {
    let held: Buffer[] = [];
    let heldBytes = 0;
    for await (const chunk of Buffer.isBuffer(dataSet) ? [dataSet] : dataSet) {
      held.push(chunk);
      heldBytes += chunk.length;
      // Something is always held back: the last fragment is known only at the end.
      while (heldBytes > this.#fragmentBytesMax) {
        const { taken, rest } = takeBytes(held, this.#fragmentBytesMax);
        held = rest;
        heldBytes -= this.#fragmentBytesMax;
        this.#line.gather(encodeFragmentHeader(contextId, this.#fragmentBytesMax, 'data', false), ...taken);
        if (this.#line.burstIsFull) await this.#line.flush();
      }
    }
    this.#line.gather(encodeFragmentHeader(contextId, heldBytes, 'data', true), ...held);
    await this.#line.flush();
  }

  async #response(messageId: number): Promise<StoreResponse> {
    const parts: Buffer[] = [];
    for (;;) {
      const pdu = await this.#line.receive();
      if (pdu.type !== pduTypes.data) throw protocolError('it sent something other than its response');
      for (const fragment of decodeFragments(pdu.body)) {
        if (!fragment.command) throw protocolError('it sent a data set nobody asked for');
        if (parts.push(fragment.bytes) > responseFragmentsMax) throw protocolError('its response never ends');
        if (!fragment.last) continue;
        const response = decodeResponse(Buffer.concat(parts));
        if (response.messageId !== messageId) throw protocolError('it answered another message');
        return { status: response.status, errorComment: response.errorComment };
      }
    }
  }
}

const responseFragmentsMax = 64;

/** Splits the first `count` bytes off a list of chunks that holds more, without copying. */
function takeBytes(chunks: readonly Buffer[], count: number): { taken: Buffer[]; rest: Buffer[] } {
  const taken: Buffer[] = [];
  let missing = count;
  for (const [index, chunk] of chunks.entries()) {
    if (chunk.length > missing) {
      taken.push(chunk.subarray(0, missing));
      return { taken, rest: [chunk.subarray(missing), ...chunks.slice(index + 1)] };
    }
    taken.push(chunk);
    missing -= chunk.length;
  }
  return { taken, rest: [] };
}

/** PS3.8 §9.3.4, table 9-21: reasons by source. */
const rejectReasons: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  1: {
    1: 'no reason given',
    2: 'application context name not supported',
    3: 'calling AE title not recognized',
    7: 'called AE title not recognized',
  },
  2: { 1: 'no reason given', 2: 'protocol version not supported' },
  3: { 1: 'temporary congestion', 2: 'local limit exceeded' },
};

const rejectSources: Readonly<Record<number, string>> = {
  1: 'the service user',
  2: 'the service provider (association)',
  3: 'the service provider (presentation)',
};

function rejected(body: Buffer): GantryError {
  const result = body[1] ?? 0;
  const source = body[2] ?? 0;
  const reason = body[3] ?? 0;
  const transient = result === 2;
  const words = rejectReasons[source]?.[reason] ?? 'a reason the standard does not define';
  return new GantryError({
    code: 'DIMSE_REJECTED',
    kind: transient ? 'transient' : 'permanent',
    message:
      `The peer rejected the association ${transient ? 'for now' : 'permanently'}: ${words} ` +
      `(result ${result}, source ${source}: ${rejectSources[source] ?? 'unknown'}, reason ${reason}).`,
    nextStep: transient ? 'Try again later.' : 'Check AE titles, address and the settings of the peer.',
  });
}
