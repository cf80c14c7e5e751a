/** A C-STORE response status (PS3.4 §B.2.3, PS3.7 Annex C), its Error Comment and when it is given. */
export interface StoreStatus {
  readonly status: number;
  /** Plain words for the Error Comment (0000,0902); a more precise cause may take their place. */
  readonly words: string;
  readonly when: string;
}

export const storeStatuses = {
  stored: {
    status: 0x0000,
    words: '',
    when: 'the instance is durable here',
  },
  duplicate: {
    status: 0x0000,
    words: '',
    when: 'identical bytes are durable here already; no second copy was kept',
  },
  conflict: {
    status: 0x0000,
    words: '',
    when: 'other bytes are here under the same UID; both are durable, this one waits for an operator',
  },
  outOfResources: {
    status: 0xa700,
    words: 'Cannot store now: no space or a disk fault. Send again later',
    when: 'no space, disk error or quota: nothing was kept, the sender should try again',
  },
  mismatch: {
    status: 0xa900,
    words: 'UIDs of the data set differ from those of the command',
    when: 'SOP Class or SOP Instance UID of the data set and the command differ, or the data set has none',
  },
  cannotUnderstand: {
    status: 0xc000,
    words: 'Data set cannot be read',
    when: 'truncated, broken structure, illegal UID, or it inflates without bounds',
  },
  sopClassRefused: {
    status: 0x0122,
    words: 'SOP class is not accepted here',
    when: 'not a storage class, or an unknown one where those are refused',
  },
  notAuthorised: {
    status: 0x0124,
    words: 'This sender may not store here',
    when: 'the caller is not, or no longer, admitted',
  },
  duplicateMessageId: {
    status: 0x0210,
    words: 'Message ID is in use',
    when: 'a request uses the Message ID of one that is still open',
  },
  unrecognizedOperation: {
    status: 0x0211,
    words: 'This service is not offered',
    when: 'a command other than those of the accepted services',
  },
  processingFailure: {
    status: 0x0110,
    words: 'Internal failure. Send again later',
    when: 'any other failure on our side',
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
