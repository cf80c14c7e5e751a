import type { Clock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import { multipartBoundary, mediaTypeParameter, multipartParts } from '../dicom/multipart.ts';
import { type SplitPart10, splitPart10 } from '../dicom/part10.ts';
import { parseUid, type StudyInstanceUID, type TransferSyntaxUID } from '../dicom/uid.ts';
import { bodyText, readBounded } from './bounded-body.ts';
import { requestFault } from './client-fault.ts';
import { type DicomJson, isDicomJson, numberOf, textOf } from './dicom-json.ts';
import type { DicomWebPaths, PlacedInstance } from './dicomweb-paths.ts';
import { headerOf, type LineAnswer, retryAfterMs } from './http-line.ts';
import type {
  ArchivedFacts,
  FindAnswer,
  InstanceRef,
  MetadataAnswer,
  PingAnswer,
  ReadFailure,
  RetrieveAnswer,
  SeriesMetadataAnswer,
  SeriesRef,
} from './port.ts';
import type { SignedLine } from './signed-line.ts';
import { notAsked, statusFailure, unavailable, unsupported } from './read-failure.ts';

/** Asked of QIDO-RS and WADO-RS metadata. */
export const readAccept = 'application/dicom+json';
/** Asked of WADO-RS instances: all transfer syntaxes; without this the archive may transcode (PS3.18 §8.7.3.5.2). */
export const retrieveAccept = 'multipart/related; type="application/dicom"; transfer-syntax=*';
const searchBytesMax = 4 * 1024 * 1024;
/** Metadata carries whatever private elements the instance has. */
const metadataBytesMax = 32 * 1024 * 1024;
/** Of a whole series: some hundred instances. Reading it keeps everybody else waiting. */
const seriesBytesMax = 4 * 1024 * 1024;

type Documents = { readonly kind: 'documents'; readonly documents: readonly DicomJson[] };

/** Looks at what the archive has: QIDO-RS, WADO-RS metadata, WADO-RS instances. */
export class DicomWebReader {
  readonly #paths: DicomWebPaths;
  readonly #line: SignedLine;
  readonly #clock: Clock;
  readonly #pingMs: number;
  /** Whether a read has ever been answered: 404 means "not there" from then on, not "no such service". */
  #servesReads = false;

  constructor(paths: DicomWebPaths, line: SignedLine, clock: Clock, pingMs: number) {
    this.#paths = paths;
    this.#line = line;
    this.#clock = clock;
    this.#pingMs = pingMs;
  }

  async ping(signal: AbortSignal): Promise<PingAnswer> {
    const late = AbortSignal.timeout(this.#pingMs);
    try {
      const answer = await this.#probe(AbortSignal.any([signal, late]));
      const { statusCode: status } = answer;
      return { kind: 'answered', status, retryAfterMs: retryAfterMs(answer, this.#clock.now()) };
    } catch (error) {
      if (signal.aborted) return { kind: 'failed', code: 'ABORTED' };
      return { kind: 'failed', ...(late.aborted ? { code: 'ANSWER_LATE' } : requestFault(error)) };
    }
  }

  async find(ref: InstanceRef, signal: AbortSignal): Promise<FindAnswer> {
    const found = await this.#search(ref, signal);
    return found.kind === 'documents' ? { kind: 'present' } : found;
  }

  async knowsStudy(study: StudyInstanceUID, signal: AbortSignal): Promise<FindAnswer> {
    const answer = await this.#documents(this.#paths.searchStudy(study), searchBytesMax, signal);
    if (answer.kind !== 'documents') return answer;
    // As for instances: an archive that does not know the search key answers with whatever it has.
    const known = answer.documents.some((each) => textOf(each, '0020000D') === study);
    return { kind: known ? 'present' : 'absent' };
  }

  async metadata(ref: InstanceRef, signal: AbortSignal): Promise<MetadataAnswer> {
    const place = await this.#place(ref, signal);
    if (place.kind !== 'placed') return place;
    const answer = await this.#documents(this.#paths.metadata(place.instance), metadataBytesMax, signal);
    if (answer.kind !== 'documents') return answer;
    const [document] = answer.documents;
    return document === undefined ? { kind: 'absent' } : { kind: 'present', facts: factsOf(document) };
  }

  async seriesMetadata(series: SeriesRef, signal: AbortSignal): Promise<SeriesMetadataAnswer> {
    const answer = await this.#documents(this.#paths.seriesMetadata(series), seriesBytesMax, signal);
    if (answer.kind !== 'documents') return answer;
    const named = Map.groupBy(answer.documents.map(factsOf), ({ SOPInstanceUID }) => SOPInstanceUID);
    const instances = new Map<string, ArchivedFacts>();
    for (const [uid, [facts, ...others]] of named) {
      // Said twice, it is not known which of them is meant.
      if (uid !== null && facts !== undefined && others.length === 0) instances.set(uid, facts);
    }
    return { kind: 'present', instances };
  }

  async retrieve(ref: InstanceRef, signal: AbortSignal): Promise<RetrieveAnswer> {
    const place = await this.#place(ref, signal);
    if (place.kind !== 'placed') return place;
    const answer = await this.#get(this.#paths.instance(place.instance), { accept: retrieveAccept }, signal);
    if (answer.kind !== 'answer') return answer;
    const { body } = answer.answer;
    try {
      const split = await splitPart10(instanceIn(answer.answer));
      return {
        kind: 'present',
        TransferSyntaxUID: split.TransferSyntaxUID ?? namedTransferSyntax(answer.answer),
        dataSet: () => dataSetOf(split),
        cancel: () => void body.destroy(),
      };
    } catch (error) {
      body.destroy();
      return notAsked(error, signal);
    }
  }

  /** The place the reference names, or where the archive says the instance is. */
  async #place(
    ref: InstanceRef,
    signal: AbortSignal,
  ): Promise<{ kind: 'placed'; instance: PlacedInstance } | { kind: 'absent' } | ReadFailure> {
    const { StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID } = ref;
    if (StudyInstanceUID !== null && SeriesInstanceUID !== null) {
      return { kind: 'placed', instance: { StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID } };
    }
    const found = await this.#search(ref, signal);
    if (found.kind !== 'documents') return found;
    // Where the search leaves a UID out, or the archive made one up that is none, there is no way to it.
    const [document = {}] = found.documents;
    const study = StudyInstanceUID ?? parseUid(textOf(document, '0020000D') ?? '');
    const series = parseUid(textOf(document, '0020000E') ?? '');
    if (study === null || series === null) return unsupported('NO_STUDY_OR_SERIES');
    return {
      kind: 'placed',
      instance: { StudyInstanceUID: study, SeriesInstanceUID: series, SOPInstanceUID },
    };
  }

  /** The matches of the search that are the instance; `absent` for none. */
  async #search(
    ref: InstanceRef,
    signal: AbortSignal,
  ): Promise<Documents | { kind: 'absent' } | ReadFailure> {
    const answer = await this.#documents(this.#paths.search(ref), searchBytesMax, signal);
    if (answer.kind !== 'documents') return answer;
    // An archive that does not know the search key answers with everything it has.
    const documents = answer.documents.filter((each) => textOf(each, '00080018') === ref.SOPInstanceUID);
    return documents.length > 0 ? { kind: 'documents', documents } : { kind: 'absent' };
  }

  async #documents(
    path: string,
    bytesMax: number,
    signal: AbortSignal,
  ): Promise<Documents | { kind: 'absent' } | ReadFailure> {
    // Metadata shrinks to a tenth and less; on a long line that is round trips, not only bytes.
    const headers = { accept: readAccept, 'accept-encoding': 'gzip' };
    const answer = await this.#get(path, headers, signal);
    if (answer.kind !== 'answer') return answer;
    const read = await readBounded(answer.answer, bytesMax);
    if (read.kind === 'cut') return unavailable(signal.aborted ? 'ABORTED' : 'ANSWER_CUT');
    if (read.kind !== 'whole') return unsupported('ANSWER_UNREADABLE');
    const documents = parseDocuments(bodyText(read.bytes, headerOf(answer.answer, 'content-type')));
    return documents === null ? unsupported('ANSWER_UNREADABLE') : { kind: 'documents', documents };
  }

  /** One GET that came to something: 200, or what the port says about everything else. */
  async #get(
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<{ kind: 'answer'; answer: LineAnswer } | { kind: 'absent' } | ReadFailure> {
    let answer: LineAnswer;
    try {
      answer = await this.#line.request({ method: 'GET', path, headers, signal });
    } catch (error) {
      return notAsked(error, signal);
    }
    const { statusCode: status } = answer;
    if (status === 200) {
      this.#servesReads = true;
      return { kind: 'answer', answer };
    }
    await discard(answer);
    // Gone: it was there, and was deleted.
    if (status === 204 || status === 410) return { kind: 'absent' };
    if (status === 404) return this.#notFound(signal);
    return statusFailure(answer, this.#clock.now());
  }

  /** 404 is "no such instance" only where there is such a service: asked once. */
  async #notFound(signal: AbortSignal): Promise<{ kind: 'absent' } | ReadFailure> {
    if (this.#servesReads) return { kind: 'absent' };
    let answer: LineAnswer;
    try {
      answer = await this.#probe(signal);
    } catch (error) {
      return notAsked(error, signal);
    }
    if (this.#servesReads) return { kind: 'absent' };
    if (answer.statusCode === 404) return unsupported('HTTP_404');
    return statusFailure(answer, this.#clock.now());
  }

  /** The cheapest question; what the answer lists is dropped unread. */
  async #probe(signal: AbortSignal): Promise<LineAnswer> {
    const answer = await this.#line.request({
      method: 'GET',
      path: this.#paths.probe(),
      headers: { accept: readAccept },
      signal,
    });
    await discard(answer);
    if (answer.statusCode === 200 || answer.statusCode === 204) this.#servesReads = true;
    return answer;
  }
}

/** Short bodies are read, so that the connection can be used again; long ones are not worth it. */
async function discard(answer: LineAnswer): Promise<void> {
  await readBounded(answer, 64 * 1024);
}

function parseDocuments(text: string): readonly DicomJson[] | null {
  if (text.trim() === '') return [];
  try {
    const value: unknown = JSON.parse(text);
    const documents: readonly unknown[] = Array.isArray(value) ? value : [value];
    return documents.every(isDicomJson) ? documents : null;
  } catch {
    return null;
  }
}

function factsOf(document: DicomJson): ArchivedFacts {
  const image = {
    Rows: numberOf(document, '00280010'),
    Columns: numberOf(document, '00280011'),
    BitsAllocated: numberOf(document, '00280100'),
    NumberOfFrames: numberOf(document, '00280008'),
  };
  return {
    SOPClassUID: textOf(document, '00080016'),
    SOPInstanceUID: textOf(document, '00080018'),
    StudyInstanceUID: textOf(document, '0020000D'),
    SeriesInstanceUID: textOf(document, '0020000E'),
    TransferSyntaxUID: textOf(document, '00083002') ?? textOf(document, '00020010'),
    image: Object.fromEntries(Object.entries(image).filter(([, value]) => value !== null)),
  };
}

/** The Part 10 file in an answer: the first part of a multipart one, or the body itself. */
async function* instanceIn(answer: LineAnswer): AsyncGenerator<Buffer, void, undefined> {
  const encoding = headerOf(answer, 'content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw cutShort('It came in a content encoding that was not asked for.');
  const boundary = multipartBoundary(headerOf(answer, 'content-type') ?? '');
  const body = answer.body as AsyncIterable<Buffer>;
  if (boundary === null) {
    yield* body;
    return;
  }
  let parts = 0;
  for await (const part of multipartParts(body, boundary)) {
    parts += 1;
    // One instance was asked for.
    if (parts > 1) throw cutShort('It came with more than one part.');
    yield* part.content;
  }
  if (parts === 0) throw cutShort('It came without a part.');
}

function namedTransferSyntax(answer: LineAnswer): TransferSyntaxUID | null {
  const name = mediaTypeParameter(headerOf(answer, 'content-type') ?? '', 'transfer-syntax');
  return name === null ? null : parseUid<TransferSyntaxUID>(name);
}

/** @throws GantryError RETRIEVE_FAILED where the answer breaks off: what came so far must not be compared */
async function* dataSetOf(split: SplitPart10): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* split.dataSet;
  } catch (error) {
    throw error instanceof GantryError ? error : cutShort('It broke off.', error);
  }
}

function cutShort(message: string, cause?: unknown): GantryError {
  return new GantryError(
    {
      code: 'RETRIEVE_FAILED',
      kind: 'transient',
      message: `The archive's copy could not be read. ${message}`,
      nextStep: 'Nothing: it is tried again.',
    },
    { cause },
  );
}
