import type { Reason } from '../base/errors.ts';

/** WarningReason (0008,1196), PS3.18 Table I.2-1. */
const warnings: Readonly<Record<number, string>> = {
  0xb000: 'the archive stored it and changed some elements (coercion)',
  0xb006: 'the archive stored it and dropped some elements',
  0xb007: 'the archive stored it though it does not match its SOP Class',
};

export function wordsOfWarning(code: number): string {
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
export function wordsOfFailureReason(code: number): string {
  return `${failures[code] ?? wordsOfRange(code)} (failure reason ${code})`;
}

function wordsOfRange(code: number): string {
  if (code >= 0xa700 && code <= 0xa7ff) return 'the archive is out of resources';
  if (code >= 0xa900 && code <= 0xa9ff) return 'the archive says it does not match its SOP Class';
  if (code >= 0xc000 && code <= 0xcfff) return 'the archive cannot understand it';
  return 'the archive could not store it';
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
