import { GantryError } from '../base/errors.ts';
import type { SOPClassUID, TransferSyntaxUID } from '../dicom/uid.ts';

/**
 * The PDUs and command sets of a sending application entity (PS3.8 §9.3, PS3.7 §9.3), as bytes. Pure: the
 * socket is `dimse-sender.ts`'s.
 */

export const pduTypes = {
  associateRequest: 0x01,
  associateAccept: 0x02,
  associateReject: 0x03,
  data: 0x04,
  releaseRequest: 0x05,
  releaseResponse: 0x06,
  abort: 0x07,
} as const;

export const pduHeaderBytes = 6;
/** Length, presentation context and message control header in front of each fragment (PS3.8 §9.3.5.1). */
export const pdvHeaderBytes = 6;
/** The maximum PDU length we announce: responses are small. */
export const announcedPduBytesMax = 16_384;
export const contextsMax = 128;

const applicationContextName = '1.2.840.10008.3.1.1.1';
const implementationClassUID = '2.25.80302813137786398554742050926734630921';
const implementationVersionName = 'GANTRY_SENDER';

export interface ProposedContext {
  readonly SOPClassUID: SOPClassUID;
  readonly transferSyntaxes: readonly TransferSyntaxUID[];
}

/** A presentation context as the peer answered it. */
export interface NegotiatedContext {
  /** Odd, 1 to 255. */
  readonly id: number;
  readonly SOPClassUID: SOPClassUID;
  readonly result:
    | 'accepted'
    | 'refused by user'
    | 'no reason'
    | 'SOP class refused'
    | 'transfer syntax refused';
  /** The one transfer syntax of this context; null where it was not accepted. */
  readonly TransferSyntaxUID: TransferSyntaxUID | null;
}

export interface AssociateAccept {
  /** The longest P-DATA-TF variable field the peer takes; 0 is "no limit". */
  readonly pduBytesMax: number;
  readonly answers: ReadonlyMap<number, { readonly result: number; readonly TransferSyntaxUID: string }>;
}

export interface AssociateTitles {
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
}

/** A-ASSOCIATE-RQ (PS3.8 §9.3.2). Context n gets the id 2n + 1. */
export function encodeAssociateRequest(
  titles: AssociateTitles,
  contexts: readonly ProposedContext[],
): Buffer {
  const fixed = Buffer.alloc(68);
  fixed.writeUInt16BE(1, 0);
  fixed.write(titles.calledAeTitle.padEnd(16).slice(0, 16), 4, 'latin1');
  fixed.write(titles.callingAeTitle.padEnd(16).slice(0, 16), 20, 'latin1');
  const proposals = contexts.map((context, index) =>
    item(0x20, [
      Buffer.of(contextId(index), 0, 0, 0),
      item(0x30, [ascii(context.SOPClassUID)]),
      ...context.transferSyntaxes.map((uid) => item(0x40, [ascii(uid)])),
    ]),
  );
  const userInformation = item(0x50, [
    item(0x51, [uint32(announcedPduBytesMax)]),
    item(0x52, [ascii(implementationClassUID)]),
    item(0x55, [ascii(implementationVersionName)]),
  ]);
  return encodePdu(pduTypes.associateRequest, [
    fixed,
    item(0x10, [ascii(applicationContextName)]),
    ...proposals,
    userInformation,
  ]);
}

export function contextId(index: number): number {
  return 2 * index + 1;
}

/**
 * @param body an A-ASSOCIATE-AC without its PDU header (PS3.8 §9.3.3)
 * @throws GantryError DIMSE_PROTOCOL where it is cut short
 */
