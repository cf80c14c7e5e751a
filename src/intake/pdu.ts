/** PDU types (PS3.8 §9.3). */
export const pduTypes = {
  associateRequest: 0x01,
  associateAccept: 0x02,
  associateReject: 0x03,
  data: 0x04,
  releaseRequest: 0x05,
  releaseResponse: 0x06,
  abort: 0x07,
} as const;

/** Type, reserved byte, 32-bit length. */
export const pduHeaderBytes = 6;
/** 32-bit length, presentation context id, message control header (PS3.8 §9.3.5.1, Annex E). */
export const pdvHeaderBytes = 6;
/** A-RELEASE-RQ, A-RELEASE-RP and A-ABORT have a variable field of exactly this length. */
export const shortPduBytes = 4;
/** Version, AE titles and reserved bytes in front of an A-ASSOCIATE's items. */
export const associateFixedBytes = 68;
/** Of these, from here on (AE titles, reserved bytes) the answer repeats the request. */
export const echoedOffset = 4;

export const applicationContextName = '1.2.840.10008.3.1.1.1';

/** A whole PDU around the given variable field. */
export function writePdu(type: number, content: readonly Buffer[]): Buffer {
  const bytes = content.reduce((sum, part) => sum + part.length, 0);
  const header = Buffer.alloc(pduHeaderBytes);
  header[0] = type;
  header.writeUInt32BE(bytes, 2);
  return Buffer.concat([header, ...content]);
}

/** A P-DATA-TF PDU holding one fragment. */
export function writeDataPdu(
  contextId: number,
  kind: 'command' | 'data',
  last: boolean,
  bytes: Buffer,
): Buffer {
  const pdu = Buffer.allocUnsafe(pduHeaderBytes + pdvHeaderBytes + bytes.length);
  pdu[0] = pduTypes.data;
  pdu[1] = 0;
  pdu.writeUInt32BE(pdvHeaderBytes + bytes.length, 2);
  pdu.writeUInt32BE(2 + bytes.length, 6);
  pdu[10] = contextId;
  pdu[11] = (kind === 'command' ? 1 : 0) | (last ? 2 : 0);
  bytes.copy(pdu, pduHeaderBytes + pdvHeaderBytes);
  return pdu;
}

/**
 * Splits a P-DATA-TF PDU with a single, last fragment so that no PDU exceeds what the peer takes.
 * @param pduBytesMax the peer's maximum length (PS3.8 Annex D.1); 0 is "no limit"
 */
export function splitDataPdu(pdu: Buffer, pduBytesMax: number): Buffer[] {
  if (pduBytesMax === 0 || pdu.length - pduHeaderBytes <= pduBytesMax) return [pdu];
  const contextId = pdu.readUInt8(10);
  const kind = (pdu.readUInt8(11) & 1) !== 0 ? 'command' : 'data';
  const value = pdu.subarray(pduHeaderBytes + pdvHeaderBytes);
  const step = (pduBytesMax - pdvHeaderBytes) & ~1; // fragments have an even length (PS3.8 Annex E)
  const pdus: Buffer[] = [];
  for (let at = 0; at < value.length; at += step) {
    const part = value.subarray(at, at + step);
    pdus.push(writeDataPdu(contextId, kind, at + step >= value.length, part));
  }
  return pdus;
}

/** A-ABORT (PS3.8 §9.3.8). */
export function writeAbort(source: number, reason: number): Buffer {
  return writePdu(pduTypes.abort, [Buffer.of(0, 0, source, reason)]);
}

/** An item of an A-ASSOCIATE: type, reserved byte, 16-bit length, content. */
export function writeItem(type: number, content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(type, 0, body.length >>> 8, body.length & 0xff), body]);
}

export interface Item {
  readonly type: number;
  readonly content: Buffer;
}

/**
 * The items of an A-ASSOCIATE, or of an item that holds items; null where a length does not fit, or there are more
 * than asked for.
 */
export function readItems(bytes: Buffer, itemsMax = Number.POSITIVE_INFINITY): Item[] | null {
  const items: Item[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 4 > bytes.length || items.length === itemsMax) return null;
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) return null;
    items.push({ type: bytes.readUInt8(at), content: bytes.subarray(at + 4, end) });
    at = end;
  }
  return items;
}
