/**
 * How an explicit VR is followed by its length (PS3.5 §7.1.2): `short`, two bytes; `long`, two reserved bytes
 * and four bytes; and what an undefined length then means.
 */
interface VrForm {
  readonly length: 'short' | 'long';
  readonly undefinedHolds: 'items' | 'fragments' | 'nothing';
}

const short: VrForm = { length: 'short', undefinedHolds: 'nothing' };
const long: VrForm = { length: 'long', undefinedHolds: 'nothing' };
const bulk: VrForm = { length: 'long', undefinedHolds: 'fragments' };
const sequence: VrForm = { length: 'long', undefinedHolds: 'items' };

/** A VR as the number its two letters make, first letter in the upper byte. */
export function vrCode(letters: string): number {
  return (letters.charCodeAt(0) << 8) | letters.charCodeAt(1);
}

export const sequenceVr = vrCode('SQ');
export const unknownVr = vrCode('UN');

const forms: ReadonlyMap<number, VrForm> = new Map(
  [
    { form: short, vrs: 'AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US' },
    { form: bulk, vrs: 'OB OD OF OL OV OW' },
    { form: long, vrs: 'SV UC UR UT UV' },
    { form: sequence, vrs: 'SQ UN' },
  ].flatMap(({ form, vrs }) => vrs.split(' ').map((letters) => [vrCode(letters), form] as const)),
);

/**
 * @param reserved the two bytes after the VR as a number, which tell a later VR of the long form (they are
 * zero) from one of the short form
 * @returns null where the bytes are not a VR at all, as in an element written without one
 */
export function vrForm(vr: number, reserved: number): VrForm | null {
  const known = forms.get(vr);
  if (known !== undefined) return known;
  if (isUpperCase(vr >>> 8) && isUpperCase(vr & 0xff)) return reserved === 0 ? sequence : short;
  // Two spaces or `??` is what some toolkits write where they do not know the VR.
  return isPrintable(vr >>> 8) && isPrintable(vr & 0xff) ? short : null;
}

function isUpperCase(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e;
}