export function decodeAssociateAccept(body: Buffer): AssociateAccept {
  let pduBytesMax = 0;
  const answers = new Map<number, { result: number; TransferSyntaxUID: string }>();
  for (const { type, content } of itemsOf(body.subarray(68))) {
    if (type === 0x21 && content.length >= 4) {
      const syntax = itemsOf(content.subarray(4)).find((sub) => sub.type === 0x40);
      const uid = syntax?.content.toString('latin1').replace(/[\0 ]+$/, '') ?? '';
      answers.set(content.readUInt8(0), { result: content.readUInt8(2), TransferSyntaxUID: uid });
    } else if (type === 0x50) {
      const maximum = itemsOf(content).find((sub) => sub.type === 0x51);
      if (maximum?.content.length === 4) pduBytesMax = maximum.content.readUInt32BE(0);
    }
  }
  return { pduBytesMax, answers };
}

const contextResults = [
  'accepted',
  'refused by user',
  'no reason',
  'SOP class refused',
  'transfer syntax refused',
] as const;

/** What became of each proposal; one the peer did not answer counts as refused without a reason. */
export function negotiatedContexts(
  proposed: readonly ProposedContext[],
  accept: AssociateAccept,
): NegotiatedContext[] {
  return proposed.map(({ SOPClassUID }, index) => {
    const id = contextId(index);
    const answer = accept.answers.get(id);
    const result = contextResults[answer?.result ?? 2] ?? 'no reason';
    const accepted = result === 'accepted' && answer !== undefined;
    return {
      id,
      SOPClassUID,
      result,
      TransferSyntaxUID: accepted ? (answer.TransferSyntaxUID as TransferSyntaxUID) : null,
    };
  });
}

/** The header of a P-DATA-TF PDU holding one fragment of the given length. */
export function encodeFragmentHeader(
  context: number,
  fragmentBytes: number,
  kind: 'command' | 'data',
  last: boolean,
): Buffer {
  const header = Buffer.allocUnsafe(pduHeaderBytes + pdvHeaderBytes);
  header[0] = pduTypes.data;
  header[1] = 0;
  header.writeUInt32BE(pdvHeaderBytes + fragmentBytes, 2);
  header.writeUInt32BE(2 + fragmentBytes, 6);
  header[10] = context;
  header[11] = (kind === 'command' ? 1 : 0) | (last ? 2 : 0);
  return header;
}

export interface Fragment {
  readonly contextId: number;
  readonly command: boolean;
  readonly last: boolean;
  readonly bytes: Buffer;
}

/** @throws GantryError DIMSE_PROTOCOL */
export function decodeFragments(body: Buffer): Fragment[] {
  const fragments: Fragment[] = [];
  for (let at = 0; at < body.length; ) {
    if (at + pdvHeaderBytes > body.length) throw protocolError('a fragment header is cut short');
    const length = body.readUInt32BE(at);
    const end = at + 4 + length;
    if (length < 2 || end > body.length) throw protocolError('a fragment is longer than its PDU');
    const control = body.readUInt8(at + 5);
    fragments.push({
      contextId: body.readUInt8(at + 4),
      command: (control & 1) !== 0,
      last: (control & 2) !== 0,
      bytes: body.subarray(at + pdvHeaderBytes, end),
    });
    at = end;
  }
  return fragments;
}

/** A-RELEASE-RQ (PS3.8 §9.3.6) and A-RELEASE-RP (§9.3.7). */
export const releaseRequest = encodePdu(pduTypes.releaseRequest, [Buffer.alloc(4)]);
export const releaseResponse = encodePdu(pduTypes.releaseResponse, [Buffer.alloc(4)]);
/** A-ABORT by the service user (PS3.8 §9.3.8). */
export const userAbort = encodePdu(pduTypes.abort, [Buffer.alloc(4)]);

const commandTags = {
  groupLength: 0x0000,
  AffectedSOPClassUID: 0x0002,
  CommandField: 0x0100,
  MessageID: 0x0110,
  MessageIDBeingRespondedTo: 0x0120,
  Priority: 0x0700,
  CommandDataSetType: 0x0800,
  Status: 0x0900,
  ErrorComment: 0x0902,
  AffectedSOPInstanceUID: 0x1000,
} as const;

