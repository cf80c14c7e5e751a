import { createHash } from 'node:crypto';
import { parseUid } from './uid.ts';

/** The words in braces that a layout may use. */
export const layoutTokens = [
  'study',
  'series',
  'instance',
  'studyHash',
  'instanceHash',
  'date',
  'modality',
  'callingAe',
] as const;
export type LayoutToken = (typeof layoutTokens)[number];

export const defaultLayout = '{study}/{series}/{instance}.dcm';

const layoutCharsMax = 200;
const levelsMax = 8;
/** Of one level, beside its tokens; with two tokens of 64 characters it stays below what file systems take. */
const plainCharsMax = 60;
const tokensPerLevelMax = 3;
const uidCharsMax = 64;

/** What a layout's tokens stand for. */
export interface Placement {
  readonly StudyInstanceUID: string | null;
  readonly SeriesInstanceUID: string | null;
  readonly SOPInstanceUID: string;
  readonly Modality?: string | null;
  readonly callingAeTitle?: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt?: number;
}

/** What is wrong with a layout, or null. */
export interface LayoutFault {
  readonly cause: string;
  readonly suggestion: string;
}

/**
 * Checks a layout: levels parted by `/`, of the tokens in braces and of letters, digits, `-`, `_` and `.`.
 * Whatever passes can only ever name a file below the folder.
 */
export function layoutFault(layout: string): LayoutFault | null {
  const levels = layout.split('/');
  if (layout.length > layoutCharsMax || levels.length > levelsMax) {
    return {
      cause: 'is too long',
      suggestion: `Use at most ${levelsMax} levels, such as "${defaultLayout}".`,
    };
  }
  const tokens = levels.flatMap(tokensOf);
  const unknown = tokens.find((token) => !layoutTokens.some((known) => known === token));
  if (unknown !== undefined) {
    const known = layoutTokens.map((token) => `{${token}}`).join(' ');
    return { cause: `uses {${unknown}}, which is no token`, suggestion: `There are ${known}.` };
  }
  if (levels.some((level) => !isLevel(level))) {
    return {
      cause: 'holds a level that is no safe name',
      suggestion: `Use tokens, letters, digits, "-", "_" and "." between single "/", such as "${defaultLayout}".`,
    };
  }
  const last = tokensOf(levels.at(-1) ?? '');
  if (last.includes('instance') || last.includes('instanceHash')) return null;
  return {
    cause: 'gives several images the same file name',
    suggestion: 'Let the last level hold {instance} or {instanceHash}.',
  };
}

function tokensOf(level: string): string[] {
  return [...level.matchAll(/\{([^{}]*)\}/g)].map(([, token = '']) => token);
}

function isLevel(level: string): boolean {
  const plain = level.replaceAll(/\{[^{}]*\}/g, '');
  const safe = /^[A-Za-z0-9_.-]*$/.test(plain) && plain.length <= plainCharsMax;
  return safe && level !== '' && !level.startsWith('.') && tokensOf(level).length <= tokensPerLevelMax;
}

/**
 * The file of an instance below the folder. Every token is checked or made safe here, whatever a peer sent: none
 * yields a `/`, a NUL, a leading dot or more than 64 characters.
 * @param timeZone of `{date}`, the day it was received
 */
export function layoutPath(layout: string, ref: Placement, timeZone: string): string {
  return layout.replaceAll(/\{([^{}]*)\}/g, (_, token: string) =>
    values[token as LayoutToken](ref, timeZone),
  );
}

const values: Readonly<Record<LayoutToken, (ref: Placement, timeZone: string) => string>> = {
  study: (ref) => safeUid(ref.StudyInstanceUID),
  series: (ref) => safeUid(ref.SeriesInstanceUID),
  instance: (ref) => safeUid(ref.SOPInstanceUID),
  studyHash: (ref) => hashOf(ref.StudyInstanceUID ?? ''),
  instanceHash: (ref) => hashOf(ref.SOPInstanceUID),
  date: ({ receivedAt }, timeZone) => (receivedAt === undefined ? 'none' : dayOf(receivedAt, timeZone)),
  modality: (ref) => safeName(ref.Modality ?? ''),
  callingAe: (ref) => safeName(ref.callingAeTitle ?? ''),
};

/** A UID by its grammar, which has no `..`; anything else by its hash. */
function safeUid(text: string | null): string {
  if (text === null) return 'none';
  return text.length <= uidCharsMax && parseUid(text) === text ? text : hashOf(text);
}

function safeName(text: string): string {
  const safe = text.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 16);
  return safe === '' ? 'none' : safe;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function dayOf(time: number, timeZone: string): string {
  const parts = { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  return new Intl.DateTimeFormat('en-CA', parts).format(time).replaceAll(/[^0-9]/g, '');
}
