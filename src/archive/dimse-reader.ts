import dimse from 'dcmjs-dimse';
import { parseUid, type StudyInstanceUID, type TransferSyntaxUID } from '../dicom/uid.ts';
import { ByteChannel } from './byte-channel.ts';
import type { DimseAssociation, Proposal } from './dimse-association.ts';
import { metadataOf } from './instance-metadata.ts';
import type { FindAnswer, InstanceRef, MetadataAnswer, ReadFailure, RetrieveAnswer } from './port.ts';
import { notAsked, unsupported } from './read-failure.ts';

/** Study Root Query/Retrieve (PS3.4 §C.6.2). */
export const studyRootFind = '1.2.840.10008.5.1.4.1.2.2.1';
export const studyRootGet = '1.2.840.10008.5.1.4.1.2.2.3';
const implicitVrLittleEndian = '1.2.840.10008.1.2';
/** More answers than this to a question about one thing are not read. */
const matchesMax = 16;

const finding: Proposal = { sopClass: studyRootFind, transferSyntaxes: [implicitVrLittleEndian] };

export type Associate = (proposals: readonly Proposal[], signal: AbortSignal) => Promise<DimseAssociation>;
type Elements = Readonly<Record<string, unknown>>;

/** Asks a PACS what it has: C-FIND over one association that is kept while there are questions, and C-GET. */
export class DimseReader {
  readonly #associate: Associate;
  readonly #idleMs: number;
  readonly #never = new AbortController();
  #association: DimseAssociation | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | null = null;

  constructor(associate: Associate, idleMs: number) {
    this.#associate = associate;
    this.#idleMs = idleMs;
  }

  /** C-FIND at image level. */
  async find(ref: InstanceRef, signal: AbortSignal): Promise<FindAnswer> {
    const { StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID } = ref;
    if (StudyInstanceUID === null || SeriesInstanceUID === null)
      return unsupported('DIMSE_NO_STUDY_OR_SERIES');
    // Unique keys of its level and of those above (PS3.4 §C.4.1.2.1).
    const keys = { StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID };
    const matches = await this.#ask({ QueryRetrieveLevel: 'IMAGE', ...keys }, signal);
    if (isFailure(matches)) return matches;
    return {
      kind: matches.some((match) => match['SOPInstanceUID'] === SOPInstanceUID) ? 'present' : 'absent',
    };
  }

  async knowsStudy(study: StudyInstanceUID, signal: AbortSignal): Promise<FindAnswer> {
    const matches = await this.#ask({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: study }, signal);
    if (isFailure(matches)) return matches;
    return {
      kind: matches.some(({ StudyInstanceUID }) => StudyInstanceUID === study) ? 'present' : 'absent',
    };
  }

  /** Read from the instance itself: what C-FIND answers beyond its unique keys is up to the PACS. */
  async metadata(ref: InstanceRef, signal: AbortSignal): Promise<MetadataAnswer> {
    return metadataOf(await this.retrieve(ref, signal));
  }

