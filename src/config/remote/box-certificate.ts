import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { type CertificateLife, lifeOf, plainFingerprint, validityOf } from '../../base/certificate.ts';
import { Note } from '../../base/note.ts';
import { makeCertificateRequest } from '../../crypto/device-authority.ts';
import { signPayload } from '../../crypto/jws.ts';
import type { SealedFile } from '../store.ts';
import {
  type BoxName,
  type CertificateRequestDocument,
  type SignedDocument,
  type TrustDocument,
  wireVersion,
} from './documents.ts';
import type { RemoteMemory } from './state.ts';
import type { FleetRefusalCode } from './refusals.ts';

/** What the box keeps of its certificate, sealed. PEM. */
const content = z.object({
  /** In use. */
  current: z.object({ key: z.string(), cert: z.string() }).nullable(),
  /** What a certificate was asked for last: it comes for this key. */
  asked: z.object({ key: z.string(), request: z.string() }).nullable(),
});
type Content = z.output<typeof content>;

type Enrolment = NonNullable<RemoteMemory['enrolment']>;

export const boxCertificateBytesMax = 64 * 1024;
/** id-kp-clientAuth (RFC 5280 §4.2.1.12). */
const clientAuth = '1.3.6.1.5.5.7.3.2';

export type CertificateOutcome =
  | { readonly ok: true; readonly unchanged: boolean }
  | { readonly ok: false; readonly code: FleetRefusalCode };

/** The certificate by which servers of central IT know this box, and its key, which never leaves it. */
export class BoxCertificate {
  readonly #note: Note<Content>;
  #making: Promise<string> | null = null;

  private constructor(note: Note<Content>) {
    this.#note = note;
  }

  /** A file that cannot be read counts as none: then the box asks for another one. @param damaged is told of it */
  static async open(file: SealedFile, damaged: (error: unknown) => void): Promise<BoxCertificate> {
    const empty: Content = { current: null, asked: null };
    return new BoxCertificate(await Note.open(file, { schema: content, empty }, damaged));
  }

  /** PEM texts to sign in with, or null where there are none yet. */
  get credentials(): { readonly cert: string; readonly key: string } | null {
    return this.#note.value.current;
  }

  /** When the one in use ends, milliseconds since the epoch, or null. */
  get notAfter(): number | null {
    const { current } = this.#note.value;
    return current === null ? null : validityOf(new X509Certificate(current.cert)).notAfter;
  }

  /** Null where there is none yet. */
  life(now: number): CertificateLife | null {
    const { current } = this.#note.value;
    return current === null ? null : lifeOf(validityOf(new X509Certificate(current.cert)), now);
  }

  /**
   * Whether another one is to be asked for: there is none, two thirds of its life are over, or its authority is no
   * longer one of the fleet. Never where the fleet has no authority, or has taken it from this box.
   */
  isDue({ deviceCa, revoked }: TrustDocument, now: number): boolean {
    const { current } = this.#note.value;
    if (deviceCa.length === 0) return false;
    if (current === null) return true;
    const certificate = new X509Certificate(current.cert);
    if (isRevoked(certificate, revoked)) return false;
    const life = lifeOf(validityOf(certificate), now);
    return life === 'renew' || life === 'expired' || !isIssued(certificate, deviceCa);
  }

  /** What is asked for with the report, signed as it is; null where nothing is due. */
  async requestIfDue(
    { fleet, device, trust }: Pick<Enrolment, 'fleet' | 'device' | 'trust'>,
    now: number,
    signingKey: KeyObject,
  ): Promise<SignedDocument | null> {
    if (!this.isDue(trust.document, now)) return null;
    const body: CertificateRequestDocument = {
      apiVersion: wireVersion,
      kind: 'CertificateRequest',
      fleet,
      device,
      request: await this.request(device),
    };
    return signPayload('gantry-certificate-request', Buffer.from(JSON.stringify(body)), signingKey);
  }

  /** A request (PKCS #10, PEM) for a key that is kept, durably, before it is answered: the same one until its certificate comes. */
  async request(device: BoxName): Promise<string> {
    const { asked } = this.#note.value;
    if (asked !== null) return asked.request;
    this.#making ??= this.#make(device).finally(() => (this.#making = null));
    return this.#making;
  }

  /** Takes a certificate into use where it is one of this fleet for a key of this box. Durable once it resolves. */
  async take(
    pem: string,
    device: BoxName,
    { deviceCa, revoked }: Pick<TrustDocument, 'deviceCa' | 'revoked'>,
  ): Promise<CertificateOutcome> {
    const certificate = parse(pem);
    if (certificate === null) return { ok: false, code: 'FLEET_UNREADABLE' };
    if (!isIssued(certificate, deviceCa) || isRevoked(certificate, revoked))
      return { ok: false, code: 'FLEET_CERTIFICATE' };
    if (certificate.subject !== `CN=${device}`) return { ok: false, code: 'FLEET_WRONG_DEVICE' };
    if (certificate.ca || !(certificate.keyUsage ?? []).includes(clientAuth))
      return { ok: false, code: 'FLEET_CERTIFICATE' };
    const { current, asked } = this.#note.value;
    const key = [asked?.key, current?.key].find(
      (own) => own !== undefined && certificate.checkPrivateKey(createPrivateKey(own)),
    );
    if (key === undefined) return { ok: false, code: 'FLEET_CERTIFICATE_KEY' };
    // One that ends no later says nothing new: it comes again on every way.
    const known = current !== null && key === current.key;
    if (known && validityOf(certificate).notAfter <= (this.notAfter ?? 0))
      return { ok: true, unchanged: true };
    await this.#note.change((before) => ({
      current: { key, cert: certificate.toString() },
      asked: before.asked?.key === key ? null : before.asked,
    }));
    return { ok: true, unchanged: false };
  }

  async #make(device: BoxName): Promise<string> {
    const made = await makeCertificateRequest(device);
    await this.#note.change((value) => ({ ...value, asked: made }));
    return made.request;
  }
}

function parse(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

function isIssued(certificate: X509Certificate, authorities: readonly string[]): boolean {
  return authorities.some((text) => {
    const authority = parse(text);
    return (
      authority !== null && certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
    );
  });
}

function isRevoked({ serialNumber }: X509Certificate, revoked: readonly string[]): boolean {
  return revoked.some((serial) => plainSerial(serial) === plainSerial(serialNumber));
}

function plainSerial(serial: string): string {
  return plainFingerprint(serial).replace(/^0+/, '');
}
