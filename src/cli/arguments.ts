import { GantryError } from '../base/errors.ts';

/** A command that was not given as it must be: exit code 2. */
export function usage(code: string, message: string, nextStep: string): GantryError {
  return new GantryError({ code, kind: 'permanent', message, nextStep });
}

/** @throws GantryError USAGE_PORT */
export function parsePort(text: string): number {
  const port = wholeNumber(text);
  if (port !== null && port <= 65_535) return port;
  const message = 'The port is not a number from 0 to 65535.';
  throw usage('USAGE_PORT', message, 'Give a free TCP port, e.g. --port 8042.');
}

const mbitMax = 100_000;

/** Megabits a second, or null for `unlimited`. @throws GantryError USAGE_BANDWIDTH */
export function parseBandwidth(text: string): number | null {
  if (text === 'unlimited') return null;
  const mbit = /^\d{1,6}(?:\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (mbit <= mbitMax) return mbit;
  const message = `The limit is neither a number from 0 to ${mbitMax} nor "unlimited".`;
  throw usage('USAGE_BANDWIDTH', message, 'Give megabits a second, e.g. 2 or 0.5; 0 sends nothing.');
}

/** The gateway lists at most so many at a time. */
const limitMax = 1000;

/** @throws GantryError USAGE_LIMIT */
export function parseLimit(text: string): number {
  const limit = wholeNumber(text);
  if (limit !== null && limit >= 1 && limit <= limitMax) return limit;
  const message = `The limit is not a number from 1 to ${limitMax}.`;
  throw usage('USAGE_LIMIT', message, 'Give e.g. --limit 50; what comes after those is listed with --after.');
}

/** The place in a listing to go on from: `objectId/destination`. @throws GantryError USAGE_AFTER */
export function parseAfter(text: string): string {
  if (/^[0-9a-f]{32}\/.{1,64}$/.test(text)) return text;
  const message = 'What --after names is not a delivery: an object id, "/" and the name of a destination.';
  throw usage('USAGE_AFTER', message, 'Give what the end of the listing before said.');
}

/** @throws GantryError USAGE_OBJECT_ID. What was given is not repeated: it could be a UID. */
export function parseObjectId(text: string): string {
  if (isKey(text)) return text;
  const message = 'That is not an object id: 32 digits and letters from a to f, in lower case.';
  throw usage('USAGE_OBJECT_ID', message, 'Copy it from "gantry queue ls".');
}

/** @throws GantryError USAGE_STUDY_KEY. What was given is not repeated: it could be a UID. */
export function parseStudyKey(text: string): string {
  if (isKey(text)) return text;
  const message = 'That is not the key of a study: 32 digits and letters from a to f, in lower case.';
  throw usage('USAGE_STUDY_KEY', message, 'Copy it from "gantry receipts ls".');
}

function isKey(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

function wholeNumber(text: string): number | null {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
}
