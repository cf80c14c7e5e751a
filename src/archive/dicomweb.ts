import { type Clock, systemClock } from '../base/clock.ts';
import { noSealedSecrets, type SealedSecrets } from '../base/sealed-secrets.ts';
import type { AuthConfig, ClientCertificateConfig, ProxyConfig } from '../config/schema.ts';
import type { StudyInstanceUID } from '../dicom/uid.ts';
import { readBounded } from './bounded-body.ts';
import { isGoAway, isRefusedStream, requestFault } from './client-fault.ts';
import { createCredentials } from './credentials.ts';
import { DicomWebPaths } from './dicomweb-paths.ts';
import { DicomWebReader } from './dicomweb-reader.ts';
import {
  defaultLineLimits,
  headerOf,
  HttpLine,
  type LineAnswer,
  type LineLimits,
  retryAfterMs,
} from './http-line.ts';
import type {
  ArchiveClient,
  ArchiveLine,
  InstanceRef,
  PingAnswer,
  SendPhase,
  SeriesMetadataAnswer,
  SeriesRef,
  StoreAnswer,
  StoreItem,
} from './port.ts';
import { SignedLine } from './signed-line.ts';
import { readStoreResponse, unreadableResponse } from './store-answer.ts';
import { StoreBody } from './store-body.ts';

/** How connections are made; names as in a destination of the configuration. */
export interface DicomWebConnection {
  /** PEM file of an authority trusted in addition to the usual ones. */
  readonly caFile: string | null;
  readonly proxy: ProxyConfig | null;
}

export interface DicomWebOptions extends Partial<DicomWebConnection> {
  /** Address of the studies service, ending in `/studies`. */
  readonly url: string;
  readonly auth?: AuthConfig;
  /** For mutual TLS; in addition to, or as (`auth.type` `mtls`), the sign-in. */
  readonly clientCertificate?: ClientCertificateConfig | null;
  /** HTTP/2 where the archive offers it. Off by default: one slow request holds up none of the others. */
  readonly http2?: boolean;
  /** How the token service of the sign-in is reached; as the archive is where not given. */
  readonly tokenService?: DicomWebConnection;
  readonly limits?: Partial<LineLimits>;
  readonly clock?: Clock;
  /** Where settings may name a secret as "secret:NAME". */
  readonly sealed?: SealedSecrets;
}

/** JSON and XML answers alike; the first is what every archive of today can. */
export const storeAccept = 'application/dicom+json, application/dicom+xml;q=0.8';
const answerBytesBase = 4 * 1024 * 1024;
const answerBytesPerItem = 4 * 1024;
const msPerDay = 86_400_000;

/**
 * A client of one archive's DICOMweb services: STOW-RS, QIDO-RS, WADO-RS (PS3.18 §10.4–10.6).
 * Opens no connection and reads no file before it is asked something: what is wrong with either is an answer
 * of that request, with a code `faultText` has words for.
 * @throws GantryError ARCHIVE_URL_INVALID
 */
export function createDicomWebClient(options: DicomWebOptions): ArchiveClient {
  const { clock = systemClock, sealed = noSealedSecrets } = options;
  const limits = { ...defaultLineLimits, ...options.limits };
  const { auth = { type: 'none' }, caFile = null, proxy = null } = options;
  const clientCertificate = auth.type === 'mtls' ? auth : (options.clientCertificate ?? null);
  const allowH2 = options.http2 ?? false;
  const paths = new DicomWebPaths(options.url);
  const line = new HttpLine(
    paths.origin,
    { tls: { caFile, clientCertificate }, proxy, allowH2, sealed },
    limits,
  );
  const token = options.tokenService ?? { caFile, proxy };
  const credentials = createCredentials(auth, {
    origin: paths.origin,
    connection: {
      tls: { caFile: token.caFile, clientCertificate: null },
      proxy: token.proxy,
      allowH2: false,
      sealed,
    },
    limits,
    clock,
    sealed,
  });
  return new DicomWebClient(paths, new SignedLine(line, credentials, clock), limits, clock);
}

/** How far a request came that failed, by what was handed over and by what HTTP/2 says of it (RFC 9113 §8.7, §6.8). */
function phaseOf(body: StoreBody, error: unknown): SendPhase {
  if (isRefusedStream(error)) return 'unsent';
  return body.phase !== 'unsent' && isGoAway(error) ? 'unanswered' : body.phase;
}

