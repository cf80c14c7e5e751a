import type { StoreService } from '../archive/port.ts';
import type { Reason } from '../base/errors.ts';

/** WarningReason (0008,1196), PS3.18 Table I.2-1. */
const warnings: Readonly<Record<number, string>> = {
  0xb000: 'the archive stored it and changed some elements (coercion)',
  0xb006: 'the archive stored it and dropped some elements',
  0xb007: 'the archive stored it though it does not match its SOP Class',
};

function wordsOfWarning(code: number): string {
  return warnings[code] ?? `the archive stored it with a warning (${code})`;
}

/** FailureReason (0008,1197): PS3.18 Table I.2-2, PS3.7 Annex C; 45070 and 45071 are Azure's. */
const failures: Readonly<Record<number, string>> = {
  0x0110: 'the archive failed to process it',
  0x0111: 'the archive already has an instance of this UID',
  0x0122: 'the archive does not support its SOP Class',
  0x0124: 'the archive does not allow it to be stored by us',
  0xc122: 'the archive does not support its transfer syntax',
  45_070: 'the archive already has an instance of this UID',
  45_071: 'the archive is still busy with an earlier copy of it',
};

/** The archive's own number is always among the words, as its support will ask for it. */
function wordsOfFailureReason(code: number): string {
  return `${failures[code] ?? wordsOfRange(code)} (failure reason ${code})`;
}

function wordsOfRange(code: number): string {
  if (code >= 0xa700 && code <= 0xa7ff) return 'the archive is out of resources';
  if (code >= 0xa900 && code <= 0xa9ff) return 'the archive says it does not match its SOP Class';
  if (code >= 0xc000 && code <= 0xcfff) return 'the archive cannot understand it';
  return 'the archive could not store it';
}

/** What a folder comes to, in the codes an archive would give. */
const folderFailures: Readonly<Record<number, Reason>> = {
  0xa700: {
    code: 'FOLDER_FULL',
    words: 'the volume of the folder has no room for it; it is tried again, so make room there',
  },
  0x0111: {
    code: 'FOLDER_OTHER_FILE',
    words: 'the folder holds another file under the name this image has there; compare the two',
  },
};

/** What to do about a C-STORE status (PS3.4 Table B.2-1, PS3.7 Annex C). */
function dimseStepFor(code: number): string {
  if (code === 0xc122) return 'let it accept this transfer syntax, then retry';
  if (code === 0x0122) return 'let it accept this SOP Class, then retry';
  if (code === 0x0124) return 'let it allow this AE title to store, then retry';
  if (code >= 0xa700 && code <= 0xa7ff) return 'it is tried again';
  return "see the archive's own log";
}

/** Why an instance was not stored, in the terms of the service that was to store it. */
export function reasonOfFailure(service: StoreService, code: number): Reason {
  const digits = hex(code);
  if (service === 'STOW') return { code: `STOW_${digits}`, words: wordsOfFailureReason(code) };
  const words = failures[code] ?? wordsOfRange(code);
  const dimse = { code: `DIMSE_${digits}`, words: `${words} (status ${digits}); ${dimseStepFor(code)}` };
  return service === 'DIMSE' ? dimse : (folderFailures[code] ?? { ...dimse, code: `FOLDER_${digits}` });
}

/** A stored instance the service has something to say about. */
export function reasonOfWarning(service: StoreService, code: number): Reason {
  return { code: `${service}_${hex(code)}`, words: wordsOfWarning(code) };
}

/** An instance that an answer does not mention though it was asked for. */
export function reasonOfNoMention(service: StoreService, status: number): Reason {
  const words = {
    STOW: `the archive (${status}) does not mention this instance`,
    DIMSE: 'the association ended before the archive answered for this image; it is looked for or sent again',
    FOLDER: 'the folder failed before this image was written; it is looked for or written again',
  }[service];
  return { code: `${service}_NOT_MENTIONED`, words };
}

/** Whether the service gave this reason for the instance itself, rather than the line or an HTTP status. */
export function isOfService({ code }: Reason): boolean {
  return /^(?:STOW_|(?:DIMSE|FOLDER)_(?:[0-9A-F]{4}|NOT_MENTIONED|NO_REASON|CONTRADICTION|FULL|OTHER_FILE)$)/.test(
    code,
  );
}

function hex(code: number): string {
  return code.toString(16).toUpperCase().padStart(4, '0');
}

const statuses: Readonly<Record<number, string>> = {
  400: 'the archive found the request malformed',
  401: 'the archive wants a valid sign-in',
  403: 'the archive does not allow this sign-in to store',
  404: 'there is no store service at this address',
  405: 'this address does not take store requests',
  407: 'the proxy wants a valid sign-in',
  408: 'the archive waited too long for the request',
  409: 'the archive stored nothing of the request',
  413: 'too large for this archive',
  415: 'the archive does not take this kind of content',
  429: 'the archive asks to send less',
  503: 'the archive is out of service for now',
  507: 'the archive is full',
};

export function reasonOfStatus(status: number): Reason {
  return { code: `HTTP_${status}`, words: `${statuses[status] ?? wordsOfClass(status)} (HTTP ${status})` };
}

function wordsOfClass(status: number): string {
  if (status >= 500) return 'the archive had an internal failure';
  if (status >= 300 && status < 400) return 'the address has moved; redirects are not followed';
  return status >= 400 ? 'the archive refused the request' : 'the archive answered';
}
