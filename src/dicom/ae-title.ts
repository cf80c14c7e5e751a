import type { Brand } from '../base/brand.ts';

/** PS3.5 §6.2 VR AE: 1 to 16 characters of the default repertoire, no backslash, no control characters. */
export type AeTitle = Brand<string, 'AeTitle'>;

/** @returns the AE title without its padding, or null where the text is not one */
export function parseAeTitle(text: string): AeTitle | null {
  const trimmed = text.replace(/^ +|[ \0]+$/g, '');
  return /^[\x20-\x5b\x5d-\x7e]{1,16}$/.test(trimmed) ? (trimmed as AeTitle) : null;
}