  /** C-GET of one instance in the transfer syntax that the reference names. */
  async retrieve(ref: InstanceRef, signal: AbortSignal): Promise<RetrieveAnswer> {
    const {
      StudyInstanceUID,
      SeriesInstanceUID,
      SOPInstanceUID,
      SOPClassUID,
      TransferSyntaxUID: syntax,
    } = ref;
    if (StudyInstanceUID === null || SeriesInstanceUID === null)
      return unsupported('DIMSE_NO_STUDY_OR_SERIES');
    if (SOPClassUID === undefined || syntax === undefined) return unsupported('DIMSE_NO_CLASS_OR_SYNTAX');
    try {
      const association = await this.#associate(
        [
          { sopClass: studyRootGet, transferSyntaxes: [implicitVrLittleEndian] },
          { sopClass: SOPClassUID, transferSyntaxes: [syntax], asProvider: true },
        ],
        signal,
      );
      if (association.negotiated(studyRootGet, implicitVrLittleEndian)?.accepted !== true) {
        await association.release();
        return unsupported('DIMSE_NO_C_GET');
      }
      const request = new dimse.requests.CGetRequest();
      request.setDataset(
        new dimse.Dataset({
          QueryRetrieveLevel: 'IMAGE',
          StudyInstanceUID,
          SeriesInstanceUID,
          SOPInstanceUID,
        }),
      );
      const answer = await retrieved(association, request, SOPInstanceUID);
      if (answer.kind === 'present') return answer;
      // Some answer with a failure for what they do not have, others with success.
      return (await this.find(ref, signal)).kind === 'absent' ? { kind: 'absent' } : answer;
    } catch (error) {
      return notAsked(error, signal);
    }
  }

  async close(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    await this.#association?.release();
    this.#association = null;
  }

  /** One question at a time. */
  #ask(keys: Elements, signal: AbortSignal): Promise<Elements[] | ReadFailure> {
    const mine = this.#turn.then(() => this.#askNow(keys, signal));
    this.#turn = mine;
    return mine;
  }

  async #askNow(keys: Elements, signal: AbortSignal): Promise<Elements[] | ReadFailure> {
    if (signal.aborted) return notAsked(null, signal);
    if (this.#idle !== null) clearTimeout(this.#idle);
    const abort = (): void => this.#association?.abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const kept = this.#association?.failed === false ? this.#association : null;
      try {
        return await this.#query(kept ?? (await this.#newAssociation()), keys);
      } catch (error) {
        // The PACS may have ended the kept one at just that moment: a question can be asked anew.
        if (kept?.failed !== true || signal.aborted) throw error;
        return await this.#query(await this.#newAssociation(), keys);
      }
    } catch (error) {
      return notAsked(error, signal);
    } finally {
      signal.removeEventListener('abort', abort);
      this.#idle = setTimeout(() => void this.#association?.release(), this.#idleMs);
    }
  }

  async #newAssociation(): Promise<DimseAssociation> {
    this.#association = await this.#associate([finding], this.#never.signal);
    return this.#association;
  }

  async #query(association: DimseAssociation, keys: Elements): Promise<Elements[] | ReadFailure> {
    if (association.negotiated(studyRootFind, implicitVrLittleEndian)?.accepted !== true) {
      await association.release();
      return unsupported('DIMSE_NO_C_FIND');
    }
    const request = new dimse.requests.CFindRequest();
    request.setDataset(new dimse.Dataset(keys));
    const matches: Elements[] = [];
    const status = await association.query(request, (response) => {
      const elements = response.getDataset()?.getElements();
      if (elements !== undefined && matches.push(elements) > matchesMax) association.abort();
    });
    return status === 0 ? matches : failureOf(status);
  }
}

/** Streams what the PACS sends in answer to a C-GET of one instance. */
async function retrieved(
  association: DimseAssociation,
  request: InstanceType<typeof dimse.requests.CGetRequest>,
  wanted: string,
): Promise<RetrieveAnswer> {
  const channel = new ByteChannel({ pause: () => association.pause(), resume: () => association.resume() });
  const began = Promise.withResolvers<TransferSyntaxUID | null>();
  association.onEnd((failure) => channel.fail(failure));
  const status = association.query(request, () => undefined, {
    begin: ({ AffectedSOPInstanceUID }, transferSyntax) => {
      // Another instance than the one asked for must not be taken for it.
      if (AffectedSOPInstanceUID !== wanted) association.abort();
      else began.resolve(parseUid<TransferSyntaxUID>(transferSyntax));
    },
    write: (bytes) => channel.push(bytes),
    end: () => channel.end(),
  });
  const first = await Promise.race([
    began.promise.then((syntax) => ({ syntax })),
    status.then((code) => ({ code })),
  ]);
  const over = status.then(
    () => association.release(),
    () => undefined,
  );
  if ('code' in first) {
    await over;
    // Success with nothing sent: it has no such instance. A refused or failed sub-operation says nothing about it.
    return first.code === 0 ? { kind: 'absent' } : failureOf(first.code);
  }
  return {
    kind: 'present',
    TransferSyntaxUID: first.syntax,
    dataSet: () => channel.bytes(),
    cancel: () => {
      if (!channel.ended) association.abort();
    },
  };
}

/** PS3.4 tables C.4-1 and C.4-3. */
function failureOf(status: number): ReadFailure {
  const code = `DIMSE_${status.toString(16).toUpperCase().padStart(4, '0')}`;
  const why =
    status === 0x0124 ? 'refused' : status === 0x0122 || status === 0x0211 ? 'unsupported' : 'unavailable';
  return { kind: 'failed', why, code, retryAfterMs: null };
}

function isFailure(answer: Elements[] | ReadFailure): answer is ReadFailure {
  return !Array.isArray(answer);
}
