import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomInt,
  scryptSync,
  timingSafeEqual,
} from 'node:crypto';
import { z } from 'zod';
import { GantryError } from '../../base/errors.ts';
import { okpJwk } from '../../crypto/jws.ts';
import type { SealedFile } from '../store.ts';
import {
  type BoxName,
  boxName,
  certificatePem,
  documentBytesMax,
  fleetName,
  publicJwk,
  signedDocument,
  wireVersion,
} from './documents.ts';
import { readStrictJson } from './signed.ts';
import { firstTrust, type TrustState } from './trust.ts';

/** No letters that look or sound like digits. 12 of them are 58 bits, each guess made dear by scrypt. */
const codeLetters = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const scryptCost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

/** What a box tells central IT of itself. */
const requestBody = z.strictObject({
  apiVersion: z.literal(wireVersion),
  kind: z.literal('EnrolmentRequest'),
  device: boxName,
  keys: z.strictObject({ sign: publicJwk, seal: publicJwk }),
  schemaVersion: z.int().min(1),
  /** PKCS #10, PEM: what the certificate of the box is asked for with. */
  certificateRequest: certificatePem.optional(),
});
export type EnrolmentRequest = z.output<typeof requestBody>;

/** What central IT answers: whom to believe from now on. */
const answerBody = z.strictObject({
  apiVersion: z.literal(wireVersion),
  kind: z.literal('EnrolmentAnswer'),
  fleet: fleetName,
  device: boxName,
  trust: signedDocument,
  /** PEM; absent where the fleet issues none. */
  certificate: certificatePem.optional(),
});
export type EnrolmentAnswer = z.output<typeof answerBody>;

/** A file that travels: the exact text, and an HMAC (SHA-256, hex) over it that only the claim code can make. */
const boundFile = z.strictObject({
  body: z.string().max(documentBytesMax),
  proof: z.string().regex(/^[0-9a-f]{64}$/),
});

/** What the box keeps, sealed. */
const identity = z.strictObject({
  /** PKCS #8 of the X25519 key, base64. */
  sealKey: z.string(),
  /** The code of the request that is open, or null. */
  claimCode: z.string().nullable(),
});
type Identity = z.output<typeof identity>;

export const identityBytesMax = 16 * 1024;

/** The keys a box has beside its signing key, and the request it has made. */
export class BoxIdentity {
  readonly #file: SealedFile;
  #value: Identity;

  private constructor(file: SealedFile, value: Identity) {
    this.#file = file;
    this.#value = value;
  }

  /** Opens them, or makes them the first time. @throws GantryError FILE_DAMAGED */
  static async open(file: SealedFile): Promise<BoxIdentity> {
    const stored = await file.read();
    if (stored !== null) return new BoxIdentity(file, identity.parse(JSON.parse(stored.toString('utf8'))));
    const { privateKey } = generateKeyPairSync('x25519');
    const sealKey = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
    const made = new BoxIdentity(file, { sealKey, claimCode: null });
    await made.#write(made.#value);
    return made;
  }

