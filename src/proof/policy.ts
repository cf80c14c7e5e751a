import { createHash } from 'node:crypto';
import type { ArchivedFacts } from '../archive/port.ts';
import type { ImageFacts } from '../dicom/header-facts.ts';
import type { ObjectFacts, ObjectId, ProofItem } from '../spool/types.ts';

/** How much proof a destination is asked for before an instance counts as verified. */
export const verifyPolicies = ['response', 'qido', 'find', 'wado-metadata', 'wado-digest'] as const;
export type VerifyPolicy = (typeof verifyPolicies)[number];

/** What is looked at for one delivery; `none` takes the archive's answer as it is. */
export type Look = 'none' | 'qido' | 'find' | 'metadata' | 'digest';

/**
 * @param digestSample share (0 to 1) of the instances whose digest is compared although metadata would do
 */
export function lookFor(
  policy: VerifyPolicy,
  digestSample: number,
  item: Pick<ProofItem, 'objectId' | 'needsDigest'>,
): Look {
  if (item.needsDigest || policy === 'wado-digest') return 'digest';
  if (policy === 'wado-metadata') return inSample(item.objectId, digestSample) ? 'digest' : 'metadata';
  return policy === 'qido' || policy === 'find' ? policy : 'none';
}

/** Decided by a hash of the object id, not by chance: restarts and repeated looks agree. */
function inSample(objectId: ObjectId, share: number): boolean {
  const point = createHash('sha256').update(objectId).digest().readUInt32BE(0) / 2 ** 32;
  return point < share;
}

/** The UIDs that say which instance this is and what kind. */
export function sameIdentity(own: ObjectFacts, archived: ArchivedFacts): boolean {
  const names = ['SOPClassUID', 'SOPInstanceUID', 'StudyInstanceUID', 'SeriesInstanceUID'] as const;
  return names.every((name) => own[name] === null || own[name] === archived[name]);
}

/** UIDs, transfer syntax where the archive gives it, rows, columns, bits and frames. */
export function sameMetadata(own: ObjectFacts, archived: ArchivedFacts): boolean {
  if (!sameIdentity(own, archived)) return false;
  const { TransferSyntaxUID } = archived;
  if (TransferSyntaxUID !== null && TransferSyntaxUID !== own.TransferSyntaxUID) return false;
  return sameImage(own.image, archived.image);
}

/** Where the received object has image attributes, the archive must give the same ones; no frame count means 1. */
export function sameImage(own: ImageFacts | null, archived: Partial<ImageFacts>): boolean {
  const names = ['Rows', 'Columns', 'BitsAllocated', 'NumberOfFrames'] as const;
  const given: Partial<ImageFacts> = { NumberOfFrames: 1, ...archived };
  return own === null || names.every((name) => own[name] === given[name]);
}