class DicomWebClient implements ArchiveClient {
  readonly answersWhileStoring = true;
  readonly #paths: DicomWebPaths;
  readonly #line: SignedLine;
  readonly #reader: DicomWebReader;
  readonly #sendIdleMs: number;
  readonly #clock: Clock;
  #bytesSent = 0;

  constructor(paths: DicomWebPaths, line: SignedLine, { sendIdleMs, pingMs }: LineLimits, clock: Clock) {
    this.#paths = paths;
    this.#line = line;
    this.#reader = new DicomWebReader(paths, line, clock, pingMs);
    this.#sendIdleMs = sendIdleMs;
    this.#clock = clock;
  }

  async store(items: readonly StoreItem[], signal: AbortSignal): Promise<StoreAnswer> {
    const body = new StoreBody(items, this.#sendIdleMs);
    try {
      const answer = await this.#line.request({
        method: 'POST',
        path: this.#paths.studies,
        headers: {
          accept: storeAccept,
          'content-type': body.contentType,
          'content-length': String(body.bytes),
        },
        body: body.stream(),
        signal: AbortSignal.any([signal, body.stalled]),
      });
      // A refusal while the body is on its way counts, and nothing more is sent; undici closes the connection.
      if (answer.statusCode >= 300) body.hold();
      return await this.#answered(answer, body, items.length);
    } catch (error) {
      if (body.sourceError !== null && !signal.aborted)
        return { kind: 'source-failed', error: body.sourceError.error };
      const failed = { kind: 'failed', phase: phaseOf(body, error) } as const;
      if (signal.aborted) return { ...failed, code: 'ABORTED' };
      if (body.stalled.aborted) return { ...failed, code: 'SEND_STALLED' };
      return { ...failed, ...requestFault(error) };
    } finally {
      body.end();
      this.#bytesSent += body.handedBytes;
    }
  }

  async #answered(answer: LineAnswer, body: StoreBody, items: number): Promise<StoreAnswer> {
    const read = await readBounded(answer, answerBytesBase + items * answerBytesPerItem);
    if (read.kind !== 'whole' && body.sourceError !== null) {
      return { kind: 'source-failed', error: body.sourceError.error };
    }
    const response =
      read.kind === 'whole'
        ? await readStoreResponse(read.bytes, headerOf(answer, 'content-type'))
        : unreadableResponse;
    return {
      kind: 'answered',
      status: answer.statusCode,
      retryAfterMs: retryAfterMs(answer, this.#clock.now()),
      ...response,
    };
  }

  ping(signal: AbortSignal): Promise<PingAnswer> {
    return this.#reader.ping(signal);
  }

  find(ref: InstanceRef, signal: AbortSignal): ReturnType<ArchiveClient['find']> {
    return this.#reader.find(ref, signal);
  }

  knowsStudy(study: StudyInstanceUID, signal: AbortSignal): ReturnType<ArchiveClient['knowsStudy']> {
    return this.#reader.knowsStudy(study, signal);
  }

  metadata(ref: InstanceRef, signal: AbortSignal): ReturnType<ArchiveClient['metadata']> {
    return this.#reader.metadata(ref, signal);
  }

  seriesMetadata(series: SeriesRef, signal: AbortSignal): Promise<SeriesMetadataAnswer> {
    return this.#reader.seriesMetadata(series, signal);
  }

  retrieve(ref: InstanceRef, signal: AbortSignal): ReturnType<ArchiveClient['retrieve']> {
    return this.#reader.retrieve(ref, signal);
  }

  refreshCredentials(): void {
    this.#line.refreshCredentials();
  }

  line(): ArchiveLine {
    const endsAt = this.#line.certificateEndsAt;
    const tlsDaysLeft = endsAt === null ? null : Math.floor((endsAt - this.#clock.now()) / msPerDay);
    const { answeredAt, clockOffsetMs } = this.#line;
    return { tlsDaysLeft, bytesSent: this.#bytesSent, answeredAt, clockOffsetMs };
  }

  close(): Promise<void> {
    return this.#line.close();
  }
}
