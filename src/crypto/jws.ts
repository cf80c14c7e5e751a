import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { GeneralSign } from 'jose/jws/general/sign';
import { flattenedVerify } from 'jose/jws/flattened/verify';

/** General JSON serialisation of a JWS (RFC 7515 7.2.1). */
export interface GeneralJws {
  payload: string;
  signatures: { protected: string; signature: string }[];
}

/** A public key on one of the curves of RFC 8032 and RFC 7748, as JWK (RFC 8037). */
export interface OkpJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519' | 'X25519';
  /** base64url, 32 bytes. */
  readonly x: string;
}

/** What a signature was made for. It stands in the signed header: one kind of document never passes as another. */
export type SignedKind =
  | 'gantry-desired'
  | 'gantry-trust'
  | 'gantry-timestamp'
  | 'gantry-command'
  | 'gantry-reported'
  | 'gantry-certificate-request';

/** RFC 8037: Ed25519, given the key. No other one is accepted, whatever a header says. */
const algorithm = 'EdDSA';
const signaturesMax = 16;

/** The public half of a key as JWK. @throws TypeError for a key of another curve */
export function okpJwk(key: KeyObject): OkpJwk {
  const { kty, crv, x } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  if (kty !== 'OKP' || (crv !== 'Ed25519' && crv !== 'X25519') || x === undefined)
    throw new TypeError('neither an Ed25519 nor an X25519 key');
  return { kty, crv, x };
}

/** RFC 7638 thumbprint (SHA-256, base64url) of a key: what its signatures name it by. */
export function keyIdOf({ crv, kty, x }: OkpJwk): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}

export function publicKeyOf(jwk: OkpJwk): KeyObject {
  return createPublicKey({ key: { ...jwk }, format: 'jwk' });
}

/** Signs exactly these bytes. @param key private, Ed25519 */
export async function signPayload(
  kind: SignedKind,
  payload: Uint8Array,
  key: KeyObject,
): Promise<GeneralJws> {
  const jwk = okpJwk(key);
  if (jwk.crv !== 'Ed25519') throw new TypeError('not a key to sign with');
  const signed = await new GeneralSign(payload)
    .addSignature(key)
    .setProtectedHeader({ alg: algorithm, kid: keyIdOf(jwk), typ: kind })
    .done()
    .sign();
  const signatures = signed.signatures.map((one) => ({
    protected: one.protected ?? '',
    signature: one.signature,
  }));
  return { payload: signed.payload, signatures };
}

/** The same bytes with one more signature; one by the same key takes the place of the one before. */
export async function addSignature(
  kind: SignedKind,
  document: GeneralJws,
  key: KeyObject,
): Promise<GeneralJws> {
  const added = await signPayload(kind, payloadOf(document), key);
  const kid = keyIdOf(okpJwk(key));
  const others = document.signatures.filter((one) => headerOf(one.protected)?.['kid'] !== kid);
  return { payload: document.payload, signatures: [...others, ...added.signatures] };
}

/** The bytes that were signed, whoever signed them. */
export function payloadOf(document: GeneralJws): Buffer {
  return Buffer.from(document.payload, 'base64url');
}

/** Whether each part is written in the one way base64url has for its bytes: then no second text carries the same. */
export function isCanonical({ payload, signatures }: GeneralJws): boolean {
  const parts = [payload, ...signatures.flatMap((one) => [one.protected, one.signature])];
  return parts.every((text) => Buffer.from(text, 'base64url').toString('base64url') === text);
}

/**
 * Which of the keys signed these bytes as this kind of document. A key counts once, however often it signed; a
 * signature that does not hold, or is by a key that is not among them, does not count.
 * @param keys Ed25519, by key id
 * @returns ids of keys, sorted
 */
export async function verifySignatures(
  kind: SignedKind,
  document: GeneralJws,
  keys: ReadonlyMap<string, OkpJwk>,
): Promise<string[]> {
  const signers = new Set<string>();
  for (const one of document.signatures.slice(0, signaturesMax)) {
    const header = headerOf(one.protected);
    const kid = header?.['kid'];
    if (typeof kid !== 'string' || header?.['typ'] !== kind || header['alg'] !== algorithm) continue;
    // A header with more in it, such as "b64" or "crit", asks for something else than what is checked here.
    if (Object.keys(header).length !== 3) continue;
    const jwk = keys.get(kid);
    if (jwk === undefined || jwk.crv !== 'Ed25519' || keyIdOf(jwk) !== kid) continue;
    try {
      const key = publicKeyOf(jwk);
      await flattenedVerify({ payload: document.payload, ...one }, key, { algorithms: [algorithm] });
      signers.add(kid);
    } catch {
      continue;
    }
  }
  return [...signers].toSorted();
}

function headerOf(text: string): Record<string, unknown> | null {
  try {
    const header: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return typeof header === 'object' && header !== null ? { ...header } : null;
  } catch {
    return null;
  }
}