/** C-STORE-RQ (PS3.7 §9.3.1.1), medium priority. */
export function encodeStoreCommand(messageId: number, SOPClassUID: string, SOPInstanceUID: string): Buffer {
  return commandSet([
    [commandTags.AffectedSOPClassUID, uidValue(SOPClassUID)],
    [commandTags.CommandField, uint16le(0x0001)],
    [commandTags.MessageID, uint16le(messageId)],
    [commandTags.Priority, uint16le(0)],
    [commandTags.CommandDataSetType, uint16le(0)],
    [commandTags.AffectedSOPInstanceUID, uidValue(SOPInstanceUID)],
  ]);
}

/** C-ECHO-RQ (PS3.7 §9.3.5.1). */
export function encodeEchoCommand(messageId: number, SOPClassUID: string): Buffer {
  return commandSet([
    [commandTags.AffectedSOPClassUID, uidValue(SOPClassUID)],
    [commandTags.CommandField, uint16le(0x0030)],
    [commandTags.MessageID, uint16le(messageId)],
    [commandTags.CommandDataSetType, uint16le(0x0101)],
  ]);
}

export interface DimseResponse {
  readonly messageId: number;
  readonly status: number;
  readonly errorComment: string | null;
}

/**
 * @param bytes a response's command set: implicit VR little endian, group 0000
 * @throws GantryError DIMSE_PROTOCOL where it is cut short or has no status
 */
export function decodeResponse(bytes: Buffer): DimseResponse {
  const values = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw protocolError('a command element is cut short');
    const end = at + 8 + bytes.readUInt32LE(at + 4);
    if (end > bytes.length) throw protocolError('a command element is longer than its set');
    if (bytes.readUInt16LE(at) === 0) values.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + 8, end));
    at = end;
  }
  const status = values.get(commandTags.Status);
  const messageId = values.get(commandTags.MessageIDBeingRespondedTo);
  if (status?.length !== 2 || messageId?.length !== 2) throw protocolError('a response has no status');
  const comment = values
    .get(commandTags.ErrorComment)
    ?.toString('latin1')
    .replace(/[\0 ]+$/, '');
  return {
    messageId: messageId.readUInt16LE(0),
    status: status.readUInt16LE(0),
    errorComment: comment === undefined || comment === '' ? null : comment,
  };
}

export function protocolError(what: string): GantryError {
  return new GantryError({
    code: 'DIMSE_PROTOCOL',
    kind: 'permanent',
    message: `The peer does not speak DICOM as the standard says: ${what}.`,
    nextStep: 'Check that the host and port are those of a DICOM service.',
  });
}

function commandSet(elements: readonly (readonly [element: number, value: Buffer])[]): Buffer {
  const encoded = elements.map(([element, value]) => commandElement(element, value));
  const bytes = encoded.reduce((sum, element) => sum + element.length, 0);
  return Buffer.concat([commandElement(commandTags.groupLength, uint32le(bytes)), ...encoded]);
}

function commandElement(element: number, value: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16LE(element, 2);
  header.writeUInt32LE(value.length, 4);
  return Buffer.concat([header, value]);
}

function encodePdu(type: number, content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(type, 0), uint32(body.length), body]);
}

function item(type: number, content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(type, 0, body.length >>> 8, body.length & 0xff), body]);
}

function itemsOf(bytes: Buffer): { type: number; content: Buffer }[] {
  const items: { type: number; content: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw protocolError('an association item is cut short');
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) throw protocolError('an association item is longer than its PDU');
    items.push({ type: bytes.readUInt8(at), content: bytes.subarray(at + 4, end) });
    at = end;
  }
  return items;
}

function ascii(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function uidValue(uid: string): Buffer {
  return ascii(uid.length % 2 === 0 ? uid : `${uid}\0`);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function uint32le(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint16le(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
