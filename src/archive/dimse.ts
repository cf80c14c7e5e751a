import dimse from 'dcmjs-dimse';
import { type Clock, systemClock } from '../base/clock.ts';
import { splitPart10 } from '../dicom/part10.ts';
import { verificationSopClass } from '../dicom/sop-classes.ts';
import type { StudyInstanceUID } from '../dicom/uid.ts';
import { requestFault } from './client-fault.ts';
import {
  type AssociationTarget,
  contextsMax,
  DimseAssociation,
  type Negotiated,
  type Proposal,
} from './dimse-association.ts';
import { DimseReader } from './dimse-reader.ts';
import { dimseLimits, type DimseLimits, tlsContextOf } from './dimse-wire.ts';
import { contentOf, SourceFailure } from './item-source.ts';
import type {
  ArchiveClient,
  ArchiveLine,
  FailedInstance,
  InstanceRef,
  PingAnswer,
  ReferencedInstance,
  SendPhase,
  StoreAnswer,
  StoreItem,
} from './port.ts';
import type { TlsFiles } from './tls-context.ts';

export interface DimseOptions {
  readonly host: string;
  readonly port: number;
  /** The archive's. */
  readonly aeTitle: string;
  /** Ours. */
  readonly callingAeTitle: string;
  /** Null: in clear. */
  readonly tls: TlsFiles | null;
  readonly clock?: Clock;
  readonly limits?: Partial<DimseLimits>;
}

const implicitVrLittleEndian = '1.2.840.10008.1.2';
const msPerDay = 86_400_000;
/** Failure reasons as a STOW response would give them (PS3.18 Table I.2-2, PS3.7 Annex C). */
const processingFailure = 0x0110;
const sopClassNotSupported = 0x0122;
const transferSyntaxNotSupported = 0xc122;
/** Results of a presentation context (PS3.8 table 9-18). */
const abstractSyntaxRefused = 3;
const noReason = 2;

/** Sends to a PACS by C-STORE and asks it by C-FIND and C-GET. */
export function createDimseClient(options: DimseOptions): ArchiveClient {
  return new DimseClient(options);
}

class DimseClient implements ArchiveClient {
  readonly #target: AssociationTarget;
  readonly #limits: DimseLimits;
  readonly #clock: Clock;
  readonly #reader: DimseReader;
  readonly #open = new Set<DimseAssociation>();
  #bytesSent = 0;
  #answeredAt: number | null = null;
  #certificateEndsAt: number | null = null;

