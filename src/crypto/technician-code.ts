import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/** How long a technician code is good for. */
export const technicianCodeMs = 8 * 60 * 60 * 1000;
/** A clock a little behind that of whoever made the code is no reason to refuse it. */
const clockSkewMs = 10 * 60 * 1000;
const codeCharsMax = 400;
/** Keeps what is signed here apart from all else that is signed with the same key. */
const domain = 'gantry technician code 1\0';

export interface TechnicianCode {
  /** The one box it is for. */
  readonly box: string;
  /** Who it was made for; shown and audited. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly madeAt: number;
}

export type CodeCheck =
  | { readonly ok: true; readonly name: string; readonly key: string; readonly until: number }
  | { readonly ok: false; readonly why: 'unreadable' | 'signature' | 'box' | 'expired' | 'early' };

/** @param key Ed25519 (RFC 8032) */
export function makeTechnicianCode(key: KeyObject, code: TechnicianCode): string {
  const body = Buffer.from(JSON.stringify([code.box, code.name, Math.floor(code.madeAt / 1000)]));
  const signature = sign(null, Buffer.concat([Buffer.from(domain), body]), key);
  return `${body.toString('base64url')}.${signature.toString('base64url')}`;
}

/** @param keys public keys by name */
export function checkTechnicianCode(
  text: string,
  keys: Readonly<Record<string, KeyObject>>,
  box: string,
  now: number,
): CodeCheck {
  const compact = text.replaceAll(/\s/g, '');
  const match = /^([\w-]{20,})\.([\w-]{86})$/.exec(compact);
  if (match === null || compact.length > codeCharsMax) return { ok: false, why: 'unreadable' };
  const body = Buffer.from(match[1] ?? '', 'base64url');
  const signature = Buffer.from(match[2] ?? '', 'base64url');
  // One text for one code: base64 leaves bits over that could be set at will.
  if (`${body.toString('base64url')}.${signature.toString('base64url')}` !== compact)
    return { ok: false, why: 'unreadable' };
  const signed = Buffer.concat([Buffer.from(domain), body]);
  const key = Object.entries(keys).find(([, one]) => verify(null, signed, one, signature))?.[0];
  if (key === undefined) return { ok: false, why: 'signature' };
  const [forBox, name, madeAtSeconds] = JSON.parse(body.toString()) as [string, string, number];
  if (forBox !== box) return { ok: false, why: 'box' };
  const madeAt = madeAtSeconds * 1000;
  if (now < madeAt - clockSkewMs) return { ok: false, why: 'early' };
  if (now >= madeAt + technicianCodeMs) return { ok: false, why: 'expired' };
  return { ok: true, name, key, until: madeAt + technicianCodeMs };
}

/** @param base64 SubjectPublicKeyInfo (RFC 8410) */
export function technicianKey(base64: string): KeyObject {
  return createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' });
}
