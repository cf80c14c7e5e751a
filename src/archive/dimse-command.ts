/** Command elements, by element number in group 0000 (PS3.7 Annex E). */
const elements = {
  AffectedSOPClassUID: 0x0002,
  CommandField: 0x0100,
  MessageID: 0x0110,
  MessageIDBeingRespondedTo: 0x0120,
  Priority: 0x0700,
  CommandDataSetType: 0x0800,
  Status: 0x0900,
  AffectedSOPInstanceUID: 0x1000,
} as const;

export const commandFields = { storeRequest: 0x0001, storeResponse: 0x8001 } as const;
const noDataSet = 0x0101;
const dataSetFollows = 0x0000;
const mediumPriority = 0x0000;

/** What is read of a peer's command set; null where it is missing. */
export interface PeerCommand {
  readonly CommandField: number | null;
  readonly MessageID: number | null;
  readonly MessageIDBeingRespondedTo: number | null;
  readonly Status: number | null;
  readonly hasDataSet: boolean;
  readonly AffectedSOPClassUID: string;
  readonly AffectedSOPInstanceUID: string;
}

/** Group 0000, Implicit VR Little Endian (PS3.7 §6.3.1). @returns null where a length does not fit */
export function readCommand(bytes: Buffer): PeerCommand | null {
  const values = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) return null;
    const end = at + 8 + bytes.readUInt32LE(at + 4);
    if (bytes.readUInt16LE(at) !== 0 || end > bytes.length) return null;
    values.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + 8, end));
    at = end;
  }
  const number = (element: number): number | null => {
    const value = values.get(element);
    return value?.length === 2 ? value.readUInt16LE(0) : null;
  };
  const text = (element: number): string =>
    (values.get(element)?.toString('latin1', 0, 66) ?? '').replaceAll(/[\0 ]/g, '');
  return {
    CommandField: number(elements.CommandField),
    MessageID: number(elements.MessageID),
    MessageIDBeingRespondedTo: number(elements.MessageIDBeingRespondedTo),
    Status: number(elements.Status),
    hasDataSet: (number(elements.CommandDataSetType) ?? noDataSet) !== noDataSet,
    AffectedSOPClassUID: text(elements.AffectedSOPClassUID),
    AffectedSOPInstanceUID: text(elements.AffectedSOPInstanceUID),
  };
}

/** C-STORE-RQ (PS3.7 §9.3.1.1). */
export function storeRequest(messageId: number, sopClass: string, sopInstance: string): Buffer {
  return commandSet([
    [elements.AffectedSOPClassUID, sopClass],
    [elements.CommandField, commandFields.storeRequest],
    [elements.MessageID, messageId],
    [elements.Priority, mediumPriority],
    [elements.CommandDataSetType, dataSetFollows],
    [elements.AffectedSOPInstanceUID, sopInstance],
  ]);
}

/** C-STORE-RSP (PS3.7 §9.3.1.2): Success, or A700 where nobody wants it. */
export function storeResponse(request: PeerCommand, status: 0x0000 | 0xa700): Buffer {
  return commandSet([
    [elements.AffectedSOPClassUID, request.AffectedSOPClassUID],
    [elements.CommandField, commandFields.storeResponse],
    [elements.MessageIDBeingRespondedTo, request.MessageID ?? 0],
    [elements.CommandDataSetType, noDataSet],
    [elements.Status, status],
    [elements.AffectedSOPInstanceUID, request.AffectedSOPInstanceUID],
  ]);
}

function commandSet(values: readonly (readonly [element: number, value: number | string])[]): Buffer {
  const encoded = values.map(([element, value]) => commandElement(element, encode(value)));
  const bytes = encoded.reduce((sum, part) => sum + part.length, 0);
  const groupLength = Buffer.alloc(4);
  groupLength.writeUInt32LE(bytes);
  return Buffer.concat([commandElement(0, groupLength), ...encoded]);
}

/** Numbers are US, texts are UI: padded to even length with NUL. */
function encode(value: number | string): Buffer {
  if (typeof value === 'string') return Buffer.from(value.length % 2 === 0 ? value : `${value}\0`, 'latin1');
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function commandElement(element: number, value: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16LE(element, 2);
  header.writeUInt32LE(value.length, 4);
  return Buffer.concat([header, value]);
}