  constructor({ host, port, aeTitle, callingAeTitle, tls, clock, limits }: DimseOptions) {
    this.#target = { host, port, calledAeTitle: aeTitle, callingAeTitle, tls: tlsContextOf(tls) };
    this.#limits = { ...dimseLimits, ...limits };
    this.#clock = clock ?? systemClock;
    this.#reader = new DimseReader(
      (proposals, signal) => this.#associate(proposals, signal),
      this.#limits.idleMs,
    );
  }

  /** One association for the batch; each instance is stored by itself, so that what came before a failure stays. */
  async store(items: readonly StoreItem[], signal: AbortSignal): Promise<StoreAnswer> {
    const referenced: ReferencedInstance[] = [];
    const failed: FailedInstance[] = [];
    const progress: { phase: SendPhase } = { phase: 'unsent' };
    let association: DimseAssociation | null = null;
    try {
      association = await this.#associate(proposalsOf(items), signal);
      for (const item of items) {
        const { SOPInstanceUID } = item;
        const code = await this.#storeOne(association, item, progress);
        if (code === 0) referenced.push({ SOPInstanceUID, warningReason: null });
        else if (isWarning(code)) referenced.push({ SOPInstanceUID, warningReason: code });
        else failed.push({ SOPInstanceUID, failureReason: code });
      }
      await association.release();
    } catch (error) {
      association?.abort();
      if (signal.aborted) return { kind: 'failed', phase: progress.phase, code: 'ABORTED' };
      if (error instanceof SourceFailure) return { kind: 'source-failed', error: error.cause };
      if (referenced.length + failed.length === 0) {
        return { kind: 'failed', phase: progress.phase, ...requestFault(error) };
      }
      // Those not mentioned are unknown.
    }
    const head = { kind: 'answered', service: 'DIMSE', status: 200, retryAfterMs: null } as const;
    return { ...head, body: 'parsed', referenced, failed };
  }

  /** @returns the status, 0 where it is stored */
  async #storeOne(
    association: DimseAssociation,
    item: StoreItem,
    progress: { phase: SendPhase },
  ): Promise<number> {
    const context = association.negotiated(item.SOPClassUID, item.TransferSyntaxUID);
    if (context === null || !context.accepted) return refusalOf(context);
    progress.phase = 'partial';
    const file = await splitPart10(contentOf(item)).catch((error: unknown) => {
      throw error instanceof SourceFailure ? error : new SourceFailure(error);
    });
    try {
      const status = await association.store(context.contextId, item, file.dataSet, () => {
        progress.phase = 'unanswered';
      });
      this.#answeredAt = this.#clock.monotonic();
      return status;
    } finally {
      await file.cancel();
    }
  }

  async ping(signal: AbortSignal): Promise<PingAnswer> {
    try {
      const association = await this.#associate([verification], signal);
      if (association.negotiated(verification.sopClass, implicitVrLittleEndian)?.accepted === true) {
        await association.query(new dimse.requests.CEchoRequest(), () => undefined);
      }
      await association.release();
      return { kind: 'answered', status: 200, retryAfterMs: null };
    } catch (error) {
      if (signal.aborted) return { kind: 'failed', code: 'ABORTED' };
      return { kind: 'failed', ...requestFault(error) };
    }
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

  retrieve(ref: InstanceRef, signal: AbortSignal): ReturnType<ArchiveClient['retrieve']> {
    return this.#reader.retrieve(ref, signal);
  }

  refreshCredentials(): void {
    // Certificates are read again whenever their files change.
  }

  line(): ArchiveLine {
    const endsAt = this.#certificateEndsAt;
    const tlsDaysLeft = endsAt === null ? null : Math.floor((endsAt - this.#clock.now()) / msPerDay);
    const open = [...this.#open].reduce((sum, one) => sum + one.bytesSent, 0);
    return { tlsDaysLeft, bytesSent: this.#bytesSent + open, answeredAt: this.#answeredAt };
  }

  async close(): Promise<void> {
    await this.#reader.close();
    for (const association of this.#open) association.abort();
  }

  async #associate(proposals: readonly Proposal[], signal: AbortSignal): Promise<DimseAssociation> {
    signal.throwIfAborted();
    const association = await DimseAssociation.open(this.#target, proposals, this.#limits);
    this.#answeredAt = this.#clock.monotonic();
    this.#certificateEndsAt = association.certificateEndsAt;
    this.#open.add(association);
    const abort = (): void => association.abort();
    signal.addEventListener('abort', abort, { once: true });
    association.onEnd(() => {
      signal.removeEventListener('abort', abort);
      this.#open.delete(association);
      this.#bytesSent += association.bytesSent;
    });
    if (signal.aborted) association.abort();
    return association;
  }
}

const verification: Proposal = { sopClass: verificationSopClass, transferSyntaxes: [implicitVrLittleEndian] };

/** One context for each class and transfer syntax, so that each is accepted or refused by itself. */
function proposalsOf(items: readonly StoreItem[]): Proposal[] {
  const proposals = new Map<string, Proposal>();
  for (const { SOPClassUID: sopClass, TransferSyntaxUID: syntax } of items) {
    if (proposals.size < contextsMax)
      proposals.set(`${sopClass} ${syntax}`, { sopClass, transferSyntaxes: [syntax] });
  }
  return [...proposals.values()];
}

/** A context that was not accepted says so of the class, or of this transfer syntax for it. */
function refusalOf(context: Extract<Negotiated, { accepted: false }> | null): number {
  if (context === null || context.result === noReason) return processingFailure;
  return context.result === abstractSyntaxRefused ? sopClassNotSupported : transferSyntaxNotSupported;
}

/** PS3.7 §C.4.2: Bxxx, and 0107, 0116. */
function isWarning(status: number): boolean {
  return (status >= 0xb000 && status <= 0xbfff) || status === 0x0107 || status === 0x0116;
}
