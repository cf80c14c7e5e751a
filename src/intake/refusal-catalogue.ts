import { inspectionFailures } from '../dicom/inspector.ts';
import { storeStatuses, storeStatusText } from '../dicom/statuses.ts';
import { type RejectWords, rejections } from './admission.ts';
import { type Fault, faults } from './faults.ts';
import { contextResults, serviceRefusals } from './negotiation.ts';
import { dataSetNextStep, objectRefusals } from './object-refusals.ts';
import { spoolRefusals } from './spool-reasons.ts';
import { tlsFaults } from './tls-faults.ts';
import { certificateProblems } from './tls-peer.ts';

/** A reason to refuse something, as it stands in the status, on the page, in the metrics and in the log. */
export interface CataloguedRefusal {
  readonly code: string;
  readonly message: string;
  readonly nextStep: string;
  /** What the device gets to see of it. */
  readonly answer: string;
}

export interface CatalogueSection {
  readonly title: string;
  readonly refusals: readonly CataloguedRefusal[];
}

const { abstractSyntaxRefused } = contextResults;

/** Of those, OpenSSL itself tells the peer; the others are noticed before it is asked, or by the peer. */
const alerted: ReadonlySet<Fault> = new Set<Fault>([
  tlsFaults.tooOld,
  tlsFaults.nothingShared,
  tlsFaults.failed,
]);

function rejectText({ result, source, reason }: RejectWords): string {
  return `A-ASSOCIATE-RJ ${result}/${source}/${reason}`;
}

/** Every reason there is, by what is refused. */
export const refusalCatalogue: readonly CatalogueSection[] = [
  {
    title: 'Associations that are not accepted',
    refusals: Object.values(rejections).map(({ why, reject }) => ({
      ...why,
      answer: rejectText(reject),
    })),
  },
  {
    title: 'Associations that are not accepted for the sake of a certificate (DICOM over TLS)',
    refusals: Object.values(certificateProblems).map((why) => ({
      ...why,
      answer: rejectText(rejections.callingAeTitle.reject),
    })),
  },
  {
    title: 'Connections that come to nothing before they are secure (DICOM over TLS)',
    refusals: Object.values(tlsFaults).map((fault) => ({
      code: fault.code,
      message: fault.message,
      nextStep: fault.nextStep,
      answer: alerted.has(fault) ? 'TLS alert, connection closed' : 'connection closed',
    })),
  },
  {
    title: 'Associations and connections that are ended',
    refusals: Object.values(faults).map(({ code, message, nextStep, abort }) => ({
      code,
      message,
      nextStep,
      answer: abort === null ? 'connection closed' : `A-ABORT ${abort.source}/${abort.reason}`,
    })),
  },
  {
    title: 'The disk: associations are rejected, objects refused',
    refusals: Object.values(spoolRefusals).map((refusal) => ({
      ...refusal,
      answer: `A-ASSOCIATE-RJ 2/3/1 or C-STORE status ${storeStatusText(storeStatuses.outOfResources)}`,
    })),
  },
  {
    title: 'Objects that are not taken; the association goes on',
    refusals: [
      ...Object.values(objectRefusals).map(({ status, why }) => ({
        ...why,
        answer: `C-STORE status ${storeStatusText(status)}`,
      })),
      ...inspectionFailures.map(({ code, words }) => ({
        code,
        message: `${words}.`,
        nextStep: dataSetNextStep,
        answer: `C-STORE status ${storeStatusText(storeStatuses.cannotUnderstand)}`,
      })),
    ],
  },
  {
    title: 'Services that are not offered; the association goes on',
    refusals: [
      { ...serviceRefusals.nothingOffered, answer: 'no presentation context accepted' },
      { ...serviceRefusals.sopClass, answer: `presentation context result ${abstractSyntaxRefused}` },
      {
        ...serviceRefusals.operation,
        answer: `DIMSE status ${storeStatusText(storeStatuses.unrecognizedOperation)}`,
      },
    ],
  },
];
