import type { KeyObject } from 'node:crypto';
import { CompactSign } from 'jose/jws/compact/sign';
import { compactVerify } from 'jose/jws/compact/verify';
import { z } from 'zod';
import { GantryError } from '../base/errors.ts';
import { deliveryStates, proofKinds } from '../spool/types.ts';

const deliverySchema = z.strictObject({
  destination: z.string(),
  state: z.enum(deliveryStates),
  /** How the archive's copy was proven; null where it was not. */
  provenBy: z.enum(proofKinds).nullable(),
  provenAt: z.iso.datetime().nullable(),
  /** What was sent instead of the data set as received: compressed without loss; null where it was sent as received. */
  sentAs: z
    .strictObject({
      TransferSyntaxUID: z.string(),
      dataSetBytes: z.int().nonnegative(),
      dataSetSha256: z.string(),
    })
    .nullable()
    .default(null),
  /** Why it is not verified, or null. */
  reasonCode: z.string().nullable(),
});

const instanceSchema = z.strictObject({
  /** Our own name of the sealed object. */
  objectId: z.string(),
  SOPInstanceUID: z.string(),
  SOPClassUID: z.string(),
  TransferSyntaxUID: z.string(),
  /** Length and SHA-256 (hex) of the data set as received, without group 2. */
  dataSetBytes: z.int().nonnegative(),
  dataSetSha256: z.string(),
  receivedAt: z.iso.datetime(),
  deliveries: z.array(deliverySchema),
  /**
   * The number of the last receipt that described this instance from the object itself, where the entry was carried
   * over because the object has left this box since (its retention has passed); null where this receipt did.
   */
  carriedFrom: z.int().positive().nullable(),
});

const receiptSchema = z.strictObject({
  type: z.literal('gantry-receipt'),
  version: z.literal(1),
  /** Counts up from 1 within the study. */
  number: z.int().positive(),
  /** The receipt this one replaces, null for the first. */
  supersedes: z.int().positive().nullable(),
  issuedAt: z.iso.datetime(),
  site: z.string(),
  box: z.string(),
  StudyInstanceUID: z.string().nullable(),
  /** Instances of the study known here that this receipt cannot describe (gone, and no earlier receipt does). */
  undescribed: z.int().nonnegative(),
  instances: z.array(instanceSchema),
});

/** What the box attests about one study: what it received, and what became of it. Times are ISO 8601 in UTC. */
export type Receipt = z.infer<typeof receiptSchema>;
export type ReceiptInstance = Receipt['instances'][number];

/** Signs receipts. */
export interface ReceiptSigner {
  /** @returns a compact JWS (RFC 7515) over the payload */
  sign(payload: Uint8Array): Promise<string>;
}

/** Keeps receipts, every number of every study, durably and sealed: they hold UIDs. */
export interface ReceiptStore {
  write(studyKey: string, receiptNumber: number, jws: string): Promise<void>;
  /** Keys of the studies that have a receipt. */
  list(): Promise<string[]>;
  /** The study's latest receipt, or null. */
  read(studyKey: string): Promise<string | null>;
}

const algorithm = 'EdDSA';
const mediaType = 'gantry-receipt+jws';

/** @param keyId names the key in the signature's header, so that a verifier can find the public one */
export function createReceiptSigner(ed25519PrivateKey: KeyObject, keyId: string): ReceiptSigner {
  return {
    sign: (payload) =>
      new CompactSign(payload)
        .setProtectedHeader({ alg: algorithm, kid: keyId, typ: mediaType })
        .sign(ed25519PrivateKey),
  };
}

/**
 * @param publicKey the box's Ed25519 key; no other algorithm is accepted, whatever the header says
 * @throws GantryError RECEIPT_INVALID where the signature does not hold or the document is not a receipt
 */
export async function verifyReceipt(jws: string, publicKey: KeyObject): Promise<Receipt> {
  try {
    const { payload, protectedHeader } = await compactVerify(jws, publicKey, { algorithms: [algorithm] });
    if (protectedHeader.typ !== mediaType) throw new TypeError('not a receipt');
    return receiptSchema.parse(JSON.parse(new TextDecoder().decode(payload)));
  } catch (cause) {
    throw new GantryError(
      {
        code: 'RECEIPT_INVALID',
        kind: 'permanent',
        message: 'The receipt is damaged or was not signed by this box.',
        nextStep:
          'Check that the receipt is complete and that the public key is the one of the box that issued it.',
      },
      { cause },
    );
  }
}

export function encodeReceipt(receipt: Receipt): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(receipt));
}
