import {
  isStorageSopClass,
  isUnknownSopClass,
  sopClassName,
  verificationSopClass,
} from '../dicom/sop-classes.ts';
import { knownTransferSyntaxes, preferredTransferSyntax } from '../dicom/transfer-syntaxes.ts';
import { parseUid, type SOPClassUID, type TransferSyntaxUID } from '../dicom/uid.ts';
import type { AssociationRequest, ProposedContext } from './associate-request.ts';
import type { AdmissionOptions } from './options.ts';

/** PS3.8 table 9-18. */
export const contextResults = {
  accepted: 0,
  refusedByUser: 1,
  abstractSyntaxRefused: 3,
  transferSyntaxesRefused: 4,
} as const;

export interface AcceptedContext {
  readonly SOPClassUID: SOPClassUID;
  readonly TransferSyntaxUID: TransferSyntaxUID;
}

export interface ContextAnswer {
  readonly id: number;
  readonly result: (typeof contextResults)[keyof typeof contextResults];
  /** Null where the context is refused. */
  readonly accepted: AcceptedContext | null;
}

/**
 * Answers every proposed context: Verification and all storage classes in any transfer syntax, since received
 * bytes are kept as they are; nothing for a peer that wants to be the receiver (role SCP, PS3.7 Annex D.3.3.4).
 */
export function negotiate(
  request: AssociationRequest,
  unknownSopClasses: AdmissionOptions['unknownSopClasses'],
): ContextAnswer[] {
  return request.contexts.map((context) => answer(context, request, unknownSopClasses));
}

function answer(
  { id, abstractSyntax, transferSyntaxes }: ProposedContext,
  request: AssociationRequest,
  unknownSopClasses: AdmissionOptions['unknownSopClasses'],
): ContextAnswer {
  const SOPClassUID = parseUid<SOPClassUID>(abstractSyntax);
  if (SOPClassUID === null || !isOffered(SOPClassUID, unknownSopClasses)) {
    return { id, result: contextResults.abstractSyntaxRefused, accepted: null };
  }
  if (request.roles.get(abstractSyntax)?.scu === false) {
    return { id, result: contextResults.refusedByUser, accepted: null };
  }
  const legal = transferSyntaxes.flatMap((text) => parseUid<TransferSyntaxUID>(text) ?? []);
  const TransferSyntaxUID = preferredTransferSyntax(legal) as TransferSyntaxUID | null;
  if (TransferSyntaxUID === null)
    return { id, result: contextResults.transferSyntaxesRefused, accepted: null };
  return { id, result: contextResults.accepted, accepted: { SOPClassUID, TransferSyntaxUID } };
}

function isOffered(uid: SOPClassUID, unknownSopClasses: AdmissionOptions['unknownSopClasses']): boolean {
  return uid === verificationSopClass || isStored(uid, unknownSopClasses);
}

/** Whether instances of this class are taken in. */
export function isStored(uid: string, unknownSopClasses: AdmissionOptions['unknownSopClasses']): boolean {
  return isStorageSopClass(uid) || (unknownSopClasses === 'accept' && isUnknownSopClass(uid));
}

/** What a peer proposed, by name: for the record of a refusal. Never a UID. */
export interface ProposalNames {
  readonly sopClasses: readonly string[];
  readonly transferSyntaxes: readonly string[];
}

const namesMax = 12;

export function proposalNames(request: AssociationRequest): ProposalNames {
  const sopClasses = request.contexts.map(
    ({ abstractSyntax }) => sopClassName(abstractSyntax) ?? 'private or unknown SOP class',
  );
  const transferSyntaxes = request.contexts.flatMap((context) =>
    context.transferSyntaxes.map((uid) => knownTransferSyntaxes.get(uid)?.name ?? 'private or unknown'),
  );
  return { sopClasses: bounded(sopClasses), transferSyntaxes: bounded(transferSyntaxes) };
}

function bounded(names: readonly string[]): string[] {
  const unique = [...new Set(names)];
  if (unique.length <= namesMax) return unique;
  return [...unique.slice(0, namesMax), `and ${unique.length - namesMax} more`];
}
