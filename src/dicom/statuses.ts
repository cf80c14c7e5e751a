/** A C-STORE response status (PS3.4 §B.2.3, PS3.7 Annex C), its Error Comment and when it is given. */
export interface StoreStatus {
  readonly status: number;
  /** Plain words for the Error Comment (0000,0902); a more precise cause may take their place. */
  readonly words: string;
  readonly when: string;
  /** What the sending device, or whoever looks after it, does next. */
  readonly senderNext: string;
}

export const storeStatuses = {
  stored: {
    status: 0x0000,
    words: '',
    when: 'the instance is durable here',
    senderNext: 'nothing; it is safe on this box, though not yet at the archive',
  },
  duplicate: {
    status: 0x0000,
    words: '',
    when: 'identical bytes are durable here already; no second copy was kept',
    senderNext: 'nothing: it is safe here',
  },
  conflict: {
    status: 0x0000,
    words: '',
    when: 'other bytes are here under the same UID; both are durable, this one waits for an operator',
    senderNext: 'nothing; the operator of this box decides which of the two goes on',
  },
  outOfResources: {
    status: 0xa700,
    words: 'Cannot store now: no space or a disk fault. Send again later',
    when: 'no space, a disk fault, or the store is still being opened: nothing was kept',
    senderNext: 'keep the instance and send it again later',
  },
  mismatch: {
    status: 0xa900,
    words: 'UIDs of the data set differ from those of the command',
    when: 'SOP Class or SOP Instance UID of the data set and the command differ, or the data set has none',
    senderNext: 'do not send it again unchanged; the device composes it wrongly: ask its vendor',
  },
  cannotUnderstand: {
    status: 0xc000,
    words: 'Data set cannot be read',
    when: 'no data set, an empty or truncated one, broken structure, illegal UID, or it inflates without bounds',
    senderNext: 'send it once more; if that is refused too, it is broken at the device',
  },
  sopClassRefused: {
    status: 0x0122,
    words: 'SOP class is not accepted here',
    when: 'not the class of its presentation context, not a storage class, or an unknown one where those are refused',
    senderNext: 'send it in a presentation context of its own class, or have unknown classes allowed here',
  },
  duplicateMessageId: {
    status: 0x0210,
    words: 'Message ID is in use',
    when: 'a request uses the Message ID of one that is still open',
    senderNext: 'send it again under another Message ID, one request at a time',
  },
  unrecognizedOperation: {
    status: 0x0211,
    words: 'This service is not offered',
    when: 'a command other than those of the accepted services',
    senderNext: 'do not ask again: the service is not offered',
  },
  processingFailure: {
    status: 0x0110,
    words: 'Internal failure. Send again later',
    when: 'any other failure on our side',
    senderNext: 'keep the instance and send it again; if that repeats, report it to the operator of this box',
  },
} as const satisfies Record<string, StoreStatus>;

export type StoreStatusName = keyof typeof storeStatuses;

/** As people write it: four hexadecimal digits. */
export function storeStatusText({ status }: Pick<StoreStatus, 'status'>): string {
  return status.toString(16).toUpperCase().padStart(4, '0');
}

/** VR LO, PS3.7 §C: at most 64 characters. */
export const errorCommentCharsMax = 64;

/**
 * Words made fit for the Error Comment: the default repertoire (printable ASCII, no backslash, which would
 * part values), clipped to 64 characters.
 */
export function errorComment(words: string): string {
  return words
    .replaceAll(/[^\x20-\x5b\x5d-\x7e]/g, '?')
    .slice(0, errorCommentCharsMax)
    .trim();
}