  get sealKey(): KeyObject {
    return createPrivateKey({
      key: Buffer.from(this.#value.sealKey, 'base64'),
      format: 'der',
      type: 'pkcs8',
    });
  }

  /** Makes a request and its claim code, durably; an earlier code is good no more. */
  async request(box: {
    device: BoxName;
    signingKey: KeyObject;
    schemaVersion: number;
    certificateRequest: string;
  }): Promise<{ readonly file: string; readonly code: string }> {
    const code = newClaimCode();
    await this.#write({ ...this.#value, claimCode: code });
    const keys = { sign: okpJwk(box.signingKey), seal: okpJwk(this.sealKey) };
    const { device, schemaVersion, certificateRequest } = box;
    const about = { apiVersion: wireVersion, kind: 'EnrolmentRequest', device } as const;
    return { file: bind({ ...about, keys, schemaVersion, certificateRequest }, code), code };
  }

  /**
   * Whom the answer says to believe. The code stays good until {@link close}, so that a failure in between can be
   * made up for.
   * @throws GantryError ENROL_NONE, ENROL_ANSWER
   */
  async check(file: Uint8Array, device: BoxName): Promise<{ answer: EnrolmentAnswer; trust: TrustState }> {
    const { claimCode } = this.#value;
    if (claimCode === null) throw noRequest();
    const answer = unbind(file, answerBody, claimCode, device);
    const outcome = answer === null ? null : await firstTrust(answer.trust, answer.fleet);
    if (answer === null || outcome === null || !outcome.ok) throw badAnswer();
    return { answer, trust: outcome.trust };
  }

  /** The claim code has been used. */
  close(): Promise<void> {
    return this.#write({ ...this.#value, claimCode: null });
  }

  async #write(value: Identity): Promise<void> {
    await this.#file.write(Buffer.from(JSON.stringify(value)));
    this.#value = value;
  }
}

/** @throws GantryError ENROL_CODE where the code did not make this request */
export function openRequest(file: Uint8Array, code: string): EnrolmentRequest {
  const request = unbind(file, requestBody, code, null);
  if (request !== null && request.keys.sign.crv === 'Ed25519' && request.keys.seal.crv === 'X25519')
    return request;
  throw new GantryError({
    code: 'ENROL_CODE',
    kind: 'permanent',
    message: 'The request is damaged, or was not made with this claim code.',
    nextStep: 'Type the code as the box showed it; it is good for the newest request of that box alone.',
  });
}

export function makeAnswer(answer: EnrolmentAnswer, code: string): string {
  return bind(answer, code);
}

function bind(body: EnrolmentRequest | EnrolmentAnswer, code: string): string {
  const text = JSON.stringify(body);
  const proof = proofOf(body.kind, text, code, body.device).toString('hex');
  return `${JSON.stringify({ body: text, proof })}\n`;
}

/** The body where the code made its proof, null otherwise. @param device the one it has to be for, where known */
function unbind<S extends typeof requestBody | typeof answerBody>(
  file: Uint8Array,
  schema: S,
  code: string,
  device: BoxName | null,
): z.output<S> | null {
  if (file.length > 2 * documentBytesMax) return null;
  const bound = boundFile.safeParse(readStrictJson(file));
  if (!bound.success) return null;
  const body = schema.safeParse(readStrictJson(Buffer.from(bound.data.body)));
  if (!body.success || (device !== null && body.data.device !== device)) return null;
  const expected = proofOf(body.data.kind, bound.data.body, code, body.data.device);
  return timingSafeEqual(expected, Buffer.from(bound.data.proof, 'hex')) ? (body.data as z.output<S>) : null;
}

function proofOf(kind: string, text: string, code: string, device: string): Buffer {
  const plain = code.toUpperCase().replaceAll(/[^0-9A-Z]/g, '');
  const key = scryptSync(plain, `gantry enrolment 1\0${device}`, 32, scryptCost);
  return createHmac('sha256', key).update(`${kind}\0${text}`).digest();
}

function newClaimCode(): string {
  const letters = Array.from({ length: 12 }, () => codeLetters[randomInt(codeLetters.length)]).join('');
  return letters.replaceAll(/.{4}(?=.)/g, '$&-');
}

function noRequest(): GantryError {
  return new GantryError({
    code: 'ENROL_NONE',
    kind: 'permanent',
    message: 'This box has no request open, or its claim code has been used.',
    nextStep: 'Make one: "gantry enroll request".',
  });
}

function badAnswer(): GantryError {
  return new GantryError({
    code: 'ENROL_ANSWER',
    kind: 'permanent',
    message: 'The answer does not belong to the newest request of this box.',
    nextStep: 'Bring the answer that was made for it, or make a new request.',
  });
}
