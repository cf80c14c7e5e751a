import { implementation } from '../dicom/part10.ts';
import { associateFixedBytes, echoedOffset, pduHeaderBytes, readItems, writeItem, writePdu } from './pdu.ts';

/** What we announce in an A-ASSOCIATE-AC. */
export interface Announcement {
  /** AE titles and reserved bytes of the request. */
  readonly echoed: Buffer;
  /** The longest P-DATA-TF variable field we ask for. */
  readonly pduBytesMax: number;
  /** The peer proposed an asynchronous operations window; the answer is one operation at a time, both ways. */
  readonly answerWindow: boolean;
}

const userInformation = 0x50;
const roles = 0x54;

/**
 * Replaces the user information of dcmjs-dimse's A-ASSOCIATE-AC by our own; only its role answers are kept. AE
 * titles and reserved bytes are those of the request, byte for byte: the library trims and clears them.
 * The library announces the smaller of the peer's and its own maximum PDU length (that is the peer's limit, not
 * ours) and echoes the peer's window, which we do not offer.
 * @param pdu the whole PDU
 */
export function announce(pdu: Buffer, words: Announcement): Buffer {
  const fixedEnd = pduHeaderBytes + associateFixedBytes;
  const items = readItems(pdu.subarray(fixedEnd)) ?? [];
  const content = items.map(({ type, content: bytes }) =>
    type === userInformation ? writeItem(type, ourUserInformation(bytes, words)) : writeItem(type, [bytes]),
  );
  const version = pdu.subarray(pduHeaderBytes, pduHeaderBytes + echoedOffset);
  return writePdu(pdu.readUInt8(0), [version, words.echoed, ...content]);
}

function ourUserInformation(theirs: Buffer, words: Announcement): Buffer[] {
  const maximumLength = Buffer.alloc(4);
  maximumLength.writeUInt32BE(words.pduBytesMax);
  const grantedRoles = (readItems(theirs) ?? []).filter((item) => item.type === roles);
  // In the order of item types, as peers commonly write them (PS3.7 Annex D.3.3).
  return [
    writeItem(0x51, [maximumLength]),
    writeItem(0x52, [Buffer.from(implementation.classUID, 'latin1')]),
    ...(words.answerWindow ? [writeItem(0x53, [Buffer.of(0, 1, 0, 1)])] : []),
    ...grantedRoles.map((item) => writeItem(roles, [item.content])),
    writeItem(0x55, [Buffer.from(implementation.versionName, 'latin1')]),
  ];
}
