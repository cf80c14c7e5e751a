import { dictionary } from 'dcmjs/dictionary';

/*
 * VRs by tag (PS3.6), for elements that came without one. Loaded in codec workers only, when the first such
 * object comes: it takes some 18 MB.
 */

/** Terms of the dictionary for elements that may have one VR or another. */
const choices: Readonly<Record<string, string>> = { ox: 'OW', lt: 'OW', up: 'UL' };

/** How the dictionary names a tag; the repeating groups 50xx and 60xx (PS3.5 §7.6) by their range. */
function keyOf(tag: number): string {
  const digits = tag.toString(16).toUpperCase().padStart(8, '0');
  const [group, element] = [digits.slice(0, 4), digits.slice(4)];
  const repeating = group.startsWith('50') || group.startsWith('60');
  return repeating ? `(${group.slice(0, 2)}00-${group.slice(0, 2)}FF,${element})` : `(${group},${element})`;
}

/**
 * @param pixelRepresentation (0028,0103): decides between US and SS
 * @returns UN where the tag is not in the dictionary
 */
export function vrOf(tag: number, pixelRepresentation: number): string {
  const group = tag >>> 16;
  const element = tag & 0xffff;
  if (group % 2 === 1) return element >= 0x10 && element <= 0xff ? 'LO' : 'UN';
  const listed = dictionary[keyOf(tag)]?.vr;
  if (listed === 'xs') return pixelRepresentation === 1 ? 'SS' : 'US';
  if (listed === undefined) return 'UN';
  const vr = choices[listed] ?? listed;
  return /^[A-Z]{2}$/.test(vr) ? vr : 'UN';
}
