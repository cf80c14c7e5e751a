import type { FailureText } from '../base/errors.ts';
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

/** What an association that was accepted does not give the device, or none of what it asked for. */
export const serviceRefusals = {
  nothingOffered: {
    code: 'NOTHING_OFFERED',
    message: 'The device asked only for services that this gateway does not offer; it can send nothing here.',
    nextStep:
      'Let the device send its images here (C-STORE). Worklist, search and print are the business of other systems.',
  },
  sopClass: {
    code: 'SOP_CLASS_NOT_OFFERED',
    message: 'The device proposed private or new kinds of image, which this gateway is set to refuse.',
    nextStep:
      'If images of this device are missing, set "unknownSopClasses" to "accept" in the configuration.',
  },
  operation: {
    code: 'OPERATION_NOT_OFFERED',
    message: 'The device asked for something other than storing or checking the connection; it was told no.',
    nextStep: 'If the device works as it should, nothing needs to be done; if not, ask its vendor.',
  },
} as const satisfies Record<string, Omit<FailureText, 'kind'>>;

/** Why somebody may miss something on this association, or null. That we do not answer queries is no news. */
export function refusedServices(
  request: AssociationRequest,
  answers: readonly ContextAnswer[],
): Omit<FailureText, 'kind'> | null {
  if (answers.every(({ accepted }) => accepted === null)) return serviceRefusals.nothingOffered;
  const unknown = request.contexts.filter(({ abstractSyntax }) => isUnknownSopClass(abstractSyntax));
  const refused = answers.some(
    ({ id, result }) =>
      result === contextResults.abstractSyntaxRefused && unknown.some((context) => context.id === id),
  );
  return refused ? serviceRefusals.sopClass : null;
}

/** What a peer proposed, by name: for the record of a refusal. Never a UID. */
export interface ProposalNames {
  readonly contexts: number;
  readonly sopClasses: readonly string[];
  readonly transferSyntaxes: readonly string[];
}

/** Of each kind; so many more are only counted. */
const namesMax = 8;

export function proposalNames(request: AssociationRequest): ProposalNames {
  const sopClasses = request.contexts.map(
    ({ abstractSyntax }) => sopClassName(abstractSyntax) ?? 'private or unknown SOP class',
  );
  const transferSyntaxes = request.contexts.flatMap((context) =>
    context.transferSyntaxes.map((uid) => knownTransferSyntaxes.get(uid)?.name ?? 'private or unknown'),
  );
  return {
    contexts: request.contexts.length,
    sopClasses: bounded(sopClasses),
    transferSyntaxes: bounded(transferSyntaxes),
  };
}

function bounded(names: readonly string[]): string[] {
  const unique = [...new Set(names)];
  if (unique.length <= namesMax) return unique;
  return [...unique.slice(0, namesMax), `and ${unique.length - namesMax} more`];
}
