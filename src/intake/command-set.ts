import { withoutPadding } from '../dicom/padding.ts';
import { faults, ProtocolFault } from './faults.ts';

/** Command fields (PS3.7 Annex E). A response's is its request's with the highest bit set. */
export const commandFields = {
  storeRequest: 0x0001,
  echoRequest: 0x0030,
  cancelRequest: 0x0fff,
  responseBit: 0x8000,
} as const;

/** Command Data Set Type (0000,0800) that means "no data set follows"; any other value means one does. */
export const noDataSet = 0x0101;

/** The command elements Gantry reads or writes, by element number in group 0000 (PS3.7 Annex E). */
export const commandElements = {
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

export type CommandElement = keyof typeof commandElements;

/** What is understood of a peer's command set; texts without padding, not yet checked. */
export interface CommandSet {
  readonly CommandField: number;
  /** Null in a response. */
  readonly MessageID: number | null;
  readonly hasDataSet: boolean;
  readonly AffectedSOPClassUID: string | null;
  readonly AffectedSOPInstanceUID: string | null;
}

const elementHeaderBytes = 8;

/**
 * Reads a command set: group 0000, Implicit VR Little Endian (PS3.7 §6.3.1). Elements not used here are passed
 * over.
 * @throws ProtocolFault COMMAND_INVALID
 */
export function readCommandSet(bytes: Buffer): CommandSet {
  const values = new Map<number, Buffer>();
  let at = 0;
  while (at < bytes.length) {
    if (at + elementHeaderBytes > bytes.length) throw invalid();
    const end = at + elementHeaderBytes + bytes.readUInt32LE(at + 4);
    if (bytes.readUInt16LE(at) !== 0 || end > bytes.length) throw invalid();
    values.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + elementHeaderBytes, end));
    at = end;
  }
  const CommandField = uint16(values.get(commandElements.CommandField));
  const dataSetType = uint16(values.get(commandElements.CommandDataSetType));
  const MessageID = uint16(values.get(commandElements.MessageID));
  if (CommandField === null || dataSetType === null) throw invalid();
  if (MessageID === null && !isAnswerless(CommandField)) throw invalid();
  return {
    CommandField,
    MessageID,
    hasDataSet: dataSetType !== noDataSet,
    AffectedSOPClassUID: text(values.get(commandElements.AffectedSOPClassUID)),
    AffectedSOPInstanceUID: text(values.get(commandElements.AffectedSOPInstanceUID)),
  };
}

/** Responses and C-CANCEL-RQ are not answered. */
export function isAnswerless(commandField: number): boolean {
  return (commandField & commandFields.responseBit) !== 0 || commandField === commandFields.cancelRequest;
}

/**
 * Writes a command set with its group length. Text elements are padded to even length; elements whose value is
 * null or empty are left out.
 */
export function writeCommandSet(values: Partial<Record<CommandElement, number | string | null>>): Buffer {
  const parts: Buffer[] = [];
  let bytes = 0;
  for (const name of elementNames) {
    const value = values[name];
    if (value === undefined || value === null || value === '') continue;
    const part = typeof value === 'number' ? uint16Element(name, value) : textElement(name, value);
    parts.push(part);
    bytes += part.length;
  }
  const groupLength = Buffer.alloc(12);
  groupLength.writeUInt32LE(4, 4);
  groupLength.writeUInt32LE(bytes, 8);
  return Buffer.concat([groupLength, ...parts]);
}

const elementNames = Object.keys(commandElements) as CommandElement[];

function uint16Element(name: CommandElement, value: number): Buffer {
  const part = elementHeader(name, 2);
  part.writeUInt16LE(value, elementHeaderBytes);
  return part;
}

function textElement(name: CommandElement, value: string): Buffer {
  const part = elementHeader(name, value.length + (value.length % 2));
  part.write(value, elementHeaderBytes, 'latin1');
  if (value.length % 2 === 1) part[part.length - 1] = name === 'ErrorComment' ? 0x20 : 0;
  return part;
}

function elementHeader(name: CommandElement, valueBytes: number): Buffer {
  const part = Buffer.alloc(elementHeaderBytes + valueBytes);
  part.writeUInt16LE(commandElements[name], 2);
  part.writeUInt32LE(valueBytes, 4);
  return part;
}

function uint16(value: Buffer | undefined): number | null {
  return value?.length === 2 ? value.readUInt16LE(0) : null;
}

function text(value: Buffer | undefined): string | null {
  return value === undefined ? null : withoutPadding(value.toString('latin1'));
}

function invalid(): ProtocolFault {
  return new ProtocolFault(faults.commandInvalid);
}
